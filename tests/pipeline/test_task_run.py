"""What tasks do at their edge: runs take turns, and none is closed while its tasks are at work again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from airflow.sdk.exceptions import AirflowRescheduleException
from airflow.sdk.execution_time.context import set_current_context

from customer_import.config.paths import include_folder
from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from customer_import.errors import ConfigurationError
from customer_import.pipeline import build_import_dag
from customer_import.pipeline.task_run import wait_for_cleared, wait_for_turn
from customer_import.runs.parameters import RunParams
from customer_import.runs.reference_data import get_reference, put_reference
from customer_import.runs.run import record_run
from customer_import.vocabulary import ImportType, ReferenceName

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

OWN = ImportType.DIRECT.dag_id
ENDED = {"start_run": "success", "load_customers_0": "failed", "approve_load": "skipped"}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The database that the connection leads to."""
    connection = f'{{"conn_type": "sqlite", "host": "{tmp_path / "import.db"}"}}'
    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", connection)
    migrate(open_engine())
    return open_engine()


@pytest.mark.parametrize("state", [None, "scheduled", "queued", "running", "up_for_retry"])
def test_a_run_with_a_cleared_task_is_closed_later(
    state: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    context = cast("Any", {"ti": SimpleNamespace(task_id="finish_run")})
    with set_current_context(context):
        wait_for_cleared(ENDED | {"finish_run": "running"})
        with pytest.raises(AirflowRescheduleException):
            wait_for_cleared(ENDED | {"finish_run": "running", "load_customers_1": state})


@pytest.mark.parametrize(
    ("before", "state", "waits"),
    [
        ("import_direct_customers", "running", True),  # a backfill's runs go side by side
        ("import_direct_customers", "queued", False),  # it has to wait for this one itself
        ("import_direct_customers", "failed", False),
        ("import_direct_customers__north", "running", True),
        ("import_direct_customers__north", "queued", True),
        ("import_direct_customers__north", "success", False),
    ],
)
def test_a_run_waits_for_an_earlier_one_for_the_same_customers(
    engine: Engine, before: str, state: str, waits: bool
) -> None:
    params = RunParams(instance="default")
    record_run(engine, before, "one", ImportType.DIRECT, params, None)
    key = record_run(engine, OWN, "two", ImportType.DIRECT, params, None)

    def count(dag_id: str, run_ids: list[str], states: list[str]) -> int:
        return int((dag_id, run_ids) == (before, ["one"]) and state in states)

    ti = SimpleNamespace(get_dr_count=count)
    context = cast("Any", {"ti": ti, "dag_run": SimpleNamespace(dag_id=OWN)})
    with set_current_context(context):
        if waits:
            with pytest.raises(AirflowRescheduleException):
                wait_for_turn(key)
        else:
            wait_for_turn(key)


@pytest.mark.parametrize(
    ("extract", "is_kept"), [("success", True), (None, False), ("upstream_failed", False)]
)
def test_a_first_task_that_is_cleared_alone_wipes_nothing(
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    extract: str | None,
    is_kept: bool,
) -> None:
    shipped = str(include_folder() / "instances.yaml")
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", shipped)
    params = {"instance": "default"}
    key = record_run(engine, OWN, "one", ImportType.DIRECT, RunParams.parse(params), None)
    put_reference(engine, key, ReferenceName.RESELLERS, [])
    ti = SimpleNamespace(
        get_task_states=lambda **_: {"one": {"start_run": "running", "extract_customers": extract}},
        get_dr_count=lambda **_: 0,
        map_index=-1,
        try_number=2,
    )
    dag_run = SimpleNamespace(dag_id=OWN, run_id="one")
    context = cast("Any", {"ti": ti, "dag_run": dag_run, "params": params})
    task: Any = build_import_dag(ImportType.DIRECT).get_task("start_run")
    with set_current_context(context):
        if is_kept:
            assert task.python_callable(ImportType.DIRECT.value) == key
            assert "downstream" in caplog.text
        else:
            with pytest.raises(ConfigurationError, match="partner_center_default"):
                task.python_callable(ImportType.DIRECT.value)
    assert (get_reference(engine, key, ReferenceName.RESELLERS) is not None) == is_kept
