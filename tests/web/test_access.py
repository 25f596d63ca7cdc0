"""Nobody without a login sees anything, and nobody sees rows of a DAG that he may not read."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from fastapi.routing import APIRoute
from starlette.applications import Starlette
from starlette.routing import Mount

from customer_import.vocabulary import ImportType
from tests.web.conftest import PREFIX
from tests.web.data import add_link, add_results, add_run, add_staged, tenant_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

PLACEHOLDERS = {"{run_key}": "1", "{tenant_id}": "t", "{name:path}": "app.js"}


def pages_app(airflow_app: FastAPI) -> Starlette:
    mounts = [route for route in airflow_app.routes if isinstance(route, Mount)]
    (app,) = [mount.app for mount in mounts if mount.path == PREFIX]
    assert isinstance(app, Starlette)
    return app


def addresses(airflow_app: FastAPI) -> list[tuple[str, str]]:
    found = []
    for route in pages_app(airflow_app).routes:
        assert isinstance(route, APIRoute), f"{route} is not covered by the application's login"
        path = route.path
        for name, value in PLACEHOLDERS.items():
            path = path.replace(name, value)
        found += [(method, PREFIX + path) for method in route.methods]
    return found


def test_every_route_refuses_whoever_is_not_logged_in(
    airflow_app: FastAPI, stranger_to_airflow: TestClient, database: Engine
) -> None:
    add_run(database)
    answers = {
        (method, path): stranger_to_airflow.request(method, path).status_code
        for method, path in addresses(airflow_app)
    }
    for (method, path), status in answers.items():
        sys.stdout.write(f"{status} {method} {path}\n")
    assert len(answers) >= 16
    assert set(answers.values()) <= {401, 403}


def test_every_route_refuses_a_forged_token(
    airflow_app: FastAPI, stranger_to_airflow: TestClient, database: Engine
) -> None:
    stranger_to_airflow.cookies.set("_token", "forged")
    statuses = {
        stranger_to_airflow.request(method, path).status_code
        for method, path in addresses(airflow_app)
    }
    assert statuses <= {401, 403}


def test_only_decisions_change_anything(airflow_app: FastAPI) -> None:
    changing = {(method, path) for method, path in addresses(airflow_app) if method != "GET"}
    paths = (f"{PREFIX}/decisions{each}" for each in ("", "/links", "/revoke"))
    assert changing == {("POST", path) for path in paths}


@pytest.fixture
def two_runs(database: Engine) -> dict[ImportType, tuple[int, str]]:
    """A run that the restricted user may read and one that he may not, with telling names."""
    runs = {}
    for kind, name in ((ImportType.DIRECT, "Open"), (ImportType.INDIRECT, "Hidden")):
        key = add_run(database, kind, airflow_run_id=f"run-{kind}")
        add_results(database, key, {"tenant_name": f"{name} company"}, import_type=kind.value)
        runs[kind] = (key, f"run-{kind}")
    return runs


def every_view(runs: dict[ImportType, tuple[int, str]]) -> list[str]:
    """Every address that could show the hidden run, also by naming it outright."""
    key, run_id = runs[ImportType.INDIRECT]
    dag_id = ImportType.INDIRECT.dag_id
    named = f"?dag_id={dag_id}&run_id={run_id}&tenant_id={tenant_id(0)}"
    mixed = f"?dag_id={ImportType.DIRECT.dag_id}&run_id={run_id}&tenant_id={tenant_id(0)}"
    pages = [
        "",
        "overview",
        "live",
        "rows",
        "customer",
        "results.csv",
        "tenants",
        "tenants-live",
        "drift",
        "drift/customer",
        "drift.csv",
    ]
    return [
        *(f"{PREFIX}/{page}{query}" for page in pages for query in ("", named, mixed)),
        f"{PREFIX}/api/runs",
        f"{PREFIX}/api/runs?import_type=indirect",
        f"{PREFIX}/api/runs/{key}",
        f"{PREFIX}/api/runs/{key}/results",
        f"{PREFIX}/api/runs/{key}/retry",
        f"{PREFIX}/api/runs/{key}/drift",
        f"{PREFIX}/api/runs/{key}/repair",
        f"{PREFIX}/api/tenants?instance=sandbox&import_type=indirect",
        f"{PREFIX}/api/tenants/selectable?instance=sandbox&import_type=indirect",
        f"{PREFIX}/api/tenants/{tenant_id(0)}/history?instance=sandbox",
    ]


def test_a_user_sees_no_row_of_a_dag_that_he_may_not_read(
    log_in: Callable[[str], TestClient], two_runs: dict[ImportType, tuple[int, str]]
) -> None:
    restricted, free = log_in("direct_reader"), log_in("viewer")
    texts = [restricted.get(address).text for address in every_view(two_runs)]
    assert not [text for text in texts if "Hidden" in text or "run-indirect" in text]
    assert any("Open company" in text for text in texts)
    assert any("Hidden company" in free.get(address).text for address in every_view(two_runs))


def test_tabs_show_only_imports_that_the_user_may_read(
    log_in: Callable[[str], TestClient], database: Engine
) -> None:
    text = log_in("direct_reader").get(f"{PREFIX}/").text
    assert "import_direct_customers" in text
    assert "import_indirect_customers" not in text


@pytest.mark.parametrize("user", ["stranger", "dag_reader"])
def test_a_user_who_may_read_the_runs_of_no_import_gets_403(
    log_in: Callable[[str], TestClient], two_runs: dict[ImportType, tuple[int, str]], user: str
) -> None:
    answers = [log_in(user).get(address) for address in every_view(two_runs)]
    assert {answer.status_code for answer in answers} == {403}
    assert not [answer for answer in answers if "company" in answer.text]


def test_a_list_shows_nothing_of_what_an_import_that_the_user_may_not_read_did(
    log_in: Callable[[str], TestClient], database: Engine
) -> None:
    add_staged(database, add_run(database, mode="discover"), {}, {})
    add_link(database, 0, import_type="indirect")
    add_link(database, 1)
    query = "instance=sandbox&import_type=direct"

    def shown(user: str) -> list[tuple[int | None, str]]:
        rows = log_in(user).get(f"{PREFIX}/api/tenants?{query}").json()["items"]
        return [(row["account_id"], row["status"]) for row in rows]

    assert shown("viewer") == [(1000, "completed"), (1001, "completed")]
    assert shown("direct_reader") == [(None, "not_imported"), (1001, "completed")]
    completed = f"{PREFIX}/api/tenants?{query}&status=completed"
    assert len(log_in("direct_reader").get(completed).json()["items"]) == 1
    page = f"{PREFIX}/tenants?dag_id={ImportType.DIRECT.dag_id}&instance=sandbox"
    assert "1000" in log_in("viewer").get(page).text
    assert "1000" not in log_in("direct_reader").get(page).text


def test_a_viewer_gets_no_buttons_that_airflow_would_refuse(
    log_in: Callable[[str], TestClient], database: Engine
) -> None:
    key = add_run(database)
    add_results(database, key, {"outcome": "failed"})
    assert "Retry failed" in log_in("admin").get(f"{PREFIX}/").text
    assert "Retry failed" not in log_in("viewer").get(f"{PREFIX}/").text
    assert "Get hierarchy</button>" not in log_in("viewer").get(f"{PREFIX}/tenants").text
