"""One customer is imported again from its row, by those who may start its import."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest

from customer_import.vocabulary import ImportType
from tests.web.conftest import PREFIX
from tests.web.data import add_results, add_run, tenant_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

DIRECT = ImportType.DIRECT.dag_id
START = re.compile(r'data-start="(api/tenants/[^"]+)"')
DETAILS = f"customer?dag_id={DIRECT}&run_id=the-run&tenant_id={tenant_id(1)}"


@pytest.fixture
def run(database: Engine) -> int:
    key = add_run(database, airflow_run_id="the-run")
    outcomes = ("created", "failed", "unchanged", "rejected")
    add_results(database, key, *({"outcome": outcome} for outcome in outcomes))
    return key


def starts(client: TestClient, path: str) -> list[str]:
    return [unescape(each) for each in START.findall(client.get(f"{PREFIX}/{path}").text)]


def test_a_row_that_was_not_imported_can_be_imported_again(admin: TestClient, run: int) -> None:
    for path in ("", f"rows?dag_id={DIRECT}&run_id=the-run"):
        found = starts(admin, path)
        assert [one.split("/")[2] for one in found] == [tenant_id(3), tenant_id(1)]
    assert starts(admin, DETAILS) == [found[1]]
    asked: dict[str, Any] = admin.get(f"{PREFIX}/{found[1]}").json()
    assert asked["dag_id"] == DIRECT
    assert asked["count"] == 1
    conf = {"instance": "sandbox", "mode": "import", "scope": "verify", "tenants": [tenant_id(1)]}
    assert asked["conf"] == conf


def test_who_may_not_start_sees_no_button(log_in: Callable[[str], TestClient], run: int) -> None:
    viewer = log_in("viewer")
    assert starts(viewer, "") == starts(viewer, DETAILS) == []


def test_an_instance_that_is_gone_and_a_run_at_work_have_none(
    admin: TestClient, database: Engine, add_dag_run: Callable[..., None]
) -> None:
    gone = add_run(database, instance="gone", airflow_run_id="gone")
    add_results(database, gone, {"outcome": "failed"}, instance="gone")
    assert starts(admin, f"?dag_id={DIRECT}&run_id=gone") == []
    works = add_run(database, state="running", ended_at=None, airflow_run_id="works")
    add_dag_run(DIRECT, "works", "running")
    add_results(database, works, {"outcome": "failed"})
    assert starts(admin, f"?dag_id={DIRECT}&run_id=works") == []
