"""The limiter in virtual time: what it promises must hold however long requests travel."""

from __future__ import annotations

import asyncio
import heapq
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st

from customer_import.http.limiter import Unlimited, WindowLimiter

if TYPE_CHECKING:
    from collections.abc import Coroutine

WINDOW_S = 60.0
T = TypeVar("T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Jumps to the next timer instead of waiting for it."""

    _ready: Any  # private to asyncio, like the method below; a loop has no public clock to set
    _scheduled: Any
    _timer_cancelled_count: int

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def _run_once(self) -> None:
        while self._scheduled and self._scheduled[0]._cancelled:
            heapq.heappop(self._scheduled)._scheduled = False
            self._timer_cancelled_count -= 1
        if not self._ready and self._scheduled:
            self.now = max(self.now, self._scheduled[0]._when)
        super()._run_once()  # type: ignore[misc]


def run_in_virtual_time(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)


def window_limiter(budget: int, **options: Any) -> WindowLimiter:
    return WindowLimiter(budget, WINDOW_S, clock=asyncio.get_running_loop().time, **options)


Journey = st.tuples(
    st.floats(0, 100),  # when the request is wanted
    st.floats(0, 30),  # until it arrives at the server
    st.floats(0, 30),  # until the answer is back
)


@settings(max_examples=300, deadline=None)
@given(budget=st.integers(1, 8), journeys=st.lists(Journey, min_size=1, max_size=40))
def test_no_window_sees_more_than_the_budget(
    budget: int, journeys: list[tuple[float, float, float]]
) -> None:
    arrivals: list[float] = []

    async def send(limiter: WindowLimiter, wanted: float, there: float, back: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(wanted)
        async with limiter:
            await asyncio.sleep(there)
            arrivals.append(loop.time())
            await asyncio.sleep(back)

    async def main() -> None:
        limiter = window_limiter(budget)
        await asyncio.gather(*(send(limiter, *journey) for journey in journeys))

    run_in_virtual_time(main())
    arrivals.sort()
    assert len(arrivals) == len(journeys)
    # A sliding window that holds at every start holds for fixed windows of any phase as well.
    for first, after_budget in zip(arrivals, arrivals[budget:], strict=False):
        assert after_budget - first >= WINDOW_S


@given(budget=st.integers(1, 500))
@settings(max_examples=20, deadline=None)
def test_the_whole_budget_leaves_at_once(budget: int) -> None:
    async def main() -> list[float]:
        limiter, loop = window_limiter(budget), asyncio.get_running_loop()
        left: list[float] = []

        async def send() -> None:
            async with limiter:
                left.append(loop.time())

        await asyncio.gather(*(send() for _ in range(budget + 1)))
        return left

    left = run_in_virtual_time(main())
    assert left[:budget] == [0.0] * budget
    assert WINDOW_S <= left[budget] <= WINDOW_S + 1


def test_nothing_leaves_while_the_server_wants_silence() -> None:
    async def main() -> tuple[float, int]:
        limiter = window_limiter(100)
        limiter.throttled(57)
        limiter.throttled(10)
        async with limiter:
            return asyncio.get_running_loop().time(), limiter.budget

    left_at, budget = run_in_virtual_time(main())
    assert left_at >= 57
    assert budget == 90  # lowered once for one pause


def test_lowered_budget_comes_back_window_by_window_and_no_further() -> None:
    async def main() -> list[int]:
        limiter, budgets = window_limiter(100), []
        for _ in range(3):  # three refusals on end
            limiter.throttled(1)
            await asyncio.sleep(2)
        for _ in range(8):
            async with limiter:
                budgets.append(limiter.budget)
            await asyncio.sleep(WINDOW_S)
        return budgets

    assert run_in_virtual_time(main()) == [72, 77, 82, 87, 92, 97, 100, 100]


def test_waiters_are_served_in_order() -> None:
    async def main() -> list[int]:
        limiter, served = window_limiter(2), []

        async def send(number: int) -> None:
            async with limiter:
                served.append(number)

        await asyncio.gather(*(send(number) for number in range(9)))
        return served

    assert run_in_virtual_time(main()) == list(range(9))


def test_a_cancelled_waiter_takes_no_place() -> None:
    async def main() -> float:
        limiter = window_limiter(1)
        async with limiter:
            pass

        async def send() -> None:
            async with limiter:
                pass

        waiter = asyncio.create_task(send())
        await asyncio.sleep(1)
        waiter.cancel()
        await asyncio.gather(waiter, return_exceptions=True)
        await send()
        return asyncio.get_running_loop().time()

    assert run_in_virtual_time(main()) < WINDOW_S + 1


def test_a_lower_budget_counts_when_no_more_are_under_way_and_without_one_nothing_leaves() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        limiter = window_limiter(3, guard_s=0.0)

        async def send(seconds: float) -> float:
            async with limiter:
                left = loop.time()
                await asyncio.sleep(seconds)
            return left

        under_way = [asyncio.create_task(send(seconds)) for seconds in (10, 20, 30)]
        await asyncio.sleep(1)
        await limiter.set_budget(1)
        lowered = loop.time()
        await limiter.set_budget(0)
        stopped = loop.time()
        limiter.throttled(1)
        late = asyncio.create_task(send(0))
        await asyncio.sleep(200)
        assert not late.done()
        await limiter.set_budget(2)
        await asyncio.gather(*under_way)
        return [lowered, stopped, await late]

    assert run_in_virtual_time(main()) == [20.0, 30.0, 230.0]


def test_unlimited_stands_still_only_when_told() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        limiter = Unlimited(clock=loop.time)
        left: list[float] = []
        for wait_s in (0.0, 5.0, 0.0):
            limiter.throttled(wait_s)
            async with limiter:
                left.append(loop.time())
        return left

    left = run_in_virtual_time(main())
    assert [round(after - before) for before, after in pairwise(left)] == [5, 0]
