"""Finds second accounts of customers that have one, also of those that the run does not load.

A run that does not list the accounts looks at those that came since the run before looked, or listed them: mostly one
request. What that one found is asked for again. They are no index: nobody is created by what stands here.

Why: docs/decisions/0004-tenant-marker.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from customer_import.database.engine import reading
from customer_import.database.tables import bss_accounts, import_runs, reference_data, tenant_links
from customer_import.errors import RejectedRequestError
from customer_import.runs.organisations import links_of, organisation_of
from customer_import.runs.reference_data import find_reference, put_reference, read_organisation
from customer_import.runs.results import warn_of_carried
from customer_import.tasks.load.account_index import OVERLAP
from customer_import.tasks.load.bss_access import open_bss
from customer_import.tasks.load.marker import marker_key
from customer_import.vocabulary import ReferenceName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Engine

    from customer_import.bss.client import BssClient
    from customer_import.bss.models import Account
    from customer_import.runs.run import Run

log = logging.getLogger(__name__)

_ASKED_AT_ONCE = 500
_MOST_ASKED_SINGLY = 100
"""Second accounts of before; where there are more, all accounts since the oldest of them are listed."""
_MOST_SAID = 50


@dataclass(frozen=True)
class _Looked:
    """How far a run has looked.

    Attributes:
        highest: The highest account number that it saw.
        twins: Tenant to its second accounts, oldest first.
    """

    highest: int
    twins: Mapping[str, Sequence[int]] = field(default_factory=dict)


def look_for_twins(run: Run, engine: Engine) -> None:
    """Store which accounts that came since the run before carry the tenant id of a linked customer.

    Raises:
        AuthenticationError: The BSS refused the credentials.
        RetriableError: The BSS did not answer properly.
    """
    _store(run, engine, asyncio.run(_look(run, engine)))


def note_listed_twins(run: Run, engine: Engine) -> None:
    """Store the second accounts of linked customers that a run has listed."""
    links, accounts = tenant_links.c, bss_accounts.c
    highest = select(func.max(accounts.account_id)).where(accounts.run_id == run.key)
    statement = (
        select(links.tenant_id, accounts.account_id)
        .where(
            accounts.run_id == run.key,
            accounts.tenant_marker == links.tenant_id,
            links_of(run.params.instance),
            links.account_id != accounts.account_id,
        )
        .order_by(links.tenant_id, accounts.account_id)
    )
    twins: dict[str, list[int]] = defaultdict(list)
    with reading(engine) as connection:
        for row in connection.execute(statement):
            twins[row.tenant_id].append(row.account_id)
        last = connection.execute(highest).scalar_one()
    _store(run, engine, _Looked(last or 0, twins))


def twins_of(connection: Connection, run_key: int) -> dict[str, tuple[int, ...]]:
    """Return the second accounts of linked customers that a run has stored."""
    body = find_reference(connection, run_key, ReferenceName.TWINS) or {}
    return {tenant_id: tuple(accounts) for tenant_id, accounts in body.get("twins", {}).items()}


def _store(run: Run, engine: Engine, looked: _Looked) -> None:
    body = {
        "organisation": organisation_of(engine, run.params.instance),
        "highest": looked.highest,
        "twins": looked.twins,
    }
    put_reference(engine, run.key, ReferenceName.TWINS, body)
    _say(looked.twins)
    if looked.twins:
        _warn_of_carried(run, engine, looked.twins)


def _warn_of_carried(run: Run, engine: Engine, twins: Mapping[str, Sequence[int]]) -> None:
    links = tenant_links.c
    tenant_ids = sorted(twins)
    warnings: dict[str, str] = {}
    with engine.begin() as connection:
        for start in range(0, len(tenant_ids), _ASKED_AT_ONCE):
            some = tenant_ids[start : start + _ASKED_AT_ONCE]
            statement = select(links.tenant_id, links.account_id).where(
                links_of(run.params.instance), links.tenant_id.in_(some)
            )
            for row in connection.execute(statement):
                if row.account_id is not None:
                    warnings[row.tenant_id] = said_twins(row.account_id, twins[row.tenant_id])
        warn_of_carried(connection, run.key, warnings)


def said_twins(account_id: int, others: Sequence[int]) -> str:
    """Say that other accounts than the linked one carry a customer's tenant id."""
    return (
        f"Not only BSS account {account_id}, which this customer is linked to, carries its tenant id, but "
        f"{', '.join(map(str, others))} too. Nothing is written there: keep the tenant id on the right one."
    )


