"""The maintenance DAG's one task, called as Airflow's worker calls it: with the run's parameters in its context."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.sdk.execution_time.context import set_current_context
from sqlalchemy import inspect, select

from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from customer_import.database.tables import import_runs, staged_accounts
from customer_import.errors import ConfigurationError
from customer_import.pipeline import build_maintenance_dag
from tests.web.data import add_results, add_run, add_sent, add_staged

if TYPE_CHECKING:
    from sqlalchemy import Engine


@pytest.fixture
def own_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The database that the connection leads to; nothing has made its tables yet."""
    path = tmp_path / "customer_import.db"
    connection = json.dumps({"conn_type": "sqlite", "host": str(path)})
    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", connection)
    shipped = Path(__file__).parents[2] / "include" / "instances.yaml"
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(shipped))
    return open_engine(f"sqlite:///{path}")


def purge(keep_days: int | None) -> dict[str, int]:
    task: Any = build_maintenance_dag().get_task("purge_personal_data")
    with set_current_context(cast("Any", {"params": {"keep_days": keep_days}})):
        found: dict[str, int] = task.python_callable()
    return found


def test_the_task_removes_what_is_older_than_the_runs_parameter_says(own_engine: Engine) -> None:
    assert set(purge(30).values()) == {0}
    assert inspect(own_engine).has_table("import_runs"), "the task makes the tables"
    now = datetime.now(UTC)
    old, young = (add_run(own_engine, started_at=now - timedelta(days=age)) for age in (31, 29))
    for key in (old, young):
        add_staged(own_engine, key, {"source": b"{}"})
        add_results(own_engine, key, {})
        add_sent(own_engine, key, 0, before={})
    counts = purge(30)
    assert sum(counts.values()) > 0
    with own_engine.connect() as connection:
        left = connection.execute(select(staged_accounts.c.run_id)).scalars().all()
    assert left == [young]
    assert set(purge(30).values()) == {0}


INSTANCES = """
version: 1
instances:
  default: {title: A, import_types: [direct], retention: {personal_data_days: 10, results_days: 20}}
  other: {title: B, import_types: [direct]}
  broken: {title: C, import_types: [direct], retention: {personal_data_days: never}}
"""


def test_each_instance_keeps_what_it_says_and_one_that_is_wrong_everything(
    own_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "instances.yaml").write_text(INSTANCES)
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(tmp_path / "instances.yaml"))
    migrate(own_engine)
    now = datetime.now(UTC)
    ages: dict[int, tuple[str, int]] = {}
    for name in ("default", "other", "broken"):
        for age in (40, 25, 15, 5):
            began = now - timedelta(days=age)
            key = add_run(own_engine, started_at=began, instance=name, is_complete=age == 40)
            ages[key] = (name, age)
            add_staged(own_engine, key, {"source": b"{}"})
            add_results(own_engine, key, {})
            add_sent(own_engine, key, 0, before={})

    with pytest.raises(ConfigurationError, match="personal_data_days"):
        purge(None)

    with own_engine.connect() as connection:
        runs = {ages[key] for key in connection.execute(select(import_runs.c.id)).scalars()}
        sent = {ages[key] for key in connection.execute(select(staged_accounts.c.run_id)).scalars()}
    everything = set(ages.values())
    assert runs == everything - {
        ("default", 25)
    }  # the one before is what the next is compared with
    assert sent == {
        ("default", 5),
        *(("other", age) for age in (25, 15, 5)),
        *(("broken", age) for age in (40, 25, 15, 5)),
    }
