"""The budget of a partner tenant holds across imports, also when one of them was killed."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine

from customer_import.config.instances import PartnerCenterConfig
from customer_import.database.tables import metadata
from customer_import.http.limiter import WindowLimiter
from customer_import.tasks.extract.extract import extract_customers
from customer_import.tasks.extract.rate_windows import RateWindows, open_limits
from customer_import.vocabulary import ImportType
from tests.http.test_limiter import WINDOW_S, run_in_virtual_time
from tests.support.clock import clock_ahead

if TYPE_CHECKING:
    from collections.abc import Callable

    from customer_import.partner_center.hook import PartnerCenterHook
    from tests.partner_center.conftest import MakeRun


class Memory:
    """What survives a process: the window as it was last made durable, by the wall clock."""

    def __init__(self) -> None:
        self.moments: list[float] = []
        self.open_requests = 0

    async def keep(self, ages: list[float], open_requests: int) -> None:
        now = asyncio.get_running_loop().time()
        self.moments = [now - age for age in ages]
        self.open_requests = open_requests

    def limiter(self, budget: int) -> WindowLimiter:
        now = asyncio.get_running_loop().time()
        limiter = WindowLimiter(
            budget, WINDOW_S, clock=asyncio.get_running_loop().time, keep=self.keep
        )
        limiter.restore([now - at for at in self.moments], self.open_requests)
        return limiter


Process = st.tuples(
    st.integers(1, 30),  # requests it wants to send
    st.floats(0.01, 20),  # until a request is answered
    st.one_of(st.none(), st.floats(0.1, 100)),  # killed after that long
    st.floats(0, 50),  # until the next one starts
)


@settings(max_examples=200, deadline=None)
@given(budget=st.integers(1, 12), processes=st.lists(Process, min_size=2, max_size=5))
def test_no_window_sees_more_than_the_budget_across_processes(
    budget: int, processes: list[tuple[int, float, float | None, float]]
) -> None:
    arrivals: list[float] = []

    async def send(limiter: WindowLimiter, takes_s: float) -> None:
        async with limiter:
            arrivals.append(asyncio.get_running_loop().time())
            await asyncio.sleep(takes_s)

    async def main() -> None:
        memory = Memory()
        for wanted, takes_s, killed_after, pause_s in processes:
            limiter = memory.limiter(budget)
            work = asyncio.gather(*(send(limiter, takes_s) for _ in range(wanted)))
            try:
                await asyncio.wait_for(work, killed_after)
                await limiter.close()
            except TimeoutError:
                pass  # killed: nothing is made durable any more
            await asyncio.sleep(pause_s)

    run_in_virtual_time(main())
    arrivals.sort()
    for first, after_budget in zip(arrivals, arrivals[budget:], strict=False):
        assert after_budget - first >= WINDOW_S


@pytest.fixture
def database(tmp_path: object) -> Engine:
    engine = create_engine(f"sqlite:///{tmp_path}/windows.db")
    metadata.tables["rate_windows"].create(engine)
    return engine


async def test_a_window_is_found_again_by_the_wall_clock(database: Engine) -> None:
    now = datetime.fromtimestamp(1_000_000.0, UTC)
    windows = RateWindows(database, "https://api tenant", now=lambda: now)
    await windows.keep("customers", [30.0, 10.0, 0.0], 7)
    now += timedelta(seconds=20)
    ages, open_requests = windows.load("customers")
    assert ages == pytest.approx([49.0, 29.0, 19.0])  # less a second for clocks that differ
    assert open_requests == 7
    assert windows.load("subscriptions") == ([], 0)
    assert RateWindows(database, "https://api other").load("customers") == ([], 0)
    now -= timedelta(hours=1)  # the clock was set back: everything counts as just now
    assert windows.load("customers") == ([0.0, 0.0, 0.0], 7)


async def test_hosts_whose_clocks_are_apart_know_the_same_ages(postgres_engine: Engine) -> None:
    await RateWindows(postgres_engine, "https://api tenant").keep("customers", [5.0], 0)
    with clock_ahead(300):
        (age,), _ = RateWindows(postgres_engine, "https://api tenant").load("customers")
    assert 3.0 <= age < 20.0


async def test_limits_go_on_where_the_last_import_ended(database: Engine) -> None:
    config = PartnerCenterConfig(requests_per_minute=20)
    windows = RateWindows(database, "https://api tenant")
    async with open_limits(config, windows) as limits:
        for _ in range(20):
            async with limits.customers:
                pass
    async with open_limits(config, windows) as limits:
        async with limits.subscriptions:  # its own budget
            pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), limits.customers:
                pass


def test_an_extraction_leaves_its_windows_to_the_next(
    make_run: MakeRun, make_hook: Callable[..., PartnerCenterHook], engine: Engine
) -> None:
    hook = make_hook()
    summary = extract_customers(make_run(ImportType.DIRECT), engine, hook)
    windows = RateWindows(engine, hook.settings.partner)
    asked, open_requests = windows.load("subscriptions")
    assert len(asked) == summary.listed
    assert open_requests == 0


def test_a_refusal_is_said_with_the_lowered_budget(caplog: pytest.LogCaptureFixture) -> None:
    limiter = WindowLimiter(500)
    with caplog.at_level(logging.WARNING):
        limiter.throttled(57.0)
    assert "nothing leaves for 57 s, then at most 450 requests in 60 s" in caplog.text
