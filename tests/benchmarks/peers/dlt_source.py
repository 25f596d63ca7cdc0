"""dlt as its performance guide advises: async resources, whole pages at a time, its own JSON reader, plain JSON lines.

Over one ``aiohttp`` session: dlt's REST source, tuned with threads and a session of its own, takes more than four
times the CPU time for the same rows.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import TYPE_CHECKING, Any

import aiohttp

from customer_import.partner_center.hook import PartnerCenterHook
from sandbox.demo.settings import PARTNER_CENTER_CONNECTION
from tests.benchmarks.client import measured

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

BOM = b"\xef\xbb\xbf"
_NOT_OURS = frozenset({403, 404})


def extract(folder: str, concurrency: int) -> dict[str, Any]:
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        # It would look for its settings in the variables of an Airflow that is not there.
        "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false",
        "EXTRACT__MAX_PARALLEL_ITEMS": str(concurrency),
        "NORMALIZE__WORKERS": "1",
        "LOAD__WORKERS": "4",
        "DATA_WRITER__BUFFER_MAX_ITEMS": "5000",
        "DATA_WRITER__DISABLE_COMPRESSION": "true",
    }
    import dlt

    hook = PartnerCenterHook(PARTNER_CENTER_CONNECTION, save_refresh_token=lambda _: None)
    auth = hook.prepare()
    work = tempfile.mkdtemp(dir=folder)
    figures: dict[str, Any] = {}
    with measured(figures):
        token = asyncio.run(auth.fetch()).value
        api = _Api(f"{hook.settings.base_url}/v1", token, concurrency)
        pipeline = dlt.pipeline(
            "bench",
            pipelines_dir=f"{work}/pipelines",
            destination=dlt.destinations.filesystem(f"file://{work}/out"),
            dataset_name="bench",
        )
        pipeline.run(_resources(api), loader_file_format="jsonl")
    counts = pipeline.last_trace.last_normalize_info.row_counts
    return figures | {"rows": {name: count for name, count in counts.items() if "__" not in name}}


def _resources(api: _Api) -> list[Any]:
    import dlt

    @dlt.resource
    async def customers() -> AsyncIterator[list[Any]]:
        path: str = "/customers?size=500"
        headers: dict[str, str] = {}
        while path:
            page = await api.get(path.removeprefix("/v1"), headers)
            yield page["items"]
            following = (page.get("links") or {}).get("next") or {}
            path = following.get("uri", "")
            headers = {entry["key"]: entry["value"] for entry in following.get("headers") or ()}

    @dlt.transformer(data_from=customers)
    async def subscriptions(page: list[Any]) -> list[Any]:
        calls = (api.get(f"/customers/{item['id']}/subscriptions") for item in page)
        return [item for found in await asyncio.gather(*calls) if found for item in found["items"]]

    @dlt.transformer(data_from=customers)
    async def details(page: list[Any]) -> list[Any]:
        calls = (api.get(f"/customers/{item['id']}") for item in page)
        return [found for found in await asyncio.gather(*calls) if found]

    return [customers, subscriptions, details]


class _Api:
    """Partner Center in the event loop that dlt makes, and closes alone: the session ends with the process."""

    def __init__(self, base: str, token: str, concurrency: int) -> None:
        self._base, self._concurrency = base, concurrency
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, headers: dict[str, str] | None = None) -> Any:
        """Read a body; ``None`` of a customer that may not be read."""
        from dlt.common import json

        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._concurrency)
            self._session = aiohttp.ClientSession(connector=connector, headers=self._headers)
        async with self._session.get(self._base + path, headers=headers) as answer:
            body = await answer.read()
            if answer.status in _NOT_OURS:
                return None
            answer.raise_for_status()
            return json.loadb(body.removeprefix(BOM))
