"""Runs that failed before their first task wrote anything are shown, from what Airflow knows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from customer_import.vocabulary import ImportType, dag_id_of
from tests.web.conftest import PREFIX
from tests.web.data import START, add_results, add_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

DIRECT = ImportType.DIRECT.dag_id
OWN = dag_id_of(ImportType.DIRECT, "south")
RESULTS = f"{PREFIX}/?dag_id={DIRECT}"
NOTE = "Failed before anything was recorded"


def test_it_is_shown_above_the_results_and_leads_to_its_log(
    admin: TestClient, database: Engine, add_dag_run: Callable[..., None]
) -> None:
    add_results(database, add_run(database), {})
    assert NOTE not in admin.get(RESULTS).text
    add_dag_run(DIRECT, "broken", "failed", {"instance": "sandbox"})
    add_dag_run(DIRECT, "works", "running")
    page = admin.get(RESULTS).text
    assert NOTE in page
    assert "Company 00000" in page
    assert "run_id=broken" in page
    assert f"dags/{DIRECT}/runs/broken/tasks/start_run" in page
    assert "runs/works" not in page
    own = admin.get(f"{RESULTS}&run_id=broken").text
    assert "The run ended before its first task had written anything" in own
    assert f"../dags/{DIRECT}/runs/broken/tasks/start_run" in own


def test_it_is_shown_when_nothing_was_ever_recorded(
    admin: TestClient, database_url: str, add_dag_run: Callable[..., None]
) -> None:
    add_dag_run(DIRECT, "broken", "failed")
    assert "run_id=broken" in admin.get(RESULTS).text


def test_one_that_is_recorded_is_not_shown_twice(
    admin: TestClient, database: Engine, add_dag_run: Callable[..., None]
) -> None:
    add_run(database, airflow_run_id="known", state="failed", error="No rights.")
    add_dag_run(DIRECT, "known", "failed")
    assert NOTE not in admin.get(RESULTS).text


def test_only_who_may_read_the_import_of_its_instance_sees_it(
    log_in: Callable[[str], TestClient], database: Engine, add_dag_run: Callable[..., None]
) -> None:
    add_run(database, dag_id=OWN, instance="south")
    add_dag_run(DIRECT, "of-all", "failed", {"instance": "north"})
    add_dag_run(OWN, "of-south", "failed")
    page = log_in("south_staff").get(f"{PREFIX}/?dag_id={OWN}").text
    assert "of-all" not in page
    page = log_in("admin").get(f"{RESULTS}&instance=south").text
    assert "of-all" not in page


@pytest.mark.parametrize(
    ("conf", "is_shown"),
    [
        ({"instance": "sandbox"}, True),
        ({}, True),
        ({"instance": "sandbox", "mode": "preview"}, False),
        ({"instance": "sandbox", "tenants": ["a.com"]}, False),
    ],
)
def test_the_overview_says_that_the_newest_import_failed_that_way(
    admin: TestClient,
    database: Engine,
    add_dag_run: Callable[..., None],
    conf: dict[str, object],
    is_shown: bool,
) -> None:
    add_run(database, started_at=START - timedelta(days=1))
    add_dag_run(DIRECT, "broken", "failed", conf)
    page = admin.get(f"{PREFIX}/overview").text
    assert ("before anything was recorded" in page) is is_shown
    add_run(database, started_at=START + timedelta(days=1))
    assert "before anything was recorded" not in admin.get(f"{PREFIX}/overview").text


@pytest.mark.parametrize("state", ["failed", "success", None])
def test_a_run_that_ended_never_reads_running(
    admin: TestClient, database: Engine, add_dag_run: Callable[..., None], state: str | None
) -> None:
    """Killed, marked by hand, or deleted in Airflow: its row was never closed."""
    key = add_run(database, airflow_run_id="killed", state="running", ended_at=None)
    add_results(database, key, {}, {"outcome": "failed"})
    if state:
        add_dag_run(DIRECT, "killed", state)
    for path in (RESULTS, f"{PREFIX}/overview", f"{PREFIX}/tenants?dag_id={DIRECT}"):
        page = admin.get(path).text
        assert "Running" not in page, path
    assert 'badge failed">Failed' in admin.get(RESULTS).text
    assert "1 failed</a>" in admin.get(f"{PREFIX}/overview").text  # as on its own page
