"""Cursors lead through every row once, forth and back, and a forged one is refused."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import orjson
import pytest

from customer_import.database.engine import reading
from customer_import.vocabulary import Outcome
from customer_import.web.paging import CursorError
from customer_import.web.results import ResultFilter, ResultOrder, read_results
from tests.web.data import add_results, add_run

if TYPE_CHECKING:
    from sqlalchemy import Engine

OUTCOMES = ("created", "failed", "skipped")


@pytest.fixture
def run_key(engine: Engine) -> int:
    """A run whose names repeat, so that the name alone is no key."""
    key = add_run(engine)
    rows = [{"tenant_name": f"Name {n % 4}", "outcome": OUTCOMES[n % 3]} for n in range(23)]
    add_results(engine, key, *rows, domain=None)
    add_results(engine, add_run(engine), *rows)
    return key


@pytest.mark.parametrize("sort", list(ResultOrder))
@pytest.mark.parametrize("outcome", [None, Outcome.FAILED])
def test_pages_show_every_row_once_forth_and_back(
    engine: Engine, run_key: int, sort: ResultOrder, outcome: Outcome | None
) -> None:
    wanted = ResultFilter(sort=sort, outcome=outcome)
    with reading(engine) as connection:
        whole = read_results(connection, run_key, wanted, None, 100)
        everything = [row.tenant_id for row in whole.items]
        forth, cursor = [], None
        while True:
            page = read_results(connection, run_key, wanted, cursor, 4)
            forth += [row.tenant_id for row in page.items]
            if page.next_cursor is None:
                break
            cursor = page.next_cursor
        back = [row.tenant_id for row in page.items]
        while page.previous_cursor:
            page = read_results(connection, run_key, wanted, page.previous_cursor, 4)
            back = [row.tenant_id for row in page.items] + back
    assert forth == back == everything
    assert len(set(everything)) == len(everything) == (23 if outcome is None else 8)


def forge(*values: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "ä",
        "%%%",
        forge(),
        forge("newest", False),
        forge("name", False, 1),
        forge("newest", False, "1"),
        forge("newest", False, True),
        forge("newest", 0, 1),
        forge("newest", False, 2**64 - 1),
        forge("newest", False, 1, 2),
    ],
)
def test_a_forged_cursor_is_refused(engine: Engine, run_key: int, cursor: str) -> None:
    with reading(engine) as connection, pytest.raises(CursorError):
        read_results(connection, run_key, ResultFilter(sort=ResultOrder.NEWEST), cursor, 4)


def test_a_cursor_may_not_carry_a_nul_into_the_database(engine: Engine, run_key: int) -> None:
    with reading(engine) as connection, pytest.raises(CursorError):
        read_results(
            connection,
            run_key,
            ResultFilter(sort=ResultOrder.NAME),
            forge("name", False, "a\0", 1),
            4,
        )
