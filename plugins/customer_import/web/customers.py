"""Reads what is known of one customer over all runs.

What Partner Center and the BSS have now is what the newest reading and the newest write know: nobody is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import and_, or_, select

from customer_import.database.tables import (
    import_results,
    import_runs,
    known_tenants,
    staged_customers,
    tenant_links,
)
from customer_import.runs.organisations import links_of
from customer_import.runs.run import as_utc
from customer_import.vocabulary import ImportType, Outcome, StagedState
from customer_import.web.customer_views import (
    LinkView,
    ReadingView,
    SubscriptionView,
)
from customer_import.web.results import read_history
from customer_import.web.tenants import latest_hierarchy

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from customer_import.web.models import HistoryEntry
    from customer_import.web.rights import Rights

_NEWEST_RUNS = 10
"""So many of an instance are looked into for a customer that has no result yet."""
_WRITTEN = (Outcome.CREATED, Outcome.UPDATED)
_staged = staged_customers.c


@dataclass(frozen=True)
class Customer:
    """What is known of one customer of an instance, as far as a user may read it.

    Attributes:
        reading: How the newest run that listed it found it.
        valued: The newest reading whose values are kept.
        subscribed: The newest reading that asked for its subscriptions.
        link: Which account it is.
        history: Its newest results, newest first.
        written: The newest result of a run that wrote to the BSS, however long ago.
        of_values: The result of the run whose values are kept.
        is_listed: Whether the newest list of its import has it.
    """

    reading: ReadingView | None
    valued: ReadingView | None
    subscribed: ReadingView | None
    link: LinkView | None
    history: tuple[HistoryEntry, ...]
    written: HistoryEntry | None
    of_values: HistoryEntry | None
    is_listed: bool

    @property
    def is_seen(self) -> bool:
        """Whether any run has seen it."""
        return bool(self.history or self.reading or self.link)

    @property
    def types(self) -> tuple[ImportType, ...]:
        """The imports that it belongs to or belonged to, the one that counts first."""
        found = [each.import_type for each in (self.link, *self.history, self.reading) if each]
        return tuple(dict.fromkeys(found))

    @property
    def name(self) -> str | None:
        """Company name as a run listed it last."""
        names = [each.tenant_name for each in (self.reading, self.valued) if each]
        names += [each.result.tenant_name for each in self.history]
        return next(filter(None, names), None)

    @property
    def domain(self) -> str | None:
        """Primary domain as a run listed it last."""
        names = [each.domain for each in (self.reading, self.valued) if each]
        names += [each.result.domain for each in self.history]
        return next(filter(None, names), None)


def read_customer(
    connection: Connection, readable: Rights, instance: str, tenant_id: str
) -> Customer:
    """Return what is known of a customer; of one that nobody has seen, nothing."""
    history = read_history(connection, readable, instance, tenant_id)
    keys = {entry.result.run_key for entry in history}
    keys |= _last_read(connection, readable, instance, tenant_id)
    statement = _readings(readable, instance, tenant_id, keys)

    def newest(*conditions: ColumnElement[bool]) -> ReadingView | None:
        row = connection.execute(statement.where(*conditions).limit(1)).first()
        return _reading(row) if row else None

    def result(condition: ColumnElement[bool]) -> HistoryEntry | None:
        found = read_history(connection, readable, instance, tenant_id, condition, most=1)
        return next(iter(found), None)

    reading, valued = newest(), newest(_staged.source.is_not(None))
    return Customer(
        reading=reading,
        valued=valued,
        subscribed=newest(_staged.subscriptions.is_not(None)),
        link=_link(connection, readable, instance, tenant_id),
        history=history,
        written=result(import_results.c.outcome.in_(_WRITTEN)),
        of_values=result(import_results.c.run_id == valued.run_key) if valued else None,
        is_listed=reading is not None and _is_newest(connection, readable, instance, reading),
    )


def _last_read(connection: Connection, readable: Rights, instance: str, tenant_id: str) -> set[int]:
    """Return the runs that may have read a customer last, beside those that gave it a result."""
    known, runs = known_tenants.c, import_runs.c
    last = select(known.run_id).where(
        known.instance == instance, readable.rows(known), known.tenant_id == tenant_id
    )
    newest = (
        select(runs.id)
        .where(runs.instance == instance, readable.rows(runs), runs.listed.is_not(None))
        .order_by(runs.id.desc())
        .limit(_NEWEST_RUNS)
    )
    return {key for each in (last, newest) for key in connection.execute(each).scalars()}


def is_shown() -> ColumnElement[bool]:
    """Return the condition that a staged customer belongs to its run's import, as far as anybody could tell."""
    is_unknown = and_(_staged.is_discovered.is_(None), _staged.state == StagedState.FAILED)
    return or_(_staged.is_discovered.is_(True), is_unknown)


