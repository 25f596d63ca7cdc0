"""Slow readers cost the pages nothing, and are few."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
import pytest

from customer_import.database.engine import open_engine
from customer_import.vocabulary import ImportType
from customer_import.web import download
from customer_import.web.download import MOST_DOWNLOADS
from tests.web.conftest import PREFIX
from tests.web.data import add_results, add_run
from tests.web.test_sub_path import serving

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

CSV = f"{PREFIX}/results.csv?dag_id={ImportType.DIRECT.dag_id}"
MANY = 6_000


@pytest.fixture
def large(database: Engine) -> Engine:
    """Results that no socket's buffers can hold."""
    key = add_run(database)
    add_results(database, key, *({"reason": "x" * 1_900} for _ in range(MANY)))
    return database


async def begin(stack: ExitStack, url: str, token: str) -> socket.socket:
    """Ask for the file, read the first bytes, and then nothing more."""
    place = urlsplit(url)
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    stack.enter_context(reader)
    reader.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(reader, (place.hostname, place.port))
    asked = f"GET {CSV} HTTP/1.1\r\nHost: {place.netloc}\r\nCookie: _token={token}\r\n\r\n"
    await loop.sock_sendall(reader, asked.encode())
    begun = await loop.sock_recv(reader, 1_024)
    assert b" 200 " in begun.splitlines()[0]
    return reader


async def all_places_are_free() -> None:
    async with asyncio.timeout(20):
        while download._taken[0]:  # noqa: ASYNC110 - the server's own count
            await asyncio.sleep(0.05)


async def test_slow_readers_hold_no_connection_and_the_next_is_told_to_come_back(
    airflow_app: FastAPI, admin: TestClient, large: Engine
) -> None:
    token = admin.cookies["_token"]
    with ExitStack() as stack:
        async with serving(airflow_app) as url, aiohttp.ClientSession() as quick:
            quick.cookie_jar.update_cookies({"_token": token})
            for _ in range(MOST_DOWNLOADS):
                await begin(stack, url, token)
            async with asyncio.timeout(
                20
            ):  # a connection that is held is held as long as they stand
                while large.pool.checkedout():  # type: ignore[attr-defined] # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            started = time.monotonic()
            async with quick.get(url + CSV, headers={"Accept": "text/html"}) as refused:
                assert (refused.status, refused.headers["Retry-After"]) == (503, "30")
                assert "Try again in 30 seconds" in await refused.text()
            for page in ("/", "/tenants", "/api/runs", "/rows"):
                async with quick.get(f"{url}{PREFIX}{page}") as answer:
                    assert answer.status == 200
            assert time.monotonic() - started < 15
            stack.close()  # they go away
            await all_places_are_free()
            async with quick.get(url + CSV) as answer:
                assert (await answer.text()).count("\r\n") == MANY + 1


async def test_a_reader_that_stands_still_is_left(
    airflow_app: FastAPI, admin: TestClient, large: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "STANDSTILL_S", 0.5)
    with ExitStack() as stack:
        async with serving(airflow_app) as url:
            await begin(stack, url, admin.cookies["_token"])
            assert download._taken == [1]
            await all_places_are_free()
            stack.close()


def test_a_page_holds_no_connection_when_it_is_sent(admin: TestClient, large: Engine) -> None:
    for page in ("/", "/rows", "/api/runs", "/tenants"):
        admin.get(f"{PREFIX}{page}")
        assert large.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_database_that_is_away_is_said_in_words(
    admin: TestClient, database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    uri = f"postgres://someone:hunter2@127.0.0.1:{port}/imports"
    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", uri)
    for path, accept in (("/", "text/html"), ("/results.csv", "*/*"), ("/api/runs", "*/*")):
        answer = admin.get(f"{PREFIX}{path}", headers={"Accept": accept})
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        assert f"127.0.0.1:{port}: it cannot be reached: the connection was refused" in (
            answer.text.replace("&#39;", "'")
        )
        assert "hunter2" not in answer.text
    assert open_engine().pool.checkedout() == 0  # type: ignore[attr-defined]
