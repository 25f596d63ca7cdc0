"""Finds tenants among the accounts that the run listed (``account_listing``)."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from customer_import.database.tables import bss_accounts
from customer_import.tasks.load.reconcile import IndexedAccount, Match, name_key, reconcile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from customer_import.decisions.rules import Decision
    from customer_import.vocabulary import DecisionKind


def find_matches(
    connection: Connection,
    run_key: int,
    names: Mapping[str, str],
    decisions: Mapping[str, Mapping[DecisionKind, Decision]],
) -> dict[str, Match]:
    """Reconcile tenants with the run's index.

    Args:
        connection: To read with.
        run_key: The run.
        names: Tenant id to the account name it would get.
        decisions: Tenant id to what people decided about it.
    """
    if not names:
        return {}
    keys = {tenant_id: name_key(name) for tenant_id, name in names.items()}
    by_marker: dict[str | None, list[IndexedAccount]] = defaultdict(list)
    by_name: dict[str, list[IndexedAccount]] = defaultdict(list)
    statement = select(
        bss_accounts.c.account_id, bss_accounts.c.name_key, bss_accounts.c.tenant_marker
    ).where(
        bss_accounts.c.run_id == run_key,
        or_(bss_accounts.c.tenant_marker.in_(keys), bss_accounts.c.name_key.in_(keys.values())),
    )
    for row in connection.execute(statement):
        account = IndexedAccount(row.account_id, row.name_key, row.tenant_marker)
        by_marker[account.tenant_marker].append(account)
        by_name[account.name_key].append(account)
    return {
        tenant_id: reconcile(
            tenant_id,
            by_marker.get(tenant_id, []),
            by_name.get(key, []),
            decisions.get(tenant_id),
        )
        for tenant_id, key in keys.items()
    }


def find_twins(
    connection: Connection, run_key: int, linked: Mapping[str, int]
) -> dict[str, tuple[int, ...]]:
    """Return the accounts beside the linked one that carry a tenant's marker.

    Args:
        connection: To read with.
        run_key: The run.
        linked: Tenant id to its account.
    """
    if not linked:
        return {}
    found: dict[str, tuple[int, ...]] = defaultdict(tuple)
    statement = (
        select(bss_accounts.c.account_id, bss_accounts.c.tenant_marker)
        .where(bss_accounts.c.run_id == run_key, bss_accounts.c.tenant_marker.in_(linked))
        .order_by(bss_accounts.c.account_id)
    )
    for row in connection.execute(statement):
        if row.account_id != linked[row.tenant_marker]:
            found[row.tenant_marker] += (row.account_id,)
    return found
