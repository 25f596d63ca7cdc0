"""Reads one customer over all runs, and finds it by what people know of it.

What Partner Center and the BSS have now is what the newest reading and the newest write know: nobody is asked.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import and_, func, or_, select

from customer_import.database.tables import (
    import_runs,
    known_tenants,
    staged_customers,
    tenant_links,
)
from customer_import.decisions.tenants import find_name
from customer_import.runs.organisations import links_of
from customer_import.runs.run import as_utc
from customer_import.vocabulary import ImportType, Outcome, StagedState
from customer_import.web.customer_views import (
    FoundCustomer,
    LinkView,
    ReadingView,
    SubscriptionView,
)
from customer_import.web.results import read_history, text_condition
from customer_import.web.tenants import latest_hierarchy

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select

    from customer_import.web.models import HistoryEntry

_NEWEST_RUNS = 10
"""So many of an instance are looked into for a customer that has no result yet."""
MOST_FOUND = 50
_RUNS_AT_ONCE = 10
_SEARCH_S = 2.0
"""After so many seconds a search shows what it has, and how to go on."""
_ACCOUNT = re.compile("[0-9]{1,18}")
_WRITTEN = {Outcome.CREATED, Outcome.UPDATED}
_staged = staged_customers.c


@dataclass(frozen=True)
class Customer:
    """What is known of one customer of an instance, as far as a user may read it.

    Attributes:
        reading: How the newest run that listed it found it.
        valued: The newest reading whose values are kept.
        subscribed: The newest reading that asked for its subscriptions.
        link: Which account it is.
        history: Its results, newest first.
        is_listed: Whether the newest list of its import has it.
    """

    reading: ReadingView | None
    valued: ReadingView | None
    subscribed: ReadingView | None
    link: LinkView | None
    history: tuple[HistoryEntry, ...]
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

    @property
    def written(self) -> HistoryEntry | None:
        """The newest result of a run that wrote to the BSS."""
        return next((each for each in self.history if each.result.outcome in _WRITTEN), None)

    @property
    def of_values(self) -> HistoryEntry | None:
        """The result of the run whose values are kept."""
        key = self.valued.run_key if self.valued else None
        return next((each for each in self.history if each.result.run_key == key), None)


def read_customer(
    connection: Connection, readable: Sequence[ImportType], instance: str, tenant_id: str
) -> Customer:
    """Return what is known of a customer; of one that nobody has seen, nothing."""
    history = read_history(connection, readable, instance, tenant_id)
    keys = {entry.result.run_key for entry in history}
    keys |= _last_read(connection, readable, instance, tenant_id)
    statement = _readings(readable, instance, tenant_id, keys)

    def newest(*conditions: ColumnElement[bool]) -> ReadingView | None:
        row = connection.execute(statement.where(*conditions).limit(1)).first()
        return _reading(row) if row else None

    reading = newest()
    return Customer(
        reading=reading,
        valued=newest(_staged.source.is_not(None)),
        subscribed=newest(_staged.subscriptions.is_not(None)),
        link=_link(connection, readable, instance, tenant_id),
        history=history,
        is_listed=reading is not None and _is_newest(connection, readable, instance, reading),
    )


def _last_read(
    connection: Connection, readable: Sequence[ImportType], instance: str, tenant_id: str
) -> set[int]:
    """Return the runs that may have read a customer last, beside those that gave it a result."""
    known, runs = known_tenants.c, import_runs.c
    last = select(known.run_id).where(
        known.instance == instance, known.import_type.in_(readable), known.tenant_id == tenant_id
    )
    newest = (
        select(runs.id)
        .where(runs.instance == instance, runs.import_type.in_(readable), runs.listed.is_not(None))
        .order_by(runs.id.desc())
        .limit(_NEWEST_RUNS)
    )
    return {key for each in (last, newest) for key in connection.execute(each).scalars()}


def _is_shown() -> ColumnElement[bool]:
    """Whether a staged customer belongs to its run's import, as far as anybody could tell."""
    is_unknown = and_(_staged.is_discovered.is_(None), _staged.state == StagedState.FAILED)
    return or_(_staged.is_discovered.is_(True), is_unknown)


def _readings(
    readable: Sequence[ImportType], instance: str, tenant_id: str, run_keys: Collection[int]
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
            runs.import_type.in_(readable),
            _is_shown(),
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
    connection: Connection, readable: Sequence[ImportType], instance: str, reading: ReadingView
) -> bool:
    newest = latest_hierarchy(connection, reading.import_type, instance, tuple(readable))
    return newest is None or newest.run_key <= reading.run_key