def _readings(
    readable: Rights, instance: str, tenant_id: str, run_keys: Collection[int]
) -> Select[Any]:
    runs = import_runs.c
    return (
        select(
            _staged.run_id,
            _staged.tenant_name,
            _staged.domain,
            _staged.relationship,
            _staged.reseller_mpn_id,
            _staged.reseller_name,
            _staged.is_in_both_lists,
            _staged.has_delegated_access,
            _staged.classification,
            _staged.fetched_at,
            _staged.subscriptions,
            runs.import_type,
            runs.dag_id,
            runs.airflow_run_id,
            runs.started_at,
        )
        .select_from(staged_customers.join(import_runs, runs.id == _staged.run_id))
        .where(
            _staged.run_id.in_(run_keys),
            _staged.tenant_id == tenant_id,
            runs.instance == instance,
            readable.rows(runs),
            is_shown(),
        )
        .order_by(_staged.run_id.desc())
    )


def _reading(row: Row[Any]) -> ReadingView:
    stored = orjson.loads(row.subscriptions) if row.subscriptions else ()
    return ReadingView(
        run_key=row.run_id,
        dag_id=row.dag_id,
        run_id=row.airflow_run_id,
        import_type=ImportType(row.import_type),
        listed_at=as_utc(row.started_at),
        read_at=as_utc(row.fetched_at) if row.fetched_at else None,
        tenant_name=row.tenant_name,
        domain=row.domain,
        relationship=row.relationship,
        reseller_mpn_id=row.reseller_mpn_id,
        reseller_name=row.reseller_name,
        is_in_both_lists=bool(row.is_in_both_lists),
        has_delegated_access=row.has_delegated_access,
        classification=row.classification,
        subscriptions=tuple(
            SubscriptionView(
                id=one["id"],
                status=one["status"],
                mpn_id=one["partnerId"],
                name=one.get("name"),
                ends_on=one.get("endsOn"),
                is_renewed=one.get("isRenewed"),
            )
            for one in stored
        ),
    )


def _is_newest(
    connection: Connection, readable: Rights, instance: str, reading: ReadingView
) -> bool:
    newest = latest_hierarchy(connection, reading.import_type, instance, readable)
    return newest is None or newest.list_key <= reading.run_key


def _link(
    connection: Connection, readable: Rights, instance: str, tenant_id: str
) -> LinkView | None:
    links, runs = tenant_links.c, import_runs.c
    statement = (
        select(tenant_links, runs.dag_id, runs.airflow_run_id)
        .select_from(tenant_links.outerjoin(import_runs, runs.id == links.written_by_run))
        .where(links_of(instance), links.tenant_id == tenant_id, readable.rows(links))
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    return LinkView(
        import_type=ImportType(row.import_type),
        account_id=row.account_id,
        contact_id=row.contact_id,
        is_complete=row.content_hash is not None,
        is_adopted=row.is_adopted,
        left_out=tuple(row.left_out or ()),
        owed=tuple(row.owed or ()),
        updated_at=as_utc(row.updated_at),
        dag_id=row.dag_id,
        run_id=row.airflow_run_id,
    )
