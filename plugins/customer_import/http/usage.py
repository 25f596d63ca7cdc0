"""Counts what a task attempt uses of each API: requests, how long limits held them back, how often it throttled.

Sessions that are opened within ``counting`` count there; others for nobody.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from customer_import.http.limiter import Limiter


@dataclass
class ApiUse:
    """What was used of one service.

    Attributes:
        requests: Requests sent, repeated ones included.
        throttled: Answers that said that there were too many.
        waited_s: Seconds in which a limit held back at least one request.
        clock: Monotonic seconds.
    """

    requests: int = 0
    throttled: int = 0
    waited_s: float = 0.0
    clock: Callable[[], float] = field(default=time.monotonic, repr=False)
    _held: int = 0
    _since: float = 0.0

    def hold(self) -> None:
        """A request waits for its turn."""
        if self._held == 0:
            self._since = self.clock()
        self._held += 1

    def release(self) -> None:
        """It waits no more."""
        self._held -= 1
        if self._held == 0:
            self.waited_s += self.clock() - self._since

    def as_dict(self) -> dict[str, float]:
        """Return the counts as JSON-ready values."""
        return {
            "requests": self.requests,
            "throttled": self.throttled,
            "waited_s": round(self.waited_s, 1),
        }


_counted: ContextVar[dict[str, ApiUse] | None] = ContextVar("api_use", default=None)


@contextmanager
def counting() -> Iterator[dict[str, ApiUse]]:
    """Count what is used within, by service; threads and event loops that are started within count along."""
    used: dict[str, ApiUse] = {}
    token = _counted.set(used)
    try:
        yield used
    finally:
        _counted.reset(token)


def use_of(service: str) -> ApiUse:
    """Return where a session to a service counts."""
    used = _counted.get()
    return ApiUse() if used is None else used.setdefault(service, ApiUse())


class Held:
    """A limiter whose waits are counted."""

    def __init__(self, limiter: Limiter, use: ApiUse) -> None:
        self._limiter, self._use = limiter, use

    async def __aenter__(self) -> None:
        """Wait for a place."""
        self._use.hold()
        try:
            await self._limiter.__aenter__()
        finally:
            self._use.release()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the place back."""
        await self._limiter.__aexit__(kind, error, traceback)
