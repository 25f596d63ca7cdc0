"""The one row of a tenant's result: what it says, and which result may replace which."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, literal, select
from sqlalchemy.exc import IntegrityError

from customer_import.database.tables import import_results, staged_customers
from customer_import.runs.results import (
    Replaces,
    Result,
    record_results,
    record_selected_results,
    result_columns,
)
from customer_import.runs.verdict import Verdict
from customer_import.vocabulary import Outcome, ReasonCode, TaskId
from tests.tasks.load.test_claims import wait_for_waiting

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from customer_import.runs.run import Run
    from tests.tasks.finish.book import Book

TENANT = SimpleNamespace(
    tenant_id="00000000-0000-4000-8000-000000000000",
    tenant_name="Example Company",
    domain="example.onmicrosoft.com",
    reseller_mpn_id="4847383",
    reseller_name="Example Cloud",
)
NOW = datetime(2026, 1, 2, tzinfo=UTC)


def result(run: Run, outcome: Outcome, reason: str = "Because.", **more: Any) -> Result:
    verdict = Verdict(outcome, ReasonCode.NEW, reason)
    return Result.of(run, TENANT, verdict, TaskId.LOAD_CUSTOMERS, recorded_at=NOW, **more)


def record(book: Book, one: Result, replaces: Replaces) -> Any:
    with book.engine.begin() as connection:
        record_results(connection, [one], replaces=replaces)
        return connection.execute(select(import_results)).one()


def test_a_result_says_all_of_its_tenant_run_and_task(book: Book):
    run = book.begin()
    one = result(
        run, Outcome.UPDATED, warnings=("A.",), account_id=7, contact_id=8, attempts=2, map_index=3
    )

    row = record(book, one, Replaces.ANY)

    assert (row.run_id, row.import_type, row.instance) == (run.key, "direct", "default")
    assert {name: getattr(row, name) for name in vars(TENANT)} == vars(TENANT)
    assert (row.outcome, row.reason_code, row.reason) == ("updated", "new", "Because.")
    assert (row.warnings, row.account_id, row.contact_id) == (["A."], 7, 8)
    assert (row.attempts, row.task_id, row.map_index) == (2, "load_customers", 3)


def test_no_warnings_are_no_value_so_that_nobody_counts_them(book: Book):
    run = book.begin()
    record(book, result(run, Outcome.REJECTED, warnings=[]), Replaces.ANY)
    with book.engine.connect() as connection:
        empty = select(import_results.c.id).where(import_results.c.warnings.is_(None))
        assert len(connection.execute(empty).all()) == 1


@pytest.mark.parametrize(
    ("replaces", "before", "stands"),
    [
        (Replaces.FAILED, Outcome.CREATED, "first"),
        (Replaces.FAILED, Outcome.FAILED, "second"),
        (Replaces.ANY, Outcome.CREATED, "second"),
        (Replaces.ANY, Outcome.FAILED, "second"),
    ],
)
def test_a_result_replaces_what_its_rule_allows(
    book: Book, replaces: Replaces, before: Outcome, stands: str
):
    run = book.begin()
    record(book, result(run, before, "first", warnings=["A."]), Replaces.ANY)

    row = record(book, result(run, Outcome.UPDATED, "second"), replaces)

    assert row.reason == stands
    assert row.warnings == (["A."] if stands == "first" else None)


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_two_attempts_that_record_the_same_tenants_do_not_wait_for_each_other(
    book: Book, engine: Engine
):
    run = book.begin()
    first, second, third = (
        replace(result(run, Outcome.FAILED), tenant_id=tenant) for tenant in "abc"
    )
    columns = import_results.c

    def write(results: list[Result]) -> None:
        with engine.begin() as connection:
            record_results(connection, results, replaces=Replaces.FAILED)

    write([first, second, third])
    with engine.connect() as blocker, ThreadPoolExecutor(2) as pool:
        blocker.execute(select(columns.id).where(columns.tenant_id == "b").with_for_update())
        one = pool.submit(write, [first, second, third])
        wait_for_waiting(engine, 1)
        other = pool.submit(write, [third, second, first])
        wait_for_waiting(engine, 2)
        blocker.rollback()
        for attempt in (one, other):
            attempt.result(timeout=30)


def select_results(run: Run, **values: Any) -> Any:
    columns = result_columns(run.import_type.value, run.params.instance, NOW, **values)
    return select(*columns).where(staged_customers.c.run_id == run.key)


def test_the_database_makes_the_same_row_of_a_staged_customer(book: Book):
    run = book.begin()
    with book.engine.begin() as connection:
        connection.execute(
            insert(staged_customers),
            [{"run_id": run.key, "position": 0, "state": "fetched", **vars(TENANT)}],
        )
        record_selected_results(
            connection,
            select_results(
                run,
                outcome=Outcome.FAILED.value,
                reason_code=literal(ReasonCode.NEW.value),
                reason="Because.",
                attempts=1,
                task_id=TaskId.LOAD_CUSTOMERS.value,
                reseller_mpn_id=staged_customers.c.reseller_mpn_id,
                reseller_name=staged_customers.c.reseller_name,
            ),
        )
        selected = connection.execute(select(import_results)).one()._mapping

    written = record(book, result(run, Outcome.FAILED), Replaces.FAILED)._mapping

    assert dict(written) == dict(selected)


def test_a_second_result_that_the_database_makes_is_a_defect(book: Book):
    run = book.begin()
    book.list(run)
    rows = select_results(run, outcome="failed", reason_code="not_reached", reason="No.")
    with book.engine.begin() as connection:
        record_selected_results(connection, rows)
    with pytest.raises(IntegrityError), book.engine.begin() as connection:
        record_selected_results(connection, rows)


def test_a_column_that_no_result_has_is_refused():
    with pytest.raises(TypeError, match="no column outcom"):
        result_columns("direct", "default", NOW, outcom="failed")
