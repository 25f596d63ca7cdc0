"""Opens the import's database, SQLite or PostgreSQL, and holds the few statements that differ between them.

A write transaction on SQLite begins IMMEDIATE: a deferred one that reads before it writes fails at once under load, and
no lock wait helps there. Keep transactions short and never wait for the network inside one.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    URL,
    Engine,
    UniqueConstraint,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from customer_import.config.pasted import one_line
from customer_import.database.faults import explain_faults
from customer_import.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Select, Table

CONNECTION_ID = "customer_import_db"
SQLITE_LOCK_WAIT_S = 60
POSTGRES_WAITS = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""What libpq is told unless the connection's extra says otherwise: seconds, and milliseconds for the last.

A server whose machine is gone says nothing. Without these a task waits for its answer for minutes or hours."""
_PRIVATE, _OTHERS = 0o600, 0o077
_SQLITE_ENDINGS = ("-wal", "-shm", "-journal")


def database_url() -> str:
    """Return the SQLAlchemy URL of connection ``customer_import_db``, by default a SQLite file in AIRFLOW_HOME.

    Raises:
        ConfigurationError: The connection is neither PostgreSQL nor SQLite, or has a line break inside a value.
    """
    from airflow.sdk import BaseHook  # noqa: PLC0415 - keeps Airflow out of library-level use
    from airflow.sdk.exceptions import AirflowNotFoundException  # noqa: PLC0415

    try:
        connection = BaseHook.get_connection(CONNECTION_ID)
    except AirflowNotFoundException:
        home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
        return _sqlite_url(str(home / "customer_import.db"))
    kind = (connection.conn_type or "").lower()
    source = f"connection {CONNECTION_ID}"
    parts = {
        name: one_line(getattr(connection, name) or "", source=source, path=name) or None
        for name in ("host", "login", "password", "schema")
    }
    if kind in {"postgres", "postgresql"}:
        query = {key: str(value) for key, value in connection.extra_dejson.items()}
        if (parts["host"] or "").startswith("/"):  # the folder of a socket is no part of a URL
            query["host"], parts["host"] = parts["host"] or "", None
        url = URL.create(
            "postgresql+psycopg2",
            username=parts["login"],
            password=parts["password"],
            host=parts["host"],
            port=connection.port,
            database=parts["schema"],
            query=query,
        )
        return url.render_as_string(hide_password=False)
    if kind == "sqlite":
        return _sqlite_url(parts["host"])
    message = f"the connection type {connection.conn_type!r} is not supported"
    raise ConfigurationError(
        message,
        source=source,
        path="conn_type",
        hint="use postgres, sqlite, or no connection at all",
    )


def _sqlite_url(path: str | None) -> str:
    """Return the URL of a file whose path may hold what means something in a URL, such as ``?`` or ``%20``."""
    return URL.create("sqlite", database=path).render_as_string()


def open_engine(url: str | None = None) -> Engine:
    """Return this process's engine for a URL, by default the configured database's."""
    return _engine(url or database_url())


@cache
def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed,
            hide_parameters=True,
            connect_args={"timeout": SQLITE_LOCK_WAIT_S, "check_same_thread": False},
        )
        event.listen(engine, "do_connect", partial(_make_private, parsed.database))
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        waits = {name: value for name, value in POSTGRES_WAITS.items() if name not in parsed.query}
        engine = create_engine(
            parsed,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=5,
            connect_args=waits,
        )
    explain_faults(engine)
    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads, all of one moment; on SQLite it waits for nobody."""
    options: dict[str, Any] = {"is_read_only": True}
    if engine.dialect.name == "postgresql":
        options["isolation_level"] = "REPEATABLE READ"  # what SQLite gives anyway
    with engine.connect().execution_options(**options) as connection:
        yield connection


def refresh_statistics(engine: Engine, *tables: Table) -> None:
    """Let PostgreSQL's planner know of rows that were just written; SQLite's does without.

    Until it looks by itself, within minutes, it takes a new run for one without rows: a question about a second run of
    100,000 customers took more than a quarter of an hour instead of a second (2026-11-28).
    """
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            for table in tables:
                connection.exec_driver_sql(f"ANALYZE {table.name}")


def lock_table(connection: Connection, table: Table) -> None:
    """Make other transactions that ask for the same wait until this one ends; who reads does not wait.

    On SQLite a write transaction is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")


