"""Removes the personal data that staging keeps of old runs.

What was read from Partner Center and what was sent to the BSS stays for a while, so that a person can look it up. After
that only what the import needs remains: runs, results with their reasons, and links; they hold company names and ids.
The BSS itself is never touched.
"""

from __future__ import annotations

import logging
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, func, or_, select, update

from customer_import.config.instances import RetentionConfig
from customer_import.database.engine import reading
from customer_import.database.tables import (
    account_signs,
    drift_findings,
    import_results,
    import_runs,
    name_beginnings,
    run_tasks,
    service_slots,
    staged_accounts,
    staged_contacts,
    staged_customers,
)
from customer_import.runs.approvals import find_approval
from customer_import.runs.run import as_utc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection, Engine

log = logging.getLogger(__name__)


_PAUSE = timedelta(hours=1)
"""A run whose tasks have given no sign of life for so long is not at work, unless it waits for its approval."""


@dataclass(frozen=True)
class PurgeCounts:
    """What was removed.

    Attributes:
        runs: Runs that had personal data.
        customers: Customers whose Partner Center values were removed.
        accounts: Staged accounts that were removed.
        contacts: Staged contacts that were removed.
        deleted_runs: Runs that were deleted with all that belonged to them.
    """

    runs: int = 0
    customers: int = 0
    accounts: int = 0
    contacts: int = 0
    deleted_runs: int = 0

    def __add__(self, other: PurgeCounts) -> PurgeCounts:
        """Add figure by figure."""
        return PurgeCounts(
            *(ours + theirs for ours, theirs in zip(astuple(self), astuple(other), strict=True))
        )


def apply_retention(
    engine: Engine,
    instances: Mapping[str, RetentionConfig | None],
    keep_days: int | None = None,
    now: datetime | None = None,
) -> PurgeCounts:
    """Remove what each instance keeps no longer; doing it twice does no harm.

    Args:
        engine: The import's database.
        instances: By name; ``None`` when nothing is to be removed, since nobody can tell. Runs of instances that are
            not there any more are kept as long as by default.
        keep_days: How long personal data is kept, whatever the instances say.
        now: UTC; the present moment when left out.
    """
    counts = PurgeCounts()
    for name in _instances(engine):
        if (kept := instances.get(name, RetentionConfig())) is None:
            continue
        counts += purge(engine, keep_days or kept.personal_data_days, now, instance=name)
        if kept.results_days is not None:
            counts += _delete_runs(engine, name, _before(kept.results_days, now), now)
    _forget_slots(engine, _before(1, now))
    if counts.deleted_runs:
        log.info("%d runs with their results deleted", counts.deleted_runs)
    return counts


def purge(
    engine: Engine,
    older_than_days: int,
    now: datetime | None = None,
    *,
    instance: str | None = None,
) -> PurgeCounts:
    """Remove the staged personal data of runs that started longer ago; doing it twice does no harm.

    A run that is at work or waits for its approval keeps it meanwhile: the load needs what it staged.

    Args:
        engine: The import's database.
        older_than_days: Days, at least 1: a run that is at work needs what it staged.
        now: UTC; the present moment when left out.
        instance: Only of this one.

    Raises:
        ValueError: The number of days is below 1.
    """
    if older_than_days < 1:
        message = "personal data must be kept for 1 day at least"
        raise ValueError(message)
    counts = PurgeCounts()
    for run_key in _runs_with_personal_data(engine, _before(older_than_days, now), instance):
        with engine.begin() as connection:  # a transaction per run: none of them is long
            if not _is_at_work(connection, run_key, now):
                counts += _purge_run(connection, run_key)
    log.info(
        "Personal data of %d runs%s older than %d days removed: %d customers, %d accounts, %d contacts",
        counts.runs,
        f" of {instance}" if instance else "",
        older_than_days,
        counts.customers,
        counts.accounts,
        counts.contacts,
    )
    return counts


def _before(days: int, now: datetime | None) -> datetime:
    return (now or datetime.now(UTC)) - timedelta(days=days)


