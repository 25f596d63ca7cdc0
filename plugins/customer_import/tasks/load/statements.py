"""The SQL of the ledger: links as rows and back.

Statements are built once, because a load runs them thousands of times.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, update

from customer_import.database.tables import tenant_links
from customer_import.runs.run import as_utc
from customer_import.tasks.load.claims import Link, Step

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Row

_LINK_FIELDS = tuple(field.name for field in fields(Link))
LINK_COLUMNS = tuple(tenant_links.c[name] for name in _LINK_FIELDS)
_KEY_COLUMNS = frozenset({"id", "instance", "tenant_id"})
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


def read_link(row: Row[Any]) -> Link:
    """Return the link of a row that holds all columns of ``tenant_links`` by their names."""
    values = {name: getattr(row, name) for name in _LINK_FIELDS}
    for name in ("account_step", "contact_step", "sync_options_step"):
        values[name] = Step(values[name])
    for name in ("intent_at", "lease_until"):
        values[name] = as_utc(values[name]) if values[name] else None
    return Link(**values)


def link_row(link: Link, now: datetime) -> dict[str, object]:
    """Return the parameters of ``WRITE_LINK`` for a link."""
    # vars(), because asdict() copies deeply and is the slowest thing here.
    row = {name: value for name, value in vars(link).items() if name not in _KEY_COLUMNS}
    return {**row, "link_id": link.id, "updated_at": now}
