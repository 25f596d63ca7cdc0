"""What every task of an import DAG does at its edge: take its turn, open the run, record the attempt, link to results.

Imported at every parse, like ``customer_import.pipeline.import_dag``; so heavy parts are imported inside.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airflow.sdk import get_current_context

from customer_import import PAGES_PREFIX
from customer_import.vocabulary import TaskId

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Engine

    from customer_import.runs.run import Run
    from customer_import.runs.tasks import TaskAttempt

log = logging.getLogger(__name__)

_TURN = timedelta(seconds=20)
"""How long a run that waits for another stays away."""
_ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""Airflow's states of a task that does nothing more unless it is cleared."""


def pages_url() -> str:
    """Return where the import's pages are."""
    from airflow.sdk.configuration import conf  # noqa: PLC0415

    base = conf.get("api", "base_url", fallback=None) or ""
    return f"{base.rstrip('/')}/{PAGES_PREFIX}/"


def results_url(dag_id: str, airflow_run_id: str) -> str:
    """Return where Import Results shows a run."""
    return f"{pages_url()}?{urlencode({'dag_id': dag_id, 'run_id': airflow_run_id})}"


def wait_for_turn(run_key: int) -> None:
    """Come back later while an earlier run of the same instance and import is at work, of whichever DAG.

    Airflow lets the runs of a backfill go side by side, whatever ``max_active_runs`` of their DAG says. A run of this
    DAG that is queued again is not waited for: it may be waiting for the place that this one has.

    Raises:
        AirflowRescheduleException: There is such a run; Airflow starts the task again after a while.
    """
    from airflow.sdk.exceptions import AirflowRescheduleException  # noqa: PLC0415

    from customer_import.database.engine import open_engine  # noqa: PLC0415
    from customer_import.runs.run import earlier_runs  # noqa: PLC0415

    context = get_current_context()
    count, own = context["ti"].get_dr_count, context["dag_run"].dag_id
    for dag_id, airflow_run_id in earlier_runs(open_engine(), run_key):
        states = ["running"] if dag_id == own else ["queued", "running"]
        if count(dag_id=dag_id, run_ids=[airflow_run_id], states=states):
            log.info(
                "Waits until run %s of %s has ended: it is for the same customers",
                airflow_run_id,
                dag_id,
            )
            raise AirflowRescheduleException(  # type: ignore[no-untyped-call]
                datetime.now(UTC) + _TURN
            )


def is_cleared_alone() -> bool:
    """Tell whether the first task was cleared without those after it: what they staged and found out stands then."""
    context = get_current_context()
    dag_run = context["dag_run"]
    found = context["ti"].get_task_states(dag_id=dag_run.dag_id, run_ids=[dag_run.run_id])
    states: Mapping[str, str | None] = found.get(dag_run.run_id, {})
    is_alone = states.get(TaskId.EXTRACT_CUSTOMERS.value) == "success"
    if is_alone:
        log.warning(
            "Only this task was cleared: what the tasks after it did stands, and nothing is done here. To begin the "
            "run anew clear it with its downstream tasks."
        )
    return is_alone


def wait_for_cleared(states: Mapping[str, str | None]) -> None:
    """Come back later while tasks of the run are at work again, because somebody cleared them as the run was closing.

    Args:
        states: Airflow's states of the run's tasks, by name.

    Raises:
        AirflowRescheduleException: There are such tasks; Airflow starts this task again after a while.
    """
    from airflow.sdk.exceptions import AirflowRescheduleException  # noqa: PLC0415

    own = get_current_context()["ti"].task_id
    working = sorted(name for name, state in states.items() if name != own and state not in _ENDED)
    if working:
        log.info("Waits until these have ended: %s", ", ".join(working))
        raise AirflowRescheduleException(  # type: ignore[no-untyped-call]
            datetime.now(UTC) + _TURN
        )


@contextmanager
def open_task(run_key: int, task_id: TaskId) -> Iterator[tuple[Engine, Run]]:
    """Open the run for a task; record how long the task takes, and in words why it fails."""
    from customer_import.database.engine import open_engine  # noqa: PLC0415
    from customer_import.pipeline.lineage import tell_lineage  # noqa: PLC0415
    from customer_import.runs.run import open_run  # noqa: PLC0415
    from customer_import.runs.tasks import record_task  # noqa: PLC0415
    from customer_import.telemetry import describe_task  # noqa: PLC0415

    engine = open_engine()
    with record_task(engine, attempt_of(run_key, task_id)):
        run = open_run(engine, run_key)
        describe_task(
            run_key=run_key,
            import_type=run.import_type.value,
            instance=run.params.instance,
            mode=run.params.mode.value,
        )
        tell_lineage(task_id, run, engine)
        yield engine, run


def attempt_of(run_key: int, task_id: TaskId) -> TaskAttempt:
    """Return the attempt that is at work."""
    from customer_import.runs.tasks import NOT_MAPPED, TaskAttempt  # noqa: PLC0415

    instance = get_current_context()["ti"]
    map_index = NOT_MAPPED if instance.map_index is None else instance.map_index
    return TaskAttempt(run_key, task_id.value, map_index, instance.try_number)
