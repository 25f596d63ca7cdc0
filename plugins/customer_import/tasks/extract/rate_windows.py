"""Keeps what is left of each rate limit's window between imports of one partner tenant.

A block of requests is durable before its first one leaves. What a killed extraction may have sent of its block
counts as sent now.

Why: docs/decisions/0002-limiter.md.
"""

from __future__ import annotations

import asyncio
import sys
from array import array
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import select

from customer_import.database.engine import clock, reading, upsert
from customer_import.database.tables import rate_windows
from customer_import.partner_center.limits import Limits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from datetime import datetime

    from sqlalchemy import Engine

    from customer_import.config.instances import PartnerCenterConfig

CLOCK_GUARD_S = 1.0
"""What is read of a clock may differ by that much between two machines."""
_MAX_SERVICE = 300


class RateWindows:
    """The stored windows of one partner tenant.

    Args:
        engine: The import's database.
        service: Base URL and partner tenant.
        now: UTC clock; the database's when left out.
    """

    def __init__(
        self, engine: Engine, service: str, now: Callable[[], datetime] | None = None
    ) -> None:
        self._engine = engine
        self._service = service[:_MAX_SERVICE]
        self._now = now or clock(engine)

    def load(self, resource: str) -> tuple[list[float], int]:
        """Return how many seconds ago each request was answered, and how many more may have left."""
        table = rate_windows.c
        query = select(table.answered_at, table.open_requests).where(
            table.service == self._service, table.resource == resource
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return [], 0
        moments = array("d", row.answered_at)
        if sys.byteorder == "big":
            moments.byteswap()
        # A clock that was set back must not make requests younger than "now".
        now = self._now().timestamp()
        return [max(0.0, now - at - CLOCK_GUARD_S) for at in moments], row.open_requests

    async def keep(self, resource: str, ages: Sequence[float], open_requests: int) -> None:
        """Write down a window: ages of its answered requests, and how many more may leave."""
        await asyncio.to_thread(self._store, resource, ages, open_requests)

    def _store(self, resource: str, ages: Sequence[float], open_requests: int) -> None:
        now = self._now().timestamp()
        moments = array("d", (now - age for age in ages))
        if sys.byteorder == "big":
            moments.byteswap()
        row = {
            "service": self._service,
            "resource": resource,
            "answered_at": moments.tobytes(),
            "open_requests": open_requests,
        }
        with self._engine.begin() as connection:
            upsert(connection, rate_windows, [row])


@asynccontextmanager
async def open_limits(config: PartnerCenterConfig, windows: RateWindows) -> AsyncIterator[Limits]:
    """Open limiters that go on where the last import of the partner tenant ended."""
    limits = Limits.of(config)
    named = (("customers", limits.customers), ("subscriptions", limits.subscriptions))
    for resource, limiter in named:
        limiter.restore(*await asyncio.to_thread(windows.load, resource))
        limiter.keep = partial(windows.keep, resource)
    try:
        yield limits
    finally:
        for _, limiter in named:
            await limiter.close()
