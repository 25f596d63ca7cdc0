"""How long the pages take with a thousand and with a million result rows; prints one JSON object.

The application is asked as a browser asks it, rendering included, in the process of a real Airflow
API server; the login is real too. Every kind of page is asked in turn on both databases, so that a
busy machine slows both alike.
"""

from __future__ import annotations

import argparse
import os
import secrets
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson

from sandbox.demo.settings import airflow_environment

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

DAG_ID = "import_direct_customers"
OUTCOMES = ("created", "updated", "unchanged", "skipped", "rejected", "failed")
WEIGHTS = (0.2, 0.1, 0.6, 0.05, 0.03, 0.02)
CHUNK = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", type=int, default=1_000)
    parser.add_argument("--large", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="customer-import-pages-") as folder:
        report = measure(Path(folder), (options.small, options.large), options.repeat)
    sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")


def measure(folder: Path, sizes: tuple[int, int], repeat: int) -> dict[str, Any]:
    client = start_airflow(folder)
    connections = {}
    addresses = {}
    for size in sizes:
        path = folder / f"{size}.db"
        fill(path, size)
        connections[size] = orjson.dumps({"conn_type": "sqlite", "host": str(path)}).decode()
        use(connections[size])
        addresses[size] = pages(client)
    seconds: dict[int, dict[str, list[float]]] = {size: {} for size in sizes}
    for attempt in range(repeat + 2):
        for size in sizes:
            use(connections[size])
            for name, address in addresses[size].items():
                started = time.perf_counter()
                answer = client.get(address)
                elapsed = time.perf_counter() - started
                assert answer.status_code == 200, (name, answer.text[:200])
                if attempt >= 2:  # the first ones warm up caches
                    seconds[size].setdefault(name, []).append(elapsed)
    return summarise(sizes, seconds)


def summarise(sizes: tuple[int, int], seconds: dict[int, dict[str, list[float]]]) -> dict[str, Any]:
    small, large = sizes
    report: dict[str, Any] = {"rows": list(sizes), "unit": "ms"}
    for name in seconds[small]:
        report[name] = {
            str(size): {
                "median": round(statistics.median(seconds[size][name]) * 1000, 1),
                "p95": round(statistics.quantiles(seconds[size][name], n=20)[-1] * 1000, 1),
            }
            for size in sizes
        }
        medians = [statistics.median(seconds[size][name]) for size in (large, small)]
        report[name]["ratio"] = round(medians[0] / medians[1], 2)
    return report


def start_airflow(folder: Path) -> TestClient:
    home = folder / "airflow"
    home.mkdir()
    (home / "passwords.json").write_bytes(orjson.dumps({"admin": secrets.token_urlsafe()}))
    os.environ.update(airflow_environment(home, folder / "instances.yaml", port=8794))
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
    from airflow.api_fastapi.app import create_app, get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session
    from fastapi.testclient import TestClient

    initdb()
    with create_session() as session:
        session.add(DagBundleModel(name="dags-folder"))
        session.flush()
        session.add(DagModel(dag_id=DAG_ID, bundle_name="dags-folder", fileloc=""))
    client = TestClient(create_app(apps="core"))
    user = SimpleAuthManagerUser(username="admin", role="admin")
    client.headers["Authorization"] = f"Bearer {get_auth_manager().generate_jwt(user)}"
    return client


def use(connection: str) -> None:
    os.environ["AIRFLOW_CONN_CUSTOMER_IMPORT_DB"] = connection


def fill(path: Path, size: int) -> None:
    """One ended run with this many results, between two small ones, so that its rows are not the last of the table."""
    from customer_import.database.engine import open_engine
    from customer_import.database.migrate import migrate

    engine = open_engine(f"sqlite:///{path}")
    migrate(engine)
    for number, rows in enumerate((500, size, 500)):
        add_run(engine, number, rows)
    with engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")
        connection.commit()
    raw = (
        engine.raw_connection()
    )  # the engine's own begin a transaction, which a checkpoint refuses
    raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    raw.close()


