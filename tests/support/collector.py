"""An OpenTelemetry collector that keeps what it receives, by OTLP over HTTP."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX = "airflow.customer_import."


class Point(NamedTuple):
    """One measurement of ours: its name without prefix, its tags, its unit, the newest value.

    A duration's value is how many there were.
    """

    name: str
    tags: dict[str, Any]
    unit: str
    value: float


class Span(NamedTuple):
    """One span: its name, its attributes, and its own and its parent's id."""

    name: str
    attributes: dict[str, Any]
    span_id: bytes
    parent_id: bytes


class Collector:
    """Takes metrics and traces on a port of its own while the block lasts."""

    def __init__(self) -> None:
        self.metrics: list[ExportMetricsServiceRequest] = []
        self.traces: list[ExportTraceServiceRequest] = []
        kept: dict[str, Any] = {
            "/v1/metrics": (ExportMetricsServiceRequest, self.metrics),
            "/v1/traces": (ExportTraceServiceRequest, self.traces),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                message, received = kept[self.path]
                received.append(message.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def points(self) -> list[Point]:
        """Return what the import measured, in all processes: a process sends its sums again and again."""
        newest: dict[Any, Point] = {}
        for export in self.metrics:
            for resource in export.resource_metrics:
                for metric in (one for scope in resource.scope_metrics for one in scope.metrics):
                    if metric.name.startswith(PREFIX):
                        for point, started in _points(metric):
                            key = (point.name, started, *sorted(point.tags.items()))
                            newest[key] = point
        return list(newest.values())

    def total(self, name: str, **tags: str) -> float:
        """Return the sum over all processes and all tags that are not named."""
        return sum(
            point.value
            for point in self.points()
            if point.name == name and tags.items() <= point.tags.items()
        )

    def spans(self) -> list[Span]:
        """Return all spans."""
        return [
            Span(span.name, _tags(span.attributes), span.span_id, span.parent_span_id)
            for export in self.traces
            for resource in export.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


def _points(metric: Any) -> Iterable[tuple[Point, int]]:
    name = metric.name.removeprefix(PREFIX)
    for point in (*metric.sum.data_points, *metric.gauge.data_points):
        value = point.as_double if point.WhichOneof("value") == "as_double" else point.as_int
        yield (
            Point(name, _tags(point.attributes), metric.unit, value),
            point.start_time_unix_nano,
        )
    for point in metric.exponential_histogram.data_points:
        yield (
            Point(name, _tags(point.attributes), metric.unit, point.count),
            point.start_time_unix_nano,
        )


def _tags(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
