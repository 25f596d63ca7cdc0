"""One attempt at a whole import, in a process of its own that may be killed at any moment.

Does what Airflow does for the tasks of a run, and no more: it remembers which tasks have succeeded and how often each
was begun, so that the next attempt goes on with the task that died.
"""

from __future__ import annotations

import logging
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

import customer_import.tasks.validate.expectations  # noqa: F401 - before the fork: every attempt needs it
from customer_import.database.engine import open_engine
from customer_import.failpoints import kill_at, watch
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.runs.parameters import RunParams
from customer_import.runs.run import open_run
from customer_import.tasks.extract.extract import extract_customers
from customer_import.tasks.finish.close import close_run
from customer_import.tasks.load.account_listing import list_accounts
from customer_import.tasks.load.load import load_batch
from customer_import.tasks.start import prepare_run
from customer_import.tasks.transform.transform import transform_customers
from customer_import.tasks.validate.validate import validate_customers
from customer_import.vocabulary import SUCCEEDED, ImportType
from sandbox.demo.settings import PARTNER_CENTER_CONNECTION
from tests.support.clock import clock_ahead
from tests.support.library_run import INSTANCES, apply_environment
from tests.support.runs import begin_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import Engine

    from customer_import.runs.run import Run

COUNTS_FILE = "failpoints.json"
LOG_FILE = "worker.log"


@dataclass(frozen=True)
class Kill:
    """Ends an attempt: at a failpoint, when it is reached for the count-th time."""

    failpoint: str
    count: int


@dataclass(frozen=True)
class Job:
    """One run, the same for all its attempts.

    Attributes:
        folder: Where the run's progress, log and counts of failpoints lie.
        database_url: The import's database.
        import_type: Whose customers.
        run_id: As Airflow would name the run.
        environment: In which Airflow finds connections, variables and instances.
        params: Of the trigger form.
        clock_ahead_s: How far the clock of the worker's host is ahead.
    """

    folder: Path
    database_url: str
    import_type: ImportType
    run_id: str
    environment: dict[str, str] = field(repr=False)
    params: dict[str, Any] = field(default_factory=dict)
    clock_ahead_s: float = 0.0


class Tasks:
    """Which tasks of a run have succeeded, with their values, and how often each was begun."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tasks: dict[str, Any] = orjson.loads(path.read_bytes()) if path.exists() else {}

    def run(self, name: str, work: Callable[[int], Any]) -> Any:
        """Run a task unless it has succeeded; return its value."""
        task = self._tasks.setdefault(name, {"attempts": 0, "is_done": False, "value": None})
        if not task["is_done"]:
            task["attempts"] += 1
            self._save()
            value = work(task["attempts"])
            task.update(is_done=True, value=value)
            self._save()
        return task["value"]

    def _save(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(orjson.dumps(self._tasks))
        fresh.replace(self._path)


def attempt(job: Job, kill: Kill | None) -> None:
    """Run the import from where the last attempt ended; the entry of the worker process.

    Raises:
        CustomerImportError: A task failed; a further attempt tries it again.
    """
    _log_to(job.folder / LOG_FILE)
    apply_environment(job.environment)
    counts: Counter[str] = Counter()
    end = kill_at(kill.failpoint, kill.count) if kill else None

    def observe(failpoint: str) -> None:
        counts[failpoint] += 1
        if end is not None:
            end(failpoint)

    watch(observe)
    # What start_run reached does not count: a later attempt begins after it.
    with clock_ahead(job.clock_ahead_s):
        _import(job, Tasks(job.folder / "tasks.json"), on_started=counts.clear)
    (job.folder / COUNTS_FILE).write_bytes(orjson.dumps(counts))


def _import(job: Job, tasks: Tasks, on_started: Callable[[], None]) -> None:
    engine = open_engine(job.database_url)
    key = tasks.run("start_run", lambda _: _start(job, engine))
    on_started()
    run = open_run(engine, key)
    tasks.run("extract_customers", lambda _: _nothing(extract_customers(run, engine, _hook())))
    tasks.run("validate_customers", lambda _: _nothing(validate_customers(run, engine)))
    batches = tasks.run("transform_customers", lambda _: _transform(run, engine))
    for batch in range(batches):
        tasks.run(f"load_customers[{batch}]", partial(_load, run, engine, batch))
    tasks.run("finish_run", lambda _: _finish(run, engine))


def _start(job: Job, engine: Engine) -> int:
    params = {"instance": INSTANCES[job.import_type], **job.params}
    dag_id = job.import_type.dag_id
    parsed = RunParams.parse(params)
    run = begin_run(engine, dag_id, job.run_id, job.import_type, parsed, started_by="chaos")
    prepare_run(run, engine, _hook())
    return run.key


def _transform(run: Run, engine: Engine) -> int:
    batches = transform_customers(run, engine).batches
    list_accounts(run, engine)
    return batches


def _load(run: Run, engine: Engine, batch: int, number: int) -> None:
    load_batch(run, engine, batch, attempt=number, map_index=batch)


def _finish(run: Run, engine: Engine) -> None:
    summary = close_run(engine, run.key, {})
    if summary.state not in SUCCEEDED:
        sys.exit(summary.error)


def _hook() -> PartnerCenterHook:
    """Outside a task Airflow stores no variable, so the rotated token is not kept."""
    return PartnerCenterHook(PARTNER_CENTER_CONNECTION, save_refresh_token=lambda _: None)


def _nothing(_: object) -> None:
    """Drop a task's value: it would be XCom, and only the number of batches is needed again."""


def _log_to(path: Path) -> None:
    """Send everything that this process says to a file."""
    log = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(log, stream)
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True, format=form)