def _link(
    connection: Connection, readable: Sequence[ImportType], instance: str, tenant_id: str
) -> LinkView | None:
    links, runs = tenant_links.c, import_runs.c
    statement = (
        select(tenant_links, runs.dag_id, runs.airflow_run_id)
        .select_from(tenant_links.outerjoin(import_runs, runs.id == links.written_by_run))
        .where(links_of(instance), links.tenant_id == tenant_id, links.import_type.in_(readable))
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


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        items: The customers, the one of the newest run first.
        is_cut: Whether there are more in the runs that were looked into.
        before: Runs below this key were not looked into; ``None`` when all were.
    """

    items: tuple[FoundCustomer, ...] = ()
    is_cut: bool = False
    before: int | None = None


def search_customers(
    connection: Connection, readable: Sequence[ImportType], text: str, before: int | None = None
) -> Found:
    """Find customers over all runs, newest runs first: by part of name or domain, tenant id, or BSS account.

    Args:
        connection: To read with.
        readable: The import types that the user may read.
        text: What was entered; nothing is found by an empty text.
        before: Look into runs below this key only.
    """
    if not text:
        return Found()
    found: dict[tuple[str, str], FoundCustomer] = {}
    if before is None and _ACCOUNT.fullmatch(text):
        found.update(_by_account(connection, readable, text))
    deadline = time.monotonic() + _SEARCH_S
    keys: list[int] = []
    for keys in _runs(connection, readable, before):
        for one in _matching(connection, keys, text):
            found.setdefault((one.instance, one.tenant_id), one)
        if len(found) > MOST_FOUND or time.monotonic() > deadline:
            break
    else:
        keys = []
    items = tuple(found.values())
    is_cut = len(items) > MOST_FOUND
    return Found(items[:MOST_FOUND], is_cut, min(keys) if keys and not is_cut else None)


def _runs(
    connection: Connection, readable: Sequence[ImportType], before: int | None
) -> Iterator[list[int]]:
    runs = import_runs.c
    statement = (
        select(runs.id)
        .where(runs.import_type.in_(readable), runs.listed.is_not(None))
        .order_by(runs.id.desc())
        .limit(_RUNS_AT_ONCE)
    )
    while True:
        below = statement.where(runs.id < before) if before is not None else statement
        keys = list(connection.execute(below).scalars())
        if not keys:
            return
        yield keys
        before = keys[-1]


def _matching(connection: Connection, run_keys: list[int], text: str) -> Iterator[FoundCustomer]:
    runs = import_runs.c
    newest = (
        select(runs.instance, _staged.tenant_id, func.max(_staged.run_id).label("run_id"))
        .select_from(staged_customers.join(import_runs, runs.id == _staged.run_id))
        .where(
            _staged.run_id.in_(run_keys),
            _is_shown(),
            text_condition(_staged.search_key, _staged.tenant_id, text),
        )
        .group_by(runs.instance, _staged.tenant_id)
        .order_by(func.max(_staged.run_id).desc(), _staged.tenant_id)
        .limit(MOST_FOUND + 1)
        .subquery()
    )
    same = and_(_staged.run_id == newest.c.run_id, _staged.tenant_id == newest.c.tenant_id)
    statement = (
        select(
            newest.c.instance,
            _staged.tenant_id,
            _staged.tenant_name,
            _staged.domain,
            runs.import_type,
            runs.started_at,
        )
        .select_from(
            newest.join(staged_customers, same).join(import_runs, runs.id == newest.c.run_id)
        )
        .order_by(newest.c.run_id.desc(), _staged.search_key, _staged.tenant_id)
    )
    for row in connection.execute(statement):
        yield FoundCustomer(
            instance=row.instance,
            tenant_id=row.tenant_id,
            tenant_name=row.tenant_name,
            domain=row.domain,
            import_type=ImportType(row.import_type),
            seen_at=as_utc(row.started_at),
        )


def _by_account(
    connection: Connection, readable: Sequence[ImportType], text: str
) -> Iterator[tuple[tuple[str, str], FoundCustomer]]:
    links = tenant_links.c
    statement = (
        select(links.instance, links.tenant_id, links.import_type, links.updated_at)
        .where(links.account_id == int(text), links.import_type.in_(readable))
        .order_by(links.instance)
        .limit(MOST_FOUND)
    )
    for row in connection.execute(statement):
        found = FoundCustomer(
            instance=row.instance,
            tenant_id=row.tenant_id,
            tenant_name=find_name(connection, row.instance, row.tenant_id),
            domain=None,
            import_type=ImportType(row.import_type),
            seen_at=as_utc(row.updated_at),
        )
        yield (row.instance, row.tenant_id), found
