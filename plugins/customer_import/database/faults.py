"""Says what is wrong with the import's database in words, and keeps what was stored out of its error texts.

PostgreSQL repeats values in its messages: the key that exists already, the row that breaks a rule, the text that is no
number. What is left of such a message is the kind of error, the table and the constraint.
"""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import event

from customer_import.errors import DatabaseError

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.exc import StatementError

HINT = "check the connection customer_import_db, or AIRFLOW_HOME when there is none"
_SPACE = "make room there; what was stored is safe, and a retry goes on from it"


class Fault(NamedTuple):
    """What is wrong, what to do about it, and whether it may pass without a change of ours."""

    words: str
    hint: str
    is_passing: bool = True


_REFUSED = Fault("it refuses the sign-in", HINT, is_passing=False)
_FULL = Fault("its disk is full", _SPACE)
_MANY = Fault(
    "it takes no more connections",
    "raise max_connections there, or lower the number of tasks that work at once",
)
_STARTING = Fault("it is starting or stopping", "try again")
_LOST = Fault(
    "the connection was lost",
    "try again; if it stays so, see the log of the database server",
)
_BROKEN = Fault("it cannot store anything now", "see the log of the database server")
_UNREACHABLE = Fault("it cannot be reached", HINT)

# SQLSTATE of an answer: https://www.postgresql.org/docs/current/errcodes-appendix.html
_STATES: dict[str, Fault] = {
    "25006": Fault(
        "it may only be read", "connect to the primary server, not to a standby", is_passing=False
    ),
    "28000": _REFUSED,
    "28P01": _REFUSED,
    "3D000": Fault("there is no such database", HINT, is_passing=False),
    "53100": _FULL,
    "53200": _BROKEN,
    "53300": _MANY,
    "57P01": _LOST,
    "57P02": _LOST,
    "57P03": _STARTING,
    "58030": _BROKEN,
}
# What libpq says while it connects, without an SQLSTATE.
_TEXTS: tuple[tuple[str, Fault], ...] = (
    (
        "authentication failed|no pg_hba.conf entry|no password supplied|role .* does not exist",
        _REFUSED,
    ),
    ("database .* does not exist", _STATES["3D000"]),
    ("too many clients|too many connections|connection slots", _MANY),
    ("starting up|shutting down|in recovery mode|not yet accepting", _STARTING),
    (
        "could not translate host name",
        Fault("it cannot be reached: its name cannot be resolved", HINT),
    ),
    ("Connection refused", Fault("it cannot be reached: the connection was refused", HINT)),
    (
        "certificate|SSL error|SSL was required|support SSL|SSL off",
        Fault("it cannot be reached: TLS was refused", HINT, is_passing=False),
    ),
    (
        "timeout expired|timed out|No route to host|unreachable",
        Fault("it cannot be reached: it gave no answer", HINT),
    ),
    ("closed the connection|closed unexpectedly|already closed|terminating connection", _LOST),
)
_SQLITE: tuple[tuple[str, Fault], ...] = (
    ("SQLITE_FULL", Fault("the disk is full", _SPACE)),
    (
        "SQLITE_READONLY",
        Fault(
            "it may not be written",
            "give the user that runs Airflow the right to write it",
            is_passing=False,
        ),
    ),
    (
        "SQLITE_CANTOPEN",
        Fault(
            "it cannot be opened", f"is its folder there, and writable? {HINT}", is_passing=False
        ),
    ),
    (
        "SQLITE_BUSY",
        Fault("the database is locked by another process", "use PostgreSQL for several machines"),
    ),
    ("SQLITE_IOERR", Fault("the disk does not work", "look at the disk and its mount")),
    ("SQLITE_CORRUPT", Fault("it is damaged", "restore it from a backup", is_passing=False)),
    ("SQLITE_NOTADB", Fault("it is no SQLite database", HINT, is_passing=False)),
)
_VALUES_IN_TEXT = ("22", "23")
"""SQLSTATE classes whose messages repeat values: data exceptions and broken constraints."""


def explain_faults(engine: Engine) -> None:
    """Have an engine raise ``DatabaseError`` for what an operator must mend, and hide values in all other errors."""

    def explain(context: ExceptionContext) -> None:
        error = context.original_exception
        _hide_values(error, context.sqlalchemy_exception)
        if context.is_pre_ping:  # the pool opens another connection
            return
        found = _find(error, is_lost=context.is_disconnect)
        if found is not None:
            message = f"{place_of(engine.url)}: {found.words}"
            raise DatabaseError(message, hint=found.hint, is_passing=found.is_passing)

    event.listen(engine, "handle_error", explain)


def place_of(url: URL) -> str:
    """Say where a database is, without who signs in."""
    if url.get_backend_name() == "sqlite":
        return f"the database file {url.database}"
    at = f" at {url.host}{f':{url.port}' if url.port else ''}" if url.host else ""
    return f"the database {url.database!r}{at}"


def _find(error: BaseException, *, is_lost: bool) -> Fault | None:
    if isinstance(error, sqlite3.Error):
        name = str(getattr(error, "sqlite_errorname", ""))
        return next((fault for start, fault in _SQLITE if name.startswith(start)), None)
    state = getattr(error, "pgcode", None)
    if state in _STATES:
        return _STATES[state]
    if state or not (is_lost or _is_operational(error)):
        return None  # such as a deadlock: whoever opened the transaction knows what to do
    said = str(error)
    found = next((fault for pattern, fault in _TEXTS if re.search(pattern, said)), None)
    return found or (_LOST if is_lost else _UNREACHABLE)


def _is_operational(error: BaseException) -> bool:
    """Whether the driver says that the database, not the statement, is at fault."""
    return any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)


def _hide_values(error: BaseException, wrapped: StatementError | None) -> None:
    """Leave of PostgreSQL's message what says no value; the driver's own error is shown in tracebacks too."""
    if not hasattr(error, "pgcode"):
        return
    text = _without_values(error)
    error.args = (text,)
    if wrapped is not None:
        wrapped.args = (f"({type(error).__module__}.{type(error).__name__}) {text}",)


def _without_values(error: Any) -> str:  # noqa: ANN401 - DBAPI errors have no common type
    state = str(error.pgcode or "")
    if not state.startswith(_VALUES_IN_TEXT):
        return next(
            iter(str(error).splitlines()), ""
        )  # what follows repeats keys, rows, statements
    told = {"table": error.diag.table_name, "constraint": error.diag.constraint_name}
    where = ", ".join(f"{name} {value}" for name, value in told.items() if value)
    return f"SQLSTATE {state}{f' at {where}' if where else ''}"
