"""A rate limiter: never more than a window's budget in any window, and nothing below it wasted.

A request occupies the budget from the moment it leaves until one window after its *answer*. The
promise holds for servers that count fixed windows and for those that count sliding ones.

Why: docs/decisions/0002-limiter.md.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Keep = Callable[[list[float], int], Awaitable[None]]

log = logging.getLogger(__name__)

_BLOCKS_PER_BUDGET = 10
_BURST_S = 1.0
"""What leaves together is refused together."""
_STEPS_BACK = 20
"""A lowered budget comes back by a twentieth of the full one for each window without a refusal."""


class Limiter(Protocol):
    """What a session asks of a limiter: enter before a request, exit at its answer, stand still."""

    async def __aenter__(self) -> Self:
        """Wait for a place."""

    async def __aexit__(self, *exc_info: object) -> None:
        """Give the place back."""

    def throttled(self, wait_s: float) -> None:
        """Let nothing leave for that long: the server refused a request because of its limit."""

    @property
    def pause_s(self) -> float:
        """Seconds for which nothing may leave, because the server said so; 0 or less when anything may."""

    @property
    def window_s(self) -> float:
        """Seconds over which the server counts; 0 when that is not known."""


class Unlimited:
    """Lets every request leave at once, but stands still when the server says so."""

    window_s = 0.0

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep
        self._closed_until = 0.0

    async def __aenter__(self) -> Self:
        """Wait until the pause that the server asked for is over."""
        while (wait := self.pause_s) > 0:
            await self._sleep(wait)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Nothing to give back."""

    def throttled(self, wait_s: float) -> None:
        """Let nothing leave for ``wait_s`` seconds."""
        self._closed_until = max(self._closed_until, self._clock() + wait_s)

    @property
    def pause_s(self) -> float:
        """What is left of the pause."""
        return self._closed_until - self._clock()


def budget_of(rate: float) -> tuple[int, float]:
    """Return requests and seconds of a window that keep a rate in any second: 20 a second, or 1 in 4 seconds."""
    return (int(rate), 1.0) if rate >= 1 else (1, 1 / rate)


class WindowLimiter:
    """At most ``budget`` requests in any window of ``window_s`` seconds.

    Args:
        budget: Requests per window.
        window_s: Length of the window in seconds.
        guard_s: Added to the window, for clocks that run apart.
        keep: Makes the window durable, for the next process: ages of the answered requests in seconds,
            and how many more may leave. A block of requests leaves only after it returned.
        clock: Monotonic seconds.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        budget: int,
        window_s: float = 60.0,
        *,
        guard_s: float = 0.05,
        keep: Keep | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.budget = self._full_budget = budget
        self.keep = keep
        self.window_s = window_s
        self._hold_s = window_s + guard_s
        self._clock, self._sleep = clock, sleep
        self._answered: deque[float] = deque()
        self._in_flight = 0
        self._reserved = 0
        self._closed_until = 0.0
        self._changed_at = 0.0
        self._lowered_at = -math.inf
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    async def __aenter__(self) -> Self:
        """Wait, first come first served, until the window has room."""
        async with self._turn:
            while (wait := self._wait_s()) is None or wait > 0:
                if wait is not None:
                    await self._sleep(wait)
                else:
                    self._freed.clear()
                    await self._freed.wait()
            if self.keep is not None:
                await self._reserve(self.keep)
            self._in_flight += 1
        return self

    async def _reserve(self, keep: Keep) -> None:
        if self._reserved == 0:
            block = max(1, self.budget // _BLOCKS_PER_BUDGET)
            await keep(self._ages(), self._in_flight + block)
            self._reserved = block
        self._reserved -= 1

    async def set_budget(self, budget: int) -> None:
        """Let that many requests leave in a window, or none; returns when no more are under way."""
        self.budget = self._full_budget = budget
        self._freed.set()
        while self._in_flight > self.budget:
            self._freed.clear()
            await self._freed.wait()

    def restore(self, ages: Iterable[float], open_requests: int = 0) -> None:
        """Take over the window of another process.

        Args:
            ages: Seconds since each of its requests was answered.
            open_requests: Requests that it may have sent beside; they count as answered now.
        """
        now = self._clock()
        known = (*(now - age for age in ages), *[now] * open_requests)
        self._answered = deque(sorted((*self._answered, *known)))

    async def close(self) -> None:
        """Make the window durable as it stands; requests under way count as open."""
        if self.keep is not None:
            self._reserved = 0
            await self.keep(self._ages(), self._in_flight)

    def _ages(self) -> list[float]:
        now = self._clock()
        return [now - at for at in self._answered if now - at < self._hold_s]

    async def __aexit__(self, *exc_info: object) -> None:
        """Start the clock of this request's place in the window."""
        self._in_flight -= 1
        self._answered.append(self._clock())
        self._freed.set()

    def throttled(self, wait_s: float) -> None:
        """Let nothing leave for ``wait_s`` seconds; lower the budget: it was too high.

        It comes back step by step, window by window, as long as nothing is refused.
        """
        now = self._clock()
        # Once per pause, not once per refused request of the same burst, also when no pause is asked for.
        if now >= self._closed_until and now - self._lowered_at >= _BURST_S:
            self._lowered_at = now
            self.budget = min(max(1, self.budget * 9 // 10), self._full_budget)
            self._changed_at = now + wait_s
            log.warning(
                "The server's rate limit was hit: nothing leaves for %.0f s, then at most %s requests in %.0f s",
                wait_s,
                self.budget,
                self.window_s,
            )
        self._closed_until = max(self._closed_until, now + wait_s)

    @property
    def pause_s(self) -> float:
        """What is left of the pause."""
        return self._closed_until - self._clock()

    def _wait_s(self) -> float | None:
        """Seconds to wait; ``None`` when only the answer of a request under way can tell."""
        now = self._clock()
        while self._answered and now - self._answered[0] >= self._hold_s:
            self._answered.popleft()
        if now < self._closed_until:
            return self._closed_until - now
        if self.budget < self._full_budget and now - self._changed_at >= self.window_s:
            self._give_back(now)
        if len(self._answered) + self._in_flight < self.budget:
            return 0.0
        if not self._answered:
            return None
        return max(self._answered[0] + self._hold_s - now, 0.001)

    def _give_back(self, now: float) -> None:
        """Raise a lowered budget a little: whoever else used the limit may have stopped."""
        step = max(1, self._full_budget // _STEPS_BACK)
        self.budget = min(self._full_budget, self.budget + step)
        self._changed_at = now
