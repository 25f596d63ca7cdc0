"""What every DAG of this project must keep to."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from airflow.sdk import DAG

DAGS = Path(__file__).resolve().parents[2] / "dags"
TASKS = [
    "start_run",
    "extract_customers",
    "validate_customers",
    "transform_customers",
    "list_accounts",
    "approve_load",
    "load_customers",
    "finish_run",
]
HEAVY = ("pandas", "great_expectations", "msal", "aiohttp", "sqlalchemy", "alembic", "tenacity")


@pytest.fixture(scope="module")
def dags(airflow_home: Path) -> dict[str, DAG]:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(str(DAGS), bundle_path=DAGS, bundle_name="dags")
    assert bag.import_errors == {}
    return bag.dags


MAINTENANCE = "maintain_customer_import"
REQUESTED = "import_requested_customers"


def every_import() -> list[str]:
    return [import_type.dag_id for import_type in ImportType]


def every_dag() -> list[str]:
    return [*every_import(), MAINTENANCE, REQUESTED]


def test_there_are_exactly_the_three_imports_their_maintenance_and_their_requests(
    dags: dict[str, DAG],
) -> None:
    assert sorted(dags) == sorted(every_dag())


@pytest.mark.parametrize("dag_id", every_import())
def test_an_import_runs_on_demand_only(dags: dict[str, DAG], dag_id: str) -> None:
    assert dags[dag_id].schedule is None


def test_personal_data_is_removed_and_imports_are_watched_every_hour(dags: dict[str, DAG]) -> None:
    dag = dags[MAINTENANCE]
    assert dag.task_ids == ["purge_personal_data", "watch_imports"]
    assert dag.schedule == "@hourly"
    assert dag.params["keep_days"] is None
    assert dag.is_paused_upon_creation is False


def test_requests_are_listened_to_from_the_beginning(dags: dict[str, DAG]) -> None:
    dag = dags[REQUESTED]
    assert dag.task_ids == ["read_requests", "start_import"]
    assert "customer_import_requests" in repr(dag.schedule)
    assert dag.is_paused_upon_creation is False


@pytest.mark.parametrize("dag_id", every_import())
def test_the_graph_is_the_shared_one(dags: dict[str, DAG], dag_id: str) -> None:
    dag = dags[dag_id]
    assert sorted(dag.task_ids) == sorted(TASKS)
    for before, after in pairwise(TASKS):
        assert after in dag.get_task(before).downstream_task_ids


@pytest.mark.parametrize("dag_id", every_dag())
def test_a_dag_runs_alone_and_says_what_it_does(dags: dict[str, DAG], dag_id: str) -> None:
    dag = dags[dag_id]
    assert dag.max_active_runs == 1
    assert dag.catchup is False
    assert "customer-import" in dag.tags
    assert len(dag.doc_md or "") > 500
    assert dag.description


@pytest.mark.parametrize("dag_id", [kind.dag_id for kind in ImportType])
def test_a_load_is_tried_again_more_often_than_a_deployment_breaks_in_an_hour(
    dags: dict[str, DAG], dag_id: str
) -> None:
    """Each machine, broker or database that goes away costs the loads at work a try; four were too few."""
    assert (dags[dag_id].get_task("load_customers").retries or 0) >= 10


@pytest.mark.parametrize("dag_id", every_import())
def test_few_load_tasks_are_at_work_at_once_on_one_machine(
    dags: dict[str, DAG], dag_id: str
) -> None:
    assert dags[dag_id].get_task("load_customers").max_active_tis_per_dagrun == 4


@pytest.mark.parametrize("dag_id", every_dag())
def test_every_task_has_owner_retries_policy_timeout_and_doc(
    dags: dict[str, DAG], dag_id: str
) -> None:
    for task in dags[dag_id].tasks:
        assert task.owner == "customer-import", task.task_id
        assert (task.retries or 0) >= 2, task.task_id
        assert task.execution_timeout, task.task_id
        assert task.execution_timeout.total_seconds() > 0, task.task_id
        assert task.retry_policy is not None, task.task_id
        assert task.doc_md, task.task_id


@pytest.mark.parametrize("dag_id", every_dag())
def test_every_param_reads_well_in_the_trigger_form(dags: dict[str, DAG], dag_id: str) -> None:
    params = {name: dags[dag_id].params.get_param(name) for name in dags[dag_id].params}
    for name, param in params.items():
        assert param.description, f"{dag_id}.{name} has no description"
        for key in ("type", "title", "section"):
            assert param.schema.get(key), f"{dag_id}.{name} has no {key}"
    assert ("reseller_mpn_ids" in params) == (dag_id == ImportType.INDIRECT.dag_id)


@pytest.mark.parametrize("dag_id", every_import())
def test_every_param_is_one_that_a_run_knows(dags: dict[str, DAG], dag_id: str) -> None:
    from customer_import.runs.parameters import RunParams

    assert set(dags[dag_id].params) <= set(RunParams.model_fields)
    RunParams.parse({**dags[dag_id].params.dump(), "instance": "default"})


def test_no_task_needs_a_pool_that_somebody_has_to_make(dags: dict[str, DAG]) -> None:
    pools = {task.pool for dag_id in every_import() for task in dags[dag_id].tasks}
    assert pools == {"default_pool"}


def test_dag_files_are_thin() -> None:
    lines = {path.name: len(path.read_text("utf-8").splitlines()) for path in DAGS.glob("*.py")}
    assert len(lines) == 6
    assert max(lines.values()) <= 60, lines


PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
before = set(sys.modules)
bag = DagBag(sys.argv[1], bundle_path=None, bundle_name="dags")
assert not bag.import_errors, bag.import_errors
serialised = {k: DagSerialization.to_dict(d) for k, d in sorted(bag.dags.items())}
heavy = sorted(set(sys.modules) - before)
print("RESULT" + json.dumps({"dags": serialised, "imported": heavy}, sort_keys=True, default=str))
"""


