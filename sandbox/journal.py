"""An append-only file of state changes, replayed at start.

Each line holds the whole new state of one thing, so replaying means taking the last line per
thing, and compacting means writing each thing once. A line is handed to the operating system
before the answer leaves, which is what surviving SIGKILL takes; it is not synced to the disk, so
a power cut may lose the last moments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_FORM = orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS

JournalRecord = dict[str, Any]  # what is kept belongs to the owner of the record's kind


class Journal:
    """Durable list of records; without a path it remembers nothing."""

    def __init__(self, path: Path | None) -> None:
        """Take the file's path; its folder must exist."""
        self._path = path
        self._file: BinaryIO | None = None

    def replay(self) -> Iterator[JournalRecord]:
        """Yield the records in the order written; a line cut off by a crash ends the list."""
        if self._path is None or not self._path.exists():
            return
        whole = 0
        with self._path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                yield orjson.loads(line)
        if whole < self._path.stat().st_size:
            with self._path.open("r+b") as file:
                file.truncate(whole)

    def append(self, record: JournalRecord) -> None:
        """Add one record."""
        if self._path is None:
            return
        if self._file is None:
            self._file = self._path.open("ab", buffering=0)
        self._file.write(orjson.dumps(record, option=_FORM))

    def compact(self, records: Iterable[JournalRecord]) -> None:
        """Replace the file by these records, in one step."""
        if self._path is None:
            return
        self.close()
        fresh = self._path.with_suffix(".new")
        with fresh.open("wb") as file:
            for record in records:
                file.write(orjson.dumps(record, option=_FORM))
        fresh.replace(self._path)

    def close(self) -> None:
        """Close the file; a later append opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None
