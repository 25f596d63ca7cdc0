"""What the demo makes of Airflow's answers."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from sandbox.demo.airflow_api import AirflowApi

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api_without_xcom() -> Iterator[AirflowApi]:
    class NotFound(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), NotFound)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield AirflowApi(f"http://127.0.0.1:{server.server_port}", "admin", "x")
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_run_that_failed_before_it_was_recorded_has_no_summary(
    api_without_xcom: AirflowApi,
) -> None:
    assert api_without_xcom.xcom("import_direct_customers", "manual", "finish_run") is None
