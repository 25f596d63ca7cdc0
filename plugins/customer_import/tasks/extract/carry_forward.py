"""Marks the listed tenants that are to be read, and carries the others forward with what is known of them.

All in SQL, one statement per reason: however many customers there are, none of them is held here. A tenant
that is carried gets staged row and result as if it had been read and found as before. One of a reseller that the run
was not started for gets neither, read or not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import (
    Text,
    and_,
    case,
    cast,
    exists,
    false,
    func,
    literal,
    or_,
    select,
    update,
)

from customer_import.database.engine import reading
from customer_import.database.tables import (
    import_results,
    import_runs,
    known_tenants,
    staged_customers,
    tenant_links,
)
from customer_import.runs.fingerprint import combined
from customer_import.runs.known_tenants import of_import, same_tenant
from customer_import.runs.organisations import is_settled, links_of
from customer_import.runs.results import record_selected_results, result_columns
from customer_import.tasks.extract.selection import NOT_SELECTED
from customer_import.vocabulary import (
    READ_STATES,
    Mode,
    OnExisting,
    Outcome,
    ReasonCode,
    Scope,
    StagedState,
    TaskId,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Connection, Engine, Update

    from customer_import.runs.run import Run
    from customer_import.tasks.extract.watermark import Decision

_NAMED_VANISHED = 20
_DONE = (Outcome.CREATED.value, Outcome.UPDATED.value, Outcome.UNCHANGED.value)

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


def mark(connection: Connection, run: Run, reason: str, condition: ColumnElement[bool]) -> None:
    """Mark the customers of a run that are to be read for a reason, where they have none yet."""
    connection.execute(listed(run, _staged.due.is_(None), condition).values(due=reason))


def listed(run: Run, *conditions: ColumnElement[bool]) -> Update:
    """Return an update of the run's customers that are still to be asked for."""
    return update(staged_customers).where(
        _staged.run_id == run.key, _staged.state == StagedState.LISTED.value, *conditions
    )


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
            mine = same_tenant(run)
            mark(connection, run, "new", ~exists(select(_known.tenant_id).where(mine)))
            for reason, condition in (
                ("listed", _known.listed_hash.is_distinct_from(_staged.listed_hash)),
                ("configuration", _known.config_hash != combined(fingerprint)),
                ("decisions", _known.decisions.is_distinct_from(_staged.decisions)),
                ("unsettled", ~_is_settled(run)),
                ("contradicted", _is_contradicted(decision.watermark.run_key)),
                ("seen", _is_seen_otherwise(connection, run, decision.watermark.run_key)),
                ("exclusion", _is_excluded_otherwise(connection, run, excluded_mpn_ids)),
                ("link", _known.account_id.is_not(None) & ~_is_linked(run, takes_more=takes_more)),
            ):
                mark(
                    connection, run, reason, exists(select(_known.tenant_id).where(mine, condition))
                )
            if selected_mpn_ids:
                _leave_out(connection, run, selected_mpn_ids)
            _mark_slice(connection, run, decision.watermark.started_at, now)
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


def slice_size(population: int, since: datetime, now: datetime, every: timedelta) -> int:
    """Return how many of the longest unread customers a run reads again.

    Each run takes its share by the time since the run before it, so none is a spike. Shares are whole
    numbers between two marks of one clock: however short the runs follow upon each other, those of ``every``
    together read everybody once, and nobody twice.
    """
    if now - since >= every:
        return population
    rate = population / every.total_seconds()
    return max(0, math.floor(now.timestamp() * rate) - math.floor(since.timestamp() * rate))


def _mark_slice(connection: Connection, run: Run, since: datetime, now: datetime) -> None:
    if run.instance.full_read_every_days is None:
        return
    every = timedelta(days=run.instance.full_read_every_days)
    population, overdue = connection.execute(
        select(func.count(), func.count(case((_known.read_at <= now - every, 1))))
        .select_from(staged_customers.outerjoin(known_tenants, same_tenant(run)))
        .where(_staged.run_id == run.key, _staged.state != StagedState.UNSELECTED.value)
    ).one()
    oldest = (
        select(_staged.tenant_id)
        .select_from(staged_customers.join(known_tenants, same_tenant(run)))
        .where(
            _staged.run_id == run.key,
            _staged.state == StagedState.LISTED.value,
            _staged.due.is_(None),
        )
        .order_by(_known.read_at, _known.tenant_id)
        .limit(max(slice_size(population, since, now, every), overdue))
    )
    mark(connection, run, "slice", _staged.tenant_id.in_(oldest))


