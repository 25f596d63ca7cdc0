"""Kills in a real Airflow: its scheduler, a task's process, and the process that supervises it.

Airflow itself finds out and tries again. What a kill leaves behind differs, and so does what the import must withstand:

- The scheduler alone. LocalExecutor's workers, which are its children and supervise the tasks, live on, and so do the
  tasks. The next scheduler cannot adopt them: it calls them orphaned and starts their next attempts at once, while
  the orphans work until their supervisors' next heartbeat is refused.
- The scheduler with everything below it, as when its container ends. The tasks die with it.
- A task's process. Its supervisor sees it at once; the next attempt comes after the task's own ``retry_delay``.
- A task's supervisor. Nobody watches the task, which goes on to its end or to its next word to the supervisor. Missing
  heartbeats make Airflow fail it, and the next attempt follows after ``retry_delay``.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Self

import psutil
import requests

from customer_import.vocabulary import ImportType
from sandbox import FaultKind, FaultRule, SandboxConfig
from sandbox.demo.processes import DemoError
from tests.chaos.arena import CUSTOMERS, EXISTING_ACCOUNTS, MIXES, Arena
from tests.chaos.state import writes_of
from tests.support.library_run import INSTANCES
from tests.support.real_airflow import LateError, RealAirflow, kill, processes_of, wait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.chaos.arena import Case, Undisturbed
    from tests.support.airflow_api import Attempt

IMPORT = ImportType.DIRECT
RUN_TIMEOUT_S = 300.0
NEXT_ATTEMPT_TIMEOUT_S = 180.0
_PACE_S = 0.25
"""Wait of every answer until the kill: enough to meet the middle."""
_ORPHAN_PACE_S = 1.8
"""Wait after it, shorter than the client's patience: an orphan is still at work when its successor begins."""
_FAILURES = (
    LateError,
    DemoError,
    psutil.Error,
    requests.RequestException,
    subprocess.SubprocessError,
)
_SHARE = 0.4
"""How far a stage has come when it is struck."""


class Victim(Enum):
    """What is killed."""

    SCHEDULER = "scheduler"
    SCHEDULER_AND_TASKS = "scheduler and its tasks"
    TASK = "task"
    SUPERVISOR = "task supervisor"

    @property
    def has_scheduler(self) -> bool:
        return self in {Victim.SCHEDULER, Victim.SCHEDULER_AND_TASKS}

    @property
    def leaves_orphans(self) -> bool:
        return self in {Victim.SCHEDULER, Victim.SUPERVISOR}


@dataclass(frozen=True)
class _Stage:
    """A task, the sandbox's count that shows how far it is, and the failpoint that is reached as often in all."""

    task_id: str
    endpoint: str
    failpoint: str

    def slow(self, delay_s: float) -> FaultRule:
        pattern = f"{self.endpoint.partition('.')[0]}.*"
        return FaultRule(endpoint=pattern, kind=FaultKind.DELAY, delay_s=delay_s)


_STAGES = (
    _Stage("extract_customers", "partner_center.customers.get", "before_detail"),
    _Stage("load_customers", "bss.accounts.create", "before_account_post"),
)


class AirflowArena(Arena):
    """An arena with an Airflow of its own, started when a case first asks for it.

    Args:
        folder: For databases and logs.
        config: The sandbox's.
    """

    _airflow: RealAirflow | None = None
    _starts = 0

    def airflow(self) -> RealAirflow:
        if self._airflow is None:
            self._starts += 1
            home = self.folder / f"airflow-{self._starts}"
            self._airflow = RealAirflow(home, self.folder / "instances.yaml").__enter__()
        return self._airflow

    def end_airflow(self) -> None:
        airflow, self._airflow = self._airflow, None
        if airflow is not None:
            airflow.__exit__(None, None, None)

    def __exit__(self, *exc_info: object) -> None:
        self.end_airflow()
        super().__exit__(*exc_info)


def airflow_arena(folder: Path) -> AirflowArena:
    """Return an arena for the direct import."""
    config = SandboxConfig(
        customers=CUSTOMERS, resellers=5, mix=MIXES[IMPORT], existing_accounts=EXISTING_ACCOUNTS
    )
    return AirflowArena(folder / "airflow-kills", config)


def kill_in_airflow(arena: Arena, victim: Victim) -> Iterator[Case]:
    """Run the import in Airflow; kill once in the middle of the extraction and once in the load's."""
    assert isinstance(arena, AirflowArena)
    undisturbed = arena.undisturbed(IMPORT)
    with arena.case(f"airflow {victim.value}") as case:
        try:
            airflow = arena.airflow()
            _disturb(case, airflow, victim, undisturbed)
            airflow.end_orphans()
        except _FAILURES as error:
            case.found.add("wrong", str(error))
            arena.end_airflow()  # its run may be at work, and the next case needs an idle Airflow
        yield case


