"""dlt's REST source, tuned as its performance guide says: parallelised resources, more workers, files of JSON lines."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import Any

from requests.adapters import HTTPAdapter

from customer_import.partner_center.hook import PartnerCenterHook
from sandbox.demo.settings import PARTNER_CENTER_CONNECTION
from tests.benchmarks.client import measured


def extract(folder: str, concurrency: int) -> dict[str, Any]:
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        # It would look for its settings in the variables of an Airflow that is not there.
        "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false",
        "EXTRACT__WORKERS": str(concurrency),
        "EXTRACT__MAX_PARALLEL_ITEMS": str(concurrency),
        "NORMALIZE__WORKERS": "1",
        "LOAD__WORKERS": "4",
        "DATA_WRITER__BUFFER_MAX_ITEMS": "5000",
        "DATA_WRITER__DISABLE_COMPRESSION": "true",
    }
    import dlt
    from dlt.sources.helpers.requests import Session
    from dlt.sources.helpers.rest_client.paginators import BasePaginator
    from dlt.sources.rest_api import rest_api_source

    class Continued(BasePaginator):
        """Follows ``links.next`` with the headers it names."""

        def __init__(self) -> None:
            super().__init__()
            self._next: dict[str, Any] = {}

        def update_state(self, response: Any, data: Any = None) -> None:  # noqa: ARG002 - dlt's
            self._next = (response.json().get("links") or {}).get("next") or {}
            self._has_next_page = bool(self._next)

        def update_request(self, request: Any) -> None:
            if not self._next:  # the first page
                return
            request.url = f"{base}/v1/{self._next['uri'].removeprefix('/v1').lstrip('/')}"
            request.params = {}
            named = {entry["key"]: entry["value"] for entry in self._next.get("headers") or ()}
            request.headers = {**(request.headers or {}), **named}

    def accept_bom(response: Any, *_: Any, **__: Any) -> Any:
        response.encoding = "utf-8-sig"
        return response

    # Its own session keeps ten connections, and opens a new one for every other request beyond.
    session = Session(raise_for_status=False)
    session.mount("http://", HTTPAdapter(pool_maxsize=concurrency))
    session.trust_env = False  # no look at proxies and .netrc before every request
    hook = PartnerCenterHook(PARTNER_CENTER_CONNECTION, save_refresh_token=lambda _: None)
    auth = hook.prepare()
    work = tempfile.mkdtemp(dir=folder)
    figures: dict[str, Any] = {}
    with measured(figures):
        token = asyncio.run(auth.fetch()).value
        base = hook.settings.base_url
        child = {"parallelized": True, "include_from_parent": []}
        left = [{"status_code": code, "action": "ignore"} for code in (403, 404)]
        config: Any = {
            "client": {
                "base_url": f"{base}/v1/",
                "auth": {"type": "bearer", "token": token},
                "session": session,
            },
            "resource_defaults": {"endpoint": {"response_actions": [accept_bom, *left]}},
            "resources": [
                {
                    "name": "customers",
                    "endpoint": {
                        "path": "customers",
                        "params": {"size": 500},
                        "data_selector": "items",
                        "paginator": Continued(),
                    },
                },
                {
                    "name": "subscriptions",
                    **child,
                    "endpoint": {
                        "path": "customers/{resources.customers.id}/subscriptions",
                        "data_selector": "items",
                        "paginator": "single_page",
                    },
                },
                {
                    "name": "details",
                    **child,
                    "endpoint": {
                        "path": "customers/{resources.customers.id}",
                        "data_selector": "$",
                        "paginator": "single_page",
                    },
                },
            ],
        }
        pipeline = dlt.pipeline(
            "bench",
            pipelines_dir=f"{work}/pipelines",
            destination=dlt.destinations.filesystem(f"file://{work}/out"),
            dataset_name="bench",
        )
        pipeline.run(rest_api_source(config), loader_file_format="jsonl")
    counts = pipeline.last_trace.last_normalize_info.row_counts
    return figures | {"rows": {name: count for name, count in counts.items() if "__" not in name}}