def _instances(engine: Engine) -> list[str]:
    query = select(import_runs.c.instance).distinct().order_by(import_runs.c.instance)
    with reading(engine) as connection:
        return list(connection.execute(query).scalars())


def _delete_runs(
    engine: Engine, instance: str, before: datetime, now: datetime | None
) -> PurgeCounts:
    """Delete old runs that have ended, but for the last complete one of each import: the next is compared with it.

    The newest of all stays, too: SQLite would give its key to the next run, and with it what is remembered of its run.
    """
    runs = import_runs.c
    same = runs.instance == instance
    compared = (
        select(func.max(runs.id)).where(same, runs.is_complete.is_(True)).group_by(runs.import_type)
    )
    query = select(runs.id).where(
        same,
        runs.started_at < before,
        runs.ended_at.is_not(None),
        runs.id.not_in(compared),
        runs.id != select(func.max(runs.id)).scalar_subquery(),
    )
    with reading(engine) as connection:
        old = list(connection.execute(query.order_by(runs.id)).scalars())
    deleted = 0
    for run_key in old:
        with engine.begin() as connection:
            if not _is_at_work(connection, run_key, now):
                connection.execute(delete(import_runs).where(runs.id == run_key))
                deleted += 1
    if deleted:
        with engine.begin() as connection:
            connection.execute(delete(name_beginnings).where(*_of_no_run()))
    return PurgeCounts(deleted_runs=deleted)


def _is_at_work(connection: Connection, run_key: int, now: datetime | None) -> bool:
    """Tell whether a run needs what it staged: a task is or was just at work, or a person may still answer."""
    tasks = run_tasks.c
    last = func.max(func.coalesce(tasks.seen_at, tasks.started_at))
    seen_at = connection.execute(select(last).where(tasks.run_id == run_key)).scalar_one()
    if seen_at is None:
        return False
    approval = find_approval(connection, run_key)
    hours = approval.timeout_hours if approval and approval.is_open else 0.0
    return as_utc(seen_at) + _PAUSE + timedelta(hours=hours) > (now or datetime.now(UTC))


def _forget_slots(engine: Engine, before: datetime) -> None:
    """Forget machines that are no more: where each task has a container of its own they are many."""
    with engine.begin() as connection:
        connection.execute(delete(service_slots).where(service_slots.c.lease_until < before))


def _of_no_run() -> list[ColumnElement[bool]]:
    """Return the conditions that no run that is kept has the tenant of a name."""
    return [
        name_beginnings.c.tenant_id.not_in(select(table.c.tenant_id))
        for table in (staged_customers, import_results, drift_findings)
    ]


def _runs_with_personal_data(engine: Engine, before: datetime, instance: str | None) -> list[int]:
    holds = [
        exists().where(table.c.run_id == import_runs.c.id)
        for table in (staged_accounts, staged_contacts, account_signs)
    ]
    holds.append(exists().where(staged_customers.c.run_id == import_runs.c.id, _has_values()))
    query = select(import_runs.c.id).where(import_runs.c.started_at < before, or_(*holds))
    if instance is not None:
        query = query.where(import_runs.c.instance == instance)
    with reading(engine) as connection:
        return list(connection.execute(query.order_by(import_runs.c.id)).scalars())


def _purge_run(connection: Connection, run_key: int) -> PurgeCounts:
    customers = connection.execute(
        update(staged_customers)
        .where(staged_customers.c.run_id == run_key, _has_values())
        .values(source=None, body=None)
    )
    accounts = connection.execute(
        delete(staged_accounts).where(staged_accounts.c.run_id == run_key)
    )
    contacts = connection.execute(
        delete(staged_contacts).where(staged_contacts.c.run_id == run_key)
    )
    connection.execute(delete(account_signs).where(account_signs.c.run_id == run_key))
    connection.execute(
        update(import_results)
        .where(import_results.c.run_id == run_key, import_results.c.candidates.is_not(None))
        .values(candidates=None)
    )
    return PurgeCounts(1, customers.rowcount, accounts.rowcount, contacts.rowcount)


def _has_values() -> ColumnElement[bool]:
    return or_(staged_customers.c.source.is_not(None), staged_customers.c.body.is_not(None))
