"""Airflow's audit log says who looked at personal data or took it away, and not what he searched for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from customer_import.vocabulary import ImportType
from customer_import.web.audit import Access
from tests.web.conftest import PREFIX
from tests.web.data import add_results, add_run, add_staged, tenant_id

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

DIRECT = ImportType.DIRECT.dag_id
Entries = Callable[[], list[tuple[str | None, str, str | None, str | None, dict[str, Any]]]]


@pytest.fixture
def entries(airflow_app: FastAPI) -> Iterator[Entries]:
    """The import's entries since the last look: owner, event, DAG, run, details."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    ours = Log.event.startswith("customer_import")

    def read() -> list[tuple[str | None, str, str | None, str | None, dict[str, Any]]]:
        with create_session() as session:
            rows = session.scalars(select(Log).where(ours).order_by(Log.id)).all()
            found = [
                (r.owner, r.event, r.dag_id, r.run_id, json.loads(r.extra or "null")) for r in rows
            ]
            session.execute(delete(Log).where(ours))
        return found

    read()
    yield read
    read()


@pytest.fixture
def run(database: Engine) -> tuple[int, str]:
    key = add_run(database, airflow_run_id="the-run", mode="discover")
    add_results(database, key, {})
    add_staged(database, key, {})
    return key, "the-run"


def test_a_look_at_a_customer_is_told(
    log_in: Callable[[str], TestClient], run: tuple[int, str], entries: Entries
) -> None:
    address = f"{PREFIX}/customer?dag_id={DIRECT}&run_id=the-run&tenant_id={tenant_id(0)}&q=Anna"
    assert log_in("viewer").get(address).status_code == 200
    assert entries() == [("viewer", Access.LOOK, DIRECT, "the-run", {"tenant_id": tenant_id(0)})]


@pytest.mark.parametrize(
    ("address", "run_id", "details"),
    [
        (f"results.csv?dag_id={DIRECT}&q=Company", "the-run", {"format": "csv"}),
        ("api/runs/{key}/results?q=Company", "the-run", {"format": "json"}),
        ("api/tenants?instance=sandbox&import_type=direct", "the-run", {"format": "json"}),
        (
            f"api/tenants/{tenant_id(0)}/history?instance=sandbox",
            None,
            {"format": "json", "tenant_id": tenant_id(0)},
        ),
    ],
)
def test_an_export_is_told(
    log_in: Callable[[str], TestClient],
    run: tuple[int, str],
    entries: Entries,
    address: str,
    run_id: str | None,
    details: dict[str, str],
) -> None:
    assert log_in("viewer").get(f"{PREFIX}/{address.format(key=run[0])}").status_code == 200
    assert entries() == [("viewer", Access.EXPORT, DIRECT, run_id, details)]


def test_what_was_refused_is_not_told_as_seen(
    log_in: Callable[[str], TestClient], run: tuple[int, str], entries: Entries
) -> None:
    for user in ("stranger", "dag_reader"):
        log_in(user).get(f"{PREFIX}/results.csv?dag_id={DIRECT}")
    log_in("viewer").get(f"{PREFIX}/customer?dag_id={DIRECT}&tenant_id={tenant_id(9)}")
    assert entries() == []


def test_without_an_entry_nothing_is_shown(
    log_in: Callable[[str], TestClient], run: tuple[int, str], entries: Entries
) -> None:
    from airflow.models.log import Log
    from airflow.utils.session import create_session
    from sqlalchemy import text

    client, address = log_in("viewer"), f"{PREFIX}/results.csv?dag_id={DIRECT}"
    with create_session() as session:
        session.execute(text(f"ALTER TABLE {Log.__tablename__} RENAME TO log_away"))
    try:
        answer = client.get(address)
    finally:
        with create_session() as session:
            session.execute(text(f"ALTER TABLE log_away RENAME TO {Log.__tablename__}"))
    assert answer.status_code == 500
    assert "Company" not in answer.text


def test_an_administrator_reads_the_entries_in_airflows_own_api(
    admin: TestClient, run: tuple[int, str], entries: Entries
) -> None:
    admin.get(f"{PREFIX}/results.csv?dag_id={DIRECT}")
    told = admin.get(f"/api/v2/eventLogs?event={Access.EXPORT}").json()
    assert [(one["owner"], one["run_id"]) for one in told["event_logs"]] == [("admin", "the-run")]
