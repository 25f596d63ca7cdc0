"""A real Airflow for the chaos cases, whose parts can be killed one by one: API server, DAG processor and scheduler.

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
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode

import orjson
import psutil

from sandbox.demo.airflow_api import AirflowApi
from sandbox.demo.processes import ChildProcess, free_port
from sandbox.demo.settings import airflow_environment, connections, variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from sandbox.info import SandboxInfo

START_TIMEOUT_S = 180.0
_USER, _PASSWORD = "admin", "chaos-tests"
_SOON = {
    # How soon Airflow notices deaths. By default: 300 s without a task's heartbeat, 30 s without a
    # scheduler's, then up to 300 s until the next look.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
}


class LateError(Exception):
    """Something did not happen in time; the message says what."""


@dataclass(frozen=True)
class Attempt:
    """The current attempt of a task instance.

    Attributes:
        task_id: The task.
        map_index: Which of a mapped task's instances; -1 for other tasks.
        number: From 1.
        state: Airflow's.
        pid: Of the process that runs the task's code; 0 before the first one.
    """

    task_id: str
    map_index: int
    number: int
    state: str | None
    pid: int

    @property
    def is_running(self) -> bool:
        return self.state == "running" and self.pid > 0

    @property
    def instance(self) -> tuple[str, int]:
        return self.task_id, self.map_index


class _Api(AirflowApi):
    def attempts(self, dag_id: str, run_id: str) -> list[Attempt]:
        """Return the current attempt of every task instance of a run."""
        return [
            Attempt(
                one["task_id"], one["map_index"], one["try_number"], one["state"], one["pid"] or 0
            )
            for one in self.tasks(dag_id, run_id)
        ]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return every task instance of a run as the REST API gives it."""
        found: list[dict[str, Any]] = self._get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")[
            "task_instances"
        ]
        return found

    def assets(self, name: str) -> list[dict[str, Any]]:
        """Return the assets of a name."""
        found: list[dict[str, Any]] = self._get(f"assets?name_pattern={name}")["assets"]
        return found

    def create_asset_event(self, asset_id: int, extra: dict[str, Any]) -> None:
        """Say that an asset has changed."""
        body = {"asset_id": asset_id, "extra": extra}
        answer = self.http.post(f"{self.url}/api/v2/assets/events", json=body, timeout=60)
        answer.raise_for_status()

    def asset_events(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the asset events of a run."""
        asked = {"source_dag_id": dag_id, "source_run_id": run_id}
        found: list[dict[str, Any]] = self._get(f"assets/events?{urlencode(asked)}")["asset_events"]
        return found

    def log(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
        """Return the log of a task's first attempt, as JSON."""
        task = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}"
        found = self._get(f"{task}/logs/1?map_index={map_index}&full_content=true")
        return orjson.dumps(found).decode()

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG, oldest first; none of a DAG that is not there."""
        if not self.has_dag(dag_id):
            return []
        found: list[dict[str, Any]] = self._get(f"dags/{dag_id}/dagRuns?order_by=id")["dag_runs"]
        return found


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
        self._environment = environment | _SOON | dict(settings or {})
        self._stack = ExitStack()
        self._sessions: list[int] = []
        self._scheduler: ChildProcess | None = None
        self.api = _Api(f"http://localhost:{port}", _USER, _PASSWORD)

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

    def prepare(self, dag_id: str, info: SandboxInfo, database: Path) -> None:
        """Point Airflow to a sandbox and to an import's database."""
        wait(f"{dag_id} was not parsed", partial(self.api.has_dag, dag_id), START_TIMEOUT_S)
        database_connection = {
            "connection_id": "customer_import_db",
            "conn_type": "sqlite",
            "host": str(database),
        }
        for connection in (*connections(info), database_connection):
            self.api.put_connection(connection)
        for key, value in variables(info).items():
            self.api.put_variable(key, value)
        self.api.unpause(dag_id)

    def start_scheduler(self) -> None:
        """Start a scheduler; one that was killed stays dead beside it."""
        self._scheduler = self._start("scheduler", "--skip-serve-logs")

    @property
    def scheduler_pid(self) -> int:
        if self._scheduler is None:
            message = "no scheduler was started"
            raise RuntimeError(message)
        return self._scheduler.pid

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
        if name == "scheduler":
            self._sessions.append(process.pid)
        return process


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