@pytest.fixture(scope="module")
def two_parses(airflow_home: Path) -> list[dict[str, Any]]:
    parses = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", PARSE, str(DAGS)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        line = next(part for part in done.stdout.splitlines() if part.startswith("RESULT"))
        parses.append(json.loads(line.removeprefix("RESULT")))
    return parses


def test_two_parses_give_one_serialised_form(two_parses: list[dict[str, Any]]) -> None:
    assert two_parses[0]["dags"] == two_parses[1]["dags"]


def test_parsing_imports_nothing_heavy(two_parses: list[dict[str, Any]]) -> None:
    library = [name for name in two_parses[0]["imported"] if name.startswith("customer_import")]
    # Where the package is installed, Airflow has loaded it for its connection types before.
    assert sorted({"customer_import", *library}) == [
        "customer_import",
        "customer_import.config",
        "customer_import.config.instance_names",
        "customer_import.config.paths",
        "customer_import.config.roles",
        "customer_import.errors",
        "customer_import.machines",
        "customer_import.pipeline",
        "customer_import.pipeline.approval",
        "customer_import.pipeline.database_outage",
        "customer_import.pipeline.documentation",
        "customer_import.pipeline.import_dag",
        "customer_import.pipeline.maintenance_dag",
        "customer_import.pipeline.parameters",
        "customer_import.pipeline.request_dag",
        "customer_import.pipeline.request_events",
        "customer_import.pipeline.scheduled_dags",
        "customer_import.pipeline.start_import",
        "customer_import.pipeline.task_run",
        "customer_import.vocabulary",
    ]
    assert [name for name in two_parses[0]["imported"] if name.partition(".")[0] in HEAVY] == []


def test_an_import_does_without_airflows_own_database() -> None:
    """Each of its tasks imports its DAG's file again, on a worker that may have nothing of it."""
    code = (
        "import sys\n"
        "from customer_import.pipeline import build_import_dag\n"
        "from customer_import.vocabulary import ImportType\n"
        "build_import_dag(ImportType.DIRECT)\n"
        "assert 'airflow.models.dagrun' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_dag_files_and_graph_import_airflow_only_from_its_public_interface() -> None:
    library = DAGS.parent / "plugins" / "customer_import"
    imported = [
        (path.name, words[1])
        for path in (*DAGS.glob("*.py"), *(library / "pipeline").glob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if (words := line.split())[:1] in (["import"], ["from"])
        and words[1].partition(".")[0] == "airflow"
    ]
    assert imported
    public = ("airflow.sdk", "airflow.providers.standard.operators.")
    assert [found for found in imported if not found[1].startswith(public)] == []


def test_the_library_is_hidden_from_the_plugin_scan() -> None:
    ignored = (DAGS.parent / "plugins" / ".airflowignore").read_text(encoding="utf-8").split()
    assert ignored == ["customer_import/"]
