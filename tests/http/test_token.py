from __future__ import annotations

import asyncio

import pytest

from customer_import.errors import RetriableError
from customer_import.http.token import AccessToken, TokenSource
from tests.http.conftest import Tokens


async def test_concurrent_callers_share_one_fetch() -> None:
    tokens = Tokens()
    source = TokenSource(tokens.fetch)
    got = await asyncio.gather(*(source.get() for _ in range(20)))
    assert set(got) == {"token-1"}


async def test_a_token_is_renewed_before_it_ends() -> None:
    tokens, now = Tokens(lifetime_s=600), [0.0]
    source = TokenSource(tokens.fetch, margin_s=60, clock=lambda: now[0])
    assert await source.get() == "token-1"
    now[0] = 539.0
    assert await source.get() == "token-1"
    now[0] = 540.0
    assert await source.get() == "token-2"


async def test_a_short_token_is_used_for_half_its_life() -> None:
    tokens, now = Tokens(lifetime_s=10), [0.0]
    source = TokenSource(tokens.fetch, clock=lambda: now[0])
    await source.get()
    now[0] = 4.9
    assert await source.get() == "token-1"
    now[0] = 5.0
    assert await source.get() == "token-2"


async def test_callers_with_the_same_refused_token_get_one_new_token() -> None:
    tokens = Tokens()
    source = TokenSource(tokens.fetch)
    refused = await source.get()
    got = await asyncio.gather(*(source.get(refused) for _ in range(10)))
    assert set(got) == {"token-2"}
    assert tokens.issued == 2


async def test_a_failed_fetch_is_tried_again_by_the_next_caller() -> None:
    answers = iter([RetriableError("down", service="Test", endpoint="POST /token"), None])

    async def fetch() -> AccessToken:
        if (error := next(answers)) is not None:
            raise error
        return AccessToken("good", 60)

    source = TokenSource(fetch)
    with pytest.raises(RetriableError):
        await source.get()
    assert await source.get() == "good"


async def test_no_token_is_shown() -> None:
    source = TokenSource(Tokens().fetch)
    value = await source.get()
    assert value not in repr(source)
    assert value not in repr(AccessToken(value, 1))


async def test_no_caller_asks_again_before_the_wait_that_another_was_told() -> None:
    now, asked = [0.0], []

    async def fetch() -> AccessToken:
        asked.append(now[0])
        if len(asked) == 1:
            message = "throttled"
            raise RetriableError(message, service="test", endpoint="POST /token", retry_after=5.0)
        return AccessToken("token", 600)

    async def sleep(seconds: float) -> None:
        now[0] += seconds

    source = TokenSource(fetch, clock=lambda: now[0], sleep=sleep)
    got = await asyncio.gather(*(source.get() for _ in range(3)), return_exceptions=True)
    assert [str(item) for item in got[1:]] == ["token", "token"]
    assert asked == [0.0, 5.0]
