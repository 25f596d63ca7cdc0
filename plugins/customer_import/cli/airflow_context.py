"""Lets the command read Airflow's connections and variables although it runs outside a task.

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

if TYPE_CHECKING:
    from collections.abc import Iterator


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
