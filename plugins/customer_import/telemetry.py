"""Metrics and spans, by Airflow's own means: whatever is switched on there gets them too.

Airflow's settings decide whether and where they go: ``[metrics]`` (OpenTelemetry, StatsD, Datadog) and ``[traces]``.
Tags and attributes have few values and name no customer. What is off costs a look at a flag.

Names, units and meanings: docs/operate.md.
"""

from __future__ import annotations

import time
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Self

from airflow.sdk.configuration import conf  # here, because the first request must not wait for it
from opentelemetry import trace

if TYPE_CHECKING:
    from types import TracebackType

_SWITCHES = ("otel_on", "statsd_on", "statsd_datadog_enabled")
_NO_STATUS = "none"
_TRACER = trace.get_tracer("customer_import")


class Metric(StrEnum):
    """What is counted; Airflow puts its prefix before it."""

    RUNS = "customer_import.runs"
    CUSTOMERS = "customer_import.customers"
    WAITING = "customer_import.waiting"
    REQUESTS = "customer_import.requests"
    REQUEST_DURATION = "customer_import.request_duration"
    REQUEST_WAIT = "customer_import.request_wait"
    RETRY_WAIT = "customer_import.retry_wait"
    THROTTLES = "customer_import.throttles"
    BREAKER_OPENINGS = "customer_import.breaker_openings"


@cache
def has_metrics() -> bool:
    """Whether Airflow is set to send metrics; looked up once a process."""
    return any(conf.getboolean("metrics", name, fallback=False) for name in _SWITCHES)


def count(metric: Metric, number: int = 1, /, **tags: str) -> None:
    """Add to a counter."""
    if number and has_metrics():
        from airflow.sdk.observability import stats  # noqa: PLC0415

        stats.incr(metric.value, number, tags=_clean(tags))


def set_level(metric: Metric, level: float, /, **tags: str) -> None:
    """Set a gauge."""
    if has_metrics():
        from airflow.sdk.observability import stats  # noqa: PLC0415

        stats.gauge(metric.value, level, tags=_clean(tags))


def record_seconds(metric: Metric, seconds: float, /, **tags: str) -> None:
    """Add a duration; Airflow sends milliseconds."""
    if has_metrics():
        from airflow.sdk.observability import stats  # noqa: PLC0415

        stats.timing(metric.value, seconds * 1_000, tags=_clean(tags))


def describe_task(**attributes: str | int) -> None:
    """Say on Airflow's span of the task which run of the import it is for."""
    span = trace.get_current_span()
    if span.is_recording():
        span.set_attributes({f"customer_import.{name}": one for name, one in attributes.items()})


class ObservedRequest:
    """One request, counted and timed from its start to the last byte; use it as a context manager.

    Args:
        service: Name of the service.
        endpoint: Method and path template, so without any id.
    """

    __slots__ = ("_began", "_endpoint", "_service", "_span", "status")

    def __init__(self, service: str, endpoint: str) -> None:
        self.status: int | None = None
        self._service = service
        self._endpoint = endpoint
        self._began = 0.0
        self._span: trace.Span | None = None

    def __enter__(self) -> Self:
        """Start the clock."""
        self._began = time.perf_counter()
        if trace.get_current_span().is_recording():
            self._span = _TRACER.start_span(self._endpoint, kind=trace.SpanKind.CLIENT)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tell what came of it; ``status`` stays ``None`` when there was no answer."""
        if self._span is not None:
            method, _, path = self._endpoint.partition(" ")
            self._span.set_attributes(
                {
                    "http.request.method": method,
                    "url.template": path,
                    "server.name": self._service,
                    "http.response.status_code": self.status or 0,
                }
            )
            if kind is not None:  # by its kind only: words of other libraries may repeat an answer
                self._span.set_status(trace.StatusCode.ERROR, kind.__name__)
            self._span.end()
        if has_metrics():
            tags = {"service": self._service, "endpoint": self._endpoint}
            count(Metric.REQUESTS, status=str(self.status or _NO_STATUS), **tags)
            record_seconds(Metric.REQUEST_DURATION, time.perf_counter() - self._began, **tags)


def _clean(tags: dict[str, str]) -> dict[str, str]:
    """Blanks would end a tag in StatsD's forms of it."""
    return {name: value.replace(" ", "_") for name, value in tags.items()}
