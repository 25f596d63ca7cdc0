"""Finds customers over all runs by what people know of them."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, select

from customer_import.database.tables import import_runs, staged_customers, tenant_links
from customer_import.decisions.tenants import find_name
from customer_import.runs.run import as_utc
from customer_import.vocabulary import ImportType
from customer_import.web.customer_views import FoundCustomer
from customer_import.web.customers import is_shown
from customer_import.web.name_search import NameSearch, plan_search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from customer_import.web.rights import Rights

MOST_FOUND = 50
_RUNS_AT_ONCE = 10
_SEARCH_S = 2.0
"""After so many seconds a search shows what it has, and how to go on."""
_ACCOUNT = re.compile("[0-9]{1,18}")
_staged = staged_customers.c


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        items: The customers, the one of the newest run first.
        is_cut: Whether there are more in the runs that were looked into.
        before: Runs below this key were not looked into; ``None`` when all were.
        is_by_word: Whether only beginnings of words were looked at.
    """

    items: tuple[FoundCustomer, ...] = ()
    is_cut: bool = False
    before: int | None = None
    is_by_word: bool = False


def search_customers(
    connection: Connection,
    readable: Rights,
    text: str,
    before: int | None = None,
    *,
    is_inside: bool = False,
) -> Found:
    """Find customers over all runs, newest runs first: by part of name or domain, tenant id, or BSS account.

    Args:
        connection: To read with.
        readable: What the user may read.
        text: What was entered; nothing is found by an empty text.
        before: Look into runs below this key only.
        is_inside: Look inside words, too, although some have the text where a word begins.
    """
    if not text:
        return Found()
    found: dict[tuple[str, str], FoundCustomer] = {}
    if before is None and _ACCOUNT.fullmatch(text):
        found.update(_by_account(connection, readable, text))
    search = plan_search(connection, text, is_inside=is_inside)
    deadline = time.monotonic() + _SEARCH_S
    keys: list[int] = []
    for keys in _runs(connection, readable, before):
        for one in _matching(connection, keys, search):
            found.setdefault((one.instance, one.tenant_id), one)
        if len(found) > MOST_FOUND or time.monotonic() > deadline:
            break
    else:
        keys = []
    items = tuple(found.values())
    is_cut = len(items) > MOST_FOUND
    before = min(keys) if keys and not is_cut else None
    return Found(items[:MOST_FOUND], is_cut, before, search.is_by_word)


def _runs(connection: Connection, readable: Rights, before: int | None) -> Iterator[list[int]]:
    runs = import_runs.c
    statement = (
        select(runs.id)
        .where(readable.rows(runs), runs.listed.is_not(None))
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


def _matching(
    connection: Connection, run_keys: list[int], search: NameSearch
) -> Iterator[FoundCustomer]:
    runs = import_runs.c
    newest = (
        select(runs.instance, _staged.tenant_id, func.max(_staged.run_id).label("run_id"))
        .select_from(staged_customers.join(import_runs, runs.id == _staged.run_id))
        .where(
            _staged.run_id.in_(run_keys),
            is_shown(),
            search.some(_staged),
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
    connection: Connection, readable: Rights, text: str
) -> Iterator[tuple[tuple[str, str], FoundCustomer]]:
    links = tenant_links.c
    statement = (
        select(links.instance, links.tenant_id, links.import_type, links.updated_at)
        .where(links.account_id == int(text), readable.rows(links))
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
