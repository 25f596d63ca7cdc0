"""Finds and ends the processes of a container, and never another one: a process is its id and the moment it started."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STATE, _PARENT, _SESSION, _STARTED = 0, 1, 3, 19
"""Fields of ``/proc/<pid>/stat`` behind the process's name."""


@dataclass(frozen=True)
class ProcessId:
    """A process that cannot be mistaken for a later one with the same number.

    Attributes:
        pid: Its number.
        started: When it did, in the kernel's ticks since the machine did.
    """

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Return that of a process that is there now."""
        fields = _stat(pid)
        return cls(pid, int(fields[_STARTED])) if fields else None

    @property
    def is_alive(self) -> bool:
        """Whether it runs; one that is dead and not yet reaped does not."""
        fields = _stat(self.pid)
        return bool(fields) and int(fields[_STARTED]) == self.started and fields[_STATE] not in "ZX"

    def send(self, number: int) -> None:
        """Send it a signal, when it is there."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def family(leader: ProcessId) -> list[ProcessId]:
    """Return the processes of a leader's session, and all that descend from one of them; the leader may be dead."""
    found = {
        pid: fields for pid in _pids() if (fields := _stat(pid)) and fields[_STATE] not in "ZX"
    }
    members = {
        pid
        for pid, fields in found.items()
        if int(fields[_SESSION]) == leader.pid and int(fields[_STARTED]) >= leader.started
    }
    while more := {
        pid
        for pid, fields in found.items()
        if int(fields[_PARENT]) in members and pid not in members
    }:
        members |= more
    return [ProcessId(pid, int(found[pid][_STARTED])) for pid in sorted(members)]


def end(leader: ProcessId, known: Iterable[ProcessId] = ()) -> int:
    """End a family for good, and those that were known of it; return how many there were."""
    ended: set[ProcessId] = set()
    deadline = time.monotonic() + 10
    while living := {one for one in {*family(leader), *known} if one.is_alive}:
        ended |= living
        for one in living:
            one.send(signal.SIGKILL)
        if time.monotonic() > deadline:
            break  # in the kernel's hands: a process cannot outlive its signal
        time.sleep(0.02)
    return len(ended)


def _pids() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def _stat(pid: int) -> list[str]:
    """Return the fields behind the name, which may itself have blanks and brackets; empty when there is no process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text.rpartition(")")[2].split()