def add_run(engine: Engine, number: int, size: int) -> None:
    import random
    import uuid
    from datetime import UTC, datetime, timedelta

    from sqlalchemy import insert

    from customer_import.database.names import folded_name, record_names
    from customer_import.database.tables import import_results, import_runs, staged_customers

    rng = random.Random(number)  # noqa: S311 - invented customers
    start = datetime(2026, 1, 1 + number, tzinfo=UTC)
    counts = dict.fromkeys(OUTCOMES, 0)
    with engine.begin() as connection:
        run: dict[str, Any] = {
            "dag_id": DAG_ID,
            "airflow_run_id": f"run-{number}",
            "import_type": "direct",
        }
        run |= {"instance": "default", "mode": "import", "state": "success", "params": {}}
        run |= {"started_at": start, "ended_at": start, "listed": size, "discovered": size}
        added = insert(import_runs).values(run).returning(import_runs.c.id)
        key = connection.execute(added).scalar_one()
        for first in range(0, size, CHUNK):
            rows, staged = [], []
            for at in range(first, min(first + CHUNK, size)):
                outcome = rng.choices(OUTCOMES, WEIGHTS)[0]
                counts[outcome] += 1
                name = f"{rng.choice(SYLLABLES)}{rng.choice(SYLLABLES)} {at:07}"
                domain = f"{name.replace(' ', '').lower()}.onmicrosoft.com"
                tenant = {
                    "run_id": key,
                    "tenant_id": str(uuid.UUID(int=rng.getrandbits(128))),
                    "tenant_name": name,
                    "domain": domain,
                    "name_folded": folded_name(name, domain),
                    "outcome": outcome,
                    "reason_code": "same",
                    "reason": "Nothing has changed since the last run.",
                }
                staged.append(tenant | {"position": at, "state": "fetched", "is_discovered": True})
                rows.append(
                    tenant
                    | {
                        "import_type": "direct",
                        "instance": "default",
                        "account_id": at,
                        "contact_id": at,
                        "attempts": 1,
                        "task_id": "load_customers",
                        "map_index": at // 500,
                        "recorded_at": start + timedelta(milliseconds=at),
                    }
                )
            connection.execute(insert(import_results), rows)
            connection.execute(insert(staged_customers), staged)
            record_names(
                connection, ((row["tenant_id"], row["tenant_name"], row["domain"]) for row in rows)
            )
        summary = {"outcomes": counts, "warnings": 0}
        connection.execute(
            import_runs.update().where(import_runs.c.id == key).values(summary=summary)
        )


SYLLABLES = (
    "Nord",
    "Süd",
    "Alpen",
    "Contoso",
    "Fabrik",
    "Hanse",
    "Rhein",
    "Tail",
    "Wing",
    "Litware",
)


def pages(client: TestClient) -> dict[str, str]:
    """Return the addresses to ask for; a deep page lies behind four fifths of the run's names."""
    base = f"/customer-import/?dag_id={DAG_ID}&run_id=run-1"
    runs = client.get("/customer-import/api/runs").json()["items"]
    run = next(run for run in runs if run["run_id"] == "run-1")
    results = f"/customer-import/api/runs/{run['key']}/results"
    cursor, to_go = "", run["discovered"] * 4 // 5
    while to_go > 0:
        limit = min(to_go, 1_000)
        page = client.get(f"{results}?sort=oldest&limit={limit}&cursor={cursor}").json()
        cursor, to_go = page["next_cursor"], to_go - limit
    one = quote(page["items"][-1]["tenant_name"].upper())
    return {
        "first page": base,
        "deep page": f"{base}&sort=oldest&cursor={cursor}",
        "outcome filter": f"{base}&outcome=failed",
        "sorted by name": f"{base}&sort=name",
        "search, common word": f"{base}&q=contoso",
        "search, one customer": f"{base}&q={one}",
        "search, inside a word": f"{base}&q=00{run['discovered'] // 2 % 1000:03}.onm",
        "search, nothing found": f"{base}&q=no-such-name",
        "all runs, common word": "/customer-import/search?q=contoso",
        "all runs, one customer": f"/customer-import/search?q={one}",
        "overview": "/customer-import/overview",
    }


if __name__ == "__main__":
    main()
