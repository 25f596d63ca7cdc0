"""What a run came to, in counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from customer_import.database.tables import (
    import_results,
    staged_customers,
    validation_findings,
)
from customer_import.runs.drift import summarise_drift
from customer_import.runs.tasks import total_api_use
from customer_import.vocabulary import Mode, Outcome, ReasonCode, RunState, Severity, StagedState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import ColumnElement, Connection, Row

    from customer_import.runs.tasks import TaskAttempt

_PROBLEMS = (Outcome.FAILED, Outcome.AMBIGUOUS, Outcome.REJECTED)
"""What a person has to look at."""
_OF_EVENT = (
    "run_key",
    "dag_id",
    "airflow_run_id",
    "import_type",
    "instance",
    "mode",
    "scope",
    "state",
    "listed",
    "discovered",
    "carried",
    "vanished",
    "unclassified",
    "outcomes",
    "reasons",
    "warnings",
    "waiting",
)
"""Keys, words of the vocabulary and counts. What people wrote or are called by is not for other DAGs."""
_NOT_LOADED = frozenset({Outcome.SKIPPED, Outcome.AMBIGUOUS, Outcome.REJECTED, Outcome.FAILED})


@dataclass(frozen=True)
class Summary:
    """What a run did, in counts; it holds no customer.

    Attributes:
        run_key: ``import_runs.id``.
        dag_id: The DAG.
        airflow_run_id: The DAG run.
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
        unclassified: Tenants of which nobody could tell whose they are. Each has a result ``failed``, but is not
            discovered, and so not among the outcomes.
        outcomes: Count per outcome, every outcome present.
        reasons: Count per reason code of tenants that were not loaded.
        broken_rules: Count of tenants per critical rule.
        warnings: Tenants with at least one warning that are not rejected.
        durations_s: Seconds of the last attempt per task; a mapped task's are added up.
        error: What failed, in words, or ``None``.
        fields: Customers per BSS field in which they differ, by what becomes of it: ``changed``, ``emptied``,
            ``left_alone``.
        drift: Of a check: customers ``linked``, ``compared``, ``changed`` in Partner Center since they were written
            (and so not compared), and ``found``: findings by kind.
        approval: Of a run that asked before it wrote: ``why``, ``answer``, ``by``, ``at``.
        waiting: Customers in the matching queue: a person has to say which account they are, or that they are new.
        api_use: What was used of each API: ``requests``, ``throttled``, ``waited_s`` (held back by a limit).
        preview: Of a run that was started from a preview: ``run``, ``customers``, ``as_previewed``, ``otherwise``.
    """

    run_key: int
    dag_id: str
    airflow_run_id: str
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
    unclassified: int
    outcomes: dict[str, int]
    reasons: dict[str, int]
    broken_rules: dict[str, int]
    warnings: int
    durations_s: dict[str, float]
    error: str | None = None
    fields: dict[str, dict[str, int]] = field(default_factory=dict)
    preview: dict[str, Any] | None = None
    drift: dict[str, Any] | None = None
    approval: dict[str, Any] | None = None
    waiting: int = 0
    api_use: dict[str, dict[str, float]] = field(default_factory=dict)

    @property
    def wrote(self) -> bool:
        """Whether the run changed anything in the BSS."""
        return bool(self.outcomes[Outcome.CREATED] + self.outcomes[Outcome.UPDATED])

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON-ready values, for XCom."""
        return asdict(self)

    def as_event(self) -> dict[str, Any]:
        """Return what the event of the written asset carries, so that a DAG that it starts can decide by it."""
        whole = self.as_dict()
        return {name: whole[name] for name in _OF_EVENT}

    @property
    def is_conserved(self) -> bool:
        """Whether the outcomes add up; a run that only discovers or checks has none to give."""
        if self.mode not in {Mode.IMPORT, Mode.PREVIEW}:
            return True
        return self.discovered == sum(self.outcomes.values())


@dataclass
class _Counts:
    outcomes: dict[str, int]
    reasons: dict[str, int]
    warned: int
    unclassified: int


