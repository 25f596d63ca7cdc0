"""A whole run of each DAG in real Airflow against the sandbox, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import select, update

from customer_import.database.engine import open_engine
from customer_import.database.tables import import_results, import_runs, sent_notices
from customer_import.runs.latest import latest_runs
from customer_import.runs.tasks import TaskAttempt, last_attempts
from customer_import.vocabulary import ImportType, Outcome, RunState, TaskId
from sandbox.demo.settings import REFRESH_TOKEN_VARIABLE
from tests.support.bss_state import faults_of
from tests.support.library_run import INSTANCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import DAG

    from sandbox.server import SandboxServer

EVERY_OUTCOME = [outcome.value for outcome in Outcome]


def run_dag(dag: DAG, import_type: ImportType, **conf: Any) -> Any:
    return dag.test(run_conf={"instance": INSTANCES[import_type], **conf})


def latest(import_type: ImportType) -> dict[str, Any]:
    return next(run for run in latest_runs(open_engine()) if run["import_type"] == import_type)


def attempts_of(run_key: int) -> list[TaskAttempt]:
    with open_engine().connect() as connection:
        return last_attempts(connection, run_key)


def summary_of(dag_run: Any) -> dict[str, Any]:
    ti = next(ti for ti in dag_run.get_task_instances() if ti.task_id == "finish_run")
    value: dict[str, Any] = ti.xcom_pull(task_ids="finish_run")
    return value


@pytest.mark.parametrize("import_type", list(ImportType))
def test_a_run_imports_every_customer_once_and_a_second_run_writes_nothing(
    import_type: ImportType,
    database: str,
    sandbox: SandboxServer,
    load_dag: Callable[[str], DAG],
) -> None:
    dag = load_dag(import_type.dag_id)

    first = run_dag(dag, import_type)

    assert first.state == "success"
    result = latest(import_type)
    assert result["discovered"] == sum(result[outcome] for outcome in EVERY_OUTCOME) > 30
    assert result["created"] > 25
    assert result["failed"] == 0
    summary = summary_of(first)
    tasks = attempts_of(summary["run_key"])
    assert {task.task_id for task in tasks} == set(TaskId)
    assert {(task.state, task.attempt) for task in tasks} == {(RunState.SUCCESS, 1)}
    loads = [task.map_index for task in tasks if task.task_id == TaskId.LOAD_CUSTOMERS]
    assert sorted(loads) == list(range(len(loads)))
    assert set(summary["durations_s"]) == set(TaskId) - {TaskId.FINISH_RUN}
    assert summary["airflow_run_id"] == first.run_id

    second = run_dag(dag, import_type)

    assert second.state == "success"
    again = latest(import_type)
    assert (again["created"], again["updated"]) == (0, 0)
    assert again["unchanged"] == result["created"]
    assert faults_of(sandbox) == {}


def test_the_renewed_refresh_token_is_written_back_to_its_variable_once_a_day(
    sqlite_database_url: str,
    sandbox: SandboxServer,
    load_dag: Callable[[str], DAG],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from airflow.models import Variable

    connection = {"conn_type": "sqlite", "host": sqlite_database_url.removeprefix("sqlite:///")}
    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", orjson.dumps(connection).decode())
    dag = load_dag("import_indirect_customers")
    tokens = [Variable.get(REFRESH_TOKEN_VARIABLE)]
    assert tokens == [sandbox.info.refresh_token]

    for hours_later in (0, 0, 21):
        if hours_later:
            earlier = datetime.now(UTC) - timedelta(hours=hours_later)
            with open_engine().begin() as database:
                database.execute(update(sent_notices).values(sent_at=earlier))
        assert run_dag(dag, ImportType.INDIRECT, mode="check").state == "success"
        tokens.append(Variable.get(REFRESH_TOKEN_VARIABLE))

    _, first, second, third = tokens
    assert first not in (sandbox.info.refresh_token, "")
    assert second == first
    assert third != first


def test_a_refresh_token_of_the_environment_is_said_to_end(
    sqlite_database_url: str,
    sandbox: SandboxServer,
    load_dag: Callable[[str], DAG],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection = {"conn_type": "sqlite", "host": sqlite_database_url.removeprefix("sqlite:///")}
    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", orjson.dumps(connection).decode())
    of_the_environment = f"AIRFLOW_VAR_{REFRESH_TOKEN_VARIABLE.upper()}"
    monkeypatch.setenv(of_the_environment, sandbox.info.refresh_token)

    run = run_dag(load_dag("import_indirect_customers"), ImportType.INDIRECT, mode="check")

    assert run.state == "success"
    (said,) = {
        r.getMessage()
        for r in caplog.records
        if r.levelname == "WARNING" and "renewed" in r.msg + str(r.args)
    }
    assert f"from the environment variable {of_the_environment}" in said
    assert "It ends 90 days after it was issued, on " in said


def test_the_three_imports_share_one_bss_without_duplicates(
    database: str, sandbox: SandboxServer, load_dag: Callable[[str], DAG]
) -> None:
    for import_type in ImportType:
        assert run_dag(load_dag(import_type.dag_id), import_type).state == "success"

    indirect = latest(ImportType.INDIRECT)
    with open_engine().connect() as connection:
        reasons = connection.execute(
            select(import_results.c.reason, import_results.c.account_id)
            .join(import_runs, import_runs.c.id == import_results.c.run_id)
            .where(
                import_runs.c.airflow_run_id == indirect["run_id"],
                import_results.c.reason_code == "already_imported",
            )
        ).all()
    assert reasons, "the population has customers that belong to both lists"
    assert all("direct" in reason and account for reason, account in reasons)
    assert faults_of(sandbox) == {}
