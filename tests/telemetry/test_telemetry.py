"""What an import tells a collector, and what it costs when there is none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from customer_import import telemetry
from customer_import.tasks.finish.metrics import tell_metrics
from customer_import.telemetry import Metric, ObservedRequest, describe_task
from customer_import.vocabulary import ImportType
from sandbox import FaultKind
from tests.imports.scene import on
from tests.notices.test_rules import summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.imports.scene import Scene
    from tests.support.collector import Collector

RUN = {"import_type": "direct", "import_instance": "sandbox", "mode": "import"}


@on("sqlite")
def test_a_collector_gets_a_runs_customers_requests_waits_throttles_and_openings(
    scene: Scene, collector: Collector, flush: Callable[[], None]
):
    scene.configure(auto_create=False)
    scene.sell(ImportType.DIRECT, 9)
    scene.strike("partner_center.customers.get", FaultKind.THROTTLE, calls=(2,), retry_after_s=1)
    scene.strike("partner_center.customers.get", FaultKind.STATUS, status=503, calls=(4, 5, 6, 7))
    scene.expect(scene.sandbox.source.customers.values(), "skipped")

    report = scene.run(ImportType.DIRECT)
    flush()

    assert collector.total("runs", **RUN, state=report.summary.state) == 1
    assert collector.total("customers", **RUN, outcome="skipped") == 9
    assert collector.total("customers") == 9
    assert collector.total("waiting", import_type="direct", import_instance="sandbox") == 9
    answered = scene.sandbox.requests.by_endpoint()
    for service, name in (("Partner_Center", "partner_center."), ("BSS", "bss.")):
        asked = sum(
            sum(by.values())
            for endpoint, by in answered.items()
            if endpoint.startswith(name) and not endpoint.endswith("token")
        )
        assert collector.total("requests", service=service) == asked > 0
        assert collector.total("request_duration", service=service) == asked
        assert collector.total("request_wait", service=service) == asked
    assert collector.total("requests", service="Partner_Center", status="503") == 4
    assert collector.total("throttles", service="Partner_Center") == 1
    assert collector.total("breaker_openings", service="Partner_Center") == 1
    assert collector.total("retry_wait", service="Partner_Center") > 0
    points = collector.points()
    assert {point.name for point in points} == {
        metric.removeprefix("customer_import.") for metric in Metric
    }
    assert {point.unit for point in points if point.name.endswith(("_wait", "_duration"))} == {"ms"}
    said = str([point.tags for point in points])
    assert not any(tenant in said for tenant in scene.sandbox.source.customers)


def test_a_run_that_failed_does_not_say_that_nobody_waits(
    collector: Collector, flush: Callable[[], None]
):
    tell_metrics(summary(ambiguous=5), is_of_all=True)
    tell_metrics(summary(state="failed"), is_of_all=True)
    flush()
    assert collector.total("runs", state="failed") == 1
    assert collector.total("waiting", import_instance="contoso") == 5


def test_a_request_without_answer_has_a_status_of_its_own(
    collector: Collector, flush: Callable[[], None]
):
    with pytest.raises(ConnectionError), ObservedRequest("BSS", "GET /api/accounts/{id}"):
        raise ConnectionError
    flush()
    tags = {"service": "BSS", "endpoint": "GET_/api/accounts/{id}", "status": "none"}
    assert collector.total("requests", **tags) == 1


def test_a_traced_task_has_a_span_for_each_request_and_says_whose_run_it_is(
    monkeypatch: pytest.MonkeyPatch,
):
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    tracer = provider.get_tracer("test")
    monkeypatch.setattr(telemetry, "_TRACER", tracer)

    with tracer.start_as_current_span("worker.extract_customers") as task:
        describe_task(run_key=7, instance="default")
        with ObservedRequest("Partner Center", "GET /v1/customers/{id}") as observed:
            observed.status = 200
        with pytest.raises(ValueError, match="personal"), ObservedRequest("BSS", "GET /x"):
            int("something personal")

    right, wrong, of_task = kept.get_finished_spans()
    assert right.parent is not None
    assert right.parent.span_id == task.get_span_context().span_id
    assert right.name == "GET /v1/customers/{id}"
    assert dict(right.attributes or {}) == {
        "http.request.method": "GET",
        "url.template": "/v1/customers/{id}",
        "server.name": "Partner Center",
        "http.response.status_code": 200,
    }
    assert (wrong.status.is_ok, wrong.status.description) == (False, "ValueError")
    assert "personal" not in wrong.to_json()
    assert dict(of_task.attributes or {}) == {
        "customer_import.run_key": 7,
        "customer_import.instance": "default",
    }


def test_what_is_off_asks_airflow_for_nothing(monkeypatch: pytest.MonkeyPatch):
    from airflow.sdk.observability import stats

    def fail(*args: object, **kwargs: object) -> None:
        pytest.fail("metrics are off")

    for name in ("incr", "gauge", "timing"):
        monkeypatch.setattr(stats, name, fail)
    monkeypatch.setattr(telemetry._TRACER, "start_span", fail)
    telemetry.has_metrics.cache_clear()
    with ObservedRequest("BSS", "GET /api/accounts/{id}"):
        telemetry.count(Metric.THROTTLES, service="BSS")
        telemetry.set_level(Metric.WAITING, 3, instance="default")
        telemetry.record_seconds(Metric.RETRY_WAIT, 1.5, service="BSS")
        describe_task(run_key=1)


def test_the_documents_name_every_metric_and_no_other():
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "operate.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `(customer_import\.\w+)` \|", page, re.MULTILINE))
    assert listed == {metric.value for metric in Metric}
    dashboard = json.loads((docs / "grafana" / "customer-import.json").read_text(encoding="utf-8"))
    queries = " ".join(
        target["expr"] for panel in dashboard["panels"] for target in panel["targets"]
    )
    shown = set(re.findall(r"airflow_customer_import_(\w+?)(?:_total|_milliseconds)?\b", queries))
    assert shown == {metric.removeprefix("customer_import.") for metric in Metric}
