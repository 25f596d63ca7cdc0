"""What the limiter's window holds, number for number; what it promises under load is in ``test_limiter``."""

from __future__ import annotations

import asyncio
import logging

import pytest

from customer_import.http.limiter import Unlimited, WindowLimiter, budget_of


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Kept:
    """Remembers what was to be made durable."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[float], int]] = []

    async def __call__(self, ages: list[float], open_requests: int) -> None:
        self.calls.append((ages, open_requests))


def window_limiter(budget: int, time: Time, kept: Kept | None = None) -> WindowLimiter:
    return WindowLimiter(budget, guard_s=0.0, keep=kept, clock=time.clock, sleep=time.sleep)


async def answered(limiter: WindowLimiter, times: int = 1) -> None:
    for _ in range(times):
        async with limiter:
            pass


@pytest.mark.parametrize(
    ("rate", "budget", "window_s"), [(20, 20, 1.0), (1.5, 1, 1.0), (1, 1, 1.0), (0.25, 1, 4.0)]
)
def test_a_rate_is_a_budget_in_a_second_or_one_request_in_more(
    rate: float, budget: int, window_s: float
) -> None:
    assert budget_of(rate) == (budget, window_s)


async def test_unlimited_waits_as_long_as_it_was_told_and_not_at_first() -> None:
    time = Time()
    limiter = Unlimited(clock=time.clock, sleep=time.sleep)
    async with limiter:
        assert time.slept == []
    limiter.throttled(0.5)
    assert limiter.pause_s == 0.5
    async with limiter:
        assert time.slept == [0.5]


async def test_a_window_is_a_minute_and_the_guard_when_nothing_else_is_said() -> None:
    time = Time()
    limiter = WindowLimiter(1, clock=time.clock, sleep=time.sleep)
    await answered(limiter, 2)
    assert time.slept == [60.05]


async def test_a_place_is_free_a_window_after_its_answer() -> None:
    time = Time()
    limiter = window_limiter(2, time)
    await answered(limiter)
    time.now = 10.0
    await answered(limiter)
    await answered(limiter)
    assert time.slept == [50.0]
    assert time.now == 60.0


@pytest.mark.parametrize(("budget", "block"), [(5, 1), (15, 1), (25, 2), (40, 4)])
async def test_a_tenth_of_the_budget_is_made_durable_before_it_leaves(
    budget: int, block: int
) -> None:
    time, kept = Time(), Kept()
    limiter = window_limiter(budget, time, kept)
    async with limiter:
        assert kept.calls == [([], block)]
        for _ in range(block - 1):
            await limiter.__aenter__()
        assert len(kept.calls) == 1
        async with limiter:
            assert kept.calls[1:] == [([], 2 * block)]


async def test_ages_are_those_of_the_answers_that_still_count() -> None:
    time, kept = Time(), Kept()
    limiter = window_limiter(10, time, kept)
    await answered(limiter)
    time.now = 30.0
    await answered(limiter)
    time.now = 60.0
    await answered(limiter)
    assert kept.calls == [([], 1), ([30.0], 1), ([30.0], 1)]


async def test_closing_keeps_what_is_under_way_and_reserves_nothing() -> None:
    time, kept = Time(), Kept()
    limiter = window_limiter(20, time, kept)
    async with limiter:
        pass
    async with limiter:
        time.now = 7.0
        await limiter.close()
        assert kept.calls == [([], 2), ([7.0], 1)]
        async with limiter:
            assert kept.calls[2:] == [([7.0], 3)]


async def test_an_answer_that_is_a_window_old_is_not_kept() -> None:
    time, kept = Time(), Kept()
    limiter = window_limiter(20, time, kept)
    await answered(limiter)
    time.now = 60.0
    await limiter.close()
    assert kept.calls[-1] == ([], 0)


async def test_closing_a_window_that_nobody_keeps_does_nothing() -> None:
    await window_limiter(1, Time()).close()


async def test_the_window_of_another_process_counts() -> None:
    time, kept = Time(), Kept()
    limiter = window_limiter(4, time, kept)
    time.now = 100.0
    await answered(limiter)
    time.now = 110.0
    limiter.restore([5.0, 50.0], 1)
    await limiter.close()
    assert kept.calls[-1] == ([50.0, 10.0, 5.0, 0.0], 0)
    await answered(limiter)
    assert time.slept == [10.0]
    limiter.restore([1.0])
    await limiter.close()
    assert kept.calls[-1] == ([20.0, 15.0, 10.0, 1.0, 0.0], 0)


async def test_a_refusal_lowers_the_budget_by_a_tenth_and_once_in_a_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    time = Time()
    limiter = window_limiter(100, time)
    with caplog.at_level(logging.WARNING):
        limiter.throttled(10)
        limiter.throttled(4)
    assert (limiter.budget, limiter.pause_s) == (90, 10)
    said = (
        "The server's rate limit was hit: nothing leaves for 10 s, then at most 90 requests in 60 s"
    )
    assert [record.getMessage() for record in caplog.records] == [said]
    time.now = 10.0
    limiter.throttled(1)
    assert limiter.budget == 81
    for budget in (1, 2):
        small = window_limiter(budget, time)
        small.throttled(1)
        assert small.budget == 1


async def test_a_burst_of_refusals_that_ask_for_no_pause_lowers_the_budget_once() -> None:
    time = Time()
    limiter = window_limiter(100, time)
    for _ in range(32):
        limiter.throttled(0.0)
    assert limiter.budget == 90
    time.now = 1.0
    limiter.throttled(0.0)
    assert limiter.budget == 81


async def test_a_budget_of_nothing_is_not_raised_by_a_refusal() -> None:
    limiter = window_limiter(0, Time())
    limiter.throttled(1)
    assert limiter.budget == 0


async def test_a_lowered_budget_comes_back_a_window_after_the_pause_by_a_twentieth() -> None:
    time = Time()
    limiter = window_limiter(40, time)
    limiter.throttled(5)
    assert limiter.budget == 36
    time.now = 64.9
    await answered(limiter)
    assert limiter.budget == 36
    time.now = 65.0
    await answered(limiter)
    assert limiter.budget == 38
    time.now = 124.9
    await answered(limiter)
    assert limiter.budget == 38
    time.now = 125.0
    await answered(limiter, 2)
    assert limiter.budget == 40


@pytest.mark.parametrize(("budget", "lowered", "raised"), [(10, 8, 9), (50, 40, 42), (4, 2, 3)])
async def test_a_budget_comes_back_by_whole_requests_one_at_least(
    budget: int, lowered: int, raised: int
) -> None:
    time = Time()
    limiter = window_limiter(budget, time)
    time.now = 100.0
    limiter.throttled(1)
    time.now = 101.0
    limiter.throttled(5)
    assert limiter.budget == lowered
    await answered(limiter)
    assert time.slept == [5.0]
    time.now = 166.0
    await answered(limiter)
    assert limiter.budget == raised


async def test_a_budget_that_is_set_is_the_full_one_and_waits_for_who_is_under_way() -> None:
    time = Time()
    limiter = window_limiter(3, time)
    await limiter.__aenter__()
    await limiter.__aenter__()
    await asyncio.wait_for(limiter.set_budget(2), 1)
    lowering = asyncio.create_task(limiter.set_budget(1))
    await asyncio.sleep(0)
    assert not lowering.done()
    await limiter.__aexit__()
    await asyncio.wait_for(lowering, 1)
    limiter.throttled(1)
    time.now = 120.0
    await limiter.__aexit__()
    await answered(limiter)
    assert limiter.budget == 1


async def test_without_an_answer_to_wait_for_only_a_free_place_helps() -> None:
    time = Time()
    limiter = window_limiter(1, time)
    await limiter.__aenter__()
    waiter = asyncio.create_task(limiter.__aenter__())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert time.slept == []
    await limiter.__aexit__()
    await waiter
    assert time.slept == [60.0]


async def test_the_clock_may_stand_a_hair_before_the_window_ends() -> None:
    time = Time()
    limiter = window_limiter(1, time)
    await answered(limiter)
    time.now = 59.9999
    await answered(limiter)
    assert time.slept == [0.001]
