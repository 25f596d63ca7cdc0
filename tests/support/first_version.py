"""What version 1.0.0 left behind (``first_version.json.gz``): its database, and the sandbox that it had imported from.

Version 1.0.0 wrote it itself, with its own stages and sandbox and invented customers: each of the three imports, one of
the scope ``changed``, a preview, and last a load that was killed when an account was sent and its answer not yet noted.
"""

from __future__ import annotations

import base64
import gzip
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import DateTime, LargeBinary, MetaData, Table, func, insert, select, text

from customer_import.database.migrate import migrate

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_LEFT = Path(__file__).with_suffix(".json.gz")
_REVISION = "0001"


def make_database(engine: Engine) -> None:
    """Fill an empty database with the tables and rows of version 1.0.0."""
    migrate(engine, _REVISION)
    rows = _left()["tables"]
    tables = MetaData()
    tables.reflect(engine)
    with engine.begin() as connection:
        for table in tables.sorted_tables:
            if own := rows.get(table.name):
                connection.execute(insert(table), [_row(table, row) for row in own])
                _count_on(connection, table)


def make_sandbox(folder: Path) -> None:
    """Write the state that a sandbox with this data folder begins with."""
    records = _left()["sandbox"]
    lines = (orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
    (folder / "state.jsonl").write_bytes(b"".join(lines))


def _left() -> dict[str, Any]:
    left: dict[str, Any] = orjson.loads(gzip.decompress(_LEFT.read_bytes()))
    return left


def _row(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(table, name, value) for name, value in row.items()}


def _value(table: Table, name: str, value: Any) -> Any:
    kind = table.c[name].type
    if isinstance(value, str) and isinstance(kind, LargeBinary):
        return base64.b64decode(value)
    return datetime.fromisoformat(value) if value and isinstance(kind, DateTime) else value


def _count_on(connection: Connection, table: Table) -> None:
    """Let PostgreSQL give numbers after those that were inserted; SQLite does by itself."""
    if connection.dialect.name == "postgresql" and "id" in table.c:
        last = connection.execute(select(func.max(table.c.id))).scalar_one()
        sequence = text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)")
        connection.execute(sequence, {"name": table.name, "last": last})
