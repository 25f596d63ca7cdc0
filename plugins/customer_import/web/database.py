"""The import's database as the pages see it: read only, and perhaps not made yet.

The first task of every run makes and migrates the tables. Until then, and after an upgrade until
the next run, there is nothing to read.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from fastapi import Depends
from sqlalchemy import Connection, Engine

from customer_import.database import migrations
from customer_import.database.engine import open_engine, reading
from customer_import.database.migrate import VERSION_TABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

_NEWEST = ScriptDirectory(migrations.__path__[0]).get_current_head()
_ready: set[Engine] = set()


def ready_engine() -> Engine | None:
    """Return the import's database, or ``None`` while its tables are missing or older than this code."""
    engine = open_engine()
    if engine not in _ready:
        if not _is_current(engine):
            return None
        _ready.add(engine)
    return engine


def _is_current(engine: Engine) -> bool:
    if engine.dialect.name == "sqlite" and not _file_exists(engine):
        return False  # to look into a missing file would make it
    with reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return context.get_current_revision() == _NEWEST


def _file_exists(engine: Engine) -> bool:
    return Path(engine.url.database or "").is_file()


def open_connection(engine: EngineDep) -> Iterator[Connection | None]:
    """Give a request one read transaction, or ``None`` while there is nothing to read.

    It ends before the answer is sent: a reader takes its time.
    """
    if engine is None:
        yield None
        return
    with reading(engine) as connection:
        yield connection


EngineDep = Annotated[Engine | None, Depends(ready_engine)]
ConnectionDep = Annotated[Connection | None, Depends(open_connection, scope="function")]
