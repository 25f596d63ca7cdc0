from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, insert, select, update

from customer_import.config.instances import RetentionConfig
from customer_import.database.names import record_names
from customer_import.database.tables import (
    import_results,
    import_runs,
    name_beginnings,
    run_tasks,
    service_slots,
    staged_accounts,
    staged_contacts,
    staged_customers,
    tenant_links,
)
from customer_import.runs.approvals import Approval, store_approval
from customer_import.runs.parameters import RunParams
from customer_import.runs.run import record_run
from customer_import.tasks.retention import PurgeCounts, apply_retention, purge
from customer_import.vocabulary import Answer, ImportType

if TYPE_CHECKING:
    from sqlalchemy import Engine

NOW = datetime(2026, 6, 1, tzinfo=UTC)
TENANT = "00000000-0000-4000-8000-000000000001"


def staged_run(engine: Engine, age_days: float) -> int:
    """A finished run of one customer, of that age."""
    key = record_run(
        engine, "dag", f"run {age_days}", ImportType.DIRECT, RunParams(instance="default"), None
    )
    moment = NOW - timedelta(days=age_days)
    own = {"run_id": key, "tenant_id": TENANT}
    listed = {"position": 0, "tenant_name": "Northwind", "state": "fetched"}
    result = {
        "import_type": "direct",
        "instance": "default",
        "outcome": "created",
        "recorded_at": moment,
    }
    with engine.begin() as connection:
        connection.execute(
            update(import_runs).where(import_runs.c.id == key).values(started_at=moment)
        )
        connection.execute(
            insert(staged_customers), [{**own, **listed, "source": b"{}", "body": b"{}"}]
        )
        connection.execute(
            insert(staged_accounts),
            [{**own, "batch": 0, "payload": b"{}", "sync_options": b"{}", "content_hash": "h"}],
        )
        connection.execute(
            insert(staged_contacts), [{**own, "payload": b"{}", "bss_before": b"{}"}]
        )
        connection.execute(insert(import_results), [{**own, **result}])
    return key


def count(engine: Engine, table, run_key: int) -> int:
    with engine.connect() as connection:
        return connection.execute(
            select(func.count()).select_from(table).where(table.c.run_id == run_key)
        ).scalar_one()


def test_what_old_runs_staged_is_removed_and_their_results_stay(engine: Engine) -> None:
    old, young = staged_run(engine, 31), staged_run(engine, 29)
    with engine.begin() as connection:
        connection.execute(
            insert(tenant_links),
            [
                {
                    "instance": "default",
                    "tenant_id": TENANT,
                    "import_type": "direct",
                    "account_id": 7,
                    "created_at": NOW,
                    "updated_at": NOW,
                }
            ],
        )
    assert purge(engine, 30, now=NOW) == PurgeCounts(1, 1, 1, 1)
    with engine.connect() as connection:
        rows = connection.execute(
            select(staged_customers).order_by(staged_customers.c.run_id)
        ).all()
        links = connection.execute(select(func.count()).select_from(tenant_links)).scalar_one()
    assert [(row.tenant_name, row.source, row.body) for row in rows] == [
        ("Northwind", None, None),
        ("Northwind", b"{}", b"{}"),
    ]
    assert [count(engine, staged_accounts, run) for run in (old, young)] == [0, 1]
    assert [count(engine, staged_contacts, run) for run in (old, young)] == [0, 1]
    assert [count(engine, import_results, run) for run in (old, young)] == [1, 1]
    assert links == 1


def test_a_second_purge_finds_nothing(engine: Engine) -> None:
    staged_run(engine, 40)
    purge(engine, 30, now=NOW)
    assert purge(engine, 30, now=NOW) == PurgeCounts()


@pytest.mark.parametrize("days", [0, -1])
def test_the_data_of_a_run_at_work_cannot_be_purged(engine: Engine, days: int) -> None:
    with pytest.raises(ValueError, match="1 day at least"):
        purge(engine, days)


