from __future__ import annotations

import atexit
from typing import TYPE_CHECKING

import pytest

from customer_import.telemetry import has_metrics
from tests.imports.scene import scene
from tests.support.collector import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["scene"]


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector to which Airflow is set to send its metrics, as a task process begins to."""
    from airflow.sdk._shared.observability.metrics.otel_logger import flush_otel_metrics
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider

    with Collector() as collector:
        monkeypatch.setenv("AIRFLOW__METRICS__OTEL_ON", "True")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        has_metrics.cache_clear()
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
        yield collector
        provider = metrics.get_meter_provider()
        assert isinstance(provider, MeterProvider)
        provider.shutdown()
        atexit.unregister(flush_otel_metrics)
        monkeypatch.undo()
        has_metrics.cache_clear()
        stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)


@pytest.fixture
def flush(collector: Collector) -> Callable[[], None]:
    """Send what was measured, as the end of a task process does."""
    from airflow.sdk._shared.observability.metrics.otel_logger import flush_otel_metrics

    return flush_otel_metrics
