"""Why a run failed, in the words of the task that did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from customer_import.runs.parameters import RunParams
from customer_import.runs.shares import is_too_many
from customer_import.runs.tasks import NOT_MAPPED, task_name
from customer_import.vocabulary import Outcome, ReasonCode, RunState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Row

    from customer_import.runs.tasks import TaskAttempt
    from customer_import.tasks.finish.summary import Summary

_CAUSES = {
    ReasonCode.BSS_ERROR: "most likely the BSS was away, or its application user lost a right",
    ReasonCode.EXTRACTION_ERROR: "most likely Partner Center was away, or the signed-in user lost a role",
    ReasonCode.NOT_CLASSIFIED: "most likely Partner Center was away, or the signed-in user lost a role",
    ReasonCode.CONFIGURATION: "most likely a profile or the instance holds a value that the BSS does not take",
    ReasonCode.NOT_REACHED: "the load did not come to them",
    ReasonCode.LINK_DELETED: "their rows of tenant_links were deleted while they were written",
}


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


def too_many_failed(run: Row[Any], summary: Summary) -> str | None:
    """Return in words that too many customers of a run failed; ``None`` when not.

    Args:
        run: Its row in ``import_runs``; the parameter ``max_failed_percent`` is the limit.
        summary: What it came to.
    """
    limit = RunParams.parse(run.params).max_failed_percent
    failed = summary.outcomes[Outcome.FAILED] + summary.unclassified
    total = summary.discovered + summary.unclassified
    if not failed or not is_too_many(failed, total, limit, even_in_small=True):
        return None
    cause = max(_CAUSES, key=lambda code: summary.reasons.get(code, 0))
    return (
        f"{failed} of {total} customers failed ({failed / total:.1%}), more than the "
        f"{limit:g} % that max_failed_percent allows; {_CAUSES[cause]}. What was written is remembered: start the "
        "import again when it is mended"
    )


def too_many_refused(run: Row[Any], summary: Summary) -> str | None:
    """Return in words that too many customers were rejected when the BSS had its say; ``None`` when not.

    What validation rejects alone it judges itself, before anything is written.

    Args:
        run: Its row in ``import_runs``; the parameter ``max_rejected_percent`` is the limit.
        summary: What it came to.
    """
    limit = RunParams.parse(run.params).max_rejected_percent
    rejected, total = summary.outcomes[Outcome.REJECTED], summary.discovered
    refused = summary.reasons.get(ReasonCode.BSS_REFUSED, 0)
    if not refused or not is_too_many(rejected, total, limit):
        return None
    return (
        f"{rejected} of {total} customers are rejected ({rejected / max(total, 1):.1%}), more than the {limit:g} % "
        f"that max_rejected_percent allows; {refused} of them by the BSS: most likely it asks for something that the "
        "mapping does not send, or no longer takes what it sends. What was written is remembered: see the reasons, and "
        "start the import again when it is mended"
    )


def _parse(name: str) -> tuple[str, int]:
    task_id, _, index = name.rpartition("_")
    return (task_id, int(index)) if task_id and index.isdecimal() else (name, NOT_MAPPED)
