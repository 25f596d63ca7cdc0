"""dlt's custom destination with parallel load jobs: three dependent writes, no guard against duplicates."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import orjson
import requests

from customer_import.bss.hook import BssHook
from customer_import.config.instances import BssConfig
from sandbox.demo.settings import BSS_CONNECTION
from tests.benchmarks.client import measured


def load(folder: str, file: str, concurrency: int) -> dict[str, Any]:
    os.environ |= {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
        # It would look for its settings in the variables of an Airflow that is not there.
        "PROVIDERS__ENABLE_AIRFLOW_SECRETS": "false",
        "LOAD__WORKERS": str(concurrency),
        "NORMALIZE__WORKERS": "1",
        "DATA_WRITER__DISABLE_COMPRESSION": "true",
    }
    rows = orjson.loads(Path(file).read_bytes())
    os.environ["NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS"] = str(-(-len(rows) // concurrency))
    import dlt

    config = BssConfig(conn_id=BSS_CONNECTION)
    ours = BssHook(config.conn_id).session(config)
    token = asyncio.run(ours._tokens.get(None))
    local = threading.local()

    def post(path: str, body: object) -> Any:
        if not hasattr(local, "session"):
            local.session = requests.Session()
            local.session.trust_env = False
            local.session.headers.update(ours._headers)
            local.session.headers["Authorization"] = f"Bearer {token}"
            local.session.headers["Content-Type"] = "application/json"
        answer = local.session.post(ours.base_url + path, data=orjson.dumps(body), timeout=60)
        answer.raise_for_status()
        return answer

    @dlt.destination(
        batch_size=50,
        loader_file_format="typed-jsonl",
        name="bss",
        max_parallel_load_jobs=concurrency,
    )
    def bss(items: Any, table: Any) -> None:
        for item in items:
            row = orjson.loads(item["row"])
            account = post("/api/accounts", row["account"]).json()["id"]
            post("/api/contacts", row["contact"] | {"accountId": account})
            value = {"alias": "domainprefix", "value": (row["options"] or [""])[0]}
            post(f"/api/accounts/{account}/syncoptions/{row['system']}", [value])

    work = tempfile.mkdtemp(dir=folder)
    figures: dict[str, Any] = {}
    with measured(figures):
        pipeline = dlt.pipeline("bench_load", pipelines_dir=work, destination=bss)
        pipeline.run([{"row": orjson.dumps(row).decode()} for row in rows], table_name="customers")
    return figures | {"customers": len(rows)}
