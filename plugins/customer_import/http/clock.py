"""Whether this machine's clock goes right, by the ``Date`` header of an answer."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

TOLERATED_S = 300.0
"""What Microsoft's own services tolerate of a client's clock; slow answers lie well within."""
_MINUTE_S = 60


def clock_offset_s(date: str | None, now: datetime) -> float | None:
    """Return by how many seconds a clock is ahead of a server's; ``None`` when the server told no time.

    Args:
        date: The header ``Date``.
        now: UTC, by the clock that is looked at.
    """
    try:
        told = parsedate_to_datetime(date or "")
        return (now - told).total_seconds()
    except (ValueError, TypeError, OverflowError):  # no date, or one without a time zone
        return None


def wrong_clock(offset_s: float | None, whose: str) -> str | None:
    """Return in words that a clock is wrong, and what to do; ``None`` when it is right or nothing is known.

    Args:
        offset_s: As ``clock_offset_s`` returns it.
        whose: Whose clock it is compared with.
    """
    if offset_s is None or abs(offset_s) <= TOLERATED_S:
        return None
    direction = "ahead of" if offset_s > 0 else "behind"
    minutes = round(abs(offset_s) / _MINUTE_S)
    return (
        f"this machine's clock is {minutes} minutes {direction} {whose}: tokens, schedules and the days of a change "
        "would be judged wrongly. Hint: let it be set by a time server (NTP), then try again"
    )
