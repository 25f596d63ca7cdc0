"""An access token that is fetched once, renewed before it ends, and never shown."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeGuard

from customer_import.errors import RetriableError
from customer_import.failpoints import reached

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


_LONGEST = 16_384


def is_token(value: object) -> TypeGuard[str]:
    """Whether a value can be sent as a token: printable ASCII without blanks; a line break would be a header more."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= _LONGEST
        and value.isascii()
        and value.isprintable()
        and " " not in value
    )


@dataclass(frozen=True)
class AccessToken:
    """A bearer token and its lifetime in seconds."""

    value: str = field(repr=False)
    lifetime_s: float

    def usable_s(self, margin_s: float = 60.0) -> float:
        """Return for how many seconds it is used: it is renewed before it ends."""
        return max(self.lifetime_s - margin_s, self.lifetime_s / 2)


class TokenSource:
    """Hands out the current token; concurrent callers wait for one fetch.

    Args:
        fetch: Asks the token endpoint; raises ``AuthenticationError`` when refused,
            ``RetriableError`` when unreachable.
        margin_s: A token is renewed this long before it ends.
        clock: Monotonic seconds.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[AccessToken]],
        *,
        margin_s: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._fetch = fetch
        self._margin_s = margin_s
        self._clock = clock
        self._sleep = sleep
        self._lock = asyncio.Lock()
        self._value: str | None = None
        self._ends_at = 0.0
        self._closed_until = 0.0

    def __repr__(self) -> str:
        """Say whether there is a token, never which."""
        return f"TokenSource(has_token={self._value is not None})"

    async def get(self, rejected: str | None = None) -> str:
        """Return a token that is still good.

        Args:
            rejected: A token that a server just answered with 401; it is replaced unless another
                caller already did.
        """
        if (value := self._good(rejected)) is not None:
            return value
        async with self._lock:
            if (value := self._good(rejected)) is not None:  # another caller was quicker
                return value
            token = await self._fetch_in_time()
            self._value = token.value
            self._ends_at = self._clock() + token.usable_s(self._margin_s)
            return token.value

    async def _fetch_in_time(self) -> AccessToken:
        """Ask the endpoint, not before a Retry-After that another caller was given has passed."""
        while (wait := self._closed_until - self._clock()) > 0:
            await self._sleep(wait)
        reached("before_token")
        try:
            token = await self._fetch()
        except RetriableError as error:
            self._closed_until = self._clock() + (error.retry_after or 0.0)
            raise
        reached("after_token")
        return token

    def _good(self, rejected: str | None) -> str | None:
        is_good = self._value != rejected and self._clock() < self._ends_at
        return self._value if is_good else None
