"""How much memory each task's process had at most."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Self

import psutil

_LOOK_EVERY_S = 0.1
_TITLE = "airflow worker -- "
"""Airflow gives a task's process this name, with the id of the task instance behind it."""


class PeakMemory:
    """Watches all task processes of this machine while the block runs.

    Attributes:
        peak_mb: The most that each task instance's process had in memory, by the instance's id; what it shares with
            the process that it was forked from is in it.
    """

    def __init__(self) -> None:
        self.peak_mb: dict[str, float] = {}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_over.wait(_LOOK_EVERY_S):
            for process in psutil.process_iter(["cmdline"]):
                title = " ".join(process.info["cmdline"] or ())
                if title.startswith(_TITLE):
                    with contextlib.suppress(OSError, StopIteration):  # it has ended meanwhile
                        self._note(title.removeprefix(_TITLE).strip(), process.pid)

    def _note(self, instance: str, pid: int) -> None:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        self.peak_mb[instance] = max(self.peak_mb.get(instance, 0), int(line.split()[1]) / 1024)
