"""Closes a run: an outcome for every tenant it discovered, the conservation check, the summary.

Conservation: discovered = created + updated + unchanged + skipped + ambiguous + rejected + failed (a preview counts
would_create and would_update too). A run that cannot show it fails.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, literal, select, update

from customer_import.database.tables import (
    import_results,
    import_runs,
    reference_data,
    staged_customers,
    validation_findings,
)
from customer_import.errors import ConservationError
from customer_import.failpoints import reached
from customer_import.runs.known_tenants import is_complete, store_known_tenants
from customer_import.vocabulary import Mode, Outcome, ReasonCode, RunState, StagedState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection, Engine, Row

log = logging.getLogger(__name__)

DURATION_PREFIX = "seconds:"
"""Name prefix of the reference data in which each task leaves how long it took."""


@dataclass(frozen=True)
class Summary:
    """What a run did, in counts; it holds no customer.

    Attributes:
        run_key: ``import_runs.id``.
        dag_id: The DAG.
        run_id: The Airflow run id.
        import_type: Whose customers.
        instance: The instance.
        mode: How far the run went.
        scope: Which customers were read: ``full`` or ``changed``; ``None`` when the run did not come to it.
        scope_reason: Why these, in words.
        state: ``success`` or ``failed``.
        listed: Tenants that Partner Center listed and the run's selection kept.
        discovered: Tenants of the import type among them.
        carried: Discovered tenants that were not read, because nothing about them changed.
        vanished: Customers of an earlier run that Partner Center no longer lists; their accounts stay.
        outcomes: Count per outcome, every outcome present.
        reasons: Count per reason code of tenants that were not loaded.
        broken_rules: Count of tenants per critical rule.
        warnings: Tenants with at least one warning.
        durations_s: Seconds per task; a mapped task's are added up.
        error: What failed, in words, or ``None``.
    """

    run_key: int
    dag_id: str
    run_id: str
    import_type: str
    instance: str
    mode: str
    scope: str | None
    scope_reason: str | None
    state: str
    listed: int
    discovered: int
    carried: int
    vanished: int
    outcomes: dict[str, int]
    reasons: dict[str, int]
    broken_rules: dict[str, int]
    warnings: int
    durations_s: dict[str, float]
    error: str | None = None

    @property
    def wrote(self) -> bool:
        """Whether the run changed anything in the BSS."""
        return bool(self.outcomes[Outcome.CREATED] + self.outcomes[Outcome.UPDATED])

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON-ready values, for XCom."""
        return asdict(self)


def close_run(engine: Engine, run_key: int, failed_tasks: Mapping[str, str]) -> Summary:
    """Give every discovered tenant without a result one, check conservation and store the summary.

    Args:
        engine: The import's database.
        run_key: ``import_runs.id``; the configuration is not read, it may be what is broken.
        failed_tasks: Task id to Airflow state of the run's tasks that did not succeed.

    Returns:
        The stored summary; its state is ``failed`` when a task failed.

    Raises:
        ConservationError: The outcomes do not add up; the run is stored as failed with its summary.
    """
    with engine.begin() as connection:
        run = connection.execute(select(import_runs).where(import_runs.c.id == run_key)).one()
        error = _error_text(run, failed_tasks)
        if run.mode in {Mode.IMPORT, Mode.PREVIEW}:
            _report_unreached(connection, run, error)
        summary = _summarise(connection, run, error)
        conserved = _is_conserved(summary)
        if not conserved:
            given = sum(summary.outcomes.values())
            error = f"{summary.discovered} tenants were discovered, but {given} have an outcome"
            summary = Summary(**{**asdict(summary), "state": RunState.FAILED.value, "error": error})
        complete = is_complete(run, has_failed=summary.state == RunState.FAILED)
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
    _log(summary)
    if not conserved:
        raise ConservationError(error)
    return summary


def _error_text(run: Row[*tuple[Any, ...]], failed_tasks: Mapping[str, str]) -> str | None:
    """Return what the first failed task said, or that it ended without a word; ``None`` when nothing failed."""
    if not failed_tasks:
        return None
    first = next((task for task, state in failed_tasks.items() if state == "failed"), None)
    first = first or next(iter(failed_tasks))
    said: str | None = run.error
    if said and said.startswith(first.partition("_customers")[0]):
        return said
    return f"task {first} ended without a word (killed, or out of time); see its log"


