"""How Partner Center counts requests per resource."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

from sandbox.config import RateWindow

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.config import RateLimit


class Throttle:
    """Budget of one resource; refused requests do not use it up.

    A fixed window begins with the first request after the last window's end, so its whole budget
    may go at once; a sliding window holds in every stretch of its length.
    """

    def __init__(self, limit: RateLimit, now: Callable[[], float]) -> None:
        """Take the limit and the clock (seconds, monotonic)."""
        self._limit = limit
        self._now = now
        self._taken: deque[float] = deque()
        self.refused = 0

    def wait_s(self) -> int:
        """Take one request from the budget; 0 when there was one, else whole seconds to wait."""
        now = self._now()
        limit = self._limit
        if limit.window is RateWindow.FIXED:
            if self._taken and now - self._taken[0] >= limit.window_s:
                self._taken.clear()
        else:
            while self._taken and now - self._taken[0] >= limit.window_s:
                self._taken.popleft()
        if len(self._taken) < limit.requests:
            self._taken.append(now)
            return 0
        self.refused += 1
        return max(1, math.ceil(self._taken[0] + limit.window_s - now))
