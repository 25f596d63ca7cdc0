"""A load that is approved, rejected and left without an answer, in real Airflow: by its REST API and its rights."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from customer_import.config.paths import INSTANCES_VARIABLE
from customer_import.database.engine import open_engine
from customer_import.runs.latest import latest_runs
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.models.hitl import HITLDetail
    from airflow.sdk import DAG
    from fastapi.testclient import TestClient

    from sandbox.server import SandboxServer

DIRECT = ImportType.DIRECT
ROLES = {"anna": "op", "bert": "op", "vera": "viewer"}


@pytest.fixture
def client_of(airflow_database: None) -> Iterator[Callable[[str], TestClient]]:
    """Airflow's API server in this process; log a user in as a browser does."""
    from airflow.api_fastapi import app as airflow_app
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    is_shared = airflow_app._AuthManagerState.instance is not None
    users = ",".join(f"{name}:{role}" for name, role in ROLES.items())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", users)
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "False")
        airflow_app.purge_cached_app()
        app = airflow_app.create_app(apps="core")

        def log_in(name: str) -> TestClient:
            user = SimpleAuthManagerUser(username=name, role=ROLES[name])
            client = TestClient(app, raise_server_exceptions=False)
            token = airflow_app.get_auth_manager().generate_jwt(user)
            client.cookies.set("_token", token)
            return client

        yield log_in
    airflow_app.purge_cached_app()
    if is_shared:  # other tests of this process go on with theirs
        airflow_app.init_auth_manager()


def wait_for_question() -> tuple[HITLDetail, str]:
    """Return the question that waits for its answer, and the path of its REST resource."""
    from airflow.models.hitl import HITLDetail
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    until = time.monotonic() + 120
    while time.monotonic() < until:
        with create_session() as session:
            task = session.scalar(
                select(TaskInstance).where(TaskInstance.state == "awaiting_input")
            )
            if task is not None:
                detail = session.scalar(select(HITLDetail).where(HITLDetail.ti_id == task.id))
                assert detail is not None
                session.expunge_all()
                run = f"/api/v2/dags/{task.dag_id}/dagRuns/{task.run_id}"
                return detail, f"{run}/taskInstances/{task.task_id}/-1/hitlDetails"
        time.sleep(0.2)
    raise TimeoutError


def respond(client: TestClient, path: str, choice: str, comment: str = "") -> int:
    body = {"chosen_options": [choice], "params_input": {"comment": comment}}
    return client.patch(path, json=body).status_code


def answering(person: Callable[[], list[int]]) -> list[int]:
    """Let a person answer; a run whose person fails does not wait for ever."""
    try:
        return person()
    except BaseException:
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import update

        with create_session() as session:
            waiting = update(TaskInstance).where(TaskInstance.state == "awaiting_input")
            session.execute(waiting.values(state="failed"))
        raise


def let_it_time_out() -> None:
    """What Airflow's scheduler does in every loop."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    until = time.monotonic() + 60
    scheduler = SchedulerJobRunner(job=Job())
    while time.monotonic() < until:
        scheduler.check_awaiting_input_timeouts()
        if wait_is_over():
            return
        time.sleep(0.2)
    raise TimeoutError


def wait_is_over() -> bool:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        waiting = select(TaskInstance).where(TaskInstance.state == "awaiting_input")
        return session.scalar(waiting) is None


def configure(**values: Any) -> None:
    import os

    path = Path(os.environ[INSTANCES_VARIABLE])
    raw = yaml.safe_load(path.read_text())
    raw["instances"]["sandbox"].update(values)
    path.write_text(yaml.safe_dump(raw))


def test_a_load_is_rejected_times_out_and_is_approved(
    sqlite_database_url: str,
    sandbox: SandboxServer,
    load_dag: Callable[[str], DAG],
    client_of: Callable[[str], TestClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = {"conn_type": "sqlite", "host": sqlite_database_url.removeprefix("sqlite:///")}
    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", json.dumps(connection))
    configure(approvers=["anna"])
    source = sandbox.source
    tenants = [
        customer.tenant_id
        for customer in source.customers.values()
        if set(source.truth(customer).classes) == {DIRECT.value} and not customer.peculiarities
    ][:3]
    assert len(tenants) == 3
    dag = load_dag(DIRECT.dag_id)
    conf = {"instance": "sandbox", "tenants": tenants}
    bss = sandbox.bss.organisations["provider"]
    anna, bert, vera = map(client_of, ROLES)

    def reject() -> list[int]:
        detail, path = wait_for_question()
        assert "create 3 and update 0 customers" in detail.subject
        assert "It asks because the run was started so" in (detail.body or "")
        assert "customer-import/?dag_id=import_direct_customers" in (detail.body or "")
        refused = [respond(client, path, "Approve") for client in (vera, bert)]
        return [*refused, respond(anna, path, "Reject", "not today")]

    def time_out() -> list[int]:
        _, path = wait_for_question()
        let_it_time_out()
        return [respond(anna, path, "Approve")]

    def approve() -> list[int]:
        _, path = wait_for_question()
        return [respond(anna, path, "Approve"), respond(anna, path, "Reject")]

    def run_while(person: Callable[[], list[int]]) -> tuple[dict[str, Any], list[int]]:
        with ThreadPoolExecutor(1) as pool:
            answers = pool.submit(answering, person)
            run = dag.test(run_conf={**conf, "require_approval": True})
        given = answers.result()
        assert run.state == "success"
        return latest_runs(open_engine())[0], given

    rejected, answers = run_while(reject)
    assert answers == [403, 403, 200]
    assert (rejected["skipped"], rejected["created"]) == (3, 0)

    configure(approval_timeout_hours=0.0001)
    timed_out, answers = run_while(time_out)
    assert answers == [409]
    assert (timed_out["skipped"], timed_out["created"]) == (3, 0)
    assert bss.accounts == {}

    configure(approval_timeout_hours=1)
    approved, answers = run_while(approve)
    assert answers == [200, 409]
    assert (approved["skipped"], approved["created"]) == (0, 3)
    assert len(bss.accounts) == 3
