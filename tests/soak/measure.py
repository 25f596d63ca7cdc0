"""The runs, and what grows meanwhile."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from customer_import.database.engine import open_engine, reading
from customer_import.database.tables import metadata
from customer_import.vocabulary import ImportType, Scope
from tests.benchmarks.arena import arena
from tests.support.databases import airflow_and_import
from tests.support.library_run import INSTANCES
from tests.support.real_airflow import RealAirflow

if TYPE_CHECKING:
    from tests.benchmarks.arena import Arena

_DAG_ID = ImportType.DIRECT.dag_id
_RUN_S = 600.0
_WARM_UP = 10
"""Runs until what is cached is cached."""
_ONE_IN = 100
_PARTS = ("api-server", "dag-processor", "scheduler")
_PAGES = (f"?dag_id={_DAG_ID}", "overview", f"tenants?dag_id={_DAG_ID}", "search?q=anderson")
_FAULTS = [
    {"endpoint": "partner_center.*", "kind": "status", "status": 503, "probability": 0.02},
    {"endpoint": "partner_center.*", "kind": "reset_before", "probability": 0.01},
    {"endpoint": "bss.*", "kind": "status", "status": 503, "probability": 0.02},
    {"endpoint": "bss.accounts.*", "kind": "reset_after", "probability": 0.02},
    {"endpoint": "bss.contacts.*", "kind": "reset_after", "probability": 0.02},
]


@dataclass
class Figures:
    """What many runs came to.

    Attributes:
        seconds: Of each run, from its start to its end.
        changed: Customers that moved before a run, all runs together.
        memory: Megabytes of its own of each part of Airflow, after each run.
        rows: Of each table, after each run.
        struck: Requests that a fault struck.
        lost: Customers without success at the end.
        duplicates: Accounts beyond the first for one tenant.
        faults: What went wrong, in words.
    """

    seconds: list[float] = field(default_factory=list)
    changed: int = 0
    memory: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    struck: int = 0
    lost: int = 0
    duplicates: int = 0
    faults: list[str] = field(default_factory=list)

    def run_seconds(self) -> tuple[float, float]:
        """Return the medians of the runs after the warm-up, and of as many last ones."""
        return _ends(self.seconds)

    def memory_mb(self) -> dict[str, tuple[float, float]]:
        """Return the same of each part's memory."""
        return {name: _ends(values) for name, values in self.memory.items()}

    def rows_per_run(self) -> dict[str, float]:
        """Return by how many rows each table grew with a run, after the warm-up; those that did not are left out."""
        grown = {
            name: (values[-1] - values[min(_WARM_UP, len(values) - 1)])
            / max(len(values) - 1 - _WARM_UP, 1)
            for name, values in self.rows.items()
        }
        return {name: rows for name, rows in sorted(grown.items()) if rows}


def _ends(values: list[float]) -> tuple[float, float]:
    after = values[_WARM_UP:] or values
    some = max(1, min(10, len(after) // 2))
    return statistics.median(after[:some]), statistics.median(after[-some:])


def soak(folder: Path, customers: int, runs: int) -> Figures:
    """Import, then import what changed again and again.

    Raises:
        LateError: A run did not end.
    """
    figures = Figures()
    with (
        arena(customers=customers, latency_ms=0, mix="direct=1") as sandbox,
        airflow_and_import(folder / "postgres") as (airflow_url, import_url),
    ):
        instances = Path(sandbox.environment["CUSTOMER_IMPORT_INSTANCES"])
        settings = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_url}
        with RealAirflow(folder / "home", instances, settings) as airflow:
            airflow.prepare(_DAG_ID, sandbox.info, import_url)
            _run(airflow, figures, Scope.FULL)
            figures.seconds.clear()
            tenants = [row["tenant_id"] for row in sandbox.control("/customers?class=direct")]
            sandbox.control("/faults", {"rules": _FAULTS}, "PUT")
            for number in range(runs):
                figures.changed += _move(sandbox, tenants, number)
                _run(airflow, figures, Scope.CHANGED)
                _look(airflow, figures, import_url)
            figures.struck = sum(sandbox.control("/faults")["counts"].values())
            sandbox.control("/faults", {"rules": []}, "PUT")
            outcomes = _run(airflow, figures, Scope.FULL)
            figures.seconds.pop()
            figures.lost = outcomes.get("failed", 0) + outcomes.get("created", 0)
            if outcomes.get("updated"):
                figures.faults.append(f"a full import found {outcomes['updated']} to update")
            totals = sandbox.control("/check")["figures"]["total"]
            figures.duplicates = totals.pop("duplicate_accounts")
            figures.faults += [f"{name}: {count}" for name, count in totals.items() if count]
    return figures


def _move(sandbox: Arena, tenants: list[str], number: int) -> int:
    """Change the town of one customer in a hundred; return how many."""
    moved = tenants[number % _ONE_IN :: _ONE_IN]
    body = {"document": {"billingProfile": {"defaultAddress": {"city": f"Larissa {number}"}}}}
    for tenant in moved:
        sandbox.control(f"/customers/{tenant}", body, "PATCH")
    return len(moved)


def _run(airflow: RealAirflow, figures: Figures, scope: Scope) -> dict[str, int]:
    """Run an import to its end; return its customers by outcome."""
    conf = {"instance": INSTANCES[ImportType.DIRECT], "scope": scope.value}
    run = airflow.run(_DAG_ID, conf, _RUN_S)
    figures.seconds.append(run.seconds)
    if run.fault:
        figures.faults.append(run.fault)
    outcomes: dict[str, int] = airflow.api.xcom(_DAG_ID, run.run_id, "finish_run")["outcomes"]
    return outcomes


def _look(airflow: RealAirflow, figures: Figures, import_url: str) -> None:
    """Open the pages as a person does, then note what everything takes."""
    for page in _PAGES:
        address = f"{airflow.api.url}/customer-import/{page}"
        airflow.api.http.get(address, timeout=60).raise_for_status()
    for name in _PARTS:
        figures.memory[name].append(airflow.memory_mb(name))
    with reading(open_engine(import_url)) as connection:
        for table in metadata.sorted_tables:
            count = connection.scalar(select(func.count()).select_from(table))
            figures.rows[table.name].append(count or 0)
