"""The JSON API: what it returns, how it pages, what it refuses; and no input makes it break."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from customer_import.runs.parameters import RunParams
from tests.web.conftest import PREFIX
from tests.web.data import add_link, add_results, add_run, add_staged, tenant_id

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

API = f"{PREFIX}/api"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_runs_come_newest_first_with_their_counts(admin: TestClient, database: Engine) -> None:
    first, second = add_run(database), add_run(database, summary={"outcomes": {"created": 2}})
    add_results(database, first, {"outcome": "failed"}, {})
    page = admin.get(f"{API}/runs").json()
    assert [run["key"] for run in page["items"]] == [second, first]
    counts = [run["outcomes"] for run in page["items"]]
    assert counts == [{"created": 2}, {"created": 1, "failed": 1}]
    assert admin.get(f"{API}/runs?import_type=indirect").json()["items"] == []
    assert admin.get(f"{API}/runs/{first}").json()["run_id"] == page["items"][1]["run_id"]


def test_results_page_by_cursor(admin: TestClient, database: Engine) -> None:
    key = add_run(database)
    add_results(database, key, *({} for _ in range(5)))
    seen, cursor = [], ""
    while cursor is not None:
        page = admin.get(f"{API}/runs/{key}/results?limit=2&sort=name&cursor={cursor}").json()
        seen += [row["tenant_id"] for row in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [tenant_id(number) for number in range(5)]


def test_a_retry_names_the_failed_tenants_and_keeps_the_runs_parameters(
    admin: TestClient, database: Engine
) -> None:
    params = {"instance": "sandbox", "mode": "import", "on_existing": "skip", "tenants": ["x"]}
    key = add_run(database, params=params | {"exclude_tenants": ["y"], "permission_rule": None})
    add_results(database, key, {}, {"outcome": "failed"})
    assert admin.get(f"{API}/runs/{key}/retry").json() == {
        "dag_id": "import_direct_customers",
        "count": 1,
        "is_cut": False,
        "conf": {
            "instance": "sandbox",
            "mode": "import",
            "on_existing": "skip",
            "tenants": [tenant_id(1)],
        },
    }


def test_a_retry_after_an_import_of_a_preview_is_one_that_a_run_takes(
    admin: TestClient, database: Engine
) -> None:
    params = RunParams(instance="sandbox", previewed_run="p", max_rejected_percent=0)
    key = add_run(database, params=params.model_dump(mode="json"))
    add_results(database, key, {"outcome": "failed"})
    conf = admin.get(f"{API}/runs/{key}/retry").json()["conf"]
    again = RunParams.parse(conf)
    assert (again.tenants, again.max_rejected_percent) == ((tenant_id(0),), 0)


def test_nobody_to_import_is_never_told_as_a_request_that_imports_everybody(
    admin: TestClient, database: Engine
) -> None:
    key = add_run(database)
    add_staged(database, key, {})
    add_results(database, key, {})
    add_link(database, 0)
    where = "instance=sandbox&import_type=direct"
    for path in (f"runs/{key}/retry", f"tenants/selectable?{where}"):
        answer = admin.get(f"{API}/{path}")
        assert answer.status_code == 404, path
        assert "nobody" in answer.json()["detail"]


def test_tenants_and_one_customers_history(admin: TestClient, database: Engine) -> None:
    key = add_run(database, mode="discover")
    add_staged(database, key, {}, {})
    add_results(database, key, {"outcome": "skipped", "reason": "Gone."})
    where = "instance=sandbox&import_type=direct"
    tenants = admin.get(f"{API}/tenants?{where}").json()["items"]
    assert [tenant["status"] for tenant in tenants] == ["skipped", "not_imported"]
    assert admin.get(f"{API}/tenants/selectable?{where}&status=not_imported").json()["conf"] == {
        "instance": "sandbox",
        "mode": "import",
        "tenants": [tenant_id(1)],
    }
    add_results(database, key, {"tenant_id": tenant_id(0xABC), "reason": "Gone, too."})
    for number, reason in ((0, "Gone."), (0xABC, "Gone, too.")):
        for name in (tenant_id(number), tenant_id(number).upper()):
            history = admin.get(f"{API}/tenants/{name}/history?instance=sandbox").json()
            assert [entry["result"]["reason"] for entry in history] == [reason]
    page = f"{PREFIX}/customer?dag_id=import_direct_customers&tenant_id="
    assert admin.get(f"{page}{tenant_id(0xABC).upper()}").status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("runs", 200, []),
        ("tenants?instance=sandbox&import_type=direct", 200, []),
        (f"tenants/{tenant_id(0)}/history?instance=sandbox", 200, []),
        ("runs/1", 404, None),
        ("runs/1/results", 404, None),
        ("tenants/selectable?instance=sandbox&import_type=direct", 404, None),
    ],
)
def test_before_the_first_run_lists_are_empty_and_single_things_are_not_there(
    admin: TestClient, database_url: str, path: str, status: int, body: object
) -> None:
    answer = admin.get(f"{API}/{path}")
    assert answer.status_code == status
    if status == 200:
        shown = answer.json()
        assert (shown["items"] if isinstance(shown, dict) else shown) == body


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("runs/999", 404),
        ("runs/0", 422),
        ("runs/9223372036854775808", 422),
        ("runs?cursor=x", 400),
        ("runs?limit=0", 422),
        ("runs?limit=100000", 422),
        ("tenants?instance=sandbox&import_type=nothing", 422),
    ],
)
def test_a_wrong_request_is_refused_in_words(
    admin: TestClient, database: Engine, path: str, status: int
) -> None:
    add_run(database)
    answer = admin.get(f"{API}/{path}")
    assert answer.status_code == status
    assert answer.json()["detail"]


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_input_makes_the_api_break(
    airflow_app: FastAPI, admin: TestClient, database: Engine, mode: GenerationMode
) -> None:
    """Schemathesis draws requests from the OpenAPI document, right ones and wrong ones."""
    key = add_run(database, mode="discover")
    add_results(database, key, *({} for _ in range(3)))
    add_staged(database, key, *({} for _ in range(3)))
    login = {"Authorization": f"Bearer {admin.cookies['_token']}"}
    schema = schemathesis.openapi.from_asgi(f"{API}/openapi.json", airflow_app, headers=login)
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    answers = 0
    for operation in operations:

        @settings(
            max_examples=30,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def attempt(case: schemathesis.Case) -> None:
            nonlocal answers
            answer = case.call(headers=login, timeout=60)  # seconds; a busy machine is no defect
            case.validate_response(answer, checks=CHECKS)
            assert answer.status_code not in {401, 403}
            answers += 1

        attempt()
    assert len(operations) == 11
    assert answers > 100
