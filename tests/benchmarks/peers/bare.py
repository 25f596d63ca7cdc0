"""The practical limit: a bare ``aiohttp`` loop that keeps nothing and parses nothing but the list."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from customer_import.bss.hook import BssHook
from customer_import.config.instances import BssConfig
from customer_import.partner_center.hook import PartnerCenterHook
from sandbox.demo.settings import BSS_CONNECTION, PARTNER_CENTER_CONNECTION
from tests.benchmarks.client import measured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BOM = b"\xef\xbb\xbf"


def extract(folder: str, concurrency: int) -> dict[str, Any]:
    """Two calls for every listed customer, the second only when the first was answered well."""
    hook = PartnerCenterHook(PARTNER_CENTER_CONNECTION, save_refresh_token=lambda _: None)
    auth = hook.prepare()
    figures: dict[str, Any] = {}
    with measured(figures):
        figures["customers"] = asyncio.run(_extract(hook, auth, concurrency))
    return figures


async def _extract(hook: PartnerCenterHook, auth: Any, concurrency: int) -> int:
    token = (await auth.fetch()).value
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    base = hook.settings.base_url
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        tenants = [tenant async for tenant in _tenants(session, base)]
        queue = iter(tenants)

        async def work() -> None:
            for tenant in queue:
                url = f"{base}/v1/customers/{tenant}"
                async with session.get(f"{url}/subscriptions") as answer:
                    await answer.read()
                    is_open = answer.status == 200
                if is_open:
                    async with session.get(url) as answer:
                        await answer.read()

        await asyncio.gather(*(work() for _ in range(concurrency)))
    return len(tenants)


async def _tenants(session: aiohttp.ClientSession, base: str) -> AsyncIterator[str]:
    path = "/customers?size=500"
    headers: dict[str, str] = {}
    while path:
        async with session.get(f"{base}/v1{path.removeprefix('/v1')}", headers=headers) as answer:
            page = orjson.loads((await answer.read()).removeprefix(BOM))
        for item in page["items"]:
            yield item["id"]
        following = (page.get("links") or {}).get("next") or {}
        path = following.get("uri", "")
        headers = {entry["key"]: entry["value"] for entry in following.get("headers") or ()}


def load(folder: str, file: str, concurrency: int) -> dict[str, Any]:
    """Three dependent writes for every customer, without any ledger."""
    rows = orjson.loads(Path(file).read_bytes())
    config = BssConfig(conn_id=BSS_CONNECTION)
    session = BssHook(config.conn_id).session(config)
    figures: dict[str, Any] = {}
    with measured(figures):
        asyncio.run(_load(session, rows, concurrency))
    return figures | {"customers": len(rows)}


async def _load(ours: Any, rows: list[dict[str, Any]], concurrency: int) -> None:
    token = await ours._tokens.get(None)
    headers = {**ours._headers, "Authorization": f"Bearer {token}"}
    headers["Content-Type"] = "application/json"
    queue = iter(rows)
    connector = aiohttp.TCPConnector(limit=concurrency)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        base = ours.base_url

        async def post(path: str, body: object) -> Any:
            async with session.post(base + path, data=orjson.dumps(body)) as answer:
                answer.raise_for_status()
                return await answer.read()

        async def work() -> None:
            for row in queue:
                account = orjson.loads(await post("/api/accounts", row["account"]))["id"]
                await post("/api/contacts", row["contact"] | {"accountId": account})
                value = {"alias": "domainprefix", "value": (row["options"] or [""])[0]}
                await post(f"/api/accounts/{account}/syncoptions/{row['system']}", [value])

        await asyncio.gather(*(work() for _ in range(concurrency)))
