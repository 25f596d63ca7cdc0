"""Which BSS organisation an instance writes to, and so which links are its.

An instance is bound to the organisation of its first load. A connection that leads elsewhere stops a run before
anything is written; a person confirms once that it is right. Links belong to the organisation: two instances of one
organisation share them, and those of another are out of sight.

Why: docs/decisions/0003-claims.md.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy import and_, func, literal, or_, select, update

from customer_import.config.targets import OWNER_TARGETS
from customer_import.database.engine import durable, insert_missing, reading
from customer_import.database.tables import instance_organisations, tenant_links, unbound
from customer_import.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine

    from customer_import.runs.run import Run

log = logging.getLogger(__name__)

_SOME_ACCOUNTS = 5
"""Accounts that are asked for what the organisation has: one may be gone, hardly all of them."""


def links_of(instance: str) -> ColumnElement[bool]:
    """Return the condition for the links of the organisation that an instance writes to."""
    bound = (
        select(instance_organisations.c.organisation)
        .where(instance_organisations.c.instance == instance)
        .scalar_subquery()
    )
    return tenant_links.c.organisation == func.coalesce(bound, literal(unbound(instance)))


def is_settled() -> ColumnElement[bool]:
    """Return the condition for links of which the BSS is known to hold all that was to be written."""
    links = tenant_links.c
    return and_(
        links.content_hash.is_not(None),
        links.content_hash.not_like("%+open"),
        links.owed.is_(None),
    )


def read_left_out(engine: Engine, instance: str) -> tuple[list[int], frozenset[str]]:
    """Return a few accounts of which sync options were left out, the newest first, and all options that were."""
    links = tenant_links.c
    statement = (
        select(links.account_id, links.left_out)
        .where(links_of(instance), links.account_id.is_not(None), links.left_out.is_not(None))
        .order_by(links.account_id.desc())
    )
    found: set[str] = set()
    accounts: list[int] = []
    with reading(engine) as connection:
        for row in connection.execute(statement):
            if options := set(row.left_out) - OWNER_TARGETS:
                found |= options
                if len(accounts) < _SOME_ACCOUNTS:
                    accounts.append(row.account_id)
    return accounts, frozenset(found)


def organisation_of(engine: Engine, instance: str) -> str:
    """Return the key of the links of an instance."""
    with reading(engine) as connection:
        return _bound(connection, instance) or unbound(instance)


def check_organisation(engine: Engine, run: Run, organisation: str) -> None:
    """Make sure that a run's connection leads where its instance wrote to.

    Args:
        engine: The import's database.
        run: The run.
        organisation: What the connection leads to (``BssHook.organisation``).

    Raises:
        ConfigurationError: It leads to another organisation, and nobody said that this is right.
    """
    with reading(engine) as connection:
        bound = _bound(connection, run.params.instance)
    _compare(run, bound, organisation)


def bind_organisation(engine: Engine, run: Run, organisation: str) -> None:
    """Bind a run's instance to the organisation that it is about to write to; links of before come along.

    Raises:
        ConfigurationError: As for ``check_organisation``.
    """
    instance = run.params.instance
    with reading(engine) as connection:
        if _bound(connection, instance) == organisation:
            return
    with durable(engine).begin() as connection:
        row = {"instance": instance, "organisation": organisation}
        insert_missing(connection, instance_organisations, [row])
        bound = _bound(connection, instance)
        _compare(run, bound, organisation)
        if bound != organisation:
            log.warning("The instance %s writes to another BSS organisation from now on.", instance)
            same = instance_organisations.c.instance == instance
            connection.execute(update(instance_organisations).where(same).values(row))
        _take_along(connection, instance, organisation)


def _bound(connection: Connection, instance: str) -> str | None:
    same = instance_organisations.c.instance == instance
    return connection.execute(
        select(instance_organisations.c.organisation).where(same)
    ).scalar_one_or_none()


def _compare(run: Run, bound: str | None, organisation: str) -> None:
    if bound in {None, organisation} or run.params.accept_organisation:
        return
    before, now = (str(name).partition(" ")[0] for name in (bound, organisation))
    difference = (
        f"leads to {now}, and this instance wrote to {before}"
        if before != now
        else f"has another client key at {now} than the one with which this instance wrote"
    )
    message = (
        f"the connection {difference}: it is another BSS organisation. Nothing was written to it"
    )
    hint = (
        "correct the connection; or, if the other organisation is right (or the same one moved or got a new client "
        "key), start one run with accept_organisation: customers are then looked for there by their tenant id"
    )
    source = f"connection {run.instance.bss.conn_id}"
    raise ConfigurationError(message, source=source, hint=hint)


def _take_along(connection: Connection, instance: str, organisation: str) -> None:
    """Give the organisation what was linked before the instance was bound, but nothing that it has already."""
    there = tenant_links.alias()
    same = or_(
        there.c.tenant_id == tenant_links.c.tenant_id,
        there.c.account_id == tenant_links.c.account_id,
    )
    has_it = select(there.c.id).where(and_(there.c.organisation == organisation, same)).exists()
    connection.execute(
        update(tenant_links)
        .where(tenant_links.c.organisation == unbound(instance), ~has_it)
        .values(organisation=organisation)
    )
