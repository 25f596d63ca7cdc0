"""Why there is no answer, in words, from both HTTP clients and real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import aiohttp
import pytest
import requests
import trustme

from customer_import.http.no_answer import NoAnswer, why_no_answer

Ask = Callable[..., NoAnswer]


def _aiohttp(url: str, timeout_s: float = 5.0, proxy: str | None = None) -> NoAnswer:
    async def ask() -> NoAnswer:
        timeout = aiohttp.ClientTimeout(total=timeout_s)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url, proxy=proxy):
                pytest.fail("there was an answer")
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            return why_no_answer(error, url, timeout_s)

    return asyncio.run(ask())


def _requests(url: str, timeout_s: float = 5.0, proxy: str | None = None) -> NoAnswer:
    with requests.Session() as http:
        http.trust_env = False
        proxies = {"http": proxy, "https": proxy} if proxy else None
        try:
            http.get(url, timeout=timeout_s, proxies=proxies)
        except requests.RequestException as error:
            return why_no_answer(error, url, timeout_s)
    pytest.fail("there was an answer")


@pytest.fixture(params=[_aiohttp, _requests], ids=["aiohttp", "requests"])
def ask(request: pytest.FixtureRequest) -> Ask:
    return request.param


@contextmanager
def listening(talk: Callable[[socket.socket], object]) -> Iterator[int]:
    """A server that does with each connection what it is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ends = threading.Event()
        server.settimeout(0.05)

        def serve() -> None:
            while not ends.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                # The client has gone: what it was told is what is tested.
                with connection, suppress(OSError):
                    connection.settimeout(5)
                    talk(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        ends.set()
        thread.join()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_name_that_cannot_be_resolved(ask: Ask) -> None:
    found = ask("https://nowhere.invalid/secret?x=secret")
    assert found.message.startswith(
        "cannot connect to nowhere.invalid: the name cannot be resolved"
    )
    assert (found.is_sent, "secret" in found.message) == (False, False)


def test_a_refused_connection(ask: Ask, closed_port: int) -> None:
    found = ask(f"http://127.0.0.1:{closed_port}/")
    words = f"cannot connect to 127.0.0.1:{closed_port}: the connection was refused"
    assert (found.message.startswith(words), found.is_sent) == (True, False)


def test_a_proxy_that_is_away(ask: Ask, closed_port: int) -> None:
    found = ask("http://api.example/", proxy=f"http://127.0.0.1:{closed_port}")
    assert found.message.startswith("cannot connect to api.example through the proxy")
    assert "refused" in found.message
    assert found.is_sent is False


def test_a_proxy_that_refuses(ask: Ask) -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(
            b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
        )

    with listening(refuse) as port:
        found = ask("https://api.example/", proxy=f"http://127.0.0.1:{port}")
    assert found == NoAnswer(
        "cannot connect to api.example through the proxy: the proxy answered HTTP 407", False
    )


def test_a_certificate_that_is_not_trusted(ask: Ask) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    def shake_hands(connection: socket.socket) -> None:
        context.wrap_socket(connection, server_side=True).close()

    with listening(shake_hands) as port:
        found = ask(f"https://127.0.0.1:{port}/")
    assert "its certificate is not accepted (" in found.message
    assert "ca_file" in found.message
    assert (f"127.0.0.1:{port}" in found.message, found.is_sent) == (True, False)


def test_plain_http_where_tls_is_expected(ask: Ask) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with listening(answer) as port:
        found = ask(f"https://127.0.0.1:{port}/")
    assert "it does not speak TLS" in found.message
    assert found.is_sent is False


def test_no_answer_in_time_may_have_been_sent(ask: Ask) -> None:
    ends = threading.Event()
    with listening(lambda _: ends.wait(5)) as port:
        found = ask(f"http://127.0.0.1:{port}/", timeout_s=1.0)
        ends.set()
    assert found.message.startswith("no answer within 1 s from 127.0.0.1")
    assert found.is_sent is True


def test_a_connection_that_breaks_may_have_been_sent(ask: Ask) -> None:
    with listening(lambda connection: connection.recv(65_536)) as port:
        found = ask(f"http://127.0.0.1:{port}/")
    assert found.message.startswith(f"the connection to 127.0.0.1:{port} broke (")
    assert found.is_sent is True


def test_what_happened_to_an_attempt_before_says_nothing_of_this_one() -> None:
    """Else a write that may have arrived would be sent again."""
    error = aiohttp.ServerDisconnectedError()
    error.__context__ = ConnectionRefusedError()
    assert why_no_answer(error, "http://api.example/").is_sent is True
