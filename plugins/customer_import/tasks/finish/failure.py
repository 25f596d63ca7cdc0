"""Why a run failed, in the words of the task that did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.runs.tasks import NOT_MAPPED, task_name
from customer_import.vocabulary import RunState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from customer_import.runs.tasks import TaskAttempt


def failure_of(failed_tasks: Mapping[str, str], attempts: Iterable[TaskAttempt]) -> str | None:
    """Return what the first failed task said, or that it ended without a word; ``None`` when nothing failed.

    Args:
        failed_tasks: Airflow's name of a task (``load_customers_3`` for one of a mapped task's) to its state.
        attempts: The last attempt of each of the run's tasks.
    """
    if not failed_tasks:
        return None
    first = next((name for name, state in failed_tasks.items() if state == "failed"), None)
    task_id, map_index = _parse(first or next(iter(failed_tasks)))
    meant = [
        attempt
        for attempt in attempts
        if attempt.task_id == task_id and map_index in {NOT_MAPPED, attempt.map_index}
    ]
    for attempt in meant:
        if attempt.state is RunState.FAILED:
            return f"{attempt.name}: {attempt.error}"
    name = task_name(task_id, map_index)
    for attempt in meant:
        if attempt.state is RunState.RUNNING:
            began = f"{attempt.started_at:%Y-%m-%d %H:%M} UTC"
            name = f"{attempt.name}, attempt {attempt.attempt} of {began},"
    return f"task {name} ended without a word (killed, or out of time); see its log"


def _parse(name: str) -> tuple[str, int]:
    task_id, _, index = name.rpartition("_")
    return (task_id, int(index)) if task_id and index.isdecimal() else (name, NOT_MAPPED)
