"""The list of tenants: which run it comes from, where each tenant stands, who may be selected."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from customer_import.config.paths import INSTANCES_VARIABLE
from customer_import.database.engine import reading
from customer_import.vocabulary import ImportType
from customer_import.web.airflow_internals import DagRunFact
from customer_import.web.models import ShownState, TenantStatus
from customer_import.web.tenants import (
    Cover,
    TenantFilter,
    active_covers,
    latest_hierarchy,
    list_resellers,
    read_tenants,
    selectable_tenants,
)
from tests.web.conftest import PREFIX
from tests.web.data import EVERYTHING, START, add_link, add_results, add_run, add_staged, tenant_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

LATER = datetime.now(UTC) + timedelta(hours=1)


def statuses(engine: Engine, *covers: Cover, **wanted: Any) -> dict[str, str]:
    with reading(engine) as connection:
        hierarchy = latest_hierarchy(connection, ImportType.DIRECT, "sandbox", EVERYTHING)
        assert hierarchy is not None
        page = read_tenants(connection, hierarchy, covers, TenantFilter(**wanted), None, 100)
    return {row.tenant_name or "": row.status for row in page.items}


def listed(engine: Engine, number: int = 1) -> int:
    key = add_run(engine, mode="discover")
    add_staged(engine, key, *({"tenant_name": f"T{n}"} for n in range(number)))
    return key


@pytest.mark.parametrize(
    ("outcome", "link", "status"),
    [
        (None, None, "not_imported"),
        ("created", {}, "completed"),
        ("unchanged", {}, "completed"),
        ("failed", {"content_hash": None}, "failed"),
        ("failed", {}, "failed"),
        ("rejected", None, "rejected"),
        ("ambiguous", None, "ambiguous"),
        ("skipped", None, "skipped"),
        ("skipped", {}, "completed"),
        ("would_create", None, "not_imported"),
        (None, {"holder": "1/0/1", "lease_until": LATER, "content_hash": None}, "in_progress"),
        (None, {"holder": "1/0/1", "lease_until": START, "content_hash": None}, "not_imported"),
    ],
)
def test_a_status_says_where_the_tenant_stands(
    engine: Engine, outcome: str | None, link: dict[str, Any] | None, status: str
) -> None:
    listed(engine)
    if outcome:
        add_results(engine, add_run(engine, params={"tenants": ["x"]}), {"outcome": outcome})
    if link is not None:
        add_link(engine, 0, **link)
    assert statuses(engine) == {"T0": status}
    assert statuses(engine, status=TenantStatus(status)) == {"T0": status}


def test_the_latest_result_of_this_import_type_counts(engine: Engine) -> None:
    listed(engine)
    selection = {"tenants": ["x"]}
    add_results(engine, add_run(engine, params=selection), {"outcome": "failed"})
    add_results(engine, add_run(engine, params=selection), {"outcome": "rejected"})
    add_results(
        engine,
        add_run(engine, ImportType.INDIRECT, params=selection),
        {"outcome": "ambiguous"},
        import_type="indirect",
    )
    assert statuses(engine) == {"T0": "rejected"}


def test_tenants_of_a_waiting_or_working_import_are_pending_until_they_have_a_result(
    engine: Engine,
) -> None:
    listed(engine, 3)
    working = add_run(engine, state="running", params={"tenants": ["x"]}, batches=None)
    add_results(engine, working, {"outcome": "failed"})
    waiting = Cover(None, (tenant_id(2), "company00001.onmicrosoft.com"))
    assert statuses(engine, waiting) == {"T0": "failed", "T1": "pending", "T2": "pending"}
    assert statuses(engine, Cover(working, ())) == {
        "T0": "failed",
        "T1": "pending",
        "T2": "pending",
    }


def test_only_tenants_without_account_and_without_running_import_can_be_selected(
    engine: Engine,
) -> None:
    listed(engine, 4)
    add_link(engine, 0)
    add_results(engine, add_run(engine, params={"tenants": ["x"]}), {}, {"outcome": "rejected"})
    with reading(engine) as connection:
        hierarchy = latest_hierarchy(connection, ImportType.DIRECT, "sandbox", EVERYTHING)
        assert hierarchy is not None
        covers = [Cover(None, (tenant_id(2),))]
        chosen = selectable_tenants(connection, hierarchy, covers, TenantFilter())
    assert chosen == [tenant_id(1), tenant_id(3)]


def test_the_list_is_of_the_newest_run_that_saw_all_tenants_or_was_asked_to_list(
    engine: Engine,
) -> None:
    whole = add_run(engine)
    add_run(engine, params={"tenants": ["one"]})
    add_run(engine, state="failed", batches=None, mode="discover")
    add_run(engine, mode="check")
    add_run(engine, instance="other")
    with reading(engine) as connection:
        found = latest_hierarchy(connection, ImportType.DIRECT, "sandbox", EVERYTHING)
    assert found is not None
    assert found.run_key == whole
    one = add_run(engine, params={"tenants": ["one"]}, mode="discover")
    with reading(engine) as connection:
        found = latest_hierarchy(connection, ImportType.DIRECT, "sandbox", EVERYTHING)
    assert found is not None
    assert found.run_key == one


def test_the_list_stays_however_many_imports_of_some_came_after_it(engine: Engine) -> None:
    whole = listed(engine, 2)
    for number in range(60):
        add_run(engine, params={"tenants": [f"t{number}"]})
    one = add_run(engine, params={"tenants": ["one"]}, mode="discover")
    add_staged(engine, one, {"tenant_name": "T0 anew"})
    for number in range(60):
        add_run(engine, params={"reseller_mpn_ids": [str(number)]})
    with reading(engine) as connection:
        found = latest_hierarchy(connection, ImportType.DIRECT, "sandbox", EVERYTHING)
    assert found is not None
    assert (found.list_key, found.run_keys) == (whole, (one, whole))
    assert list(statuses(engine)) == ["T0 anew", "T1"]


def test_tenants_of_other_imports_are_not_listed(engine: Engine) -> None:
    key = listed(engine)
    add_staged(engine, key, {"tenant_id": "other", "is_discovered": False, "tenant_name": "Other"})
    assert list(statuses(engine)) == ["T0"]


def test_resellers_carry_the_number_of_their_end_customers(engine: Engine) -> None:
    key = add_run(engine, ImportType.INDIRECT)
    zeta = {"reseller_mpn_id": "2", "reseller_name": "Zeta"}
    add_staged(engine, key, {"reseller_mpn_id": "1", "reseller_name": "Alpha"}, zeta, zeta, {})
    with reading(engine) as connection:
        hierarchy = latest_hierarchy(connection, ImportType.INDIRECT, "sandbox", EVERYTHING)
        assert hierarchy is not None
        found = list_resellers(connection, hierarchy, first=0, limit=10)
        under = read_tenants(connection, hierarchy, [], TenantFilter(reseller="2"), None, 10)
        without = read_tenants(connection, hierarchy, [], TenantFilter(reseller="none"), None, 10)
    assert [(row.name, row.customers) for row in found] == [("Alpha", 1), ("Zeta", 2), (None, 1)]
    assert (len(under.items), len(without.items)) == (2, 1)


@pytest.mark.parametrize(
    ("conf", "covers"),
    [
        ({"tenants": ["A", "b.example"]}, [("a", "b.example")]),
        ({"tenants": "A\nB"}, [("a", "b")]),
        ({}, [()]),
        ({"instance": "other"}, []),
        ({"mode": "discover"}, []),
        ({"mode": "preview"}, []),
    ],
)
def test_an_active_run_covers_what_its_parameters_name(
    engine: Engine, conf: dict[str, Any], covers: list[tuple[str, ...]]
) -> None:
    fact = DagRunFact("import_direct_customers", "r", ShownState.QUEUED, conf, None, None)
    with reading(engine) as connection:
        found = active_covers(connection, [fact], "sandbox", default_instance="sandbox")
    assert [cover.names for cover in found] == covers


def test_an_import_from_a_preview_covers_whom_that_would_create_or_update(engine: Engine) -> None:
    key = add_run(engine, mode="preview", airflow_run_id="p")
    add_results(engine, key, {"outcome": "unchanged"}, {"outcome": "would_update"})
    facts = [
        DagRunFact("import_direct_customers", "r", ShownState.QUEUED, conf, None, None)
        for conf in ({"previewed_run": "p"}, {"previewed_run": "nowhere"})
    ]
    with reading(engine) as connection:
        found = active_covers(connection, facts, "sandbox", default_instance="sandbox")
    assert [cover.names for cover in found] == [(tenant_id(1),)]


def test_a_list_of_some_tenants_refreshes_these_and_leaves_the_others(engine: Engine) -> None:
    whole = listed(engine, 4)
    other = add_run(engine, mode="discover", params={"reseller_mpn_ids": ["7"]})
    add_staged(engine, other, {"state": "unselected", "is_discovered": False})
    one = add_run(engine, mode="discover", params={"tenants": ["x"]})
    again = add_run(engine, mode="discover", params={"tenants": ["x", "y", "z"]})
    renamed = {"tenant_id": tenant_id(1), "tenant_name": "T1 renamed"}
    add_staged(engine, one, renamed)
    left = {"tenant_id": tenant_id(2), "is_discovered": False}
    unread = {"tenant_id": tenant_id(3), "is_discovered": None, "state": "failed"}
    new = {"tenant_id": tenant_id(9), "tenant_name": "New"}
    add_staged(engine, again, {**renamed, "tenant_name": "T1 again"}, left, unread, new)
    assert sorted(statuses(engine)) == ["New", "T0", "T1 again", "T3"]
    with reading(engine) as connection:
        found = latest_hierarchy(connection, ImportType.DIRECT, "sandbox", EVERYTHING)
        assert found is not None
        assert found.list_key == whole
        chosen = selectable_tenants(connection, found, [], TenantFilter())
        assert sorted(chosen) == [tenant_id(number) for number in (0, 1, 3, 9)]
        assert [row.customers for row in list_resellers(connection, found, first=0, limit=9)] == [4]
    listed(engine, 1)
    assert list(statuses(engine)) == ["T0"]


CONFIGURED = {"title": "Sandbox", "import_types": ["direct"], "hierarchy_refresh_days": 7}
REFRESH = re.compile(
    r'id="refresh"[^>]* data-dag="([^"]+)" data-run="([^"]+)" data-instance="([^"]+)"'
)


@pytest.fixture
def refreshing(database: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    path = tmp_path / "refreshing.yaml"
    file = {"version": 1, "instances": {"sandbox": CONFIGURED}}
    path.write_text(yaml.safe_dump(file), encoding="utf-8")
    monkeypatch.setenv(INSTANCES_VARIABLE, str(path))
    return database


def test_a_list_that_is_too_old_is_got_anew_once(
    refreshing: Engine,
    log_in: Callable[[str], TestClient],
    add_dag_run: Callable[..., None],
) -> None:
    path = f"{PREFIX}/tenants?dag_id=import_direct_customers"
    admin, viewer = log_in("admin"), log_in("viewer")
    assert REFRESH.findall(admin.get(path).text) == []  # there is none to be old
    key = listed(refreshing)
    assert REFRESH.findall(viewer.get(path).text) == []
    (found,) = REFRESH.findall(admin.get(path).text)
    assert found == ("import_direct_customers", f"hierarchy__direct__after_{key}", "sandbox")
    add_dag_run("import_direct_customers", found[1], "failed")
    assert REFRESH.findall(admin.get(path).text) == []
    now = datetime.now(UTC)
    add_run(refreshing, mode="discover", started_at=now - timedelta(days=6))
    assert REFRESH.findall(admin.get(path).text) == []


def test_a_list_does_not_age_where_nobody_says_so(admin: TestClient, database: Engine) -> None:
    listed(database)
    page = admin.get(f"{PREFIX}/tenants?dag_id=import_direct_customers").text
    assert REFRESH.findall(page) == []
