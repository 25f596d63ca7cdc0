"""What a task uses of an API is counted where its sessions are opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.http.usage import ApiUse, counting, use_of
from tests.http.conftest import answer, make_session

if TYPE_CHECKING:
    from tests.http.conftest import Script, Tokens, Waits


async def test_requests_and_throttles_of_sessions_within_are_counted(
    script: Script, tokens: Tokens, waits: Waits
) -> None:
    script.answers = [answer(status=429, headers={"Retry-After": "2"}), answer(b"{}")]
    with counting() as used:
        async with make_session(script, tokens, waits) as session:
            await session.read("/v1/a", endpoint="/v1/a", parse=bytes.decode)
            await session.read("/v1/b", endpoint="/v1/b", parse=bytes.decode)
    (use,) = used.values()
    assert (use.requests, use.throttled) == (3, 1)
    async with make_session(script, tokens, waits) as session:
        await session.read("/v1/c", endpoint="/v1/c", parse=bytes.decode)
    assert use.requests == 3


def test_waiting_is_the_time_in_which_anything_was_held_back() -> None:
    now = [0.0]
    use = ApiUse(clock=lambda: now[0])
    for at, change in ((1, use.hold), (2, use.hold), (4, use.release), (5, use.release)):
        now[0] = float(at)
        change()
    for at, change in ((10, use.hold), (11, use.release)):
        now[0] = float(at)
        change()
    assert use.as_dict() == {"requests": 0, "throttled": 0, "waited_s": 5.0}


def test_outside_of_a_task_nobody_is_counted_for() -> None:
    use_of("BSS").requests += 1
    with counting() as used:
        assert used == {}
        use_of("BSS").requests += 1
        use_of("BSS").requests += 1
    assert used["BSS"].requests == 2