def summarise(
    connection: Connection,
    run: Row[*tuple[Any, ...]],
    tasks: Iterable[TaskAttempt],
    error: str | None,
) -> Summary:
    """Count what a run did.

    Args:
        connection: An open connection; the run's results are complete.
        run: Its row in ``import_runs``.
        tasks: The last attempts of its tasks.
        error: What failed, in words.
    """
    counts = _count_results(connection, run)
    drift = summarise_drift(connection, run.id)
    is_discovered = staged_customers.c.is_discovered.is_(True)
    return Summary(
        run_key=run.id,
        dag_id=run.dag_id,
        airflow_run_id=run.airflow_run_id,
        import_type=run.import_type,
        instance=run.instance,
        mode=run.mode,
        scope=run.scope,
        scope_reason=run.scope_reason,
        state=_state(counts, error, has_drift=bool(drift and drift["found"])).value,
        listed=_count_staged(connection, run),
        discovered=_count_staged(connection, run, is_discovered),
        carried=_count_staged(
            connection, run, is_discovered, staged_customers.c.state == StagedState.CARRIED.value
        ),
        vanished=run.vanished or 0,
        unclassified=counts.unclassified,
        outcomes=counts.outcomes,
        reasons=dict(sorted(counts.reasons.items())),
        broken_rules=_broken_rules(connection, run),
        warnings=counts.warned,
        durations_s=_durations(tasks),
        error=error,
        fields=_count_fields(connection, run),
        drift=drift,
        api_use=total_api_use(connection, run.id),
        waiting=counts.outcomes[Outcome.AMBIGUOUS] + counts.reasons.get(ReasonCode.IN_QUEUE, 0),
    )


def _count_fields(connection: Connection, run: Row[*tuple[Any, ...]]) -> dict[str, dict[str, int]]:
    groups: dict[str, Counter[str]] = {
        name: Counter() for name in ("changed", "emptied", "left_alone")
    }
    found = select(import_results.c.fields).where(
        import_results.c.run_id == run.id, import_results.c.fields.is_not(None)
    )
    for fates in connection.execute(found.execution_options(yield_per=1_000)).scalars():
        for name, fate in fates.items():
            groups[fate if fate in groups else "left_alone"][name] += 1
    return {group: dict(counts.most_common()) for group, counts in groups.items()}


def _state(counts: _Counts, error: str | None, *, has_drift: bool) -> RunState:
    if error:
        return RunState.FAILED
    has_problems = counts.unclassified or any(counts.outcomes[outcome] for outcome in _PROBLEMS)
    return RunState.PROBLEMS if has_problems or has_drift else RunState.SUCCESS


def _count_results(connection: Connection, run: Row[*tuple[Any, ...]]) -> _Counts:
    counts = _Counts({outcome.value: 0 for outcome in Outcome}, {}, 0, 0)
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
    for outcome, code, count, with_warnings in rows:
        if code == ReasonCode.NOT_CLASSIFIED:
            counts.unclassified += count
        else:
            counts.outcomes[outcome] += count
        if outcome != Outcome.REJECTED:  # its reason says more
            counts.warned += with_warnings
        if outcome in _NOT_LOADED and code:
            counts.reasons[code] = counts.reasons.get(code, 0) + count
    return counts


def _broken_rules(connection: Connection, run: Row[*tuple[Any, ...]]) -> dict[str, int]:
    rules = connection.execute(
        select(
            validation_findings.c.rule,
            func.count(validation_findings.c.tenant_id.distinct()).label("tenants"),
        )
        .where(
            validation_findings.c.run_id == run.id,
            validation_findings.c.severity == Severity.CRITICAL.value,
        )
        .group_by(validation_findings.c.rule)
        .order_by(validation_findings.c.rule)
    )
    return {row.rule: row.tenants for row in rules}


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


def _durations(tasks: Iterable[TaskAttempt]) -> dict[str, float]:
    durations: dict[str, float] = {}
    for task in tasks:
        if task.seconds is not None:
            durations[task.task_id] = round(durations.get(task.task_id, 0.0) + task.seconds, 2)
    return durations
