"""Who may use the DAG of one instance only sees that instance: on pages, in lists, in JSON and CSV alike."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from customer_import.config.paths import INSTANCES_VARIABLE
from customer_import.vocabulary import ImportType, dag_id_of, dag_of
from customer_import.web.rights import Rights
from tests.web.conftest import PREFIX
from tests.web.data import add_run, add_staged, add_two_instances, tenant_id
from tests.web.test_access import addresses

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

DIRECT = ImportType.DIRECT
NORTH, SOUTH = dag_id_of(DIRECT, "north"), dag_id_of(DIRECT, "south")


def test_the_id_of_a_dag_tells_whose_it_is():
    for kind in ImportType:
        assert dag_of(kind.dag_id) == (kind, None)
        assert dag_of(dag_id_of(kind, "a__b")) == (kind, "a__b")
    assert dag_of("import_direct_customers_too") is None
    assert dag_of("another_dag") is None


def test_rights_to_an_import_are_rights_to_each_of_its_instances():
    rights = Rights.to_dags([DIRECT.dag_id, dag_id_of(ImportType.INDIRECT, "south"), "another"])
    assert rights.types == (ImportType.DIRECT, ImportType.INDIRECT)
    assert rights.cover(DIRECT, "north")
    assert rights.cover(DIRECT, None)
    assert rights.cover(ImportType.INDIRECT, "south")
    assert not rights.cover(ImportType.INDIRECT, "north")
    assert not rights.cover(ImportType.INDIRECT, None)
    assert rights.dag_id(DIRECT, "south") == DIRECT.dag_id
    assert rights.dag_id(ImportType.INDIRECT, "south") == "import_indirect_customers__south"
    assert rights.only(DIRECT).types == (DIRECT,)


@pytest.fixture
def instances(tmp_path: Path, database: Engine, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Two instances, each with a run of its own DAG and one by hand, with telling names; return the newest runs."""
    own = {
        name: {
            "title": f"{name.title()} instance",
            "import_types": ["direct", "indirect"],
            "schedules": {"direct": {"cron": "@daily"}},
        }
        for name in ("north", "south")
    }
    path = tmp_path / "two.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "instances": own}))
    monkeypatch.setenv(INSTANCES_VARIABLE, str(path))
    return add_two_instances(database)


def views(keys: dict[str, int]) -> list[str]:
    """Every address that could show the other instance, also by naming it outright."""
    tenant = tenant_id(0)
    queries = [
        "",
        f"?dag_id={SOUTH}&run_id=run-north&instance=north&tenant_id={tenant}",
        f"?dag_id={NORTH}&run_id=run-north&instance=north&tenant_id={tenant}",
        f"?dag_id={DIRECT.dag_id}&run_id=run-north&instance=north&tenant_id={tenant}",
        f"?dag_id={DIRECT.dag_id}&instance=north&tenant_id={tenant}&q=North",
        f"?dag_id={SOUTH}&instance=north&tenant_id={tenant}",
    ]
    pages = (
        "",
        "overview",
        "live",
        "rows",
        "customer",
        "results.csv",
        "tenants",
        "tenants-live",
        "queue",
        "search",
        "tenant",
        "decisions",
        "drift",
        "drift/customer",
        "drift.csv",
    )
    key = keys["north"]
    of_list = "instance=north&import_type=direct"
    return [
        *(f"{PREFIX}/{page}{query}" for page in pages for query in queries),
        f"{PREFIX}/search?q=5000",
        f"{PREFIX}/api/runs",
        f"{PREFIX}/api/runs?import_type=direct",
        f"{PREFIX}/api/runs?import_type=indirect",
        *(
            f"{PREFIX}/api/runs/{key}{each}"
            for each in ("", "/results", "/retry", "/drift", "/repair")
        ),
        f"{PREFIX}/api/runs/{key}/import-previewed",
        f"{PREFIX}/api/tenants?{of_list}",
        f"{PREFIX}/api/tenants/selectable?{of_list}",
        f"{PREFIX}/api/tenants/{tenant}/history?instance=north",
        f"{PREFIX}/api/tenants/{tenant}/start?{of_list}",
    ]