def _say(twins: Mapping[str, Sequence[int]]) -> None:
    for tenant_id, accounts in islice(twins.items(), _MOST_SAID):
        numbers = ", ".join(map(str, accounts))
        log.warning(
            "Tenant %s is linked to a BSS account, and %s carries its tenant id, too; nothing is written there: keep "
            "the tenant id on the right one.",
            tenant_id,
            numbers,
        )
    if len(twins) > _MOST_SAID:
        log.warning("So it is with %d more tenants.", len(twins) - _MOST_SAID)


def _looked_before(engine: Engine, run: Run) -> _Looked:
    """Return how far the instance's run before has looked in the same organisation."""
    runs, data = import_runs.c, reference_data.c
    statement = (
        select(data.body)
        .join(import_runs, runs.id == data.run_id)
        .where(
            data.name == ReferenceName.TWINS.value,
            runs.instance == run.params.instance,
            runs.id < run.key,
        )
        .order_by(runs.id.desc())
        .limit(1)
    )
    with reading(engine) as connection:
        body = connection.execute(statement).scalar_one_or_none() or {}
    if body.get("organisation") != organisation_of(engine, run.params.instance):
        return _Looked(0)
    return _Looked(body["highest"], body["twins"])


async def _look(run: Run, engine: Engine) -> _Looked:
    field_id = read_organisation(engine, run.key).tenant_marker_field_id
    carried: dict[str, set[int]] = defaultdict(set)

    def note(accounts: Sequence[Account]) -> None:
        for account in accounts:
            if (marker := marker_key(account.custom_field(field_id))) is not None:
                carried[marker].add(account.id)

    async with open_bss(run, engine) as client:
        before = await asyncio.to_thread(_looked_before, engine, run)
        highest = before.highest
        after = max(highest - OVERLAP, 0)
        older = [number for some in before.twins.values() for number in some if number <= after]
        if len(older) > _MOST_ASKED_SINGLY:
            after, older = min(older) - 1, []
        note(await _those_there(client, older))
        async for page in client.accounts_after(after):
            note(page)
            highest = max(highest, *(account.id for account in page))
    return _Looked(
        highest, await asyncio.to_thread(beside_links, engine, run.params.instance, carried)
    )


async def _those_there(client: BssClient, numbers: Sequence[int]) -> list[Account]:
    """Return accounts by their numbers, without those that are gone or that the BSS refuses to show."""

    async def read(number: int) -> Account | None:
        try:
            return await client.account(number)
        except RejectedRequestError:
            return None

    found = await asyncio.gather(*map(read, numbers))
    return [account for account in found if account is not None]


def beside_links(
    engine: Engine, instance: str, carried: Mapping[str, set[int]]
) -> dict[str, list[int]]:
    """Return the accounts beside the linked one of linked tenants.

    Args:
        engine: The import's database.
        instance: Whose links.
        carried: Tenant to the accounts that carry its id.
    """
    links = tenant_links.c
    found: dict[str, list[int]] = {}
    markers = sorted(carried)
    with reading(engine) as connection:
        for start in range(0, len(markers), _ASKED_AT_ONCE):
            some = markers[start : start + _ASKED_AT_ONCE]
            # Whether there is an account is not asked here: SQLite would then go through all that have one.
            statement = select(links.tenant_id, links.account_id).where(
                links_of(instance), links.tenant_id.in_(some)
            )
            for row in connection.execute(statement):
                others = carried[row.tenant_id] - {row.account_id}
                if row.account_id is not None and others:
                    found[row.tenant_id] = sorted(others)
    return found
