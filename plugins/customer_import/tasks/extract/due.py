"""Why a listed tenant is read in a run of what changed; whom no reason concerns is carried forward.

All in SQL, one statement per reason: however many customers there are, none of them is held here.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_, case, exists, false, func, or_, select, update

from customer_import.database.tables import (
    import_results,
    import_runs,
    known_tenants,
    staged_customers,
    tenant_links,
)
from customer_import.runs.known_tenants import of_import, same_tenant
from customer_import.runs.organisations import is_settled, links_of
from customer_import.vocabulary import (
    IMPORTED,
    READ_STATES,
    Mode,
    OnExisting,
    Outcome,
    ReasonCode,
    StagedState,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Update

    from customer_import.runs.run import Run
    from customer_import.tasks.extract.watermark import Watermark

_known = known_tenants.c
_staged = staged_customers.c
is_done = _known.outcome.in_([outcome.value for outcome in IMPORTED])
"""Whether the last reading of a tenant that is remembered came to a success."""
_is_not_ours = _known.is_discovered.is_(False) & _known.outcome.is_(None)
"""Whether it found the tenant to be another import's."""


def listed(run: Run, *conditions: ColumnElement[bool]) -> Update:
    """Return an update of the run's customers that are still to be asked for."""
    return update(staged_customers).where(
        _staged.run_id == run.key, _staged.state == StagedState.LISTED.value, *conditions
    )


def mark(connection: Connection, run: Run, reason: str, condition: ColumnElement[bool]) -> None:
    """Mark the customers of a run that are to be read for a reason, where they have none yet."""
    connection.execute(listed(run, _staged.due.is_(None), condition).values(due=reason))


def mark_due(
    connection: Connection,
    run: Run,
    watermark: Watermark,
    config_hash: str,
    excluded_mpn_ids: Collection[str],
    *,
    is_selective: bool,
    takes_more: bool,
) -> None:
    """Mark the customers of a run that are to be read, each for the first reason that concerns it.

    Args:
        connection: Whose transaction it is.
        run: The run.
        watermark: The last complete run.
        config_hash: What decides beside the customers' data.
        excluded_mpn_ids: All MPN ids of the resellers that the instance leaves out.
        is_selective: Whether the run is for some resellers.
        takes_more: Whether the BSS takes something that was left out of earlier writes.
    """
    # Of a customer under several resellers none is remembered; without such a decision it is read anyway.
    is_excluded = _known.reason_code == ReasonCode.EXCLUDED.value
    mine = same_tenant(run)
    mark(connection, run, "new", ~exists(select(_known.tenant_id).where(mine)))
    for reason, condition in (
        ("listed", _known.listed_hash.is_distinct_from(_staged.listed_hash)),
        ("configuration", _known.config_hash != config_hash),
        ("decisions", _known.decisions.is_distinct_from(_staged.decisions)),
        ("unsettled", ~_is_settled(run)),
        ("contradicted", _is_contradicted(watermark.run_key)),
        ("seen", _is_seen_otherwise(connection, run, watermark.run_key)),
        ("exclusion", _is_excluded_otherwise(connection, run, excluded_mpn_ids)),
        ("resellers", is_excluded if is_selective else false()),
        ("link", _known.account_id.is_not(None) & ~_is_linked(run, takes_more=takes_more)),
        ("link", _is_not_ours & _known.excluded_mpn_ids.is_(None) & _is_imported(run)),
    ):
        mark(connection, run, reason, exists(select(_known.tenant_id).where(mine, condition)))


def mark_slice(connection: Connection, run: Run, since: datetime, now: datetime) -> None:
    """Mark a run's share of the customers that were not read for the longest, and all that are overdue."""
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
    settled = or_(_is_not_ours, is_done, _known.reason_code.in_(decided))
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


def _is_imported(run: Run) -> ColumnElement[bool]:
    """Whether the tenant is linked as this import's: one odd answer, such as no subscriptions, does not change that."""
    links = tenant_links.c
    return exists(
        select(links.id).where(
            links_of(run.params.instance),
            links.tenant_id == _known.tenant_id,
            links.account_id.is_not(None),
            links.import_type == run.import_type.value,
        )
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
        or_(links.import_type == run.import_type.value, ~is_done),
        is_settled(),
    )
    return exists(same.where(links.left_out.is_(None)) if takes_more else same)
