"""The import's database for a command: at its newest version, or in words why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from customer_import.database.engine import open_engine
from customer_import.database.faults import HINT, place_of
from customer_import.database.migrate import migrate
from customer_import.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Engine


def ready_engine() -> Engine:
    """Return the configured database, which is brought to the newest version first.

    Raises:
        ConfigurationError: The database is no database of the import's.
        DatabaseError: It cannot be reached, or a later version made it.
    """
    engine = open_engine()
    try:
        migrate(engine)
    except SQLAlchemyError as error:
        message = f"{place_of(engine.url)} cannot be read"
        raise ConfigurationError(message, source="database", hint=HINT) from error
    return engine
