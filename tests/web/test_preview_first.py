"""Before the first import of an instance the pages propose a preview, to those who may start one."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from customer_import.vocabulary import ImportType
from tests.web.conftest import PREFIX
from tests.web.data import add_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

DIRECT = ImportType.DIRECT.dag_id
START = re.compile(r'data-start="(api/instances/sandbox/[^"]*import_type=direct[^"]*)"')
TENANTS, OVERVIEW = f"{PREFIX}/tenants?dag_id={DIRECT}", f"{PREFIX}/overview"


@pytest.mark.parametrize("page", [TENANTS, OVERVIEW])
def test_a_preview_of_all_is_proposed_until_something_has_ended_well(
    log_in: Callable[[str], TestClient], database: Engine, page: str
) -> None:
    admin = log_in("admin")
    add_run(database, state="failed")
    add_run(database, ImportType.INDIRECT, is_complete=True)
    (path,) = START.findall(admin.get(page).text)
    asked = admin.get(f"{PREFIX}/{unescape(path)}").json()
    conf = {"instance": "sandbox", "mode": "preview"}
    assert asked == {"dag_id": DIRECT, "count": 0, "is_cut": False, "conf": conf}
    assert START.findall(log_in("viewer").get(page).text) == []
    add_run(database, is_complete=True)
    assert START.findall(admin.get(page).text) == []


def test_an_instance_that_does_not_take_the_import_is_not_started(
    admin: TestClient, database: Engine
) -> None:
    for name, kind in (("sandbox", "tenant_reseller"), ("nowhere", "direct")):
        path = f"{PREFIX}/api/instances/{name}/start?import_type={kind}"
        assert admin.get(path).status_code == 404
