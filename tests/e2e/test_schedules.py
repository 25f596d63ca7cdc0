"""Instances with schedules in real Airflow: at their times, side by side; runs for the same customers take turns.

What other systems see of it, in the same minutes: an asset event starts an import, a run's asset event has its counts,
and a collector gets metrics and spans of task processes.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from customer_import.vocabulary import ImportType
from sandbox.config import SandboxConfig
from sandbox.demo.settings import ROOT
from sandbox.server import SandboxServer
from tests.notices.receivers import WebServer
from tests.support.collector import Collector
from tests.support.library_run import sandbox_environment
from tests.support.real_airflow import START_TIMEOUT_S, RealAirflow, wait

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIRECT = ImportType.DIRECT.dag_id
INDIRECT = ImportType.INDIRECT.dag_id
RESELLER = ImportType.TENANT_RESELLER.dag_id
REQUESTED = "import_requested_customers"
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
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(customers=60, latency_ms=150)) as server:
        yield server


@pytest.fixture
def airflow(
    tmp_path: Path, chat: WebServer, collector: Collector, sandbox: SandboxServer
) -> Iterator[RealAirflow]:
    instances = tmp_path / "instances.yaml"
    settings = sandbox_environment(sandbox.info, tmp_path)
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
        "AIRFLOW__METRICS__OTEL_ON": "True",
        "AIRFLOW__TRACES__OTEL_ON": "True",
        "AIRFLOW_CONN_CHAT": json.dumps(address),
        "AIRFLOW_CONN_CUSTOMER_IMPORT_DB": json.dumps(database),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
        "OTEL_TRACES_EXPORTER": "otlp_proto_http",
    }
    with RealAirflow(tmp_path, instances, settings) as airflow:
        for dag_id in (DIRECT, INDIRECT, REQUESTED):
            wait(f"{dag_id} was not parsed", partial(airflow.api.has_dag, dag_id), START_TIMEOUT_S)
        airflow.api.unpause(DIRECT)
        airflow.api.unpause(INDIRECT)
        yield airflow


def began(airflow: RealAirflow, dag_id: str) -> list[dict[str, Any]]:
    return [run for run in airflow.api.runs(dag_id) if run["start_date"]]


def has_begun(airflow: RealAirflow, dag_id: str) -> bool:
    return bool(began(airflow, dag_id))


def reads_from(airflow: RealAirflow, run: dict[str, Any]) -> str:
    tasks = airflow.api.tasks(run["dag_id"], run["dag_run_id"])
    started: str = next(one["start_date"] for one in tasks if one["task_id"] == "extract_customers")
    return started


def ask_for(airflow: RealAirflow, **extra: Any) -> None:
    """Create an asset event as any other system does."""
    (asset,) = airflow.api.assets("customer_import_requests")
    airflow.api.create_asset_event(asset["id"], extra)


def test_instances_run_at_their_times_side_by_side_and_take_turns_with_runs_by_hand(
    airflow: RealAirflow, chat: WebServer, sandbox: SandboxServer, collector: Collector
):
    assert airflow.api.import_errors() == []
    wanted = next(
        tenant
        for tenant, customer in sandbox.source.customers.items()
        if "indirect" in sandbox.source.truth(customer).classes
        and not sandbox.source.truth(customer).peculiarities
    )
    ask_for(airflow, import_type="indirect", instance="sandbox", tenants=[wanted])
    ask_for(airflow, import_type="indirect", instance="sandbox", tenants=[])
    for dag_id in SCHEDULED:
        wait(f"{dag_id} did not run", partial(has_begun, airflow, dag_id), 150)
    scheduled = [began(airflow, dag_id)[0] for dag_id in SCHEDULED]
    by_hand = airflow.api.trigger(DIRECT, {"instance": "sandbox"})

    ended = []
    names = [*(run["dag_run_id"] for run in scheduled), by_hand]
    for dag_id, name in zip((*SCHEDULED, DIRECT), names, strict=True):
        assert airflow.ended(dag_id, name, 150).state == "success"
        ended.append(airflow.api.run(dag_id, name))

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
    assert_the_named_tenant_was_imported_and_the_wrong_event_refused_in_words(airflow)
    assert_the_runs_event_has_its_counts(airflow, other)
    assert_the_collector_knows_what_task_processes_did(collector, outcomes)


def ended_starts(airflow: RealAirflow) -> list[tuple[str, int, str, int]]:
    """The ended tasks that start an import, over all runs that events made."""
    return [
        (run["dag_run_id"], task["map_index"], task["state"], task["try_number"])
        for run in began(airflow, REQUESTED)
        for task in airflow.api.tasks(REQUESTED, run["dag_run_id"])
        if task["task_id"] == "start_import" and task["state"] in ENDED
    ]


def assert_the_named_tenant_was_imported_and_the_wrong_event_refused_in_words(
    airflow: RealAirflow,
) -> None:
    wait("no import was requested", partial(has_begun, airflow, INDIRECT), 150)
    (run,) = began(airflow, INDIRECT)
    assert run["dag_run_id"].startswith("requested__asset_triggered__")
    airflow.ended(INDIRECT, run["dag_run_id"], 150)
    summary = airflow.api.xcom(INDIRECT, run["dag_run_id"], "finish_run")
    assert (summary["state"], summary["discovered"]) == ("success", 1)
    wait("not both events were taken", lambda: len(ended_starts(airflow)) >= 2, 150)
    starts = ended_starts(airflow)
    assert sorted(state for _, _, state, _ in starts) == ["failed", "success"]
    ((request, number, _, tries),) = [one for one in starts if one[2] == "failed"]
    assert tries == 1
    log = airflow.api.log(REQUESTED, request, "start_import", number)
    assert re.search(
        r"asset event \d at extra\.tenants: names no tenant\. Hint: name at least", log
    )
    assert "Traceback" not in log
    assert "error_detail" not in log


def assert_the_runs_event_has_its_counts(airflow: RealAirflow, run: dict[str, Any]) -> None:
    events = airflow.api.asset_events(run["dag_id"], run["dag_run_id"])
    (event,) = events
    summary = airflow.api.xcom(run["dag_id"], run["dag_run_id"], "finish_run")
    assert event["name"] == "bss_tenant_reseller_customers"
    assert event["extra"]["outcomes"] == summary["outcomes"]
    assert event["extra"]["airflow_run_id"] == run["dag_run_id"]
    assert event["extra"]["instance"] == "sandbox_reseller"


def assert_the_collector_knows_what_task_processes_did(
    collector: Collector, outcomes: dict[str, int]
) -> None:
    tags = {"import_instance": "sandbox_reseller", "outcome": "created"}
    assert collector.total("customers", **tags) == outcomes["created"] > 0
    assert collector.total("runs", import_type="indirect", state="success") == 1
    assert collector.total("requests", service="Partner_Center", status="200") > 60
    assert collector.total("requests", service="BSS", status="201") > 0
    spans = collector.spans()
    tasks = {
        span.span_id: span.attributes.get("customer_import.instance")
        for span in spans
        if span.name == "worker.extract_customers"
    }
    of_requests = {
        tasks[span.parent_id]
        for span in spans
        if span.name == "GET /v1/customers/{id}" and span.parent_id in tasks
    }
    assert of_requests == {"sandbox", "sandbox_reseller"}
