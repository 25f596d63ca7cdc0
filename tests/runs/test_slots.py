"""What an operator allows is shared among tasks: never exceeded, never lost."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, insert, select

from customer_import.database.tables import service_slots
from customer_import.runs import slots as slots_module
from customer_import.runs.slots import LEASE, SlotShare
from tests.support.clock import clock_ahead

if TYPE_CHECKING:
    from sqlalchemy import Engine

SERVICE = "https://bss.example.com key"


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots_module, "_LOOK_EVERY_S", 0.05)


@dataclass
class Use:
    """Who uses how many slots now, and the most that were ever in use."""

    now: dict[str, int] = field(default_factory=dict)
    most: int = 0

    def share(self, engine: Engine, holder: str, total: int) -> SlotShare:
        async def apply(slots: int) -> None:
            if slots < self.now.get(holder, 0):
                await asyncio.sleep(0.02)  # requests under way come to their end
            self.now[holder] = slots
            self.most = max(self.most, sum(self.now.values()))

        return SlotShare(engine, SERVICE, holder, total, apply)


async def until(use: Use, wanted: list[int]) -> None:
    async with asyncio.timeout(10):
        while sorted(use.now.values()) != wanted:  # noqa: ASYNC110 - several change it
            await asyncio.sleep(0.01)


async def test_tasks_share_what_there_is_and_use_no_more_while_they_come_and_go(engine: Engine):
    use = Use()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(use.share(engine, "run 1 batch 0", 16))
        assert use.now == {"run 1 batch 0": 16}
        async with AsyncExitStack() as others:
            for number in (1, 2):
                await others.enter_async_context(use.share(engine, f"run 1 batch {number}", 16))
                # It uses none any more before it gives them back.
                others.callback(use.now.pop, f"run 1 batch {number}")
            await until(use, [4, 6, 6])
        await until(use, [16])
    assert use.most == 16


async def test_a_single_slot_is_waited_for(engine: Engine):
    use = Use()
    order: list[str] = []

    async def work(holder: str) -> None:
        async with use.share(engine, holder, 1):
            order.append(f"{holder} begins")
            await asyncio.sleep(0.2)
            order.append(f"{holder} ends")
            use.now[holder] = 0

    await asyncio.gather(work("run 1 extract"), work("run 2 extract"))
    assert [line.split()[-1] for line in order] == ["begins", "ends", "begins", "ends"]
    assert use.most == 1


async def test_a_dead_tasks_slots_come_free_with_its_lease_and_its_next_try_has_them_at_once(
    engine: Engine,
):
    def dies(holder: str, lease_s: float) -> None:
        until = datetime.now(UTC) + timedelta(seconds=lease_s)
        row = {"service": SERVICE, "holder": holder, "slots": 4, "lease_until": until}
        with engine.begin() as connection:
            connection.execute(insert(service_slots).values(row))

    use = Use()
    dies("run 1 batch 0", 60)
    async with use.share(engine, "run 1 batch 0", 4):
        assert use.now == {"run 1 batch 0": 4}

    dies("run 1 batch 0", 0.4)
    use = Use()
    async with use.share(engine, "run 2 batch 0", 4):
        await until(use, [4])

    dies("run 1 batch 0", 60)
    use = Use()
    async with use.share(engine, "run 1", 4):  # what goes before all batches
        assert use.now == {"run 1": 4}


async def test_what_is_no_longer_counted_is_deleted_whenever_its_lease_ends(engine: Engine):
    begin = datetime.now(UTC)
    for lease_s in range(8):
        row = {"service": SERVICE, "holder": "dead", "slots": 4}
        with engine.begin() as connection:
            until = begin + timedelta(seconds=lease_s)
            connection.execute(insert(service_slots).values(row | {"lease_until": until}))
        moments = (begin + timedelta(seconds=count) for count in itertools.count())
        now = partial(next, moments)
        async with SlotShare(engine, SERVICE, "run 1", 4, _nothing, now):
            with engine.connect() as connection:
                holders = connection.execute(select(service_slots.c.holder)).scalars().all()
            assert "dead" not in holders, lease_s


async def test_a_lease_ends_the_same_moment_for_hosts_whose_clocks_are_apart(
    postgres_engine: Engine,
):
    with clock_ahead(300):
        async with Use().share(postgres_engine, "run 1 batch 0", 4):
            lease, now = _lease_and_clock(postgres_engine)
            assert timedelta() < lease - now <= LEASE
    with clock_ahead(-300):
        async with Use().share(postgres_engine, "run 1 batch 0", 4):
            lease, now = _lease_and_clock(postgres_engine)
            assert timedelta() < lease - now <= LEASE


async def test_a_lease_that_ends_too_late_was_given_by_a_clock_that_went_wrong(engine: Engine):
    with engine.begin() as connection:
        row = {"service": SERVICE, "holder": "run 9", "slots": 4}
        late = datetime.now(UTC) + timedelta(days=1)
        connection.execute(insert(service_slots).values(row | {"lease_until": late}))
    use = Use()
    async with asyncio.timeout(5), use.share(engine, "run 1 batch 0", 4):
        assert use.now == {"run 1 batch 0": 4}


def _lease_and_clock(engine: Engine) -> tuple[datetime, datetime]:
    query = select(service_slots.c.lease_until, func.clock_timestamp()).where(
        service_slots.c.holder == "run 1 batch 0"
    )
    with engine.connect() as connection:
        lease, now = connection.execute(query).one()
    return lease, now


async def test_another_services_tasks_are_not_counted(engine: Engine):
    use = Use()
    async with use.share(engine, "run 1 batch 0", 4):
        other = SlotShare(engine, "https://elsewhere.example.com key", "run 2", 4, _nothing)
        async with other:
            await asyncio.sleep(0.2)
            assert use.now == {"run 1 batch 0": 4}


async def _nothing(_: int) -> None: ...
