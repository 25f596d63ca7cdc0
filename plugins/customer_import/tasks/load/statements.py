"""The SQL of the ledger: links as rows and back.

Statements are built once, because a load runs them thousands of times.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, exists, func, or_, select, update

from customer_import.database.tables import (
    import_runs,
    staged_accounts,
    staged_customers,
    tenant_links,
)
from customer_import.runs.run import as_utc
from customer_import.tasks.load.claims import Link, Step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Row, Update

_LINK_FIELDS = tuple(field.name for field in fields(Link))
LINK_COLUMNS = tuple(tenant_links.c[name] for name in _LINK_FIELDS)
_KEY_COLUMNS = frozenset({"id", "organisation", "tenant_id"})
WRITE_LINK = (
    update(tenant_links)
    .where(tenant_links.c.id == bindparam("link_id"))
    .values(
        {
            **{
                column.name: bindparam(column.name)
                for column in LINK_COLUMNS
                if column.name not in _KEY_COLUMNS
            },
            "updated_at": bindparam("updated_at"),
        }
    )
)
WRITE_CONTENT = (
    update(tenant_links)
    .where(tenant_links.c.id == bindparam("link_id"))
    .values(content_hash=bindparam("held"))
)


def confirm_links(organisation: str, run_key: int, tenants: Sequence[str]) -> Update:
    """Return the statement that gives links the reading of a run that found nothing to write."""
    links, staged, accounts = tenant_links.c, staged_customers.c, staged_accounts.c
    fetched_at = select(staged.fetched_at).where(
        staged.run_id == run_key, staged.tenant_id == links.tenant_id
    )
    started_at = select(import_runs.c.started_at).where(import_runs.c.id == run_key)
    read_at = func.coalesce(fetched_at.scalar_subquery(), started_at.scalar_subquery())
    is_same = exists().where(
        accounts.run_id == run_key,
        accounts.tenant_id == links.tenant_id,
        accounts.content_hash == links.content_hash,
    )
    return (
        update(tenant_links)
        .where(
            links.organisation == organisation,
            links.tenant_id.in_(tenants),
            is_same,
            or_(links.read_at.is_(None), links.read_at < read_at),
        )
        .values(read_at=read_at, written_by_run=run_key)
    )


def read_link(row: Row[Any]) -> Link:
    """Return the link of a row that holds all columns of ``tenant_links`` by their names."""
    values = {name: getattr(row, name) for name in _LINK_FIELDS}
    for name in ("account_step", "contact_step", "sync_options_step"):
        values[name] = Step(values[name])
    for name in ("intent_at", "read_at", "lease_until"):
        values[name] = as_utc(values[name]) if values[name] else None
    return Link(**values)


def link_row(link: Link, now: datetime) -> dict[str, object]:
    """Return the parameters of ``WRITE_LINK`` for a link."""
    # vars(), because asdict() copies deeply and is the slowest thing here.
    row = {name: value for name, value in vars(link).items() if name not in _KEY_COLUMNS}
    return {**row, "link_id": link.id, "updated_at": now}


def content_row(link: Link, content_hash: str | None) -> dict[str, object]:
    """Return the parameters of ``WRITE_CONTENT`` for a link."""
    return {"link_id": link.id, "held": content_hash}
