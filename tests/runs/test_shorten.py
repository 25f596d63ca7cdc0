"""How long a stored reason, warning or error may be is one rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, literal, select

from customer_import.database.tables import import_results, run_tasks, staged_customers
from customer_import.errors import DataQualityError
from customer_import.runs.results import (
    MOST_CHARACTERS,
    MOST_WARNINGS,
    Replaces,
    Result,
    record_results,
    record_selected_results,
    shorten,
)
from customer_import.runs.tasks import TaskAttempt, record_task
from customer_import.runs.verdict import Verdict
from customer_import.vocabulary import Outcome, ReasonCode, TaskId
from tests.runs.test_results import TENANT, select_results

if TYPE_CHECKING:
    from tests.tasks.finish.book import Book

LONG = "x" * 5_000_000


def test_a_short_text_stays() -> None:
    assert shorten("x" * MOST_CHARACTERS) == "x" * MOST_CHARACTERS
    assert shorten(LONG) == "x" * (MOST_CHARACTERS - 1) + "…"


def test_a_result_keeps_the_beginning_of_reason_and_warnings(book: Book) -> None:
    run = book.begin()
    verdict = Verdict(Outcome.FAILED, ReasonCode.NEW, LONG)
    task = TaskId.LOAD_CUSTOMERS
    result = Result.of(run, TENANT, verdict, task, warnings=[LONG] * (MOST_WARNINGS + 1))
    with book.engine.begin() as connection:
        record_results(connection, [result], replaces=Replaces.ANY)
        row = connection.execute(select(import_results)).one()
    assert len(row.reason) == MOST_CHARACTERS
    assert [len(warning) for warning in row.warnings] == [MOST_CHARACTERS] * MOST_WARNINGS


@pytest.mark.parametrize("reason", [LONG, literal(LONG)])
def test_a_result_that_the_database_makes_does_too(book: Book, reason: object) -> None:
    run = book.begin()
    with book.engine.begin() as connection:
        connection.execute(
            insert(staged_customers),
            [{"run_id": run.key, "position": 0, "state": "fetched", **vars(TENANT)}],
        )
        rows = select_results(run, outcome="failed", reason_code="not_reached", reason=reason)
        record_selected_results(connection, rows)
        assert len(connection.execute(select(import_results.c.reason)).scalar_one()) == (
            MOST_CHARACTERS
        )


def test_so_does_what_a_task_says_of_its_failure(book: Book) -> None:
    run = book.begin()

    def fail() -> None:
        with record_task(book.engine, TaskAttempt(run.key, TaskId.LOAD_CUSTOMERS.value)):
            raise DataQualityError(LONG)

    with pytest.raises(DataQualityError):
        fail()
    with book.engine.begin() as connection:
        assert len(connection.execute(select(run_tasks.c.error)).scalar_one()) == MOST_CHARACTERS
