"""Lets the command read Airflow's connections and variables, and store one, although it runs outside a task.

It marks the process as a part of Airflow's server, the only module that does. ``tests/cli/test_airflow_context.py``
says when that no longer works.

Why: docs/decisions/0010-private-interfaces.md.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import warnings
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TYPE_CHECKING, TextIO

from customer_import.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy.orm import Session


class _Nowhere(io.TextIOBase):
    """Drops what is written; never closed, for Airflow's log keeps it until the process ends."""

    def write(self, text: str) -> int:
        return len(text)


@contextmanager
def outside_a_task() -> Iterator[TextIO]:
    """Mark this process; enter it before anything imports Airflow, which binds its log to standard output then.

    Airflow's log is dropped, tracebacks of its own included: what they lead to is said in words. The import's own
    warnings go to standard error.

    Yields:
        Standard output, where only answers go: a program may read them.
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    warnings.simplefilter("ignore")
    answers = sys.stdout
    own = logging.getLogger("customer_import")
    to_people = logging.StreamHandler(sys.stderr)
    to_people.setLevel(logging.WARNING)
    own.addHandler(to_people)
    try:
        with redirect_stdout(_Nowhere()):
            yield answers
    finally:
        own.removeHandler(to_people)


def why_no_variable_is_stored() -> ConfigurationError | None:
    """Return why Airflow's own database takes no Variable from here; ``None`` when it does."""
    from airflow.models.variable import Variable  # noqa: PLC0415 - takes seconds
    from airflow.utils.session import create_session  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    try:
        with create_session() as session:
            session.execute(select(Variable.key).limit(1))
    except SQLAlchemyError as error:
        message = (
            f"Airflow's own database cannot be used from here ({type(error).__name__}), so the refresh token could not "
            "be stored"
        )
        hint = "run this where 'airflow variables list' works, such as on the scheduler's host"
        return ConfigurationError(message, source="Airflow", hint=hint)
    return None


def store_variable(name: str, value: str) -> None:
    """Store a Variable in Airflow's own database; the SDK does so in tasks only."""
    from airflow.models.variable import Variable  # noqa: PLC0415 - takes seconds

    Variable.set(name, value)


def variable_place(name: str) -> str | None:
    """Return from where Airflow reads a Variable, in words; ``None`` for its own database, or when there is none."""
    from airflow.sdk.execution_time.supervisor import (  # noqa: PLC0415 - takes seconds
        ensure_secrets_backend_loaded,
    )

    for backend in ensure_secrets_backend_loaded():
        found = None
        with suppress(Exception):  # Airflow goes on to the next backend, too
            found = backend.get_variable(key=name)
        if found is not None:
            kind = type(backend).__name__
            if kind == "EnvironmentVariablesBackend":
                return f"the environment variable AIRFLOW_VAR_{name.upper()}"
            return None if kind == "MetastoreBackend" else f"the secrets backend {kind}"
    return None


class NoAirflowDatabaseError(ConfigurationError):
    """Airflow's own database cannot be used from here."""


@contextmanager
def _airflow_database() -> Iterator[Session]:
    from airflow.utils.session import create_session  # noqa: PLC0415 - takes seconds
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    try:
        with create_session() as session:
            yield session
    except SQLAlchemyError as error:
        message = f"Airflow's own database cannot be used from here ({type(error).__name__})"
        hint = "run 'airflow db migrate' first, and this where 'airflow dags list' works"
        raise NoAirflowDatabaseError(message, hint=hint) from error


def seen_dags() -> dict[str, bool]:
    """Return the DAGs that Airflow has read, and whether each is paused.

    Raises:
        NoAirflowDatabaseError: It cannot be told.
    """
    from airflow.models.dag import DagModel  # noqa: PLC0415 - takes seconds
    from sqlalchemy import select  # noqa: PLC0415

    with _airflow_database() as session:
        found = select(DagModel.dag_id, DagModel.is_paused).where(DagModel.is_stale.is_(False))
        return {dag_id: bool(is_paused) for dag_id, is_paused in session.execute(found)}


def turn_on(dag_id: str) -> None:
    """Unpause a DAG.

    Raises:
        NoAirflowDatabaseError: It cannot be done.
    """
    from airflow.models.dag import DagModel  # noqa: PLC0415 - takes seconds
    from sqlalchemy import update  # noqa: PLC0415

    with _airflow_database() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=False))


def missing_roles(names: Sequence[str]) -> list[str] | None:
    """Return which roles Airflow's FAB auth manager does not have; ``None`` under another auth manager.

    Raises:
        NoAirflowDatabaseError: It cannot be told.
    """
    from airflow.configuration import conf  # noqa: PLC0415 - takes seconds

    if not conf.get("core", "auth_manager").endswith("FabAuthManager"):
        return None
    from airflow.providers.fab.auth_manager.models import Role  # noqa: PLC0415
    from sqlalchemy import select  # noqa: PLC0415

    with _airflow_database() as session:
        have = set(session.scalars(select(Role.name).where(Role.name.in_(names))))
    return [name for name in names if name not in have]