def _disturb(case: Case, airflow: RealAirflow, victim: Victim, undisturbed: Undisturbed) -> None:
    database_url = case.engine.url.render_as_string(hide_password=False)
    airflow.prepare(IMPORT.dag_id, case.arena.sandbox.info, database_url)
    run = _Run.trigger(case, airflow)
    for stage in _STAGES:
        run.strike(stage, victim, after=int(_SHARE * undisturbed.failpoints[stage.failpoint]))
    run.wait_for_end()
    case.attempts = sum(attempt.number for attempt in run.attempts())
    job = case.job(IMPORT, run.run_id)
    case.compare(job, undisturbed)
    before = writes_of(case.arena.sandbox)
    _Run.trigger(case, airflow).wait_for_end()
    written = writes_of(case.arena.sandbox) - before
    if written:
        case.found.add("wrong", f"a further run wrote {written} times", written)
    case.close(job)


@dataclass(frozen=True)
class _Run:
    """A run in Airflow."""

    case: Case
    airflow: RealAirflow
    run_id: str

    @classmethod
    def trigger(cls, case: Case, airflow: RealAirflow) -> Self:
        run_id = airflow.api.trigger(IMPORT.dag_id, {"instance": INSTANCES[IMPORT]})
        return cls(case, airflow, run_id)

    def attempts(self, task_id: str = "") -> list[Attempt]:
        attempts = self.airflow.api.attempts(IMPORT.dag_id, self.run_id)
        return [attempt for attempt in attempts if task_id in attempt.task_id]

    def wait_for_end(self) -> None:
        fault = self.airflow.ended(IMPORT.dag_id, self.run_id, RUN_TIMEOUT_S).fault
        if fault:
            self.case.found.add("wrong", fault)

    def strike(self, stage: _Stage, victim: Victim, after: int) -> None:
        """Kill in the middle of a stage, and wait until Airflow has begun the next attempt."""
        sandbox = self.case.arena.sandbox
        sandbox.faults.replace([stage.slow(_PACE_S)])
        wait(
            f"{stage.endpoint} was not called {after} times",
            lambda: sandbox.requests.count(stage.endpoint) >= after,
            RUN_TIMEOUT_S,
            every_s=0.02,
        )
        struck = self._struck(stage, victim)
        if victim.leaves_orphans:
            sandbox.faults.replace([stage.slow(_ORPHAN_PACE_S)])
        done = sandbox.requests.count(stage.endpoint)
        self._kill(victim, struck[0])
        started = time.monotonic()
        if victim.has_scheduler:
            self.airflow.start_scheduler()
        wait(
            f"{stage.task_id} was not tried again",
            lambda: self._is_tried_again(struck),
            NEXT_ATTEMPT_TIMEOUT_S,
        )
        orphans = sum(is_alive(attempt.pid) for attempt in struck)
        sandbox.faults.replace(())
        self.case.notes.append(
            f"{stage.task_id}: killed after {done} of {after / _SHARE:.0f} customers, tried again after "
            f"{time.monotonic() - started:.0f} s beside {orphans} attempts still at work"
        )

    def _struck(self, stage: _Stage, victim: Victim) -> list[Attempt]:
        """Return the attempts that the kill ends or orphans."""
        running = [attempt for attempt in self.attempts(stage.task_id) if attempt.is_running]
        if not running:
            message = f"{stage.task_id} was not found at work"
            raise LateError(message)
        return running if victim.has_scheduler else running[:1]

    def _kill(self, victim: Victim, attempt: Attempt) -> None:
        scheduler = self.airflow.scheduler_pid
        match victim:
            case Victim.SCHEDULER:
                pids = [scheduler]
            case Victim.SCHEDULER_AND_TASKS:
                pids = [scheduler, *processes_of(scheduler)]
            case Victim.TASK:
                pids = [attempt.pid]
            case Victim.SUPERVISOR:
                pids = [psutil.Process(attempt.pid).ppid()]
        kill(pids)
        wait("a killed process was not dead", lambda: not any(map(is_alive, pids)), 10)
        self.case.kills += 1

    def _is_tried_again(self, struck: list[Attempt]) -> bool:
        """Whether all that did not come to their end have their next attempt under way."""
        now = {attempt.instance: attempt for attempt in self.attempts()}
        again = [
            now[old.instance].number > old.number and now[old.instance].pid != old.pid
            for old in struck
            if now[old.instance].number > old.number or now[old.instance].state != "success"
        ]
        return bool(again) and all(again)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet reaped does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
