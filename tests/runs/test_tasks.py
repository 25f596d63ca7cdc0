"""What a run's tasks did: every attempt has a row, from its begin to its end."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from customer_import.database.tables import run_tasks
from customer_import.errors import AuthenticationError, DatabaseError
from customer_import.http.usage import use_of
from customer_import.runs.heartbeat import beating
from customer_import.runs.tasks import (
    TaskAttempt,
    _see,
    last_attempts,
    record_task,
    silent_tasks,
    total_api_use,
)
from customer_import.vocabulary import RunState, TaskId

if TYPE_CHECKING:
    from tests.tasks.finish.book import Book

EXTRACT = TaskId.EXTRACT_CUSTOMERS.value
LOAD = TaskId.LOAD_CUSTOMERS.value
PRIVATE = "jane@example.com"


def attempts(book: Book, run_key: int) -> list[TaskAttempt]:
    with book.engine.connect() as connection:
        return last_attempts(connection, run_key)


def test_a_task_that_works_is_running_and_then_has_its_seconds(book: Book):
    run = book.begin()

    with record_task(book.engine, TaskAttempt(run.key, EXTRACT)):
        (during,) = attempts(book, run.key)
    (after,) = attempts(book, run.key)

    assert (during.state, during.seconds) == (RunState.RUNNING, None)
    assert (after.state, after.error, after.name) == (RunState.SUCCESS, None, EXTRACT)
    assert after.seconds is not None
    assert after.started_at == during.started_at
    assert datetime.now(UTC) - after.started_at < timedelta(minutes=1)


def test_a_task_that_fails_says_why_and_fails_all_the_same(book: Book):
    run = book.begin()
    refused = AuthenticationError("the password was refused", service="BSS")

    with (
        pytest.raises(AuthenticationError),
        record_task(book.engine, TaskAttempt(run.key, LOAD, map_index=3)),
    ):
        raise refused

    (task,) = attempts(book, run.key)
    assert (task.state, task.name) == (RunState.FAILED, "load_customers[3]")
    assert task.error == "BSS: the password was refused"
    assert task.seconds is not None


def test_a_task_gives_signs_of_life_and_one_whose_process_is_gone_is_told(book: Book):
    run = book.begin()
    task = TaskAttempt(run.key, LOAD, map_index=3)
    with record_task(book.engine, task):
        (begun,) = attempts(book, run.key)
        assert begun.seen_at is not None
        seen = threading.Event()

        def beat() -> None:
            _see(book.engine, task, later)
            seen.set()

        later = begun.seen_at + timedelta(seconds=8)
        with beating(beat, every_s=0.01):
            assert seen.wait(10)
        (alive,) = attempts(book, run.key)
        assert alive.seen_at == later
        assert silent_tasks([alive], later + timedelta(seconds=20)) == []
        assert silent_tasks([alive], later + timedelta(seconds=30)) == [alive]
    (ended,) = attempts(book, run.key)
    _see(book.engine, task, later + timedelta(hours=1))
    assert attempts(book, run.key) == [ended], "a beat that is late changes nothing"
    assert silent_tasks([ended], later + timedelta(hours=1)) == []


def test_a_database_that_is_away_ends_neither_the_task_nor_its_signs_of_life():
    beats = iter(
        [OperationalError("SELECT 1", None, Exception()), DatabaseError("away", hint="wait"), None]
    )
    seen = threading.Event()

    def beat() -> None:
        if (error := next(beats, None)) is not None:
            raise error
        seen.set()

    with beating(beat, every_s=0.01):
        assert seen.wait(10)


def test_a_failure_that_cannot_be_recorded_does_not_hide_what_failed(
    book: Book, caplog: pytest.LogCaptureFixture
):
    run = book.begin()

    def lose_the_table_and_fail() -> None:
        with book.engine.begin() as connection:
            run_tasks.drop(connection)
        message = "the password was refused"
        raise AuthenticationError(message, service="BSS")

    with (
        pytest.raises(AuthenticationError, match="the password was refused"),
        record_task(book.engine, TaskAttempt(run.key, LOAD, map_index=3)),
    ):
        lose_the_table_and_fail()

    assert "The failure of load_customers[3] could not be recorded" in caplog.text


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_the_text_of_a_foreign_error_is_not_kept_for_it_may_hold_personal_data(
    book: Book, error: type[BaseException]
):
    run = book.begin()

    with pytest.raises(error), record_task(book.engine, TaskAttempt(run.key, LOAD)):
        raise error(PRIVATE)

    (task,) = attempts(book, run.key)
    assert task.error == f"it was ended by {error.__name__}; see its log"


def test_every_attempt_has_a_row_and_the_last_one_counts(book: Book):
    run = book.begin()
    for number, seconds in ((1, 9.0), (2, 1.0)):
        book.attempt(run, EXTRACT, attempt=number, seconds=seconds)
    for index in (1, 0):
        book.attempt(run, LOAD, map_index=index, seconds=2.0)

    found = [(task.name, task.attempt, task.seconds) for task in attempts(book, run.key)]

    assert found == [
        ("extract_customers", 2, 1.0),
        ("load_customers[1]", 1, 2.0),
        ("load_customers[0]", 1, 2.0),
    ]
    with book.engine.connect() as connection:
        assert len(connection.execute(select(run_tasks)).all()) == 4


def test_an_attempt_that_begins_again_starts_its_row_anew(book: Book):
    run = book.begin()
    book.attempt(run, EXTRACT, error="It broke.", seconds=3.0)

    with record_task(book.engine, TaskAttempt(run.key, EXTRACT)):
        (during,) = attempts(book, run.key)

    assert (during.state, during.seconds, during.error) == (RunState.RUNNING, None, None)


def test_a_run_that_is_not_there_is_left_to_the_task_to_refuse(book: Book):
    with record_task(book.engine, TaskAttempt(4711, EXTRACT)):
        pass
    assert attempts(book, 4711) == []


def test_what_all_attempts_used_of_the_apis_is_added_up(book: Book):
    run = book.begin()

    for attempt in (1, 2):
        with record_task(book.engine, TaskAttempt(run.key, EXTRACT, attempt=attempt)):
            use_of("Partner Center").requests += 3

    def fail() -> None:
        use = use_of("BSS")
        use.requests, use.throttled, use.waited_s = 5, 1, 2.5
        message = "the password was refused"
        raise AuthenticationError(message, service="BSS")

    with (
        pytest.raises(AuthenticationError),
        record_task(book.engine, TaskAttempt(run.key, LOAD, map_index=0)),
    ):
        fail()

    with book.engine.connect() as connection:
        total = total_api_use(connection, run.key)
    assert total == {
        "Partner Center": {"requests": 6, "throttled": 0, "waited_s": 0.0},
        "BSS": {"requests": 5, "throttled": 1, "waited_s": 2.5},
    }
