"""Carries forward the listed tenants that no reason makes a run read (``due``), with what is known of them.

All in SQL, one statement per reason: however many customers there are, none of them is held here. A tenant
that is carried gets staged row and result as if it had been read and found as before. One of a reseller that the run
was not started for gets neither, read or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import (
    Text,
    case,
    cast,
    exists,
    func,
    literal,
    select,
    update,
)

from customer_import.database.engine import reading
from customer_import.database.tables import (
    import_runs,
    known_tenants,
    staged_customers,
)
from customer_import.runs.fingerprint import combined
from customer_import.runs.known_tenants import of_import, same_tenant
from customer_import.runs.results import record_selected_results, result_columns
from customer_import.tasks.extract.due import is_done, mark_due, mark_slice
from customer_import.tasks.extract.selection import NOT_SELECTED
from customer_import.vocabulary import (
    Outcome,
    ReasonCode,
    Scope,
    StagedState,
    TaskId,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Connection, Engine

    from customer_import.runs.run import Run
    from customer_import.tasks.extract.watermark import Decision

_NAMED_VANISHED = 20
_UNREAD = (StagedState.CARRIED.value, StagedState.UNSELECTED.value)
_FROM_KNOWN = (
    "reseller_mpn_id",
    "reseller_name",
    "warnings",
    "account_id",
    "contact_id",
    "read_at",
)

_known = known_tenants.c
_staged = staged_customers.c


@dataclass(frozen=True)
class Vanished:
    """Customers of an earlier run that Partner Center no longer lists.

    Attributes:
        count: How many.
        names: Some of them: company name and tenant id.
    """

    count: int
    names: tuple[str, ...]


def settle_scope(
    engine: Engine,
    run: Run,
    decision: Decision,
    fingerprint: dict[str, str],
    *,
    selected_mpn_ids: Collection[str] = (),
    excluded_mpn_ids: Collection[str] = (),
    takes_more: bool = False,
) -> dict[str, int]:
    """Store a run's scope and, when it is ``changed``, carry forward everything that need not be read.

    One transaction: a killed attempt has done all of it or nothing.

    Args:
        engine: The run's database.
        run: The run.
        decision: Its scope.
        fingerprint: What decides beside the customers' data.
        selected_mpn_ids: All MPN ids of the resellers that the run was started for; empty means all resellers.
        excluded_mpn_ids: All MPN ids of the resellers that the instance leaves out.
        takes_more: Whether the BSS takes something that was left out of earlier writes.

    Returns:
        Reason to the tenants that are read for it; ``carried`` and ``unselected`` to those that are not.
    """
    now = datetime.now(UTC)
    with engine.begin() as connection:
        if decision.scope is Scope.CHANGED and decision.watermark is not None:
            mark_due(
                connection,
                run,
                decision.watermark,
                combined(fingerprint),
                excluded_mpn_ids,
                is_selective=bool(selected_mpn_ids),
                takes_more=takes_more,
            )
            if selected_mpn_ids:
                _leave_out(connection, run, selected_mpn_ids)
            mark_slice(connection, run, decision.watermark.started_at, now)
            _carry_forward(connection, run, now)
        connection.execute(
            update(import_runs)
            .where(import_runs.c.id == run.key)
            .values(
                scope=decision.scope.value, scope_reason=decision.reason, fingerprint=fingerprint
            )
        )
    return count_due(engine, run)


def count_due(engine: Engine, run: Run) -> dict[str, int]:
    """Count the tenants of a run by the reason for which they are read, or as ``carried`` or ``unselected``."""
    kind = case(
        (_staged.state.in_(_UNREAD), _staged.state),
        else_=func.coalesce(_staged.due, "new"),
    )
    statement = select(kind, func.count()).where(_staged.run_id == run.key).group_by(kind)
    with reading(engine) as connection:
        return {row[0]: row[1] for row in connection.execute(statement)}


def find_vanished(engine: Engine, run: Run, left_out: Collection[str] = ()) -> Vanished:
    """Find the customers that an earlier run discovered and this one's list no longer has.

    Args:
        engine: The run's database.
        run: The run, for all customers.
        left_out: Tenants that the run was asked to leave out.
    """
    with engine.begin() as connection:
        gone = (
            of_import(run),
            _known.is_discovered.is_(True),
            _known.tenant_id.not_in(left_out),
            ~exists(select(_staged.tenant_id).where(same_tenant(run))),
        )
        count = connection.execute(
            select(func.count()).select_from(known_tenants).where(*gone)
        ).scalar_one()
        rows = connection.execute(
            select(_known.tenant_name, _known.tenant_id)
            .where(*gone)
            .order_by(_known.tenant_id)
            .limit(_NAMED_VANISHED)
        ).all()
        connection.execute(
            update(import_runs).where(import_runs.c.id == run.key).values(vanished=count)
        )
    return Vanished(count, tuple(f"{name or 'without name'} ({key})" for name, key in rows))


def _is_carried(run: Run) -> tuple[ColumnElement[bool], ...]:
    return (
        _staged.run_id == run.key,
        _staged.state == StagedState.LISTED.value,
        _staged.due.is_(None),
    )


def _leave_out(connection: Connection, run: Run, selected_mpn_ids: Collection[str]) -> None:
    """Leave out the customers of resellers that the run was not started for, as far as they need not be read."""
    has_another = func.coalesce(_known.reseller_mpn_id, "").not_in(selected_mpn_ids)
    connection.execute(
        update(staged_customers)
        .where(*_is_carried(run), same_tenant(run), _known.is_discovered.is_(True), has_another)
        .values(
            is_discovered=False,
            reseller_mpn_id=_known.reseller_mpn_id,
            reseller_name=_known.reseller_name,
            classification=NOT_SELECTED,
            fetched_at=_known.read_at,
            state=StagedState.UNSELECTED.value,
        )
    )


def _carry_forward(connection: Connection, run: Run, now: datetime) -> None:
    is_carried = _is_carried(run)
    day = func.substr(cast(_known.read_at, Text), 1, 10)
    outcome = case((is_done, Outcome.UNCHANGED.value), else_=_known.outcome)
    code = case((is_done, ReasonCode.SAME.value), else_=_known.reason_code)
    decided = case((_staged.decisions.is_not(None), " A decision about it stands."), else_="")
    unchanged = literal("Unchanged in Partner Center since ") + day + "." + decided
    reason = case((is_done, unchanged), else_=_known.reason)
    columns = result_columns(
        run.import_type.value,
        run.params.instance,
        now,
        outcome=outcome,
        reason_code=code,
        reason=reason,
        attempts=0,
        task_id=TaskId.EXTRACT_CUSTOMERS.value,
        **{name: _known[name] for name in _FROM_KNOWN},
    )
    known = (
        select(*columns)
        .select_from(staged_customers.join(known_tenants, same_tenant(run)))
        .where(*is_carried, _known.is_discovered.is_(True))
        .order_by(_staged.position)
    )
    record_selected_results(connection, known)
    taken = ("is_discovered", "reseller_mpn_id", "reseller_name", "is_in_both_lists")
    connection.execute(
        update(staged_customers)
        .where(*is_carried, same_tenant(run))
        .values(
            {
                **{name: _known[name] for name in (*taken, "classification")},
                "outcome": outcome,
                "reason_code": code,
                "reason": reason,
                "fetched_at": _known.read_at,
                "state": StagedState.CARRIED.value,
            }
        )
    )
