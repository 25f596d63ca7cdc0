"""Lists the BSS organisation's accounts once per run, so that nobody is asked for one by one.

The index knows names and tenant markers, and of accounts without one digests of what else they can be known by.
Accounts that the load itself makes are in the ledger, not here.

Why: docs/decisions/0004-tenant-marker.md.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, select

from customer_import.bss.models import Organisation
from customer_import.database.engine import reading, refresh_statistics, upsert
from customer_import.database.tables import (
    account_signs,
    bss_accounts,
    import_runs,
    staged_accounts,
    tenant_links,
)
from customer_import.runs.organisations import links_of
from customer_import.runs.reference_data import get_reference
from customer_import.runs.staged_customers import has_values
from customer_import.tasks.load.account_index import prefix_option
from customer_import.tasks.load.bss_access import open_bss
from customer_import.tasks.load.candidates import signs_of_account
from customer_import.tasks.load.clearing import check_clearing
from customer_import.tasks.load.customers import count_staged
from customer_import.tasks.load.drift_check import DriftCheck
from customer_import.tasks.load.marker import is_tenant_id, marker_key
from customer_import.tasks.load.reconcile import name_key
from customer_import.tasks.load.twins import look_for_twins, note_listed_twins
from customer_import.vocabulary import SUCCEEDED, ReferenceName, Scope

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Engine

    from customer_import.bss.models import Account
    from customer_import.runs.run import Run

log = logging.getLogger(__name__)

_DELETED_AT_ONCE = 500
_UNKNOWABLE = {"none": ""}
"""Stands for an account that can be known by nothing, so that what was forgotten is told from what never was."""


def needs_listing(run: Run, engine: Engine) -> bool:
    """Whether some customer of the run has no account yet, or the run verifies those that have one."""
    if run.params.scope is Scope.VERIFY:
        return True
    link = and_(
        links_of(run.params.instance),
        tenant_links.c.tenant_id == staged_accounts.c.tenant_id,
    )
    statement = (
        select(staged_accounts.c.tenant_id)
        .select_from(staged_accounts.outerjoin(tenant_links, link))
        .where(staged_accounts.c.run_id == run.key, tenant_links.c.account_id.is_(None))
        .limit(1)
    )
    with reading(engine) as connection:
        return connection.execute(statement).first() is not None


def list_accounts(run: Run, engine: Engine) -> int:
    """List the organisation's accounts into ``bss_accounts``, replacing an earlier list of the run.

    A run in which every customer has an account already only looks for second ones. Then the load is looked at as a
    whole. A check lists the contacts, too, and compares what it lists with links and staging.

    Returns:
        The number of accounts listed.

    Raises:
        AuthenticationError: The BSS refused the credentials.
        RetriableError: The BSS did not answer properly; the task may be tried again.
        DataQualityError: The load would empty a field for too many customers; or what was staged was removed
            because it was old, before all of it was loaded.
    """
    count = 0
    staged = count_staged(run, engine)
    is_empty = not staged and not has_values(engine, run.key, is_validated=True)
    if is_empty and not run.is_check:
        return count
    if run.is_check or needs_listing(run, engine):
        count = asyncio.run(_list(run, engine))
        refresh_statistics(engine, bss_accounts)
        log.info("Listed %d BSS accounts.", count)
        note_listed_twins(run, engine)
    else:
        log.info("Every customer has a BSS account already: the accounts are not listed.")
        if staged:  # a run in which nothing changed asks the BSS for nobody
            look_for_twins(run, engine)
    check_clearing(run, engine)
    return count


async def _list(run: Run, engine: Engine) -> int:
    organisation = Organisation.model_validate(
        get_reference(engine, run.key, ReferenceName.ORGANISATION)
    )
    seen: set[int] = set()
    option = prefix_option(run.mappings)
    check = await asyncio.to_thread(DriftCheck, run, engine) if run.is_check else None
    async with open_bss(run, engine) as client:
        async for page in client.accounts():
            seen.update(account.id for account in page)
            await asyncio.to_thread(store_accounts, engine, run.key, page, organisation, option)
            if check is not None:
                await asyncio.to_thread(check.see_accounts, page)
        # Only now, so that whoever reads meanwhile never finds less than there is.
        await asyncio.to_thread(_delete_others, engine, run.key, seen)
        await asyncio.to_thread(_delete_former_signs, engine, run)
        if check is not None:
            async for contacts in client.all_contacts():
                await asyncio.to_thread(check.see_contacts, contacts)
            await check.finish(client)
    return len(seen)


def store_accounts(
    engine: Engine,
    run_key: int,
    accounts: Sequence[Account],
    organisation: Organisation,
    option: str | None = None,
) -> None:
    """Write accounts into a run's index, and of those without tenant id by what they can be known.

    Args:
        engine: The import's database.
        run_key: The run.
        accounts: A page of them.
        organisation: Says which custom field is the tenant marker.
        option: Name of the sync option that holds the domain prefix.
    """
    # In one order, because the load tasks of a run store what they find at the same time.
    accounts = sorted(accounts, key=lambda account: account.id)
    rows = {account.id: _row(run_key, account, organisation) for account in accounts}
    nobodys = {
        account.id: account
        for account in accounts
        if not is_tenant_id(str(rows[account.id]["tenant_marker"] or ""))
    }
    signs = [row for account in nobodys.values() for row in _signs(run_key, account, option)]
    with engine.begin() as connection:
        upsert(connection, bss_accounts, list(rows.values()))
        if signs:
            upsert(connection, account_signs, signs)


def _signs(run_key: int, account: Account, option: str | None) -> Iterator[dict[str, object]]:
    found = signs_of_account(account, option)
    signs = {kind.value: sign for kind, sign in found.items()} or _UNKNOWABLE
    for kind, sign in signs.items():
        yield {"run_id": run_key, "account_id": account.id, "kind": kind, "sign": sign}


def _row(run_key: int, account: Account, organisation: Organisation) -> dict[str, object]:
    marker = account.custom_field(organisation.tenant_marker_field_id)
    return {
        "run_id": run_key,
        "account_id": account.id,
        "name_key": name_key(account.name),
        "tenant_marker": marker_key(marker),
    }


def _delete_former_signs(engine: Engine, run: Run) -> None:
    """Forget by what accounts could be known in runs of this instance that are done: the newest list has it all."""
    runs = import_runs.c
    done = select(runs.id).where(
        runs.instance == run.params.instance, runs.id < run.key, runs.state.in_(SUCCEEDED)
    )
    with engine.begin() as connection:
        connection.execute(delete(account_signs).where(account_signs.c.run_id.in_(done)))


def _delete_others(engine: Engine, run_key: int, seen: set[int]) -> None:
    own = bss_accounts.c.run_id == run_key
    with engine.begin() as connection:
        known = connection.execute(select(bss_accounts.c.account_id).where(own)).scalars()
        gone = sorted(set(known) - seen)
        for start in range(0, len(gone), _DELETED_AT_ONCE):
            some = gone[start : start + _DELETED_AT_ONCE]
            connection.execute(delete(bss_accounts).where(own, bss_accounts.c.account_id.in_(some)))
            connection.execute(
                delete(account_signs).where(
                    account_signs.c.run_id == run_key, account_signs.c.account_id.in_(some)
                )
            )
