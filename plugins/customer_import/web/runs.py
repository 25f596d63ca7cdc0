"""Reads runs: the list, one run with its counts, and how far a working run has come.

The counts of an ended run are in its summary; only a run that works is counted row by row.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select

from customer_import.database.engine import clock
from customer_import.database.tables import import_results, import_runs, staged_customers
from customer_import.runs.approvals import find_approval
from customer_import.runs.latest import count_remaining
from customer_import.runs.run import as_utc
from customer_import.runs.tasks import last_attempts, silent_tasks
from customer_import.vocabulary import (
    ImportType,
    Mode,
    Outcome,
    RunState,
    TaskId,
    dag_id_of,
    dag_of,
)
from customer_import.web.airflow_internals import failed_to_start, find_dag_run
from customer_import.web.instances import read_instances
from customer_import.web.models import ApprovalView, Page, Progress, RunView, ShownState, SilentTask
from customer_import.web.paging import Order, read_page

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from customer_import.web.airflow_internals import DagRunFact
    from customer_import.web.rights import Rights

_RATE_SAMPLE = 500
_MOST_UNRECORDED = 50
_SELECTING = ("tenants", "reseller_mpn_ids", "previewed_run")
"""Parameters that name some customers only."""


def find_run(
    connection: Connection | None, readable: Rights, dag_id: str, airflow_run_id: str
) -> RunView | None:
    """Return one run by its Airflow run id, also when it still waits for its first task.

    Args:
        connection: The import's database, if there is one.
        readable: What the user may read.
        dag_id: Its DAG.
        airflow_run_id: The DAG run.
    """
    if connection is not None:
        statement = select(import_runs).where(
            import_runs.c.dag_id == dag_id,
            import_runs.c.airflow_run_id == airflow_run_id,
            readable.rows(import_runs.c),
        )
        if row := connection.execute(statement).one_or_none():
            return _view(connection, row)
    import_type, instance = dag_of(dag_id) or (None, None)
    fact = find_dag_run(dag_id, airflow_run_id)
    if fact is None or import_type is None:
        return None
    run = _waiting(import_type, instance, fact)
    return run if readable.cover(import_type, run.instance) else None


def get_run(connection: Connection, readable: Rights, key: int) -> RunView | None:
    """Return one run by its key, or ``None`` when there is none that the user may read."""
    statement = select(import_runs).where(import_runs.c.id == key, readable.rows(import_runs.c))
    row = connection.execute(statement).one_or_none()
    return _view(connection, row) if row else None


def latest_run(connection: Connection, readable: Rights) -> RunView | None:
    """Return the newest run of any of the import types; checks, which have a page of their own, only without others."""
    for modes in (set(Mode) - {Mode.CHECK}, None):
        if runs := list_runs(connection, readable, limit=1, modes=modes).items:
            return runs[0]
    return None


def list_runs(
    connection: Connection,
    readable: Rights,
    *,
    cursor: str | None = None,
    limit: int = 50,
    modes: Collection[Mode] | None = None,
    instance: str | None = None,
) -> Page[RunView]:
    """Return runs, newest first; of some modes and an instance only, when they are given.

    Raises:
        CursorError: The cursor is of another list.
    """
    order = Order("runs", (import_runs.c.id,), (int,), is_descending=True)
    others = (column for column in import_runs.c if column.name != "id")
    statement = select(import_runs.c.id, *others).where(readable.rows(import_runs.c))
    if modes is not None:
        statement = statement.where(import_runs.c.mode.in_(sorted(modes)))
    if instance is not None:
        statement = statement.where(import_runs.c.instance == instance)
    page = read_page(connection, statement, order, cursor, limit)
    return page.showing(_view(connection, row) for row in page.rows)


def recent_imports(connection: Connection, readable: Rights, most: int) -> list[RunView]:
    """Return the newest imports of each instance and import type, newest first; of those for all customers only.

    Outcomes are those of the runs' summaries: a run that works has none yet; of one that was killed they are counted.

    Args:
        connection: An open read transaction.
        readable: What the user may read.
        most: Runs of each.
    """
    runs = import_runs.c
    place = func.row_number().over(
        partition_by=(runs.import_type, runs.instance), order_by=runs.id.desc()
    )
    ranked = (
        select(runs.id, place.label("place"))
        .where(runs.mode == Mode.IMPORT.value, readable.rows(runs), is_for_all())
        .subquery()
    )
    statement = (
        select(import_runs)
        .join(ranked, ranked.c.id == runs.id)
        .where(ranked.c.place <= most)
        .order_by(runs.id.desc())
    )
    return [_view(connection, row, counts_rows=False) for row in connection.execute(statement)]


def unrecorded_runs(
    connection: Connection | None,
    readable: Rights,
    keys: Collection[tuple[ImportType, str]],
    instance: str | None = None,
    *,
    only_imports_of_all: bool = False,
) -> list[RunView]:
    """Return the newest runs that failed before their first task had written anything, newest first.

    Only Airflow knows them, and which instance they were for as far as they were told.

    Args:
        connection: The import's database, if there is one.
        readable: What the user may read.
        keys: Imports, each with an instance.
        instance: Only of this one; those that do not say are among them.
        only_imports_of_all: Only imports, and of those not the ones for some customers.
    """
    dag_ids = {dag_id_of(*key) for key in keys} | {dag_id_of(kind) for kind, _ in keys}
    facts = failed_to_start(dag_ids, _MOST_UNRECORDED)
    recorded = _recorded(connection, facts) if facts and connection is not None else set()
    found = []
    for fact in facts:
        kind, own = dag_of(fact.dag_id) or (None, None)
        if kind is None or (fact.dag_id, fact.run_id) in recorded:
            continue
        run = _waiting(kind, own, fact)
        if only_imports_of_all and (run.mode is not Mode.IMPORT or is_selection(fact.conf)):
            continue
        if readable.cover(kind, run.instance) and (
            instance is None or run.instance in {instance, None}
        ):
            found.append(run)
    return found


def _recorded(connection: Connection, facts: Sequence[DagRunFact]) -> set[tuple[str, str]]:
    runs = import_runs.c
    statement = select(runs.dag_id, runs.airflow_run_id).where(
        runs.dag_id.in_({fact.dag_id for fact in facts}),
        runs.airflow_run_id.in_({fact.run_id for fact in facts}),
    )
    return {(row.dag_id, row.airflow_run_id) for row in connection.execute(statement)}


def is_selection(params: Mapping[str, Any]) -> bool:
    """Whether a run with these parameters is for some customers only."""
    return any(params.get(name) for name in _SELECTING)


def is_for_all() -> ColumnElement[bool]:
    """Return the condition that a row of ``import_runs`` is no selection."""
    named = (func.coalesce(import_runs.c.params[name].as_string(), "") for name in _SELECTING)
    return and_(*(names.in_(("", "[]")) for names in named))


def run_params(connection: Connection, key: int) -> dict[str, Any]:
    """Return the parameters that a run was started with."""
    params: dict[str, Any] = connection.execute(
        select(import_runs.c.params).where(import_runs.c.id == key)
    ).scalar_one()
    return params


def asked_mode(fact: DagRunFact) -> Mode | None:
    """Return the mode that a DAG run was started with, its schedule's unless it says so; ``None`` for none there is."""
    if "mode" in fact.conf:
        return next((mode for mode in Mode if mode == fact.conf["mode"]), None)
    kind, own = dag_of(fact.dag_id) or (None, None)
    config = read_instances().by_name.get(own or "")
    schedule = config.schedules.get(kind) if config and kind else None
    return schedule.mode if schedule else Mode.IMPORT


