"""One request after another through the http provider's ``HttpHook``, on a part of the customers."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from itertools import islice
from typing import Any

from airflow.providers.http.hooks.http import HttpHook

from customer_import.partner_center.hook import PartnerCenterHook
from sandbox.demo.settings import PARTNER_CENTER_CONNECTION
from tests.benchmarks.client import measured
from tests.benchmarks.peers.listing import list_tenants


class _NoAuth:
    def __init__(self, *_: object) -> None: ...

    def __call__(self, request: Any) -> Any:
        return request


def extract(folder: str, customers: int) -> dict[str, Any]:
    logging.disable(logging.INFO)
    own = PartnerCenterHook(PARTNER_CENTER_CONNECTION, save_refresh_token=lambda _: None)
    token = asyncio.run(own.prepare().fetch()).value
    scheme, _, rest = own.settings.base_url.partition("://")
    host, _, port = rest.partition(":")
    connection = {"conn_type": "http", "host": host, "port": int(port), "schema": scheme}
    os.environ["AIRFLOW_CONN_BENCH_HTTP"] = json.dumps(connection)
    hook = HttpHook("GET", http_conn_id="bench_http", auth_type=_NoAuth)
    headers = {"Authorization": f"Bearer {token}"}
    session = hook.get_conn(headers)
    tenants = list(islice(list_tenants(session, own.settings.base_url), customers))
    figures: dict[str, Any] = {}
    with measured(figures):
        for tenant in tenants:
            path = f"/v1/customers/{tenant}"
            answer = hook.run(
                f"{path}/subscriptions", headers=headers, extra_options={"check_response": False}
            )
            if answer.ok:
                hook.run(path, headers=headers, extra_options={"check_response": False})
    return figures | {"customers": len(tenants)}
