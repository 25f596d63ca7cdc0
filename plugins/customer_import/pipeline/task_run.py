"""What every task of an import DAG does at its edge: open the run, record the attempt, link to the results.

Imported at every parse, like ``customer_import.pipeline.import_dag``; so heavy parts are imported inside.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airflow.sdk import get_current_context

from customer_import import PAGES_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from customer_import.runs.run import Run
    from customer_import.runs.tasks import TaskAttempt
    from customer_import.vocabulary import TaskId


def results_url(dag_id: str, airflow_run_id: str) -> str:
    """Return where Import Results shows a run."""
    from airflow.sdk.configuration import conf  # noqa: PLC0415

    base = conf.get("api", "base_url", fallback=None) or ""
    query = urlencode({"dag_id": dag_id, "run_id": airflow_run_id})
    return f"{base.rstrip('/')}/{PAGES_PREFIX}/?{query}"


@contextmanager
def open_task(run_key: int, task_id: TaskId) -> Iterator[tuple[Engine, Run]]:
    """Open the run for a task; record how long the task takes, and in words why it fails."""
    from customer_import.database.engine import open_engine  # noqa: PLC0415
    from customer_import.runs.run import open_run  # noqa: PLC0415
    from customer_import.runs.tasks import record_task  # noqa: PLC0415

    engine = open_engine()
    with record_task(engine, attempt_of(run_key, task_id)):
        yield engine, open_run(engine, run_key)


def attempt_of(run_key: int, task_id: TaskId) -> TaskAttempt:
    """Return the attempt that is at work."""
    from customer_import.runs.tasks import NOT_MAPPED, TaskAttempt  # noqa: PLC0415

    instance = get_current_context()["ti"]
    map_index = NOT_MAPPED if instance.map_index is None else instance.map_index
    return TaskAttempt(run_key, task_id.value, map_index, instance.try_number)
