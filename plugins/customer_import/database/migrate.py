"""Brings the database to the newest migration; safe to call from many tasks at once.

Every run asks for it and nearly none needs it, so Alembic is imported only when there is something to do.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import column, inspect, select, table, text

from customer_import.database.engine import reading
from customer_import.database.faults import place_of
from customer_import.errors import DatabaseError

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from sqlalchemy import Connection, Engine

VERSION_TABLE = "customer_import_version"
_LOCK_KEY = 4_120_301
_LATER = "install that version again, or restore the backup that was made before it was installed"
_FOLDER = Path(__file__).parent / "migrations"


def migrate(engine: Engine, target: str | None = None) -> None:
    """Run the migrations that are missing, in one transaction; a second caller waits and finds nothing to do.

    Args:
        engine: The import's database.
        target: Revision to stop at; the newest when left out.

    Raises:
        DatabaseError: A later version of the package made the tables.
    """
    target = target or newest_revision()
    with reading(engine) as connection:
        if _current(connection) == target:
            return
    from alembic import command  # noqa: PLC0415 - see the module's docstring

    logging.getLogger("alembic").setLevel(
        logging.WARNING
    )  # it would write into the log of the run's first task
    config = _config()
    known = {each.revision for each in scripts().walk_revisions()}
    with engine.begin() as connection:  # on SQLite this takes the write lock
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        current = _current(connection)
        if current and current not in known:
            message = f"{place_of(engine.url)}: a later version of customer-import made its tables ({current})"
            raise DatabaseError(message, hint=_LATER, is_passing=False)
        if current != target:
            config.attributes["connection"] = connection
            command.upgrade(config, target)


def newest_revision() -> str:
    """Return the newest migration's revision; the files are named after theirs."""
    return max(file.stem for file in (_FOLDER / "versions").glob("v*.py")).partition("_")[0][1:]


def scripts() -> ScriptDirectory:
    """Return the migrations."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - see the module's docstring

    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    from alembic.config import Config  # noqa: PLC0415 - see the module's docstring

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config


def _current(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    revision: str | None = connection.scalar(
        select(column("version_num")).select_from(table(VERSION_TABLE))
    )
    return revision
