"""Removes the personal data that staging keeps of old runs.

What was read from Partner Center and what was sent to the BSS stays for a while, so that a person can look it up. After
that only what the import needs remains: runs, results with their reasons, and links; they hold company names and ids.
The BSS itself is never touched.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, exists, or_, select, update

from customer_import.database.engine import reading
from customer_import.database.tables import (
    account_signs,
    import_results,
    import_runs,
    staged_accounts,
    staged_contacts,
    staged_customers,
)

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PurgeCounts:
    """What was removed.

    Attributes:
        runs: Runs that had personal data.
        customers: Customers whose Partner Center values were removed.
        accounts: Staged accounts that were removed.
        contacts: Staged contacts that were removed.
    """

    runs: int = 0
    customers: int = 0
    accounts: int = 0
    contacts: int = 0

    def __add__(self, other: PurgeCounts) -> PurgeCounts:
        """Add figure by figure."""
        return PurgeCounts(
            self.runs + other.runs,
            self.customers + other.customers,
            self.accounts + other.accounts,
            self.contacts + other.contacts,
        )


def purge(engine: Engine, older_than_days: int, now: datetime | None = None) -> PurgeCounts:
    """Remove the staged personal data of runs that started longer ago; doing it twice does no harm.

    Args:
        engine: The import's database.
        older_than_days: Days, at least 1: a run that is at work needs what it staged.
        now: UTC; the present moment when left out.

    Raises:
        ValueError: The number of days is below 1.
    """
    if older_than_days < 1:
        message = "personal data must be kept for 1 day at least"
        raise ValueError(message)
    before = (now or datetime.now(UTC)) - timedelta(days=older_than_days)
    counts = PurgeCounts()
    for run_key in _runs_with_personal_data(engine, before):
        with engine.begin() as connection:  # a transaction per run: none of them is long
            counts += _purge_run(connection, run_key)
    log.info(
        "Personal data of %d runs older than %d days removed: %d customers, %d accounts, %d contacts",
        counts.runs,
        older_than_days,
        counts.customers,
        counts.accounts,
        counts.contacts,
    )
    return counts


def _runs_with_personal_data(engine: Engine, before: datetime) -> list[int]:
    holds = [
        exists().where(table.c.run_id == import_runs.c.id)
        for table in (staged_accounts, staged_contacts, account_signs)
    ]
    holds.append(exists().where(staged_customers.c.run_id == import_runs.c.id, _has_values()))
    query = select(import_runs.c.id).where(import_runs.c.started_at < before, or_(*holds))
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
