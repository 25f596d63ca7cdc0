"""The latest run of each import type, as a table for people or as JSON for programs."""

from __future__ import annotations

from typing import Any

from alembic.util.exc import CommandError
from sqlalchemy.exc import SQLAlchemyError

from customer_import.database.engine import open_engine
from customer_import.database.faults import HINT, place_of
from customer_import.database.migrate import migrate
from customer_import.errors import ConfigurationError
from customer_import.runs.latest import latest_runs
from customer_import.vocabulary import Outcome

Run = dict[str, Any]

_FACTS = ("instance", "mode", "state", "discovered")


def read_runs() -> list[Run]:
    """Read the runs from the configured database, which is brought to the newest version first.

    Raises:
        ConfigurationError: The database is no database of the import's, or a newer version made it.
        DatabaseError: It cannot be reached.
    """
    engine = open_engine()
    try:
        migrate(engine)
        return latest_runs(engine)
    except CommandError as error:
        message = f"{place_of(engine.url)} was made by a newer version of customer-import"
        raise ConfigurationError(
            message, source="database", hint="install that version here"
        ) from error
    except SQLAlchemyError as error:
        message = f"{place_of(engine.url)} cannot be read"
        raise ConfigurationError(message, source="database", hint=HINT) from error


def as_table(runs: list[Run]) -> str:
    """Return a table with one column a run; counts that are 0 in all of them are left out."""
    counts = [name for name in (*Outcome, "unclassified") if any(run[name] for run in runs)]
    rows = [["", *(run["import_type"] for run in runs)]]
    rows += [[name, *(str(run[name]) for run in runs)] for name in (*_FACTS, *counts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    ids = [f"{run['import_type']}: run {run['run_id']}" for run in runs]
    return "\n".join([*lines, "", *ids])
