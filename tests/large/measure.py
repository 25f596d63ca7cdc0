"""Whole direct imports of one size, in a real Airflow (LocalExecutor) with its databases on a PostgreSQL."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import yaml

from customer_import.vocabulary import ImportType, Scope
from tests.benchmarks.arena import arena
from tests.large.memory import PeakMemory
from tests.support.databases import airflow_and_import
from tests.support.library_run import INSTANCES
from tests.support.real_airflow import EndedRun, RealAirflow

if TYPE_CHECKING:
    from tests.benchmarks.arena import Arena

RUN_TIMEOUT_S = 7_200.0
_LOOKS = 10
_NO_LIMIT = 6_000_000
_DAG_ID = ImportType.DIRECT.dag_id
_PATIENT = {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "300"}


@dataclass
class Figures:
    """What a run of one size cost.

    Attributes:
        customers: In the sandbox.
        seconds: Of the first run, of the next one with nothing changed, and of one of the scope ``changed``.
        outcomes: Customers of those runs by outcome.
        task_s: Seconds of each task of the first run, from the first mapped one's start to the last one's end.
        task_mb: The most that a process of each task had in memory.
        page_ms: Median of the page Import Results of the first run, as a browser asks for it.
        faults: What went wrong, in words.
    """

    customers: int
    seconds: dict[str, float] = field(default_factory=dict)
    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)
    task_s: dict[str, float] = field(default_factory=dict)
    task_mb: dict[str, float] = field(default_factory=dict)
    page_ms: float = 0.0
    faults: list[str] = field(default_factory=list)

    @property
    def seconds_per_1000(self) -> float:
        return self.seconds["first"] / self.customers * 1_000


def measure(folder: Path, customers: int) -> Figures:
    """Import so many customers into an empty BSS, then all again, then what changed: nothing.

    Raises:
        LateError: A run did not end.
    """
    figures = Figures(customers)
    with (
        arena(customers=customers, latency_ms=0, mix="direct=1") as sandbox,
        airflow_and_import(folder / "postgres") as (airflow_url, import_url),
    ):
        instances = _without_limit(Path(sandbox.environment["CUSTOMER_IMPORT_INSTANCES"]))
        settings = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": airflow_url} | _PATIENT
        with RealAirflow(folder / "home", instances, settings) as airflow:
            airflow.prepare(_DAG_ID, sandbox.info, import_url)
            with PeakMemory() as memory:
                first = _run(airflow, figures, "first")
            figures.task_s = first.task_seconds()
            for task in first.tasks:
                name, peak_mb = task["task_id"], memory.peak_mb.get(task["id"], 0)
                figures.task_mb[name] = max(figures.task_mb.get(name, 0), peak_mb)
            _page(airflow, figures, first.run_id)
            _check(figures, sandbox)
            _run(airflow, figures, "next")
            _run(airflow, figures, "changed")
            _check(figures, sandbox)
    return figures


def _without_limit(instances: Path) -> Path:
    document = yaml.safe_load(instances.read_text(encoding="utf-8"))
    for instance in document["instances"].values():
        instance["partner_center"]["requests_per_minute"] = _NO_LIMIT
    instances.write_text(yaml.safe_dump(document), encoding="utf-8")
    return instances


def _run(airflow: RealAirflow, figures: Figures, name: str) -> EndedRun:
    scope = Scope.CHANGED if name == "changed" else Scope.FULL
    conf = {"instance": INSTANCES[ImportType.DIRECT], "scope": scope.value}
    run = airflow.run(_DAG_ID, conf, RUN_TIMEOUT_S)
    figures.seconds[name] = run.seconds
    if run.fault:
        figures.faults.append(f"the {name} run: {run.fault}")
    summary = airflow.api.xcom(_DAG_ID, run.run_id, "finish_run")
    outcomes = {outcome: count for outcome, count in summary["outcomes"].items() if count}
    figures.outcomes[name] = outcomes
    unwanted = ("failed", "ambiguous") if name == "first" else ("failed", "created", "updated")
    figures.faults += [f"{name} run: {one}: {outcomes[one]}" for one in unwanted if one in outcomes]
    if sum(outcomes.values()) != summary["discovered"]:
        figures.faults.append(f"{summary['discovered']} discovered, {outcomes}")
    return run


def _page(airflow: RealAirflow, figures: Figures, run_id: str) -> None:
    address = f"{airflow.api.url}/customer-import/?dag_id={_DAG_ID}&run_id={quote(run_id)}"
    taken_ms = []
    for _ in range(_LOOKS):
        began = time.perf_counter()
        airflow.api.http.get(address, timeout=60).raise_for_status()
        taken_ms.append((time.perf_counter() - began) * 1_000)
    figures.page_ms = statistics.median(taken_ms)


def _check(figures: Figures, sandbox: Arena) -> None:
    """Note what the sandbox finds wrong with the accounts and contacts."""
    for name, count in sandbox.control("/check")["figures"]["total"].items():
        if count:
            figures.faults.append(f"{name}: {count}")
