"""Closes a run: an outcome for every tenant it discovered, the conservation check, the summary.

Conservation: discovered = created + updated + unchanged + skipped + ambiguous + rejected + failed (a preview counts
would_create and would_update too). A run that cannot show it fails; so does a complete one that does not follow from
the complete run before it (``comparison``).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from customer_import.database.engine import refresh_statistics
from customer_import.database.tables import import_results, import_runs, staged_customers
from customer_import.errors import ConservationError
from customer_import.failpoints import reached
from customer_import.runs.approvals import read_approval
from customer_import.runs.known_tenants import is_complete, store_known_tenants
from customer_import.runs.outcome_log import log_outcomes
from customer_import.runs.parameters import RunParams
from customer_import.runs.reference_data import get_reference
from customer_import.runs.results import record_selected_results, result_columns
from customer_import.runs.run import key_of
from customer_import.runs.tasks import last_attempts
from customer_import.tasks.finish.comparison import compare
from customer_import.tasks.finish.failure import failure_of, too_many_failed, too_many_refused
from customer_import.tasks.finish.log import (
    log_comparison,
    log_previewed,
    log_summary,
    log_to_mend,
)
from customer_import.tasks.finish.metrics import tell_metrics
from customer_import.tasks.finish.previewed import PreviewComparison, compare_with_preview
from customer_import.tasks.finish.summary import Summary, summarise
from customer_import.tasks.finish.to_mend import find_to_mend
from customer_import.vocabulary import (
    Mode,
    Outcome,
    ReasonCode,
    ReferenceName,
    RunState,
    TaskId,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Engine, Row


def close_run(
    engine: Engine,
    run_key: int,
    failed_tasks: Mapping[str, str],
    results_url: str = "Import Results",
) -> Summary:
    """Give every discovered tenant without a result one, check conservation and store the summary.

    Args:
        engine: The import's database.
        run_key: ``import_runs.id``; the configuration is not read, it may be what is broken.
        failed_tasks: Airflow's name of a task to its state, of the run's tasks that did not succeed.
        results_url: Where Import Results shows this run.

    Returns:
        The stored summary; its state is ``failed`` when a task failed, or too many customers failed or were refused.

    Raises:
        ConservationError: The outcomes do not add up, or customers of the run before are lost; the run is stored as
            failed with its summary.
    """
    left_out = get_reference(engine, run_key, ReferenceName.SELECTION) or {}
    approval = read_approval(engine, run_key)
    refresh_statistics(engine, staged_customers, import_results)
    with engine.begin() as connection:
        run = connection.execute(select(import_runs).where(import_runs.c.id == run_key)).one()
        tasks = last_attempts(connection, run_key)
        error = failure_of(failed_tasks, tasks)
        if run.mode in {Mode.IMPORT, Mode.PREVIEW}:
            _report_unreached(connection, run, error)
        summary = summarise(connection, run, tasks, error)
        if summary.error is None and (
            error := too_many_failed(run, summary) or too_many_refused(run, summary)
        ):
            summary = replace(summary, state=RunState.FAILED.value, error=error)
        if not summary.is_conserved:
            given = sum(summary.outcomes.values())
            error = f"{summary.discovered} tenants were discovered, but {given} have an outcome"
            summary = replace(summary, state=RunState.FAILED.value, error=error)
        previewed = _compare_with_preview(connection, run)
        if previewed is not None:
            summary = replace(summary, preview=previewed.as_dict())
        if approval is not None and approval.why is not None:
            summary = replace(summary, approval=approval.as_dict())
        to_mend = find_to_mend(connection, run_key)
        complete = is_complete(run, has_failed=summary.state == RunState.FAILED)
        comparison = compare(connection, run, tuple(left_out.values())) if complete else None
        if comparison and (fault := comparison.fault(summary.discovered)):
            complete = False
            summary = replace(summary, state=RunState.FAILED.value, error=fault)
        store_known_tenants(connection, run, complete=complete)
        connection.execute(
            update(import_runs)
            .where(import_runs.c.id == run_key)
            .values(
                state=summary.state,
                is_complete=complete,
                ended_at=datetime.now(UTC),
                discovered=summary.discovered,
                summary=summary.as_dict(),
                error=summary.error,
            )
        )
        reached("before_summary_commit")
    reached("after_summary")
    log_outcomes(engine, run_key, import_results.c.task_id == TaskId.FINISH_RUN.value)
    log_summary(summary)
    if comparison:
        log_comparison(comparison)
    if previewed is not None:
        log_previewed(previewed)
    log_to_mend(to_mend, results_url)
    tell_metrics(summary, is_of_all=not RunParams.parse(run.params).is_selective)
    if not summary.is_conserved or (comparison and not complete):
        raise ConservationError(summary.error)
    return summary


def _compare_with_preview(
    connection: Connection, run: Row[*tuple[Any, ...]]
) -> PreviewComparison | None:
    name = run.params.get("previewed_run")
    key = connection.execute(key_of(run.dag_id, name)).scalar_one_or_none() if name else None
    return compare_with_preview(connection, run.id, key, name) if key is not None else None


def _report_unreached(
    connection: Connection, run: Row[*tuple[Any, ...]], error: str | None
) -> None:
    staged = staged_customers.c
    columns = result_columns(
        run.import_type,
        run.instance,
        datetime.now(UTC),
        reseller_mpn_id=staged.reseller_mpn_id,
        reseller_name=staged.reseller_name,
        outcome=Outcome.FAILED.value,
        reason_code=ReasonCode.NOT_REACHED.value,
        task_id=TaskId.FINISH_RUN.value,
        reason=f"The run ended before this customer's turn. {error or 'No task failed.'}",
    )
    same = (import_results.c.run_id == staged.run_id) & (
        import_results.c.tenant_id == staged.tenant_id
    )
    unreached = (
        select(*columns)
        .select_from(staged_customers.outerjoin(import_results, same))
        .where(
            staged.run_id == run.id,
            staged.is_discovered.is_(True),
            import_results.c.id.is_(None),
        )
    )
    record_selected_results(connection, unreached)
