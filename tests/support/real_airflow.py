"""A real Airflow whose parts can be killed and watched one by one: API server, DAG processor and scheduler.

They are processes of their own, because ``airflow standalone`` does not start a dead scheduler again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import orjson
import psutil
from sqlalchemy import make_url

from sandbox.demo.processes import ChildProcess, free_port
from sandbox.demo.settings import airflow_environment, connections, variables
from tests.support.airflow_api import SOON, WatchingApi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from sandbox.info import SandboxInfo

START_TIMEOUT_S = 180.0
_USER, _PASSWORD = "admin", "tests"
_ENDED = ("success", "failed")


class LateError(Exception):
    """Something did not happen in time; the message says what."""


@dataclass(frozen=True)
class EndedRun:
    """A run that has come to its end.

    Attributes:
        dag_id: Of which DAG.
        run_id: Airflow's.
        state: ``success`` or ``failed``.
        seconds: From its start to its end.
        tasks: Its task instances as the REST API gives them.
    """

    dag_id: str
    run_id: str
    state: str
    seconds: float
    tasks: tuple[dict[str, Any], ...]

    @property
    def fault(self) -> str | None:
        """Say what went wrong, unless it succeeded."""
        if self.state == "success":
            return None
        states = {task["task_id"]: task["state"] for task in self.tasks}
        return f"{self.run_id} of {self.dag_id} ended as {self.state}: {states}"

    def task_seconds(self) -> dict[str, float]:
        """Return how long each task took, from its first instance's start to its last one's end."""
        instances: dict[str, list[dict[str, Any]]] = {}
        for task in self.tasks:
            if task["start_date"]:
                instances.setdefault(task["task_id"], []).append(task)
        return {task_id: _seconds(own) for task_id, own in instances.items()}


def _seconds(parts: Iterable[Mapping[str, Any]]) -> float:
    """Return the time from the first start to the last end of runs or task instances."""
    spans = [tuple(map(datetime.fromisoformat, (p["start_date"], p["end_date"]))) for p in parts]
    return (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()


class RealAirflow:
    """Runs an Airflow until the block ends, and leaves none of its processes behind.

    Args:
        home: Its AIRFLOW_HOME, created here.
        instances: The instances file.
        settings: Environment variables of Airflow, over those of the demo.
    """

    def __init__(
        self, home: Path, instances: Path, settings: Mapping[str, str] | None = None
    ) -> None:
        self._home = home
        port = free_port(18_480)
        environment = airflow_environment(home / "airflow", instances, port)
        self._environment = environment | SOON | dict(settings or {})
        self._stack = ExitStack()
        self._sessions: list[int] = []
        self._pids: dict[str, int] = {}
        self._scheduler: ChildProcess | None = None
        self.api = WatchingApi(f"http://localhost:{port}", _USER, _PASSWORD)

    def __enter__(self) -> Self:
        """Start it and wait until DAGs can run."""
        airflow_home = self._home / "airflow"
        airflow_home.mkdir(parents=True)
        (airflow_home / "passwords.json").write_bytes(orjson.dumps({_USER: _PASSWORD}))
        with ExitStack() as stack:
            self._stack = stack
            with (self._home / "migrate.log").open("wb") as log:
                subprocess.run(
                    [sys.executable, "-m", "airflow", "db", "migrate"],
                    env=self._environment,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=START_TIMEOUT_S,
                    check=True,
                )
            server = self._start("api-server")
            self._start("dag-processor")
            self.start_scheduler()
            server.wait_until(self.api.is_ready, START_TIMEOUT_S)
            self.api.log_in()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        # While their leaders are not reaped: so no id is another process's yet.
        _kill_sessions(self._sessions)
        self._stack.close()

    def prepare(self, dag_id: str, info: SandboxInfo, database_url: str) -> None:
        """Point Airflow to a sandbox and to an import's database."""
        wait(f"{dag_id} was not parsed", partial(self.api.has_dag, dag_id), START_TIMEOUT_S)
        for connection in (*connections(info), _database_connection(database_url)):
            self.api.put_connection(connection)
        for key, value in variables(info).items():
            self.api.put_variable(key, value)
        self.api.unpause(dag_id)

    def run(self, dag_id: str, conf: Mapping[str, Any], timeout_s: float) -> EndedRun:
        """Trigger a DAG and wait for the run's end.

        Raises:
            LateError: It did not end within ``timeout_s`` seconds.
        """
        return self.ended(dag_id, self.api.trigger(dag_id, dict(conf)), timeout_s)

    def ended(self, dag_id: str, run_id: str, timeout_s: float) -> EndedRun:
        """Wait for a run's end.

        Raises:
            LateError: It did not end within ``timeout_s`` seconds.
        """
        wait(
            f"{run_id} of {dag_id} did not end",
            lambda: self.api.run_state(dag_id, run_id) in _ENDED,
            timeout_s,
        )
        run = self.api.run(dag_id, run_id)
        tasks = tuple(self.api.tasks(dag_id, run_id))
        return EndedRun(dag_id, run_id, run["state"], _seconds([run]), tasks)

    def start_scheduler(self) -> None:
        """Start a scheduler; one that was killed stays dead beside it."""
        self._scheduler = self._start("scheduler", "--skip-serve-logs")

    @property
    def scheduler_pid(self) -> int:
        if self._scheduler is None:
            message = "no scheduler was started"
            raise RuntimeError(message)
        return self._scheduler.pid

    def memory_mb(self, name: str) -> float:
        """Return what the processes of a part have in memory, each for itself alone."""
        leader = psutil.Process(self._pids[name])
        total = 0
        for process in (leader, *leader.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().uss
        return total / 1e6

    def end_orphans(self) -> None:
        """End what killed schedulers left behind: workers that wait for ever on a queue without writer."""
        _kill_sessions(self._sessions[:-1])

    def _start(self, *command: str) -> ChildProcess:
        name = command[0]
        process = ChildProcess(
            name,
            [sys.executable, "-m", "airflow", *command],
            self._environment,
            self._home / f"{name}.log",
        )
        self._stack.enter_context(process)
        self._pids[name] = process.pid
        if name == "scheduler":
            self._sessions.append(process.pid)
        return process


def _database_connection(database_url: str) -> dict[str, Any]:
    url = make_url(database_url)
    is_file = url.get_backend_name() == "sqlite"
    return {
        "connection_id": "customer_import_db",
        "conn_type": "sqlite" if is_file else "postgres",
        "host": url.database if is_file else url.host,
        "login": url.username,
        "password": url.password,
        "schema": None if is_file else url.database,
        "extra": orjson.dumps(dict(url.query)).decode(),
    }


def processes_of(session: int) -> Iterator[int]:
    """Return the processes of a session: of a scheduler, its workers, and the tasks in their own groups."""
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(pid) == session:
                yield pid


def kill(pids: Iterable[int]) -> None:
    """Send SIGKILL, as the kernel does when memory runs out."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _kill_sessions(sessions: Iterable[int]) -> None:
    for session in sessions:
        kill(processes_of(session))


def wait(what: str, is_true: Callable[[], bool], timeout_s: float, every_s: float = 0.3) -> None:
    """Wait until something is true.

    Raises:
        LateError: It was not within ``timeout_s`` seconds.
    """
    deadline = time.monotonic() + timeout_s
    while not is_true():
        if time.monotonic() > deadline:
            message = f"{what} within {timeout_s:.0f} s"
            raise LateError(message)
        time.sleep(every_s)
