"""Inserts rows by the thousand: a statement for many rows, its values handed over as they are.

SQLAlchemy's own ``executemany`` makes a dict of every row and converts every value, which takes three
times as long as SQLite needs to store it. Values must be such that the driver takes them unconverted:
text, numbers, bytes. It overwrites nothing; that is ``database.engine.upsert``.
"""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Table

    Value = str | int | bytes | None

_ROWS_A_STATEMENT = 500
"""SQLite takes 32,766 values a statement."""


def insert_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[Value]],
    *,
    only_missing: bool = False,
) -> None:
    """Insert rows.

    Args:
        connection: An open write transaction.
        table: Where to.
        columns: Which columns a row has, in order.
        rows: May be an iterator: no more than a statement's rows are held.
        only_missing: Leave rows alone whose key exists.
    """
    mark = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    row_marks = f"({', '.join([mark] * len(columns))})"
    insert = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES "  # noqa: S608 - our own names
    ending = " ON CONFLICT DO NOTHING" if only_missing else ""
    remaining = iter(rows)
    while some := list(islice(remaining, _ROWS_A_STATEMENT)):
        statement = insert + ", ".join([row_marks] * len(some)) + ending
        connection.exec_driver_sql(statement, tuple(chain.from_iterable(some)))
