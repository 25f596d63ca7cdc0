"""The pages show the runs that version 1.0.0 left, with whatever its rows lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from customer_import.database.engine import open_engine, reading
from customer_import.database.migrate import migrate
from customer_import.database.tables import import_runs, tenant_links
from tests.support.first_version import make_database
from tests.web.conftest import PREFIX
from tests.web.markup import Markup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine


@pytest.fixture
def upgraded(database_url: str) -> Iterator[Engine]:
    engine = open_engine(database_url)
    make_database(engine)
    migrate(engine)
    yield engine
    engine.dispose()


def test_every_page_that_the_runs_of_before_lead_to_is_there(
    admin: TestClient, upgraded: Engine
) -> None:
    seen: set[str] = set()
    found = {f"{PREFIX}/overview", f"{PREFIX}/", f"{PREFIX}/tenants"}
    with reading(upgraded) as connection:
        names = import_runs.c
        runs = connection.execute(select(names.id, names.dag_id, names.airflow_run_id)).all()
        links = connection.execute(select(tenant_links.c.instance, tenant_links.c.tenant_id)).all()
    found |= {f"{PREFIX}/?dag_id={dag_id}&run_id={run_id}" for _, dag_id, run_id in runs}
    found |= {f"{PREFIX}/api/runs/{key}{part}" for key, _, _ in runs for part in ("", "/results")}
    found |= {f"{PREFIX}/tenant?instance={name}&tenant_id={tenant}" for name, tenant in links}
    while new := found - seen:
        for address in sorted(new):
            answer = admin.get(address)
            assert answer.status_code == 200, f"{address}: {answer.text[:300]}"
            if "text/html" in answer.headers["content-type"]:
                addresses = Markup(answer.text).addresses
                found |= {each for each in addresses if each.startswith(f"{PREFIX}/")}
        seen |= new
    assert len(seen) > len(runs) + len(links)


def test_a_customer_of_before_is_found_and_shown(admin: TestClient, upgraded: Engine) -> None:
    page = admin.get(f"{PREFIX}/search", params={"q": "öz gıda".replace("ı", "i")}).text
    assert "ÖZ GIDA Ltd." in page
