"""Named points of the write path at which a test may kill the process.

Crash safety is only known when it was tried. A chaos test sets ``CUSTOMER_IMPORT_KILL_AT`` to ``name`` or ``name:count``;
the process then sends itself SIGKILL when it reaches that point (for the count-th time), exactly as an out-of-memory
kill would: nothing is flushed, closed or caught. Without the variable a point costs one comparison.
"""

from __future__ import annotations

import os
import signal

KILL_VARIABLE = "CUSTOMER_IMPORT_KILL_AT"

_name, _, _count = os.environ.get(KILL_VARIABLE, "").partition(":")
_left = int(_count or "1")


def reached(point: str) -> None:
    """Say that the process is at a named point; it ends here when that is the point to be killed at."""
    global _left  # noqa: PLW0603 - one countdown per process
    if point != _name:
        return
    _left -= 1
    if _left <= 0:
        os.kill(os.getpid(), signal.SIGKILL)
