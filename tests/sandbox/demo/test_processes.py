"""The demo's processes end with it, with everything they started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.demo.processes import ChildProcess, DemoError, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 30.0
FAMILY = """
sleep 600 &
sh -c 'sleep 600 & echo $! >> "$0"; sleep 600' "$PIDS" &
echo $! >> "$PIDS"
echo $$ >> "$PIDS"
"""
"""A shell with a child and a grandchild, which write their process ids."""


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not collected by its parent does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


class Family:
    """A process with offspring, and which of them are alive."""

    def __init__(self, folder: Path, last: str) -> None:
        self.pids_file = folder / "pids"
        self.log_file = folder / "logs" / "family.log"
        self.command = ["sh", "-c", FAMILY + last]
        self.environment = {**os.environ, "PIDS": str(self.pids_file)}

    def process(self, stop_signal: signal.Signals = signal.SIGTERM) -> ChildProcess:
        return ChildProcess(
            "the family", self.command, self.environment, self.log_file, stop_signal
        )

    def is_complete(self) -> bool:
        return len(self.pids()) == 3

    def pids(self) -> list[int]:
        return (
            [int(pid) for pid in self.pids_file.read_text().split()]
            if self.pids_file.exists()
            else []
        )

    def alive(self) -> list[int]:
        return [pid for pid in self.pids() if is_alive(pid)]


@pytest.mark.parametrize("stop_signal", [signal.SIGTERM, signal.SIGINT])
def test_leaving_ends_the_process_and_everything_it_started(
    tmp_path: Path, stop_signal: signal.Signals
):
    family = Family(tmp_path, "wait")
    with family.process(stop_signal) as process:
        process.wait_until(family.is_complete, PATIENCE_S)
        assert len(family.alive()) == 3
    assert family.alive() == []


def test_offspring_of_a_process_that_ended_by_itself_is_ended_too(tmp_path: Path):
    family = Family(tmp_path, "while [ $(wc -l < $PIDS) -lt 3 ]; do sleep 0.1; done")
    with family.process():
        wait_for(lambda: family.is_complete() and len(family.alive()) == 2)
    assert family.alive() == []


def test_an_error_inside_ends_the_process_too(tmp_path: Path):
    family = Family(tmp_path, "wait")

    def break_off() -> None:
        with family.process() as process:
            process.wait_until(family.is_complete, PATIENCE_S)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert family.alive() == []


def test_a_process_that_ignores_its_signals_is_ended_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sandbox.demo.processes.GRACE_S", 0.2)
    family = Family(tmp_path, "trap '' TERM INT; echo $$ >> $PIDS; while true; do sleep 0.1; done")
    with family.process() as process:
        process.wait_until(lambda: len(family.pids()) == 4, PATIENCE_S)
    assert family.alive() == []


PARENT = """
import os, signal, sys, time
from pathlib import Path
from sandbox.demo.processes import ChildProcess
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell's background job has it
with ChildProcess("a child", ["sleep", "600"], os.environ, Path(sys.argv[1]) / "log") as child:
    (Path(sys.argv[1]) / "pid").write_text(str(child._process.pid))
    time.sleep(600)
"""


def test_a_child_ends_when_the_demo_itself_is_killed(tmp_path: Path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    demo = subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], env=environment)
    pid_file = tmp_path / "pid"
    try:
        wait_for(lambda: pid_file.exists() and bool(pid_file.read_text()))
        assert is_alive(int(pid_file.read_text()))
    finally:
        demo.kill()
        demo.wait()
    wait_for(lambda: not is_alive(int(pid_file.read_text())))


def test_a_process_that_ends_before_it_is_ready_is_reported_with_its_log(tmp_path: Path):
    log_file = tmp_path / "own.log"
    command = ["sh", "-c", "echo no such luck >&2; exit 7"]
    with (
        ChildProcess("the sandbox", command, os.environ, log_file) as process,
        pytest.raises(DemoError, match=r"the sandbox ended with status 7; see .*own\.log"),
    ):
        process.wait_until(lambda: False, PATIENCE_S)
    assert log_file.read_text() == "no such luck\n"


def test_a_process_that_is_never_ready_is_reported(tmp_path: Path):
    with (
        ChildProcess("Airflow", ["sleep", "600"], os.environ, tmp_path / "log") as process,
        pytest.raises(DemoError, match="Airflow was not ready after 0 s"),
    ):
        process.wait_until(lambda: False, 0.0)


def test_a_taken_port_gives_the_next_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        found = free_port(port)

        assert port < found < port + 50
        with socket.socket() as own:
            own.bind(("127.0.0.1", found))
    with pytest.raises(DemoError, match="name another"):
        free_port(65_536)


def test_a_free_port_is_taken_as_wanted():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert free_port(port) == port
