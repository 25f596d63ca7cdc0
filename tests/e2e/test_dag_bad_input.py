"""Bad input ends a run at once, in words, with nothing loaded; the other modes load nothing either."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import func, select

from customer_import.config.paths import include_folder
from customer_import.database.engine import open_engine
from customer_import.database.tables import import_results, import_runs, staged_customers
from customer_import.runs.latest import latest_runs
from customer_import.vocabulary import ImportType
from sandbox.demo.settings import BSS_CONNECTION, PARTNER_CENTER_CONNECTION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow.sdk import DAG

    from sandbox.server import SandboxServer


@pytest.fixture(autouse=True)
def _sqlite(sqlite_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "sqlite", "host": sqlite_database_url.removeprefix("sqlite:///")}
    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", orjson.dumps(connection).decode())


def states(dag_run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


def tries(dag_run: Any, task_id: str) -> int:
    return next(ti.try_number for ti in dag_run.get_task_instances() if ti.task_id == task_id)


def error_of_latest_run() -> str:
    with open_engine().connect() as connection:
        query = select(import_runs.c.error).order_by(import_runs.c.id.desc()).limit(1)
        return str(connection.execute(query).scalar_one())


def change_connection(monkeypatch: pytest.MonkeyPatch, name: str, **changes: Any) -> None:
    import os

    variable = f"AIRFLOW_CONN_{name.upper()}"
    connection = orjson.loads(os.environ[variable])
    extra = orjson.loads(connection["extra"]) | changes.pop("extra", {})
    connection |= changes | {"extra": orjson.dumps(extra).decode()}
    monkeypatch.setenv(variable, orjson.dumps(connection).decode())


def run_direct(load_dag: Callable[[str], DAG], **conf: Any) -> Any:
    return load_dag(ImportType.DIRECT.dag_id).test(run_conf={"instance": "sandbox", **conf})


def requests_to(sandbox: SandboxServer) -> int:
    return sum(sum(by.values()) for by in sandbox.requests.by_endpoint().values())


def assert_nothing_was_loaded(sandbox: SandboxServer) -> None:
    assert [len(o.accounts) for o in sandbox.bss.organisations.values()] == [0, 0]


@pytest.mark.parametrize(
    ("connection", "changes", "says"),
    [
        (PARTNER_CENTER_CONNECTION, {"password": "not the secret"}, "Partner.*AADSTS7000215"),
        (BSS_CONNECTION, {"password": "not the password"}, "BSS"),
        (BSS_CONNECTION, {"extra": {"client_secrets": "x"}}, "did you mean 'client_secret'"),
        (PARTNER_CENTER_CONNECTION, {"extra": {"tenannt_id": "x"}}, "did you mean 'tenant_id'"),
    ],
)
def test_wrong_credentials_fail_the_run_at_the_first_attempt_in_words(
    connection: str,
    changes: dict[str, Any],
    says: str,
    sandbox: SandboxServer,
    load_dag: Callable[[str], DAG],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change_connection(monkeypatch, connection, **changes)

    dag_run = run_direct(load_dag)

    assert str(dag_run.state) == "failed"
    assert states(dag_run)["start_run"] == "failed"
    assert tries(dag_run, "start_run") == 1
    assert latest_runs(open_engine())[0]["state"] == "failed"
    error = error_of_latest_run()
    assert re.search(says, error), error
    assert "not the" not in error
    assert_nothing_was_loaded(sandbox)


def test_an_app_only_token_cannot_run_the_indirect_import(
    sandbox: SandboxServer, load_dag: Callable[[str], DAG], monkeypatch: pytest.MonkeyPatch
) -> None:
    change_connection(monkeypatch, PARTNER_CENTER_CONNECTION, extra={"flow": "app_only"})

    dag_run = load_dag(ImportType.INDIRECT.dag_id).test(run_conf={"instance": "sandbox"})

    assert str(dag_run.state) == "failed"
    assert "app_user" in error_of_latest_run()
    assert_nothing_was_loaded(sandbox)


def test_a_broken_mapping_file_fails_before_anything_is_fetched(
    sandbox: SandboxServer,
    load_dag: Callable[[str], DAG],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    shutil.copytree(include_folder() / "mappings", tmp_path / "include" / "mappings")
    account = tmp_path / "include" / "mappings" / "account.yaml"
    account.write_text(account.read_text().replace("billingProfile.email", "billingProfile.emial"))
    monkeypatch.setenv("CUSTOMER_IMPORT_INCLUDE", str(tmp_path / "include"))

    dag_run = run_direct(load_dag)

    assert str(dag_run.state) == "failed"
    error = error_of_latest_run()
    assert "account.yaml" in error
    assert "fields.email.source" in error
    assert "did you mean 'billingProfile.email'" in error
    assert requests_to(sandbox) == 0


def test_a_preview_says_what_an_import_would_do_and_writes_nothing(
    sandbox: SandboxServer, load_dag: Callable[[str], DAG]
) -> None:
    dag_run = run_direct(load_dag, mode="preview")

    assert str(dag_run.state) == "success"
    run = latest_runs(open_engine())[0]
    assert run["would_create"] > 25
    assert run["created"] == 0
    assert_nothing_was_loaded(sandbox)


def test_discover_only_lists_and_classifies(
    sandbox: SandboxServer, load_dag: Callable[[str], DAG]
) -> None:
    dag_run = run_direct(load_dag, mode="discover")

    assert str(dag_run.state) == "success"
    with open_engine().connect() as connection:
        discovered = connection.execute(
            select(func.count())
            .select_from(staged_customers)
            .where(staged_customers.c.is_discovered.is_(True))
        ).scalar_one()
    assert discovered > 50
    assert latest_runs(open_engine())[0]["discovered"] == discovered
    assert_nothing_was_loaded(sandbox)


def test_a_check_compares_and_loads_nobody(
    sandbox: SandboxServer, load_dag: Callable[[str], DAG]
) -> None:
    dag_run = run_direct(load_dag, mode="check")

    assert str(dag_run.state) == "success"
    with open_engine().connect() as connection:
        summary = connection.execute(select(import_runs.c.summary)).scalar_one()
    assert summary["drift"] == {"linked": 0, "compared": 0, "changed": 0, "found": {}}
    assert_nothing_was_loaded(sandbox)


def test_only_the_named_tenants_are_imported(
    sandbox: SandboxServer, load_dag: Callable[[str], DAG]
) -> None:
    wanted = [
        tenant
        for tenant, customer in sandbox.source.customers.items()
        if "direct" in sandbox.source.truth(customer).classes
        and not sandbox.source.truth(customer).peculiarities
    ][:3]

    dag_run = run_direct(load_dag, tenants=[wanted[0].upper(), *wanted[1:]])

    assert str(dag_run.state) == "success"
    with open_engine().connect() as connection:
        rows = connection.execute(
            select(import_results.c.tenant_id, import_results.c.outcome)
        ).all()
    assert sorted(rows) == sorted((tenant, "created") for tenant in wanted)


def test_too_many_rejected_customers_stop_the_run_before_the_load(
    sandbox: SandboxServer, load_dag: Callable[[str], DAG]
) -> None:
    dag_run = run_direct(load_dag, max_rejected_percent=0)

    assert str(dag_run.state) == "failed"
    assert "rejected" in error_of_latest_run()
    run = latest_runs(open_engine())[0]
    assert run["discovered"] == run["rejected"] + run["failed"] + run["skipped"] + run["ambiguous"]
    assert_nothing_was_loaded(sandbox)


def test_an_unknown_instance_is_named_with_the_known_ones(
    sandbox: SandboxServer, load_dag: Callable[[str], DAG]
) -> None:
    dag_run = load_dag(ImportType.DIRECT.dag_id).test(run_conf={"instance": "sandboxx"})

    assert str(dag_run.state) == "failed"
    assert states(dag_run)["finish_run"] == "failed"
    assert "did you mean 'sandbox'" in error_of_latest_run()
