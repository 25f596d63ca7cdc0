"""A server that notes what arrives and answers as it is told: for what the sandbox does not show, such as headers."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping

    import pytest

    Answer = Callable[["Arrival"], tuple[int, Mapping[str, str], bytes]]


@dataclass(frozen=True)
class Arrival:
    """One request."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Recorder:
    """A running server."""

    port: int = 0
    scheme: str = "http"
    arrivals: list[Arrival] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextmanager
def recorder(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[Recorder]:
    """Run a server on loopback, with TLS if it is given a context."""
    record = Recorder(scheme="https" if tls else "http")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            arrival = Arrival(self.command, self.path, dict(self.headers), body)
            record.arrivals.append(arrival)
            status, headers, content = answer(arrival)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 - the base class's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    record.port = server.server_address[1]
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield record
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def closed_port() -> Iterator[str]:
    """Yield the address of a port at which nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}"


def connect_to(monkeypatch: pytest.MonkeyPatch, url: str, **changes: Any) -> None:
    """Make the default connection lead to a server, such as a recorder."""
    connection = {
        "conn_type": "interworks_bss",
        "host": url,
        "login": "application-user",
        "password": "users-password",
        "extra": {"client_key": "some-client-key", "client_secret": "some-client-secret"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_BSS_DEFAULT", json.dumps(connection | changes))