def clock(engine: Engine) -> Callable[[], datetime]:
    """Return a UTC clock that all who share the database agree on: the server's, where there is one."""
    ahead = timedelta()
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            ahead = connection.execute(select(func.clock_timestamp())).scalar_one() - _utc_now()
    return lambda: _utc_now() + ahead


def _utc_now() -> datetime:
    return datetime.now(UTC)


def durable(engine: Engine) -> Engine:
    """Return an engine on the same connections whose commits also survive a power cut.

    PostgreSQL's always do; SQLite's others survive whatever happens to the process, but not a power cut.

    Why: docs/decisions/0001-exactly-once.md.
    """
    return engine.execution_options(is_durable=True)


def dialect_insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an ``INSERT`` that can say what to do about rows that exist already."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    keep: Sequence[str] = (),
) -> None:
    """Insert rows, overwriting those whose unique key exists.

    Args:
        connection: An open write transaction.
        table: Its first unique constraint, else its primary key, decides what "exists" means.
        rows: Dicts of column to value, all with the same keys.
        keep: Columns that an existing row keeps.
    """
    if not rows:
        return
    keys = _conflict_columns(table)
    statement = dialect_insert(connection.dialect.name, table)
    overwritten = {
        name: statement.excluded[name] for name in rows[0] if name not in keys and name not in keep
    }
    if overwritten:
        statement = statement.on_conflict_do_update(index_elements=keys, set_=overwritten)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    connection.execute(statement, list(rows))


def insert_missing(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> int:
    """Insert the rows whose unique key does not exist yet, and return how many; leave the others as they are."""
    if not rows:
        return 0
    statement = dialect_insert(connection.dialect.name, table)
    missing = statement.on_conflict_do_nothing(index_elements=_conflict_columns(table))
    return connection.execute(missing, list(rows)).rowcount


def upsert_from_select(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Select[Any],
    *,
    ordered_by: str,
) -> None:
    """Insert the rows of a query, overwriting those whose unique key exists and that are not later.

    Args:
        connection: An open write transaction.
        table: As for ``upsert``.
        columns: Names of the query's columns, in its order.
        rows: With a WHERE: without one SQLite takes ON CONFLICT for a join.
        ordered_by: The column that tells which of two rows is later.
    """
    keys = _conflict_columns(table)
    statement = dialect_insert(connection.dialect.name, table).from_select(list(columns), rows)
    written = {name: statement.excluded[name] for name in columns if name not in keys}
    is_not_later = table.c[ordered_by] <= statement.excluded[ordered_by]
    connection.execute(
        statement.on_conflict_do_update(index_elements=keys, set_=written, where=is_not_later)
    )


def _conflict_columns(table: Table) -> list[str]:
    unique = next(
        (c for c in table.constraints if isinstance(c, UniqueConstraint)), table.primary_key
    )
    return [column.name for column in unique.columns]


def _make_private(database: str | None, *_connect_arguments: object) -> None:
    """Let nobody but its owner read a database file: it holds personal data. SQLite gives its WAL the same mode.

    What belongs to another user is left alone: only that one can change it.
    """
    if not database or database == ":memory:":
        return
    with suppress(OSError):  # SQLite says in its turn that it cannot open the file
        os.close(os.open(database, os.O_RDWR | os.O_CREAT, _PRIVATE))
    for name in (database, *(f"{database}{ending}" for ending in _SQLITE_ENDINGS)):
        with suppress(OSError):
            if stat.S_IMODE(Path(name).stat().st_mode) & _OTHERS:
                Path(name).chmod(_PRIVATE)


def _set_up_sqlite(dbapi_connection: Any, _record: Any) -> None:  # noqa: ANN401 - DBAPI objects have no common type
    dbapi_connection.isolation_level = None  # SQLAlchemy, not sqlite3, begins transactions
    for pragma in (
        f"busy_timeout={SQLITE_LOCK_WAIT_S * 1000}",
        "journal_mode=WAL",
        "foreign_keys=ON",
    ):
        dbapi_connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    # Outside of a transaction only; it stays with the connection, which is another user's next time.
    waits_for_disk = "FULL" if options.get("is_durable") else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous={waits_for_disk}")
    connection.exec_driver_sql("BEGIN" if options.get("is_read_only") else "BEGIN IMMEDIATE")
