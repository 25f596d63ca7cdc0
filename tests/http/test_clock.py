"""Whether a clock goes right, by what an answer tells of the time."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from customer_import.http.clock import clock_offset_s, wrong_clock

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("date", "offset_s"),
    [
        ("Fri, 27 Nov 2026 12:00:00 GMT", 0),
        ("Fri, 27 Nov 2026 11:00:00 GMT", 3600),
        ("Fri, 27 Nov 2026 13:30:00 GMT", -5400),
        (None, None),
        ("", None),
        ("yesterday", None),
        ("Fri, 27 Nov 2026 12:00:00 -0000", None),  # without a time zone
        ("Fri, 99 Nov 2026 12:00:00 GMT", None),
    ],
)
def test_a_date_header_tells_the_offset(date: str | None, offset_s: float | None) -> None:
    assert clock_offset_s(date, NOW) == offset_s


@pytest.mark.parametrize(
    ("offset_s", "words"),
    [
        (3600, "clock is 60 minutes ahead of Microsoft's"),
        (-3600, "clock is 60 minutes behind Microsoft's"),
        (301, "clock is 5 minutes ahead of"),
    ],
)
def test_a_wrong_clock_is_told(offset_s: float, words: str) -> None:
    said = wrong_clock(offset_s, "Microsoft's")
    assert said is not None
    assert words in said
    assert "time server (NTP)" in said


@pytest.mark.parametrize("offset_s", [None, 0, 300, -300])
def test_a_clock_that_is_right_or_not_known_is_not(offset_s: float | None) -> None:
    assert wrong_clock(offset_s, "Microsoft's") is None