def _waiting(import_type: ImportType, instance: str | None, fact: DagRunFact) -> RunView:
    """A run that has no row: its first task has not worked yet, or never will."""
    error = None
    if fact.state in {ShownState.FAILED, ShownState.SUCCESS}:
        error = (
            "The run ended before its first task had written anything; see the log of start_run."
        )
    mode = asked_mode(fact)
    return RunView(
        key=None,
        dag_id=fact.dag_id,
        run_id=fact.run_id,
        import_type=import_type,
        instance=str(fact.conf["instance"]) if "instance" in fact.conf else instance,
        mode=mode,
        state=ShownState.FAILED if error else fact.state,
        started_by=fact.started_by,
        started_at=as_utc(moment) if (moment := fact.queued_at or fact.run_after) else None,
        ended_at=None,
        error=error,
        progress=None if error else Progress(step="Waiting for the first task"),
    )


def _view(
    connection: Connection,
    row: Row[Any],  # Any: a row's columns differ in type
    *,
    counts_rows: bool = True,
) -> RunView:
    state, error = _state(connection, row)
    is_active = state in {ShownState.QUEUED, ShownState.RUNNING}
    summary = row.summary or {}
    unclassified = summary.get("unclassified", 0)
    if not is_active and "outcomes" in summary:
        counts = _known(Counter(summary["outcomes"]) + Counter({Outcome.FAILED: unclassified}))
    else:
        # One that was killed never closed its row, and there are few of them.
        counts = _count(connection, row.id) if counts_rows or not is_active else {}
    has_asked = is_active or summary.get("approval")
    approval = _approval(connection, row.id) if has_asked else None
    progress = None
    if is_active and approval and approval.is_open:
        progress = Progress(step="Waiting for a person to approve what is written")
    elif is_active and counts_rows:
        progress = _progress(connection, row, sum(counts.values()))
        progress = progress.model_copy(update={"silent": _silent(connection, row.id)})
    return RunView(
        key=row.id,
        dag_id=row.dag_id,
        run_id=row.airflow_run_id,
        import_type=ImportType(row.import_type),
        instance=row.instance,
        mode=Mode(row.mode),
        state=state,
        started_by=row.started_by,
        started_at=as_utc(row.started_at),
        ended_at=as_utc(row.ended_at) if row.ended_at else None,
        listed=row.listed,
        discovered=row.discovered,
        remaining=count_remaining(row),
        unclassified=unclassified,
        outcomes=counts,
        warnings=summary.get("warnings"),
        error=error,
        fields=summary.get("fields", {}),
        previewed=summary.get("preview"),
        waiting=summary.get("waiting", 0),
        api_use=summary.get("api_use", {}),
        drift=summary.get("drift"),
        approval=approval,
        progress=progress,
    )


