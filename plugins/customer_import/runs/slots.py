"""Shares what an operator allows at one service among all tasks that use it, on one machine or many.

Each task holds some of the service's slots in the import's database, by lease. A newcomer is given what the others let
go of, and they let go of a slot only after they stopped using it: at no time are more in use than there are.

Why: docs/decisions/0002-limiter.md.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from sqlalchemy import and_, delete, or_, select

from customer_import.database.engine import clock, reading, upsert
from customer_import.database.tables import service_slots

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Engine

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=10)
"""A task that died holds its slots this long, unless its next try asks for them."""
_MOST_LEASE = 2 * LEASE
"""A lease that ends later was given by a clock that went wrong."""
_LOOK_EVERY_S = 1.0
_RENEW_EVERY_S = 3.0
_MAX_SERVICE = 300
_NOBODY = ""
"""Holder of the row that is locked while a service's slots are counted."""


class SlotShare:
    """One task's share of a service's slots; use it as an async context manager, which waits for the first one.

    Args:
        engine: The import's database.
        service: Whose slots: an address, a blank, and who is counted together there.
        holder: The task, the same for each of its tries. Holders whose names begin with this one and a blank are its
            parts: they have ended when it begins.
        total: Slots that there are.
        apply: Told how many slots may be used; returns when no more are in use.
        now: UTC clock; the database's when left out.
    """

    def __init__(
        self,
        engine: Engine,
        service: str,
        holder: str,
        total: int,
        apply: Callable[[int], Awaitable[None]],
        now: Callable[[], datetime] | None = None,
    ) -> None:
        self._engine = engine
        self._service = service[:_MAX_SERVICE]
        self._holder = holder
        self._total = total
        self._apply = apply
        self._now = now or clock(engine)
        self._slots = 0
        self._stored_at = time.monotonic()
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Wait for the first slot."""
        await self._apply(0)
        await self._balance()
        if self._slots == 0:
            log.info("Another task uses all that %s allows; this one waits for it.", self._address)
        while self._slots == 0:
            await asyncio.sleep(_LOOK_EVERY_S)
            await self._balance()
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Give the slots back."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        try:
            await asyncio.to_thread(self._leave)
        except Exception as error:  # noqa: BLE001 - what was done is done, and the lease ends by itself
            log.warning("The share of %s could not be given back: %s", self._address, error)

    @property
    def _address(self) -> str:
        return self._service.partition(" ")[0]

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self._balance()
            except Exception as error:  # noqa: BLE001 - whatever the database has: the share ends only with its lease
                log.warning("The share of %s could not be renewed: %s", self._address, error)
                if time.monotonic() - self._stored_at > LEASE.total_seconds():
                    await self._use(0)

    async def _balance(self) -> None:
        """Let go of what others are due, and take what is free of the own due."""
        due, is_kept = await asyncio.to_thread(self._look)
        if due < self._slots:
            await self._use(due)
        is_old = time.monotonic() - self._stored_at > _RENEW_EVERY_S
        if is_old or not is_kept or due != self._slots or self._slots == 0:
            granted = await asyncio.to_thread(self._store)
            self._stored_at = time.monotonic()
            if granted != self._slots:
                await self._use(granted)

    async def _use(self, slots: int) -> None:
        await self._apply(slots)
        self._slots = slots

    def _look(self) -> tuple[int, bool]:
        """Return how many slots are due to this task and free, and whether its row says what it uses."""
        with reading(self._engine) as connection:
            held = self._held(connection, self._now())
        return self._due(held), held.get(self._holder) == self._slots

    def _store(self) -> int:
        """Write down the share and return it; never less than what is in use, so that others do not take it."""
        slots = service_slots.c
        nobody = {"service": self._service, "holder": _NOBODY, "slots": 0}
        with self._engine.begin() as connection:
            upsert(connection, service_slots, [nobody | {"lease_until": self._now()}])  # locks it
            now = self._now()  # one moment, after any wait: what is not counted is deleted
            granted = max(self._due(self._held(connection, now)), self._slots)
            row = {"holder": self._holder, "slots": granted, "lease_until": now + LEASE}
            upsert(connection, service_slots, [nobody | row])
            connection.execute(
                delete(service_slots).where(
                    slots.service == self._service,
                    or_(
                        and_(slots.holder != _NOBODY, ~_is_held(now)),
                        slots.holder.startswith(f"{self._holder} ", autoescape=True),
                    ),
                )
            )
        return granted

    def _held(self, connection: Connection, now: datetime) -> dict[str, int]:
        slots = service_slots.c
        query = select(slots.holder, slots.slots).where(
            slots.service == self._service,
            slots.holder != _NOBODY,
            _is_held(now),
        )
        return {row.holder: row.slots for row in connection.execute(query)}

    def _due(self, held: dict[str, int]) -> int:
        others = {
            holder: slots
            for holder, slots in held.items()
            if not f"{holder} ".startswith(f"{self._holder} ")
        }
        fair = -(-self._total // (len(others) + 1))
        return max(min(fair, self._total - sum(others.values())), 0)

    def _leave(self) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                delete(service_slots).where(
                    service_slots.c.service == self._service,
                    service_slots.c.holder == self._holder,
                )
            )


def _is_held(now: datetime) -> ColumnElement[bool]:
    return service_slots.c.lease_until.between(now, now + _MOST_LEASE)
