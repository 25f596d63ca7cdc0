"""Contract with Airflow: a process marked as ``airflow_context`` does reads connections of Airflow's database.

And stores a Variable there, which is read from there.

Fails when an Airflow ends that. Then ``customer_import.cli.airflow_context`` needs another way, else the command sees
only connections of environment variables and secrets backends.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import orjson

from customer_import.tasks.finish.close import close_run
from tests.imports.scene import on

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tasks.finish.book import Book

STORE = """
import sys
from airflow.models import Connection, Variable
from airflow.models.base import Base
from airflow.models.team import Team
from airflow.settings import Session, engine
Base.metadata.create_all(engine, tables=[Team.__table__, Connection.__table__, Variable.__table__])
session = Session()
session.add(Connection(conn_id="customer_import_db", conn_type="sqlite", host=sys.argv[1]))
session.add(Variable(key="in_database", val="x"))
session.commit()
"""


SAY = """
from customer_import.cli.airflow_context import outside_a_task, variable_place
with outside_a_task() as answers:
    places = [variable_place(name) for name in ("in_database", "in_environment", "nowhere")]
    print(*places, sep="; ", file=answers)
"""


KEEP = """
from customer_import.cli.airflow_context import (
    outside_a_task, store_variable, variable_place, why_no_variable_is_stored
)
with outside_a_task() as answers:
    from airflow.sdk import Variable
    print(why_no_variable_is_stored(), file=answers)
    store_variable("in_database", "y")
    print(variable_place("in_database"), Variable.get("in_database"), file=answers)
"""


WHY = """
from customer_import.cli.airflow_context import outside_a_task, why_no_variable_is_stored
with outside_a_task() as answers:
    print(why_no_variable_is_stored(), file=answers)
"""


@on("sqlite")
def test_a_connection_that_only_airflows_database_has_is_found(book: Book, tmp_path: Path) -> None:
    run = book.begin()
    book.record(run, book.list(run, 2), "created")
    close_run(book.engine, run.key, {})
    home = tmp_path / "airflow"
    environment = os.environ | {"AIRFLOW_HOME": str(home)}
    environment.pop("_AIRFLOW_PROCESS_CONTEXT", None)

    def python(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    why = python("-W", "ignore", "-c", WHY)
    assert why.startswith("Airflow: Airflow's own database cannot be used from here (OperationalE")
    assert "Hint: run this where 'airflow variables list' works" in why

    python("-W", "ignore", "-c", STORE, str(book.engine.url.database))
    printed = python("-m", "customer_import.cli", "results", "--json")

    environment["AIRFLOW_VAR_IN_ENVIRONMENT"] = "x"
    places = python("-W", "ignore", "-c", SAY).strip()
    assert places == "None; the environment variable AIRFLOW_VAR_IN_ENVIRONMENT; None"

    assert python("-W", "ignore", "-c", KEEP).split() == ["None", "None", "y"]

    (line,) = printed.splitlines()  # nothing of Airflow's own on the way
    assert orjson.loads(line)["created"] == 2
    assert not (home / "customer_import.db").exists()
