"""What the demo makes of Airflow's answers."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
import requests

from sandbox.demo.airflow_api import AirflowApi

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def answering(*statuses: int) -> Iterator[tuple[AirflowApi, list[str]]]:
    """An Airflow that gives these answers, and the last one from then on; and the methods it was asked by."""
    asked: list[str] = []

    class Scripted(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(statuses[min(len(asked), len(statuses) - 1)])
            asked.append(self.command)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_PATCH = do_POST = answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield AirflowApi(f"http://127.0.0.1:{server.server_port}", "admin", "x"), asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_run_that_failed_before_it_was_recorded_has_no_summary() -> None:
    with answering(404) as (api, _):
        assert api.xcom("import_direct_customers", "manual", "finish_run") is None


def test_a_variable_is_put_although_the_database_is_locked_for_a_moment() -> None:
    with answering(404, 500, 200) as (api, asked):
        api.put_variable("name", "value")
        assert asked == ["PATCH", "POST", "PATCH"]
    with answering(500) as (api, asked), pytest.raises(requests.HTTPError):
        api.put_variable("name", "value")
