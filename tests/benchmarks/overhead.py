"""A whole import in real Airflow beside a DAG of the same shape whose tasks do nothing.

What is left above the empty DAG is our own work: the imports of the tasks' libraries, the requests, the staging.
The scheduler looks for work as often as Airflow makes it by default, and the import's database has its tables.
"""

from __future__ import annotations

import statistics
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from customer_import.vocabulary import ImportType
from sandbox.demo.settings import ROOT
from tests.benchmarks.arena import arena
from tests.support.library_run import INSTANCES
from tests.support.real_airflow import RealAirflow, wait

if TYPE_CHECKING:
    from tests.benchmarks.arena import Arena

RUN_TIMEOUT_S = 300.0
_OURS = ImportType.DIRECT.dag_id
_EMPTY = "empty_tasks"
SAME_SHAPE = f"""
from airflow.sdk import DAG, task

@task
def start_run(): return 1
@task
def extract_customers(run_key): return {{}}
@task
def validate_customers(run_key): return {{}}
@task
def transform_customers(run_key): return [0]
@task
def list_accounts(run_key): return {{}}
@task
def approve_load(run_key): return {{}}
@task
def load_customers(run_key, batch): return {{}}
@task(trigger_rule="all_done")
def finish_run(): return {{}}

with DAG("{_EMPTY}", schedule=None):
    run_key = start_run()
    batches = transform_customers(run_key)
    extracted, validated, approved = extract_customers(run_key), validate_customers(run_key), approve_load(run_key)
    extracted >> validated >> batches >> list_accounts(run_key) >> approved
    approved >> load_customers.partial(run_key=run_key).expand(batch=batches) >> finish_run()
"""
_AS_SHIPPED = {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1"}


def measure(customers: int, repeat: int) -> dict[str, float]:
    """Run both DAGs in turn.

    Args:
        customers: In the sandbox, all of them new to the BSS in each run.
        repeat: Runs of each DAG.

    Returns:
        Median seconds from the start of a run to its end, by ``ours`` and ``empty``.
    """
    with (
        tempfile.TemporaryDirectory(prefix="customer-import-bench-") as name,
        arena(customers=customers, latency_ms=0, mix="direct=1") as sandbox,
    ):
        folder = Path(name)
        instances = Path(sandbox.environment["CUSTOMER_IMPORT_INSTANCES"])
        dags = {"AIRFLOW__CORE__DAGS_FOLDER": str(_dags(folder / "dags"))}
        with RealAirflow(folder, instances, dags | _AS_SHIPPED) as airflow:
            wait(f"{_EMPTY} was not parsed", partial(airflow.api.has_dag, _EMPTY), RUN_TIMEOUT_S)
            airflow.api.unpause(_EMPTY)
            seconds: dict[str, list[float]] = {"ours": [], "empty": []}
            _run(airflow, _EMPTY, {})  # the API server builds its execution API at the first task
            for number in range(repeat):
                _into_empty_bss(sandbox, airflow, f"sqlite:///{folder}/import_{number}.db")
                conf = {"instance": INSTANCES[ImportType.DIRECT]}
                seconds["ours"].append(_run(airflow, _OURS, conf))
                seconds["empty"].append(_run(airflow, _EMPTY, {}))
    return {name: statistics.median(own) for name, own in seconds.items()}


def _dags(folder: Path) -> Path:
    folder.mkdir()
    (folder / "empty_tasks.py").write_text(SAME_SHAPE, encoding="utf-8")
    (folder / "import_direct.py").symlink_to(ROOT / "dags" / "import_direct.py")
    return folder


def _into_empty_bss(sandbox: Arena, airflow: RealAirflow, database_url: str) -> None:
    sandbox.control("/reset", {}, "POST")
    engine = open_engine(database_url)
    migrate(engine)
    engine.dispose()
    airflow.prepare(_OURS, sandbox.info, database_url)


def _run(airflow: RealAirflow, dag_id: str, conf: dict[str, str]) -> float:
    """Run a DAG to its end; return the seconds that took.

    Raises:
        RuntimeError: The run failed.
    """
    run = airflow.run(dag_id, conf, RUN_TIMEOUT_S)
    if run.fault:
        raise RuntimeError(run.fault)
    return run.seconds
