"""What a run's page says of an approval: where to answer while the run waits, and afterwards who did."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from customer_import.runs.approvals import Approval, Planned, store_approval
from customer_import.vocabulary import Answer
from tests.web.conftest import PREFIX
from tests.web.data import START, add_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

DIRECT = "import_direct_customers"
ASKED = Approval(
    why="the run was started so (require_approval).",
    planned=Planned(create=1_200, update=3, overwrite=2),
    timeout_hours=24,
)


def test_a_waiting_run_says_what_it_is_going_to_do_and_where_to_answer(
    admin: TestClient, database: Engine, add_dag_run: Callable[..., None]
):
    running: dict[str, Any] = {"state": "running", "extracted": 10, "ended_at": None}
    key = add_run(database, airflow_run_id="waiting", **running)
    add_dag_run(DIRECT, "waiting", "running")
    store_approval(database, key, ASKED)

    page = admin.get(f"{PREFIX}/?dag_id={DIRECT}&run_id=waiting").text

    assert "Waiting for a person to approve what is written" in page
    assert "To create 1,200 and update 3 customers, a person has to approve; 2 lose a value" in page
    assert f'href="../dags/{DIRECT}/runs/waiting/tasks/approve_load/required_actions"' in page
    assert "the run was started so (require_approval)." in page
    shown = admin.get(f"{PREFIX}/api/runs/{key}").json()["approval"]
    assert (shown["create"], shown["is_open"], shown["told"]) == (1_200, True, "")


@pytest.mark.parametrize("comment", ["", "<b>wrong</b> mapping"])
def test_an_answered_run_says_who_and_why(admin: TestClient, database: Engine, comment: str):
    answered = ASKED.answered(Answer.REJECTED, "anna", START + timedelta(hours=1), comment)
    key = add_run(database, airflow_run_id="done", summary={"approval": answered.as_dict()})
    store_approval(database, key, answered)

    page = admin.get(f"{PREFIX}/?dag_id={DIRECT}&run_id=done").text

    said = ": &lt;b&gt;wrong&lt;/b&gt; mapping." if comment else "."
    assert f"Rejected by anna, 2026-03-01 05:00 UTC{said}" in page
    assert "required_actions" not in page
