"""A pool of 16 threads over ``requests``, a session each."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests

from customer_import.partner_center.hook import PartnerCenterHook
from sandbox.demo.settings import PARTNER_CENTER_CONNECTION
from tests.benchmarks.client import measured
from tests.benchmarks.peers.listing import list_tenants

THREADS = 16


def extract(folder: str) -> dict[str, Any]:
    hook = PartnerCenterHook(PARTNER_CENTER_CONNECTION, save_refresh_token=lambda _: None)
    auth = hook.prepare()
    local = threading.local()
    figures: dict[str, Any] = {}

    def session() -> requests.Session:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.headers["Authorization"] = f"Bearer {token}"
            local.session.trust_env = False
        return local.session

    def read(tenant: str) -> None:
        url = f"{base}/v1/customers/{tenant}"
        if session().get(f"{url}/subscriptions", timeout=60).ok:
            _ = session().get(url, timeout=60).content

    with measured(figures):
        token = asyncio.run(auth.fetch()).value
        base = hook.settings.base_url
        with ThreadPoolExecutor(THREADS) as pool:
            tenants = list(list_tenants(session(), base))
            list(pool.map(read, tenants))
    return figures | {"customers": len(tenants)}