def _approval(connection: Connection, key: int) -> ApprovalView | None:
    approval = find_approval(connection, key)
    if approval is None or approval.why is None:
        return None
    planned = approval.planned
    return ApprovalView(
        why=approval.why,
        create=planned.create,
        update=planned.update,
        overwrite=planned.overwrite,
        is_open=approval.is_open,
        told=approval.told(),
    )


def _state(connection: Connection, row: Row[Any]) -> tuple[ShownState, str | None]:
    """Believe the row when it has ended, else Airflow: a run that was killed never closes its row."""
    if row.state != RunState.RUNNING:
        return ShownState(row.state), row.error
    fact = find_dag_run(row.dag_id, row.airflow_run_id)
    said = _last_error(connection, row.id)
    if fact is None:
        return ShownState.FAILED, said or "Airflow no longer has this run."
    if fact.state in {ShownState.FAILED, ShownState.SUCCESS}:
        return (
            ShownState.FAILED,
            said or "The run ended without closing its results; see its task logs.",
        )
    return fact.state, None


def _last_error(connection: Connection, key: int) -> str | None:
    failed = [task for task in last_attempts(connection, key) if task.error]
    return f"{failed[-1].name}: {failed[-1].error}" if failed else None


def _known(outcomes: Mapping[str, int]) -> dict[Outcome, int]:
    return {outcome: outcomes[outcome] for outcome in Outcome if outcomes.get(outcome)}


def _count(connection: Connection, key: int) -> dict[Outcome, int]:
    statement = (
        select(import_results.c.outcome, func.count())
        .where(import_results.c.run_id == key)
        .group_by(import_results.c.outcome)
    )
    return _known({row[0]: row[1] for row in connection.execute(statement)})


def _progress(connection: Connection, row: Row[Any], results: int) -> Progress:
    if row.listed is None:
        return Progress(step="Listing customers in Partner Center")
    if row.extracted < row.listed:
        elapsed_s = (datetime.now(UTC) - as_utc(row.started_at)).total_seconds()
        rate = row.extracted / elapsed_s if elapsed_s > 0 and row.extracted else None
        return _counted("Reading customers from Partner Center", row.extracted, row.listed, rate)
    if row.mode == Mode.DISCOVER:
        return Progress(step="Closing the run", done=row.extracted, total=row.listed)
    if row.batches is None:
        return Progress(step="Checking and mapping the customers")
    if row.mode == Mode.CHECK:
        return Progress(step="Comparing with the BSS")
    discovered = select(func.count()).where(
        staged_customers.c.run_id == row.id, staged_customers.c.is_discovered.is_(True)
    )
    total = connection.execute(discovered).scalar_one()
    step = "Comparing with the BSS" if row.mode == Mode.PREVIEW else "Writing to the BSS"
    return _counted(step, results, total, _load_rate(connection, row.id))


def _silent(connection: Connection, key: int) -> list[SilentTask]:
    attempts = last_attempts(connection, key)
    silent = silent_tasks(attempts, clock(connection.engine)())
    return [SilentTask(task=task.name, since=task.seen_at) for task in silent if task.seen_at]


def _counted(step: str, done: int, total: int, rate: float | None) -> Progress:
    left_s = max(total - done, 0) / rate if rate else None
    return Progress(step=step, done=done, total=total, per_second=rate, seconds_left=left_s)


def _load_rate(connection: Connection, key: int) -> float | None:
    """Return customers a second over the newest results, so that the rate follows what the BSS does now."""
    newest = (
        select(import_results.c.recorded_at, import_results.c.task_id)
        .where(import_results.c.run_id == key)
        .order_by(import_results.c.id.desc())
        .limit(_RATE_SAMPLE)
    )
    moments = [
        as_utc(row.recorded_at)
        for row in connection.execute(newest)
        if row.task_id == TaskId.LOAD_CUSTOMERS
    ]
    if not moments:
        return None
    elapsed_s = (datetime.now(UTC) - min(moments)).total_seconds()
    return len(moments) / elapsed_s if elapsed_s > 0 else None
