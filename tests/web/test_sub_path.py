"""Behind a proxy that serves Airflow under a sub-path, every address of the pages still leads somewhere."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urljoin

import aiohttp
import uvicorn
from aiohttp import web
from aiohttp.test_utils import TestServer

from customer_import.vocabulary import ImportType
from tests.web.conftest import PREFIX
from tests.web.data import add_results, add_run, add_sent, add_staged, tenant_id
from tests.web.markup import Markup

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

SUB_PATH = "/company/airflow"
DIRECT = ImportType.DIRECT.dag_id
SELECTED = f"?dag_id={DIRECT}&run_id=working"
HOP = {"transfer-encoding", "connection"}  # of one connection, never forwarded
STARTS = (
    "",
    "overview",
    SELECTED,
    f"live{SELECTED}",
    f"customer{SELECTED}&tenant_id={tenant_id(0)}",
    "tenants",
    f"tenants?dag_id={ImportType.INDIRECT.dag_id}",
    f"tenants-live?dag_id={DIRECT}",
    "api/openapi.json",
    "api/runs",
)


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[str]:
    """Serve an application with the server that Airflow uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task


@asynccontextmanager
async def proxying(upstream: str) -> AsyncIterator[str]:
    """Forward what is below the sub-path, path unchanged as Airflow's documentation has it; the rest is not there."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def forward(request: web.Request) -> web.Response:
            address = upstream + request.raw_path
            call = session.get(address, headers=request.headers, allow_redirects=False)
            async with call as answer:
                body = await answer.read()
                headers = [pair for pair in answer.headers.items() if pair[0].lower() not in HOP]
                return web.Response(body=body, status=answer.status, headers=headers)

        app = web.Application()
        app.router.add_get(f"{SUB_PATH}/{{rest:.*}}", forward)
        async with TestServer(app, host="127.0.0.1") as server:
            yield str(server.make_url(SUB_PATH))


async def test_every_address_works_behind_a_proxy_under_a_sub_path(
    airflow_app: FastAPI,
    admin: TestClient,
    database: Engine,
    add_dag_run: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _fill(database, add_dag_run)
    monkeypatch.setattr(airflow_app, "root_path", SUB_PATH)  # what [api] base_url does
    statuses: dict[str, int] = {}
    async with (
        serving(airflow_app) as upstream,
        proxying(upstream) as outside,
        aiohttp.ClientSession(cookies=dict(admin.cookies)) as browser,
    ):
        for start in STARTS:
            page = f"{outside}{PREFIX}/{start}"
            for address in [page, *await _addresses(browser, page)]:
                if address not in statuses:
                    async with browser.get(address, allow_redirects=False) as answer:
                        statuses[address] = answer.status
        async with browser.get(f"{outside}{PREFIX}/api/openapi.json") as answer:
            document = await answer.json()
    assert {address: status for address, status in statuses.items() if status != 200} == {}
    assert document["servers"] == [{"url": f"{SUB_PATH}{PREFIX}"}]
    reached = {
        address.removeprefix(f"{outside}{PREFIX}/").partition("?")[0] for address in statuses
    }
    kinds = {"live", "rows", "customer", "results.csv", "tenants-live", "api/tenants/selectable"}
    assert kinds | {"static/app.css", "static/vendor/htmx/htmx.min.js"} <= reached


async def _addresses(browser: aiohttp.ClientSession, page: str) -> list[str]:
    """Return where a page leads, without the way out to Airflow's own UI and to the BSS."""
    async with browser.get(page) as answer:
        found = Markup(await answer.text()).addresses
    return [
        urldefrag(urljoin(page, address)).url
        for address in found
        if not address.startswith(("../", "https:"))
    ]


def _fill(database: Engine, add_dag_run: Callable[..., None]) -> None:
    """A working run with a result, so that pages ask for their parts anew, and an ended list of tenants."""
    listed = add_run(database, airflow_run_id="listed", mode="discover")
    add_staged(database, listed, {}, {})
    unfinished: dict[str, Any] = {"state": "running", "ended_at": None, "extracted": 1, "listed": 2}
    key = add_run(database, airflow_run_id="working", **unfinished)
    add_staged(database, key, {"source": b"{}"})
    add_results(database, key, {})
    add_sent(database, key, 0, before={})
    add_dag_run(DIRECT, "working", "running", {"instance": "sandbox"})