def _report_unreached(
    connection: Connection, run: Row[*tuple[Any, ...]], error: str | None
) -> None:
    missing = (
        select(
            staged_customers.c.run_id,
            staged_customers.c.tenant_id,
            literal(run.import_type),
            literal(run.instance),
            staged_customers.c.tenant_name,
            staged_customers.c.domain,
            staged_customers.c.reseller_mpn_id,
            staged_customers.c.reseller_name,
            literal(Outcome.FAILED.value),
            literal(ReasonCode.NOT_REACHED.value),
            literal(f"The run ended before this customer's turn. {error or 'No task failed.'}"),
            literal(datetime.now(UTC), type_=import_results.c.recorded_at.type),
        )
        .outerjoin(
            import_results,
            (import_results.c.run_id == staged_customers.c.run_id)
            & (import_results.c.tenant_id == staged_customers.c.tenant_id),
        )
        .where(
            staged_customers.c.run_id == run.id,
            staged_customers.c.is_discovered.is_(True),
            import_results.c.id.is_(None),
        )
    )
    columns = (
        "run_id",
        "tenant_id",
        "import_type",
        "instance",
        "tenant_name",
        "domain",
        "reseller_mpn_id",
        "reseller_name",
        "outcome",
        "reason_code",
        "reason",
        "recorded_at",
    )
    connection.execute(insert(import_results).from_select(columns, missing))


def _summarise(connection: Connection, run: Row[*tuple[Any, ...]], error: str | None) -> Summary:
    counts: dict[str, int] = {outcome.value: 0 for outcome in Outcome}
    reasons: dict[str, int] = {}
    warned = 0
    rows = connection.execute(
        select(
            import_results.c.outcome,
            import_results.c.reason_code,
            func.count(),
            func.count(import_results.c.warnings),
        )
        .where(import_results.c.run_id == run.id)
        .group_by(import_results.c.outcome, import_results.c.reason_code)
    )
    not_loaded = {Outcome.SKIPPED, Outcome.AMBIGUOUS, Outcome.REJECTED, Outcome.FAILED}
    for outcome, code, count, with_warnings in rows:
        counts[outcome] += count
        warned += with_warnings
        if outcome in not_loaded and code:
            reasons[code] = reasons.get(code, 0) + count
    rules = connection.execute(
        select(
            validation_findings.c.rule,
            func.count(validation_findings.c.tenant_id.distinct()).label("tenants"),
        )
        .where(validation_findings.c.run_id == run.id, validation_findings.c.severity == "critical")
        .group_by(validation_findings.c.rule)
        .order_by(validation_findings.c.rule)
    )
    is_discovered = staged_customers.c.is_discovered.is_(True)
    return Summary(
        run_key=run.id,
        dag_id=run.dag_id,
        run_id=run.airflow_run_id,
        import_type=run.import_type,
        instance=run.instance,
        mode=run.mode,
        scope=run.scope,
        scope_reason=run.scope_reason,
        state=(RunState.FAILED if error else RunState.SUCCESS).value,
        listed=_count_staged(connection, run),
        discovered=_count_staged(connection, run, is_discovered),
        carried=_count_staged(
            connection, run, is_discovered, staged_customers.c.state == StagedState.CARRIED.value
        ),
        vanished=run.vanished or 0,
        outcomes=counts,
        reasons=dict(sorted(reasons.items())),
        broken_rules={row.rule: row.tenants for row in rules},
        warnings=warned,
        durations_s=_durations(connection, run),
        error=error,
    )


def _count_staged(
    connection: Connection, run: Row[*tuple[Any, ...]], *conditions: ColumnElement[bool]
) -> int:
    query = (
        select(func.count())
        .select_from(staged_customers)
        .where(staged_customers.c.run_id == run.id, *conditions)
    )
    count: int = connection.execute(query).scalar_one()
    return count


def _durations(connection: Connection, run: Row[*tuple[Any, ...]]) -> dict[str, float]:
    rows = connection.execute(
        select(reference_data.c.name, reference_data.c.body).where(
            reference_data.c.run_id == run.id, reference_data.c.name.startswith(DURATION_PREFIX)
        )
    )
    durations: dict[str, float] = {}
    for name, seconds in rows:
        task = name.removeprefix(DURATION_PREFIX).partition("[")[0]
        durations[task] = round(durations.get(task, 0.0) + seconds, 2)
    return durations


def _is_conserved(summary: Summary) -> bool:
    """A run that only discovers or checks has no outcome to give, so there is nothing to add up."""
    if summary.mode not in {Mode.IMPORT, Mode.PREVIEW}:
        return True
    return summary.discovered == sum(summary.outcomes.values())


def _log(summary: Summary) -> None:
    log.info(
        "%s import, instance %s, mode %s: %s",
        summary.import_type,
        summary.instance,
        summary.mode,
        summary.state,
    )
    log.info("  %-14s %8d", "listed", summary.listed)
    log.info("  %-14s %8d", "discovered", summary.discovered)
    if summary.scope:
        log.info("  scope %s: %s", summary.scope, summary.scope_reason)
    if summary.carried:
        log.info("  %-14s %8d", "not read again", summary.carried)
    if summary.vanished:
        log.warning(
            "  %-14s %8d (no longer in Partner Center; accounts stay)", "vanished", summary.vanished
        )
    for outcome, count in summary.outcomes.items():
        if count or not outcome.startswith("would_"):
            log.info("  %-14s %8d", outcome, count)
    for code, count in summary.reasons.items():
        log.info("  reason %-26s %8d", code, count)
    for task, seconds in summary.durations_s.items():
        log.info("  %-20s %8.1f s", task, seconds)
    if summary.error:
        log.error("The run failed: %s", summary.error)
