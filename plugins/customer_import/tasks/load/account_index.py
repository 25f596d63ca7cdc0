"""Finds tenants among the accounts that the run listed (``account_listing``)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import and_, func, select, union

from customer_import.database.tables import account_signs, bss_accounts, tenant_links
from customer_import.runs.organisations import links_of
from customer_import.tasks.load.candidates import MOST_SHARING, Candidate, signs_of
from customer_import.tasks.load.marker import is_tenant_id
from customer_import.tasks.load.reconcile import IndexedAccount, Match, name_key, reconcile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from customer_import.config.mapping import Mappings
    from customer_import.decisions.rules import Decision
    from customer_import.runs.run import Run
    from customer_import.vocabulary import DecisionKind, Sign

OVERLAP = 200
"""Numbers before the highest one known that a look asks for again: more than can be on their way at once."""
_PREFIX_SOURCE = "tenant.domainPrefix"


@dataclass(frozen=True)
class Wanted:
    """A tenant without account.

    Attributes:
        name: The account name that it would get.
        signs: What it can be known by (``signs_of``).
        decisions: What people decided about it.
    """

    name: str
    signs: Mapping[Sign, str] = field(default_factory=dict)
    decisions: Mapping[DecisionKind, Decision] = field(default_factory=dict)


@dataclass(frozen=True)
class MatchRules:
    """What of a run's configuration matters for finding its tenants.

    Attributes:
        instance: Its instance.
        auto_create: Whether customers about whom nobody decided are created.
        prefix_option: Name of the sync option that holds the domain prefix; as a custom field of an account it tells
            whose that is.
    """

    instance: str
    auto_create: bool = True
    prefix_option: str | None = None

    @classmethod
    def of(cls, run: Run) -> Self:
        """Return a run's."""
        return cls(run.params.instance, run.instance.auto_create, prefix_option(run.mappings))

    def wanted(
        self,
        account: Mapping[str, Any],  # of several types, as JSON
        sync_options: Mapping[str, object],
        decisions: Mapping[DecisionKind, Decision],
    ) -> Wanted:
        """Return a staged customer as it is looked for.

        Args:
            account: In the shape of ``AccountCreate``.
            sync_options: Option name to value.
            decisions: What people decided about it.
        """
        name = str(account.get("name") or "")
        signs = signs_of(
            name=name,
            email=str(account.get("email") or ""),
            prefix=str(sync_options.get(self.prefix_option or "") or ""),
            address=account.get("billingAddress"),
        )
        return Wanted(name, signs, decisions)


def prefix_option(mappings: Mappings) -> str | None:
    """Return the name of the sync option that gets the domain prefix."""
    options = mappings.sync_options.items()
    return next((name for name, field in options if _PREFIX_SOURCE in field.sources), None)


def find_matches(
    connection: Connection, run_key: int, wanted: Mapping[str, Wanted], rules: MatchRules
) -> dict[str, Match]:
    """Reconcile tenants with the run's index.

    Args:
        connection: To read with.
        run_key: The run.
        wanted: By tenant id.
        rules: The run's.
    """
    if not wanted:
        return {}
    keys = {tenant_id: name_key(one.name) for tenant_id, one in wanted.items()}
    by_marker: dict[str | None, list[IndexedAccount]] = defaultdict(list)
    by_name: dict[str, list[IndexedAccount]] = defaultdict(list)
    accounts = bss_accounts.c
    own = select(accounts.account_id, accounts.name_key, accounts.tenant_marker).where(
        accounts.run_id == run_key
    )
    # Not one condition with "or": SQLite would go through all accounts of the run.
    found = union(
        own.where(accounts.tenant_marker.in_(keys)), own.where(accounts.name_key.in_(keys.values()))
    ).subquery()
    linked = and_(links_of(rules.instance), tenant_links.c.account_id == found.c.account_id)
    statement = select(found, tenant_links.c.tenant_id).select_from(
        found.outerjoin(tenant_links, linked)
    )
    for row in connection.execute(statement):
        account = IndexedAccount(row.account_id, row.name_key, row.tenant_marker, row.tenant_id)
        by_marker[account.tenant_marker].append(account)
        if account.linked_to is None:  # a linked one is another customer, whatever it carries
            by_name[account.name_key].append(account)
    alike = _find_alike(connection, run_key, wanted, rules)
    return {
        tenant_id: reconcile(
            tenant_id,
            by_marker.get(tenant_id, []),
            by_name.get(key, []),
            wanted[tenant_id].decisions,
            alike.get(tenant_id, ()),
            auto_create=rules.auto_create,
        )
        for tenant_id, key in keys.items()
    }


def has_lost_signs(connection: Connection, run_key: int) -> bool:
    """Whether a later run's listing has forgotten what a run's accounts without tenant id can be known by."""
    own = bss_accounts.c.run_id == run_key
    nobodys = select(bss_accounts.c.account_id).where(own, bss_accounts.c.tenant_marker.is_(None))
    known = select(account_signs.c.account_id).where(account_signs.c.run_id == run_key)
    if connection.execute(known.limit(1)).first() is not None:
        return False
    return connection.execute(nobodys.limit(1)).first() is not None


def _find_alike(
    connection: Connection, run_key: int, wanted: Mapping[str, Wanted], rules: MatchRules
) -> dict[str, list[Candidate]]:
    """Return the accounts without tenant id, and linked to nobody, that have something in common with tenants."""
    whose: dict[str, list[tuple[str, Sign]]] = defaultdict(list)
    for tenant_id, one in wanted.items():
        for kind, sign in one.signs.items():
            whose[sign].append((tenant_id, kind))
    signs, accounts, links = account_signs.c, bss_accounts.c, tenant_links.c
    telling = (
        select(signs.sign)
        .where(signs.run_id == run_key, signs.sign.in_(whose))
        .group_by(signs.sign)
        .having(func.count() <= MOST_SHARING)
    )
    linked = and_(links_of(rules.instance), links.account_id == signs.account_id)
    same = and_(accounts.run_id == signs.run_id, accounts.account_id == signs.account_id)
    statement = (
        select(signs.sign, signs.account_id, accounts.name_key, accounts.tenant_marker)
        .select_from(account_signs.join(bss_accounts, same).outerjoin(tenant_links, linked))
        .where(signs.run_id == run_key, signs.sign.in_(telling), links.id.is_(None))
    )
    found: dict[str, dict[int, Candidate]] = defaultdict(dict)
    for row in connection.execute(statement):
        if row.tenant_marker is not None and is_tenant_id(row.tenant_marker):
            continue  # it has got one since
        for tenant_id, kind in whose[row.sign]:
            known = found[tenant_id].get(row.account_id)
            kinds = (known.signs if known else frozenset()) | {kind}
            found[tenant_id][row.account_id] = Candidate(row.account_id, row.name_key, kinds)
    return {tenant_id: list(accounts.values()) for tenant_id, accounts in found.items()}


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
    found: dict[str, list[int]] = defaultdict(list)
    # In no order: SQLite would go through all accounts of the run in theirs.
    statement = select(bss_accounts.c.account_id, bss_accounts.c.tenant_marker).where(
        bss_accounts.c.run_id == run_key, bss_accounts.c.tenant_marker.in_(linked)
    )
    for row in connection.execute(statement):
        if row.account_id != linked[row.tenant_marker]:
            found[row.tenant_marker].append(row.account_id)
    return {tenant_id: tuple(sorted(accounts)) for tenant_id, accounts in found.items()}
