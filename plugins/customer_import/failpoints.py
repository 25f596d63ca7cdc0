"""Named points of a run at which a test may end the process.

Crash safety is only known when it was tried. A chaos test sets ``CUSTOMER_IMPORT_KILL_AT`` to ``name`` or
``name:count``; the process then sends itself SIGKILL when it reaches that point (for the count-th time), exactly as an
out-of-memory kill would: nothing is flushed, closed or caught. While nobody watches, a point costs one comparison.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

KILL_VARIABLE = "CUSTOMER_IMPORT_KILL_AT"

POINTS = (
    "before_token",
    "after_token",
    "before_page",
    "after_page",
    "before_detail",
    "after_detail",
    "before_staging_commit",
    "after_staging_commit",
    "before_validation_commit",
    "after_validation_commit",
    "before_transform_commit",
    "after_transform_commit",
    "before_account_post",
    "after_account_post",
    "after_account_outcome",
    "before_contact_post",
    "after_contact_post",
    "after_contact_outcome",
    "before_sync_options_post",
    "after_sync_options_post",
    "before_account_patch",
    "after_account_patch",
    "before_results_commit",
    "after_outcome",
    "before_summary_commit",
    "after_summary",
)
"""Every point, in the order of a run."""

_watch: Callable[[str], None] | None = None


def reached(point: str) -> None:
    """Say that the process is at a named point."""
    if _watch is not None:
        _watch(point)


def watch(observer: Callable[[str], None] | None) -> None:
    """Have every point of this process reported; ``None`` ends it."""
    global _watch  # noqa: PLW0603 - one observer per process
    _watch = observer


def killing(point: str, count: int = 1) -> Callable[[str], None]:
    """Return an observer that ends the process at a point.

    Args:
        point: One of ``POINTS``.
        count: At which time of reaching it, from 1.

    Raises:
        ValueError: There is no such point.
    """
    if point not in POINTS:
        message = f"there is no point {point!r}"
        raise ValueError(message)
    left = count

    def observe(name: str) -> None:
        nonlocal left
        if name != point:
            return
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return observe


_point, _, _count = os.environ.get(KILL_VARIABLE, "").partition(":")
if _point:
    watch(killing(_point, int(_count or "1")))
