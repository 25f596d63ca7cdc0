"""Which runs store a renewed refresh token: the first of a day, in all its tasks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from customer_import.runs.renewals import is_due, last_renewal, note_renewal

if TYPE_CHECKING:
    from sqlalchemy import Engine

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
BEGAN = NOW - timedelta(minutes=10)


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (None, True),
        (NOW - timedelta(hours=20), True),
        (NOW - timedelta(hours=19, minutes=59), False),
        (BEGAN - timedelta(seconds=1), False),
        (BEGAN, True),
        (NOW, True),
        (NOW + timedelta(days=300), True),
    ],
    ids=[
        "nobody knows",
        "a day ago",
        "less than a day ago",
        "just before the run",
        "the run did, at once",
        "the run did, now",
        "by a clock that was wrong",
    ],
)
def test_the_first_run_of_a_day_stores_what_its_sign_ins_renew(
    last: datetime | None, due: bool
) -> None:
    assert is_due(last, BEGAN, NOW) is due


def test_each_instance_has_a_last_renewal_of_its_own(engine: Engine) -> None:
    assert last_renewal(engine, "a") is None
    for moment in (NOW, NOW - timedelta(days=1), NOW + timedelta(hours=1)):
        note_renewal(engine, "a", moment)
        assert last_renewal(engine, "a") == moment
    note_renewal(engine, "b", NOW)
    assert (last_renewal(engine, "a"), last_renewal(engine, "b")) == (
        NOW + timedelta(hours=1),
        NOW,
    )
