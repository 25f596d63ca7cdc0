"""The demo as a newcomer starts it: a real Airflow with its own scheduler, three imports, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from customer_import.vocabulary import SUCCEEDED, ImportType, Outcome
from sandbox.demo.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
CUSTOMERS = 120
START_S, RUN_S, END_S = 300.0, 900.0, 60.0
OTHER_LINES = 3
OWN_LOGGER = "customer_import"

pytestmark = pytest.mark.timeout(1500)


def environment(home: Path) -> dict[str, str]:
    """The caller's environment without what this test session told its own Airflow."""
    inherited = {
        k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW", "CUSTOMER_IMPORT"))
    }
    return inherited | {
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(home / "airflow"),
    }


def start(home: Path, *more: str) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "sandbox.demo",
        "--home",
        str(home),
        "--customers",
        str(CUSTOMERS),
    ]
    return subprocess.Popen(
        [*command, "--port", str(free_port(18_280)), *more],
        cwd=ROOT,
        env=environment(home),
        stdout=(home / "demo.out").open("w"),
        stderr=subprocess.STDOUT,
        text=True,
    )


def processes_of(home: Path) -> list[str]:
    """Command lines of living processes that work in a demo's folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
            if str(home).encode() in words and (folder / "cmdline").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def wait_for(condition: Callable[[], bool], timeout_s: float, home: Path) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, (home / "demo.out").read_text()
        time.sleep(0.5)


def foreign_lines(home: Path) -> dict[Path, Counter[str]]:
    """Lines of each load task's log that the import did not write, by logger and beginning."""
    lines: dict[Path, Counter[str]] = {}
    for path in (home / "airflow" / "logs").rglob("task_id=load_customers/**/*.log"):
        entries = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        assert any(str(entry.get("logger", "")).startswith(OWN_LOGGER) for entry in entries), path
        lines[path] = Counter(
            f"{entry.get('logger')}: {str(entry.get('event'))[:80]}"
            for entry in entries
            if not str(entry.get("logger", "")).startswith(OWN_LOGGER)
        )
    return lines


def test_the_demo_imports_everybody_and_leaves_no_process(tmp_path: Path) -> None:
    demo = start(tmp_path, "--once")
    try:
        status = demo.wait(RUN_S)
    finally:
        demo.kill()
    said = (tmp_path / "demo.out").read_text()
    assert status == 0, said
    assert processes_of(tmp_path) == []

    printed = subprocess.run(
        [sys.executable, "-m", "customer_import.cli", "results", "--json"],
        env=environment(tmp_path),
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    runs = [orjson.loads(line) for line in printed.splitlines()]
    assert [run["import_type"] for run in runs] == [kind.value for kind in ImportType]
    for run in runs:
        assert run["state"] in SUCCEEDED
        assert run["discovered"] == sum(run[outcome.value] for outcome in Outcome) > 10
        assert run["failed"] == 0

    logs = foreign_lines(tmp_path)
    assert len(logs) >= len(ImportType)
    assert {path: lines for path, lines in logs.items() if lines.total() > OTHER_LINES} == {}


def test_a_demo_that_is_ended_while_it_runs_leaves_no_process(tmp_path: Path) -> None:
    demo = start(tmp_path)
    try:
        wait_for(
            lambda: (
                "imports are running" in (tmp_path / "demo.out").read_text()
                or demo.poll() is not None
            ),
            START_S,
            tmp_path,
        )
        assert len(processes_of(tmp_path)) > 3
        demo.send_signal(signal.SIGTERM)
        status = demo.wait(END_S)
    finally:
        demo.kill()
    assert status == 0, (tmp_path / "demo.out").read_text()
    assert "The demo has ended" in (tmp_path / "demo.out").read_text()
    assert processes_of(tmp_path) == []
