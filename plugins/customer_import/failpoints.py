"""Failpoints: named places of a run at which a test may end the process.

Crash safety is only known when it was tried. A test sets ``CUSTOMER_IMPORT_KILL_AT`` to ``name`` or ``name:count``, and
``CUSTOMER_IMPORT_TESTING`` to 1; the process then sends itself SIGKILL when it reaches that failpoint (for the count-th
time), exactly as an out-of-memory kill would: nothing is flushed, closed or caught. Without the second variable nothing
is armed, whatever the first one says. While nobody watches, a failpoint costs one comparison.
"""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KILL_VARIABLE = "CUSTOMER_IMPORT_KILL_AT"
TESTING_VARIABLE = "CUSTOMER_IMPORT_TESTING"

FAILPOINTS = (
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
"""Every failpoint, in the order of a run."""

log = logging.getLogger(__name__)

_watch: Callable[[str], None] | None = None


def reached(failpoint: str) -> None:
    """Say that the process is at a failpoint."""
    if _watch is not None:
        _watch(failpoint)


def watch(observer: Callable[[str], None] | None) -> None:
    """Have every failpoint of this process reported; ``None`` ends it."""
    global _watch  # noqa: PLW0603 - one observer per process
    _watch = observer


def kill_at(failpoint: str, count: int = 1) -> Callable[[str], None]:
    """Return an observer that ends the process at a failpoint.

    Args:
        failpoint: One of ``FAILPOINTS``.
        count: At which time of reaching it, from 1.

    Raises:
        ValueError: There is no such failpoint.
    """
    if failpoint not in FAILPOINTS:
        message = f"there is no failpoint {failpoint!r}"
        raise ValueError(message)
    left = count

    def observe(name: str) -> None:
        nonlocal left
        if name != failpoint:
            return
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return observe


def arm(environment: Mapping[str, str]) -> None:
    """Arm the failpoint that an environment names, if the environment is a test's."""
    failpoint, _, count = environment.get(KILL_VARIABLE, "").partition(":")
    if not failpoint:
        return
    if environment.get(TESTING_VARIABLE) != "1":
        log.warning(
            "%s is ignored: it is for tests, which set %s=1", KILL_VARIABLE, TESTING_VARIABLE
        )
        return
    watch(kill_at(failpoint, int(count or "1")))


arm(os.environ)