def test_a_user_of_one_instance_sees_nothing_of_another(
    airflow_app: FastAPI, log_in: Callable[[str], TestClient], instances: dict[str, int]
):
    staff, free = log_in("south_staff"), log_in("viewer")
    asked = views(instances)
    told = {address: staff.get(address).text.lower() for address in asked}
    hints = ("north instance", "north company", "run-north", "5000")
    # What was asked for is said again by a search that finds nothing.
    shown = [
        (hint, address)
        for address, text in told.items()
        for hint in hints
        if hint in text.replace('value="5000"', "").replace("“5000”", "")
    ]
    assert shown == []
    assert any("south company" in text for text in told.values())
    everything = " ".join(free.get(address).text.lower() for address in asked)
    assert all(hint in everything for hint in hints)
    routes = {path for method, path in addresses(airflow_app) if method == "GET"}
    sys.stdout.write(f"{len(asked)} addresses of {len(routes)} routes\n")


def test_a_user_of_one_instance_has_that_instance_in_full(
    log_in: Callable[[str], TestClient], database: Engine, instances: dict[str, int]
):
    add_staged(database, instances["south"], {"tenant_id": tenant_id(7)})  # not imported yet
    staff = log_in("south_staff")
    page = staff.get(f"{PREFIX}/?dag_id={SOUTH}").text
    assert "South company" in page
    runs = staff.get(f"{PREFIX}/api/runs").json()["items"]
    assert [(run["instance"], run["dag_id"]) for run in runs] == [
        ("south", DIRECT.dag_id),
        ("south", SOUTH),
    ]
    tenants = staff.get(f"{PREFIX}/tenants?dag_id={DIRECT.dag_id}").text
    assert "South company" in tenants
    start = staff.get(f"{PREFIX}/api/tenants/selectable?instance=south&import_type=direct").json()
    assert start["dag_id"] == SOUTH
    assert f'data-dag="{SOUTH}"' in tenants
    assert (
        log_in("admin")
        .get(f"{PREFIX}/api/tenants/selectable?instance=south&import_type=direct")
        .json()["dag_id"]
        == DIRECT.dag_id
    )


def test_a_user_of_one_instance_decides_about_no_other(
    log_in: Callable[[str], TestClient], instances: dict[str, int]
):
    staff = log_in("south_staff")
    body = {"decision": "exclude", "tenant_ids": [tenant_id(0)], "seen": 0}
    for dag_id in (NORTH, DIRECT.dag_id, SOUTH):
        query = f"?dag_id={dag_id}&instance=north"
        assert staff.post(f"{PREFIX}/decisions{query}", json=body).status_code == 404
    # The instance takes the indirect import, too, of which this user may start nothing.
    answer = staff.post(f"{PREFIX}/decisions?dag_id={SOUTH}&instance=south", json=body)
    assert answer.status_code == 403


def test_a_preview_is_imported_only_by_who_may_start_its_own_dag(
    log_in: Callable[[str], TestClient], database: Engine, instances: dict[str, int]
):
    summary = {"outcomes": {"would_create": 1}}
    for dag_id in (DIRECT.dag_id, SOUTH):
        add_run(
            database,
            mode="preview",
            dag_id=dag_id,
            airflow_run_id="p",
            instance="south",
            summary=summary,
        )
    button = "/import-previewed"
    page = f"{PREFIX}/?run_id=p&dag_id="
    assert button in log_in("south_staff").get(f"{page}{SOUTH}").text
    assert button not in log_in("south_staff").get(f"{page}{DIRECT.dag_id}").text
    assert button in log_in("admin").get(f"{page}{DIRECT.dag_id}").text
