"""What a run's tasks did: a row of ``run_tasks`` for every attempt, from its begin to its end.

An attempt that was killed leaves a row without end: state ``running``, no seconds.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from customer_import.database.engine import clock, upsert
from customer_import.database.tables import run_tasks
from customer_import.errors import CustomerImportError, DatabaseError
from customer_import.http.usage import counting
from customer_import.runs.heartbeat import SILENT_AFTER, beating
from customer_import.runs.results import shorten
from customer_import.runs.run import as_utc
from customer_import.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import ColumnElement, Connection, Engine

    from customer_import.http.usage import ApiUse

NOT_MAPPED = -1
"""Map index of a task that is not mapped, as Airflow has it."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskAttempt:
    """One attempt of one task of a run; a row of ``run_tasks``.

    Attributes:
        run_key: The run.
        task_id: The task.
        map_index: Its index, when it is mapped.
        attempt: Airflow's try number.
        state: ``running`` until it ended.
        started_at: UTC.
        seconds: How long it took; ``None`` until it ended.
        error: Why it failed, in words.
        seen_at: UTC of the database, its last sign of life; ``None`` of a row that an earlier version wrote.
    """

    run_key: int
    task_id: str
    map_index: int = NOT_MAPPED
    attempt: int = 1
    state: RunState = RunState.RUNNING
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float | None = None
    error: str | None = None
    seen_at: datetime | None = None

    @property
    def name(self) -> str:
        """The task for people, such as ``load_customers[3]``."""
        return task_name(self.task_id, self.map_index)


def task_name(task_id: str, map_index: int) -> str:
    """Return the name of a task, or of one of a mapped task's, for people."""
    return task_id if map_index == NOT_MAPPED else f"{task_id}[{map_index}]"


@contextmanager
def record_task(engine: Engine, task: TaskAttempt) -> Iterator[None]:
    """Record that a task begins, that it lives, and at the end how long it took and in words why it failed."""
    now = clock(engine)
    _begin(engine, task, now())
    started = time.monotonic()
    try:
        with beating(lambda: _see(engine, task, now())), counting() as used:
            yield
    except BaseException as error:
        try:
            _end(engine, task, time.monotonic() - started, RunState.FAILED, _in_words(error), used)
        except (SQLAlchemyError, DatabaseError) as other:
            if not isinstance(error, DatabaseError):  # else it is the same error, and raised below
                _log.warning("The failure of %s could not be recorded: %s", task.name, other)
        raise
    _end(engine, task, time.monotonic() - started, RunState.SUCCESS, None, used)


def last_attempts(connection: Connection, run_key: int) -> list[TaskAttempt]:
    """Return the last attempt of each of a run's tasks, in the order in which they began."""
    columns = run_tasks.c
    rows = connection.execute(
        select(run_tasks).where(columns.run_id == run_key).order_by(columns.attempt)
    )
    last = {(row.task_id, row.map_index): row for row in rows}
    attempts = [
        TaskAttempt(
            row.run_id,
            row.task_id,
            row.map_index,
            row.attempt,
            RunState(row.state),
            as_utc(row.started_at),
            row.seconds,
            row.error,
            as_utc(row.seen_at) if row.seen_at else None,
        )
        for row in last.values()
    ]
    return sorted(attempts, key=lambda task: (task.started_at, task.map_index))


def total_api_use(connection: Connection, run_key: int) -> dict[str, dict[str, float]]:
    """Return what all attempts of a run's tasks used of each API: ``requests``, ``throttled``, ``waited_s``.

    What a killed attempt used is not known.
    """
    columns = run_tasks.c
    rows = connection.execute(
        select(columns.api_use).where(columns.run_id == run_key, columns.api_use.is_not(None))
    )
    total: dict[str, dict[str, float]] = {}
    for used in rows.scalars():
        for service, counts in used.items():
            ours = total.setdefault(service, dict.fromkeys(counts, 0))
            for name, count in counts.items():
                ours[name] = round(ours.get(name, 0) + count, 1)
    return total


def silent_tasks(attempts: Iterable[TaskAttempt], now: datetime) -> list[TaskAttempt]:
    """Return the tasks that should be at work and have given no sign of life for a while, as last seen.

    Args:
        attempts: The last one of each task.
        now: UTC of the database.
    """
    return [
        task
        for task in attempts
        if task.state is RunState.RUNNING and task.seen_at and now - task.seen_at > SILENT_AFTER
    ]


def _begin(engine: Engine, task: TaskAttempt, now: datetime) -> None:
    row = {
        "run_id": task.run_key,
        "task_id": task.task_id,
        "map_index": task.map_index,
        "attempt": task.attempt,
        "state": task.state.value,
        "started_at": task.started_at,
        "seconds": task.seconds,
        "error": task.error,
        "seen_at": now,
        "api_use": None,
    }
    # A run that is not in this database is refused in words when the task opens it.
    with suppress(IntegrityError), engine.begin() as connection:
        upsert(connection, run_tasks, [row])


def _see(engine: Engine, task: TaskAttempt, now: datetime) -> None:
    is_running = run_tasks.c.state == RunState.RUNNING.value
    with engine.begin() as connection:
        connection.execute(update(run_tasks).where(*_same(task), is_running).values(seen_at=now))


def _end(
    engine: Engine,
    task: TaskAttempt,
    seconds: float,
    state: RunState,
    error: str | None,
    used: dict[str, ApiUse],
) -> None:
    api_use = {service: use.as_dict() for service, use in used.items() if use.requests} or None
    values = {
        "state": state.value,
        "seconds": round(seconds, 3),
        "error": error,
        "api_use": api_use,
    }
    with engine.begin() as connection:
        connection.execute(update(run_tasks).where(*_same(task)).values(values))


def _same(task: TaskAttempt) -> tuple[ColumnElement[bool], ...]:
    columns = run_tasks.c
    return (
        columns.run_id == task.run_key,
        columns.task_id == task.task_id,
        columns.map_index == task.map_index,
        columns.attempt == task.attempt,
    )


def _in_words(error: BaseException) -> str:
    """Only our own errors promise to hold no personal data."""
    if isinstance(error, CustomerImportError):
        return shorten(str(error))
    return f"it was ended by {type(error).__name__}; see its log"
