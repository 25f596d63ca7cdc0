"""Instances with schedules in real Airflow: at their times, side by side; runs for the same customers take turns."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from customer_import.vocabulary import ImportType
from sandbox.config import SandboxConfig
from sandbox.demo.settings import ROOT
from sandbox.server import SandboxServer
from tests.chaos.airflow_process import START_TIMEOUT_S, RealAirflow, wait
from tests.notices.receivers import WebServer
from tests.support.library_run import sandbox_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIRECT = ImportType.DIRECT.dag_id
RESELLER = ImportType.TENANT_RESELLER.dag_id
SCHEDULED = (f"{DIRECT}__sandbox", f"{RESELLER}__sandbox_reseller")
EVERY_MINUTE = {"cron": "* * * * *", "timezone": "Europe/Athens", "scope": "full"}
ENDED = {"success", "failed"}


NOTIFIER = {
    "notifier": "airflow.providers.http.notifications.http.HttpNotifier",
    "options": {"http_conn_id": "chat", "json": {"text": "{title}"}},
}


@pytest.fixture
def chat() -> Iterator[WebServer]:
    with WebServer() as server:
        yield server


@pytest.fixture
def airflow(tmp_path: Path, chat: WebServer) -> Iterator[RealAirflow]:
    instances = tmp_path / "instances.yaml"
    config = SandboxConfig(customers=60, latency_ms=150)
    with SandboxServer(config) as server:
        settings = sandbox_environment(server.info, tmp_path)
        written = yaml.safe_load(instances.read_text())
        written["instances"]["sandbox"]["schedules"] = {"direct": EVERY_MINUTE}
        written["instances"]["sandbox_reseller"]["schedules"] = {"tenant_reseller": EVERY_MINUTE}
        written["instances"]["sandbox_reseller"]["notices"] = {
            "by": [NOTIFIER],
            "of": ["new_customers"],
        }
        instances.write_text(yaml.safe_dump(written))
        database = {"conn_type": "sqlite", "host": str(tmp_path / "import.db")}
        address = {"conn_type": "http", "host": f"http://127.0.0.1:{chat.port}"}
        settings |= {
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "True",
            "AIRFLOW_CONN_CHAT": json.dumps(address),
            "AIRFLOW_CONN_CUSTOMER_IMPORT_DB": json.dumps(database),
        }
        with RealAirflow(tmp_path, instances, settings) as airflow:
            wait(f"{DIRECT} was not parsed", partial(airflow.api.has_dag, DIRECT), START_TIMEOUT_S)
            airflow.api.unpause(DIRECT)
            yield airflow


def began(airflow: RealAirflow, dag_id: str) -> list[dict[str, Any]]:
    return [run for run in airflow.api.runs(dag_id) if run["start_date"]]


def has_begun(airflow: RealAirflow, dag_id: str) -> bool:
    return bool(began(airflow, dag_id))


def has_ended(airflow: RealAirflow, dag_id: str, run_id: str) -> bool:
    return airflow.api.run_state(dag_id, run_id) in ENDED


def reads_from(airflow: RealAirflow, run: dict[str, Any]) -> str:
    tasks = airflow.api.tasks(run["dag_id"], run["dag_run_id"])
    started: str = next(one["start_date"] for one in tasks if one["task_id"] == "extract_customers")
    return started


def test_instances_run_at_their_times_side_by_side_and_take_turns_with_runs_by_hand(
    airflow: RealAirflow, chat: WebServer
):
    assert airflow.api.import_errors() == []
    for dag_id in SCHEDULED:
        wait(f"{dag_id} did not run", partial(has_begun, airflow, dag_id), 150)
    scheduled = [began(airflow, dag_id)[0] for dag_id in SCHEDULED]
    by_hand = airflow.api.trigger(DIRECT, {"instance": "sandbox"})

    ended = []
    names = [*(run["dag_run_id"] for run in scheduled), by_hand]
    for dag_id, name in zip((*SCHEDULED, DIRECT), names, strict=True):
        wait(f"{name} of {dag_id} did not end", partial(has_ended, airflow, dag_id, name), 150)
        ended.append(airflow.api.run(dag_id, name))
    assert [run["state"] for run in ended] == ["success"] * 3

    first, other, hand = ended
    assert first["run_type"] == other["run_type"] == "scheduled"
    for run in (first, other):
        assert datetime.fromisoformat(run["run_after"]).second == 0
    # Side by side: each began before the other had ended.
    assert first["start_date"] < other["end_date"]
    assert other["start_date"] < first["end_date"]
    counts = [
        airflow.api.xcom(dag_id, run["dag_run_id"], "finish_run")["discovered"]
        for dag_id, run in zip((*SCHEDULED, DIRECT), ended, strict=True)
    ]
    assert all(counts)
    assert counts[0] == counts[2]
    outcomes = airflow.api.xcom(SCHEDULED[1], other["dag_run_id"], "finish_run")["outcomes"]
    title = "Sandbox, tenant reseller, tenant reseller customers"
    assert chat.received == [{"text": f"{title}: {outcomes['created']} customers created"}]
    # For the same customers one after another; whichever was recorded first.
    assert (
        reads_from(airflow, hand) >= first["end_date"]
        or reads_from(airflow, first) >= hand["end_date"]
    )
