"""Starts the demo's processes, each in a group of its own, and ends them without leaving one behind."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_PR_SET_PDEATHSIG = 1
GRACE_S = 20.0


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


class ChildProcess:
    """A process of the demo with its own log file.

    Args:
        name: For messages.
        command: Program and arguments.
        environment: Its whole environment.
        log_file: Where its output goes.
        stop_signal: What ends it in order; ``airflow standalone`` passes on SIGINT only.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        log_file: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name = name
        self.log_file = log_file
        self._command = command
        self._environment = environment
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start it."""
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=prepare_child,  # noqa: PLW1509 - no threads yet
            )
        return self

    def __exit__(self, *exc_info: object) -> None:
        """End it and everything it started."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, self._stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
        _end_group(process.pid)
        process.wait()

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its group and of its session.

        Raises:
            DemoError: It was not started.
        """
        if self._process is None:
            message = f"{self.name} was not started"
            raise DemoError(message)
        return self._process.pid

    def wait_until(self, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until it is ready.

        Raises:
            DemoError: It ended, or took longer than ``timeout_s`` seconds.
        """
        deadline = time.monotonic() + timeout_s
        while not is_ready():
            if self._process is not None and self._process.poll() is not None:
                message = (
                    f"{self.name} ended with status {self._process.returncode}; see {self.log_file}"
                )
                raise DemoError(message)
            if time.monotonic() > deadline:
                message = f"{self.name} was not ready after {timeout_s:.0f} s; see {self.log_file}"
                raise DemoError(message)
            time.sleep(0.2)


def free_port(wanted: int, tries: int = 50) -> int:
    """Return the wanted port of the loopback address, or the next free one.

    Raises:
        DemoError: None of ``tries`` ports is free.
    """
    for port in range(wanted, min(wanted + tries, 65_536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    message = (
        f"no port from {wanted} to {wanted + tries - 1} is free; name another: make demo PORT=..."
    )
    raise DemoError(message)


def prepare_child() -> None:
    """Let the child end by Ctrl-C's signal, which a shell's background job ignores and its children inherit.

    On Linux it gets that signal when the demo itself is killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _end_group(group: int) -> None:
    """End what is left of a process group: politely, then for good."""
    for sent, patience_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 2.0)):
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            try:
                os.killpg(group, sent)
            except (ProcessLookupError, PermissionError):
                return
            time.sleep(0.1)
