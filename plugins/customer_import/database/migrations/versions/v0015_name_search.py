"""Names are found whatever their case in every script, and by an index of their words; tasks keep their use of APIs.

Revision 0015.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from alembic import op

from customer_import.database.names import folded_name, record_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Row

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ROWS = 5_000
_NAMED = {
    "staged_customers": ("run_id", "tenant_id"),
    "import_results": ("id",),
    "drift_findings": ("id",),
}
"""Tables that repeat a tenant's name, with their keys."""


def upgrade() -> None:
    """Create the table and the columns, and fill them from what there is."""
    op.create_table(
        "name_beginnings",
        sa.Column(
            "beginning",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("tenant_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("beginning", "tenant_id", name=op.f("pk_name_beginnings")),
        sqlite_with_rowid=False,
    )
    op.add_column("run_tasks", sa.Column("api_use", sa.JSON()))
    connection = op.get_bind()
    for table, keys in _NAMED.items():
        op.add_column(table, sa.Column("name_folded", sa.Text()))
        for rows in _pages(connection, table, keys):
            _fill(connection, table, keys, rows)
    op.drop_index("ix_import_results_run_id_search_key_id_outcome", "import_results")
    op.create_index(
        op.f("ix_import_results_run_id_search_key_id_outcome_name_folded"),
        "import_results",
        ["run_id", "search_key", "id", "outcome", "name_folded"],
    )


def _pages(
    connection: Connection, table: str, keys: Sequence[str]
) -> Iterator[Sequence[Row[*tuple[object, ...]]]]:
    key = sa.tuple_(*map(sa.column, keys))
    names = dict.fromkeys((*keys, "tenant_id", "tenant_name", "domain"))
    rows: Any = sa.select(*map(sa.column, names)).select_from(sa.table(table))
    statement = rows.order_by(*map(sa.column, keys)).limit(_ROWS)
    page = connection.execute(statement).all()
    while page:
        yield page
        last = sa.tuple_(*(getattr(page[-1], name) for name in keys))
        page = connection.execute(statement.where(key > last)).all()


def _fill(
    connection: Connection,
    table: str,
    keys: Sequence[str],
    rows: Sequence[Row[*tuple[object, ...]]],
) -> None:
    record_names(connection, {(row.tenant_id, row.tenant_name, row.domain): None for row in rows})
    changes = [
        {"folded": folded} | {f"of_{name}": getattr(row, name) for name in keys}
        for row in rows
        if (folded := folded_name(row.tenant_name, row.domain))
    ]
    if changes:
        target = sa.table(table, sa.column("name_folded"), *map(sa.column, keys))
        same = (target.c[name] == sa.bindparam(f"of_{name}") for name in keys)
        connection.execute(
            sa.update(target).where(*same).values(name_folded=sa.bindparam("folded")), changes
        )
