"""Finds second accounts of customers that have one, also of those that the run does not load.

A run that does not list the accounts looks at those that came since the run that created somebody last, which had
listed them: mostly one request. They are no index: nobody is created by what stands here.

Why: docs/decisions/0004-tenant-marker.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from customer_import.bss.models import Organisation
from customer_import.database.engine import reading
from customer_import.database.tables import bss_accounts, tenant_links
from customer_import.runs.organisations import links_of
from customer_import.runs.reference_data import get_reference, put_reference
from customer_import.tasks.load.account_index import OVERLAP
from customer_import.tasks.load.bss_access import open_bss
from customer_import.tasks.load.marker import marker_key
from customer_import.vocabulary import ReferenceName

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Engine

    from customer_import.runs.run import Run

log = logging.getLogger(__name__)

_ASKED_AT_ONCE = 500
_MOST_SAID = 50


def look_for_twins(run: Run, engine: Engine) -> None:
    """Store which accounts that came since the last run that created some carry the tenant id of a linked customer.

    Raises:
        AuthenticationError: The BSS refused the credentials.
        RetriableError: The BSS did not answer properly.
    """
    with reading(engine) as connection:
        first = _first_since_listing(connection, run)
    if first is None:
        return
    twins = asyncio.run(_look(run, engine, max(first - OVERLAP, 0)))
    put_reference(engine, run.key, ReferenceName.TWINS, twins)
    _say(twins)


def say_listed_twins(run: Run, engine: Engine) -> None:
    """Name the second accounts of linked customers that a run has listed."""
    links, accounts = tenant_links.c, bss_accounts.c
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
    _say(twins)


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


def _first_since_listing(connection: Connection, run: Run) -> int | None:
    """Return the first account of the run that created some last; where none did, the newest that is linked."""
    links = tenant_links.c
    own = (links_of(run.params.instance), links.account_id.is_not(None))
    last = select(func.max(links.created_by_run)).where(*own).scalar_subquery()
    newest: int | None = connection.execute(
        select(func.max(links.account_id)).where(*own)
    ).scalar_one()
    first: int | None = connection.execute(
        select(func.min(links.account_id)).where(*own, links.created_by_run == last)
    ).scalar_one()
    return newest if first is None else first


async def _look(run: Run, engine: Engine, after: int) -> dict[str, list[int]]:
    organisation = Organisation.model_validate(
        get_reference(engine, run.key, ReferenceName.ORGANISATION)
    )
    field_id = organisation.tenant_marker_field_id
    carried: dict[str, set[int]] = defaultdict(set)
    async with open_bss(run, engine) as client:
        async for page in client.accounts_after(after):
            for account in page:
                if (marker := marker_key(account.custom_field(field_id))) is not None:
                    carried[marker].add(account.id)
    return await asyncio.to_thread(_beside_links, engine, run, carried)


def _beside_links(engine: Engine, run: Run, carried: dict[str, set[int]]) -> dict[str, list[int]]:
    links = tenant_links.c
    found: dict[str, list[int]] = {}
    markers = sorted(carried)
    with reading(engine) as connection:
        for start in range(0, len(markers), _ASKED_AT_ONCE):
            some = markers[start : start + _ASKED_AT_ONCE]
            statement = select(links.tenant_id, links.account_id).where(
                links_of(run.params.instance),
                links.tenant_id.in_(some),
                links.account_id.is_not(None),
            )
            for row in connection.execute(statement):
                if others := carried[row.tenant_id] - {row.account_id}:
                    found[row.tenant_id] = sorted(others)
    return found