def _is_settled(run: Run) -> ColumnElement[bool]:
    """What there is nothing to do about: tenants of other imports, successes, and what somebody decided.

    Without success nothing is taken for granted: such a customer may be mended where neither the list nor an audit
    record shows it, and there are few.
    """
    decided = [ReasonCode.ALREADY_IMPORTED.value, ReasonCode.EXCLUDED.value]
    if not run.instance.auto_create:
        decided.append(
            ReasonCode.IN_QUEUE.value
        )  # until a person decides; that is a reason of its own
    if run.params.on_existing is OnExisting.SKIP:
        decided.append(ReasonCode.EXISTING_SKIPPED.value)
    is_not_ours = _known.is_discovered.is_(False) & _known.outcome.is_(None)
    settled = or_(is_not_ours, _known.outcome.in_(_DONE), _known.reason_code.in_(decided))
    return func.coalesce(settled, false())


def _is_contradicted(run_key: int) -> ColumnElement[bool]:
    """Whether the last complete run discovered the tenant, and a partial one since has found it to be somebody else's.

    That is no small change, so a complete run sees for itself.
    """
    then = staged_customers.alias("then_customers")
    is_other = _known.reseller_mpn_id.is_distinct_from(then.c.reseller_mpn_id)
    discovered = select(then.c.tenant_id).where(
        then.c.run_id == run_key,
        then.c.tenant_id == _known.tenant_id,
        then.c.is_discovered.is_(True),
        or_(_known.is_discovered.is_not(True), is_other),
    )
    return exists(discovered)


def _is_seen_otherwise(connection: Connection, run: Run, run_key: int) -> ColumnElement[bool]:
    """Whether a run that imports nothing has read the tenant since, and did not find it as it is remembered.

    What such a run read is not remembered. But whoever saw a change in a preview expects it of the import that follows,
    also where neither the list nor an audit record shows it.
    """
    runs, seen, said = import_runs.c, staged_customers.alias("seen_customers"), import_results.c
    since = connection.execute(
        select(runs.id).where(
            runs.instance == run.params.instance,
            runs.import_type == run.import_type.value,
            runs.mode != Mode.IMPORT.value,
            runs.id > run_key,
        )
    ).scalars()
    result = and_(said.run_id == seen.c.run_id, said.tenant_id == seen.c.tenant_id)
    is_done = _known.outcome.in_(_DONE)
    remembered = case((is_done, Outcome.UNCHANGED.value), else_=_known.outcome)
    otherwise = select(seen.c.tenant_id).select_from(seen.outerjoin(import_results, result))
    return exists(
        otherwise.where(
            seen.c.run_id.in_(since.all()),
            seen.c.tenant_id == _known.tenant_id,
            seen.c.state.in_(READ_STATES),
            seen.c.fetched_at > _known.read_at,
            or_(
                seen.c.is_discovered.is_distinct_from(_known.is_discovered),
                seen.c.reseller_mpn_id.is_distinct_from(_known.reseller_mpn_id),
                said.outcome.is_not(None) & said.outcome.is_distinct_from(remembered),
            ),
        )
    )


def _is_excluded_otherwise(
    connection: Connection, run: Run, excluded_mpn_ids: Collection[str]
) -> ColumnElement[bool]:
    """Whether the instance leaves out the tenant's reseller now and did not then, or the other way round."""
    then = select(_known.excluded_mpn_ids).where(of_import(run)).distinct()
    no_longer = [
        listed
        for listed in connection.execute(then).scalars()
        if listed and not set(listed.split(",")) <= set(excluded_mpn_ids)
    ]
    return or_(
        func.coalesce(_known.reseller_mpn_id, "").in_(excluded_mpn_ids),
        func.coalesce(_known.excluded_mpn_ids, "").in_(no_longer),
    )


def _is_linked(run: Run, *, takes_more: bool) -> ColumnElement[bool]:
    """Whether the account that is remembered is still the tenant's, and the BSS is known to hold all that it can.

    Who was imported has a link of this import; by another import's link it would be skipped.
    """
    links = tenant_links.c
    same = select(links.id).where(
        links_of(run.params.instance),
        links.tenant_id == _known.tenant_id,
        links.account_id == _known.account_id,
        or_(links.import_type == run.import_type.value, _known.outcome.not_in(_DONE)),
        is_settled(),
    )
    return exists(same.where(links.left_out.is_(None)) if takes_more else same)


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
    is_done = _known.outcome.in_(_DONE)
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