def sign_of_life(engine: Engine, run_key: int, hours_ago: float) -> None:
    seen = NOW - timedelta(hours=hours_ago)
    row = {"run_id": run_key, "task_id": "load_customers", "map_index": 0, "attempt": 1}
    with engine.begin() as connection:
        connection.execute(
            insert(run_tasks), [{**row, "state": "running", "started_at": seen, "seen_at": seen}]
        )


@pytest.mark.parametrize(
    ("hours_ago", "timeout_hours", "is_answered", "is_kept"),
    [
        (0.5, None, False, True),  # a task is at work, or the next one is about to be
        (30, None, False, False),  # killed
        (
            30,
            48.0,
            False,
            True,
        ),  # a person may still answer, and the load needs what is to be written
        (30, 24.0, False, False),
        (30, 48.0, True, False),
        (0.5, 48.0, True, True),
    ],
)
def test_a_run_at_work_or_waiting_for_its_approval_keeps_its_data(
    engine: Engine, hours_ago: float, timeout_hours: float | None, is_answered: bool, is_kept: bool
) -> None:
    key, other = staged_run(engine, 2), staged_run(engine, 3)
    sign_of_life(engine, key, hours_ago)
    if timeout_hours is not None:
        approval = Approval(why="it was started so.", timeout_hours=timeout_hours)
        if is_answered:
            approval = approval.answered(Answer.APPROVED, "anna", NOW, "")
        store_approval(engine, key, approval)
    with engine.begin() as connection:
        ended = update(import_runs).where(import_runs.c.id == key)
        connection.execute(ended.values(ended_at=NOW - timedelta(days=1)))
    staged_run(engine, 0)  # the newest of all is never deleted
    kept = RetentionConfig(personal_data_days=1, results_days=1)
    counts = apply_retention(engine, {"default": kept}, now=NOW)
    assert counts.runs == (1 if is_kept else 2)
    assert counts.deleted_runs == (0 if is_kept else 1)
    with engine.connect() as connection:
        rows = select(staged_accounts.c.run_id).where(staged_accounts.c.run_id.in_([key, other]))
        assert connection.execute(rows).scalars().all() == ([key] if is_kept else [])


def test_names_of_customers_whose_last_run_is_deleted_go_with_it(engine: Engine) -> None:
    key = staged_run(engine, 40)
    staged_run(engine, 5)
    gone = TENANT.replace("1", "2")
    with engine.begin() as connection:
        connection.execute(
            update(staged_customers).where(staged_customers.c.run_id == key).values(tenant_id=gone)
        )
        connection.execute(update(import_runs).values(ended_at=NOW))
        record_names(connection, [(TENANT, "Northwind", None), (gone, "Contoso", None)])
    keep = RetentionConfig(personal_data_days=10, results_days=20)
    apply_retention(engine, {"default": keep}, now=NOW)
    with engine.connect() as connection:
        left = connection.execute(select(name_beginnings.c.tenant_id)).scalars().all()
    assert left == [TENANT]


def test_the_number_of_a_deleted_run_is_given_to_no_other(engine: Engine) -> None:
    for age in (60, 50, 40):
        newest = staged_run(engine, age)
    with engine.begin() as connection:
        connection.execute(update(import_runs).values(ended_at=NOW))
    keep = RetentionConfig(personal_data_days=10, results_days=20)
    assert apply_retention(engine, {"default": keep}, now=NOW).deleted_runs == 2
    assert staged_run(engine, 1) > newest


def test_machines_that_are_no_more_are_forgotten(engine: Engine):
    row = {"holder": "", "slots": 0}
    with engine.begin() as connection:
        for service, hours in (("old", 25), ("young", 23)):
            until = NOW - timedelta(hours=hours)
            connection.execute(
                insert(service_slots).values(row | {"service": service, "lease_until": until})
            )
    apply_retention(engine, {}, now=NOW)
    with engine.connect() as connection:
        assert connection.execute(select(service_slots.c.service)).scalars().all() == ["young"]
