"""Counts of what was asked and answered, and whether Retry-After was obeyed."""

from __future__ import annotations

import time
from collections import Counter, deque
from dataclasses import dataclass

_MAX_ENTRIES = 200_000
_CLOCK_SLACK_S = 0.05


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """One request, without its headers and body.

    Attributes:
        at: Unix time of arrival in seconds.
        endpoint: Name of the endpoint, such as ``bss.accounts.create``.
        method: HTTP method.
        path: Path without query: queries may carry names.
        status: HTTP status answered; 0 when the connection was cut.
        duration_ms: Time until the answer was ready.
        request_id: The MS-RequestId sent, or empty.
    """

    at: float
    endpoint: str
    method: str
    path: str
    status: int
    duration_ms: float
    request_id: str


@dataclass(frozen=True, slots=True)
class RetryAfterCount:
    """How clients treated the waits that they were told.

    Attributes:
        told: Answers that carried Retry-After.
        obeyed: Repeats of such a request that came after the wait.
        disobeyed: Repeats that came too early.
    """

    told: int
    obeyed: int
    disobeyed: int


class RequestLog:
    """Counts requests per endpoint and status."""

    def __init__(self, *, keeps_entries: bool = False) -> None:
        """Keep counts, and single requests when asked."""
        self.keeps_entries = keeps_entries
        self._counts: Counter[tuple[str, int]] = Counter()
        self._entries: deque[RequestEntry] = deque(maxlen=_MAX_ENTRIES)
        self._due: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self.most_attempts = 0
        self._told = self._obeyed = self._disobeyed = 0

    def arrived(self, call: str) -> None:
        """Note that a call (method, full target and body) arrived, before it is answered."""
        if not self._due:
            return
        due = self._due.pop(call, None)
        if due is None:
            return
        if time.monotonic() + _CLOCK_SLACK_S < due:
            self._disobeyed += 1
        else:
            self._obeyed += 1

    def told_to_wait(self, call: str, wait_s: float) -> None:
        """Note that a call was answered with Retry-After."""
        self._told += 1
        self._due[call] = time.monotonic() + wait_s

    def tried(self, call: str, *, is_struck: bool) -> None:
        """Count the attempts on a call that went wrong on purpose, up to the first that did not."""
        attempts = self._tries.pop(call, 0) + 1
        self.most_attempts = max(self.most_attempts, attempts)
        if is_struck:
            self._tries[call] = attempts

    def answered(self, entry: RequestEntry) -> None:
        """Count one answered (or cut) request."""
        self._counts[entry.endpoint, entry.status] += 1
        if self.keeps_entries:
            self._entries.append(entry)

    @property
    def entries(self) -> tuple[RequestEntry, ...]:
        """The requests kept, oldest first; empty unless keeping is switched on."""
        return tuple(self._entries)

    @property
    def retry_after(self) -> RetryAfterCount:
        """How Retry-After was treated."""
        return RetryAfterCount(self._told, self._obeyed, self._disobeyed)

    @property
    def total(self) -> int:
        """All requests."""
        return self._counts.total()

    def by_endpoint(self) -> dict[str, dict[int, int]]:
        """Count per endpoint and status."""
        counts: dict[str, dict[int, int]] = {}
        for (endpoint, status), count in sorted(self._counts.items()):
            counts.setdefault(endpoint, {})[status] = count
        return counts

    def count(self, endpoint: str, status: int | None = None) -> int:
        """Count the requests to one endpoint, with one status if given."""
        return sum(
            count
            for (name, answered), count in self._counts.items()
            if name == endpoint and status in {None, answered}
        )

    def clear(self) -> None:
        """Forget everything."""
        self._counts.clear()
        self._entries.clear()
        self._due.clear()
        self._tries.clear()
        self.most_attempts = 0
        self._told = self._obeyed = self._disobeyed = 0
