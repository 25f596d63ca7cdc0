"""Whose trouble a failure is: the request's own, or the service's; over real HTTP."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from customer_import.errors import AmbiguousWriteError, OutageError, RetriableError
from customer_import.http.breaker import OPENS_AFTER, RetrySettings
from customer_import.http.session import ApiSession
from customer_import.http.sign_in import not_had
from customer_import.http.token import AccessToken, TokenSource
from customer_import.partner_center.error_body import read_detail

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.http.conftest import Tokens

RETRY = RetrySettings(max_attempts=4, budget_s=20, base_s=0.02, max_wait_s=0.1)


@dataclass
class Service:
    """Things by name, and a path that concerns none; each may be out of order."""

    url: str = ""
    is_away: bool = False
    broken: set[str] = field(default_factory=set)
    asked: Counter[str] = field(default_factory=Counter)
    posts: int = 0
    made: list[str] = field(default_factory=list)
    lost: int = 0
    throttled: frozenset[int] = frozenset()
    told_s: dict[str, int] = field(default_factory=dict)
    told_at: dict[str, float] = field(default_factory=dict)
    early: list[str] = field(default_factory=list)

    def _told(self, name: str) -> web.Response | None:
        """Tell who asks for the first time to wait, and note who does not."""
        if name not in self.told_s:
            return None
        if name not in self.told_at:
            self.told_at[name] = time.monotonic()
            return web.Response(status=503, headers={"Retry-After": str(self.told_s[name])})
        if time.monotonic() < self.told_at[name] + self.told_s[name]:
            self.early.append(name)
        return None

    async def thing(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        self.asked[name] += 1
        if (told := self._told(name)) is not None:
            return told
        if self.is_away or name in self.broken:
            return web.Response(status=503)
        return web.json_response({"name": name})

    async def make(self, request: web.Request) -> web.Response:
        self.posts += 1
        if self.is_away:
            return web.Response(status=503)
        if self.posts <= self.lost:
            return web.Response(status=500)
        if self.posts in self.throttled:
            return web.Response(status=429, headers={"Retry-After": "0"})
        self.made.append(await request.text())
        return web.json_response({"id": len(self.made)}, status=201)

    async def other(self, _: web.Request) -> web.Response:
        self.asked["other"] += 1
        if (told := self._told("other")) is not None:
            return told
        return web.Response(status=503 if self.is_away else 404)


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    app = web.Application()
    app.router.add_get("/things/{name}", service.thing)
    app.router.add_post("/things", service.make)
    app.router.add_get("/other", service.other)
    async with TestServer(app, host="127.0.0.1") as server:
        service.url = str(server.make_url("")).rstrip("/")
        yield service


def open_session(service: Service, tokens: Tokens, retry: RetrySettings = RETRY) -> ApiSession:
    return ApiSession(
        service="Test",
        base_url=service.url,
        tokens=TokenSource(tokens.fetch),
        read_detail=read_detail,
        retry=retry,
        probe="/other",
    )


async def read(session: ApiSession, name: str) -> Any:
    return await session.read(f"/things/{name}", endpoint="/things/{name}", parse=bytes)


async def make(session: ApiSession, **options: Any) -> Any:
    return await session.write(
        "POST", "/things", endpoint="/things", json={}, parse=bytes, **options
    )


async def test_an_outage_costs_no_request_its_tries_and_few_requests_are_sent(
    service: Service, tokens: Tokens
) -> None:
    service.is_away = True

    async def come_back() -> None:
        await asyncio.sleep(1.5)  # many times what four tries take
        service.is_away = False

    async with open_session(service, tokens) as session:
        names = [f"n{number}" for number in range(16)]
        *found, _ = await asyncio.gather(*(read(session, name) for name in names), come_back())
    assert len(found) == 16
    assert sum(service.asked.values()) < 16 + 16 + 1.5 / 0.05 + 5


@pytest.mark.parametrize("status", [200, 503])
async def test_a_sign_in_that_gives_no_token_is_an_outage_whatever_it_answers(
    service: Service, tokens: Tokens, status: int
) -> None:
    asked = 0
    no_token = not_had("Test", "POST /token", "no token", status=status)

    async def fetch() -> AccessToken:
        nonlocal asked
        asked += 1
        if asked <= 20:  # more often than a request is tried
            raise no_token
        return await tokens.fetch()

    session = ApiSession(
        service="Test",
        base_url=service.url,
        tokens=TokenSource(fetch),
        read_detail=read_detail,
        retry=RETRY,
        probe="/other",
    )
    async with session:
        assert await asyncio.gather(*(read(session, name) for name in "ab"))
    assert asked == 21


async def test_what_a_request_was_told_to_wait_holds_also_in_an_outage(
    service: Service, tokens: Tokens
) -> None:
    service.is_away = True
    service.told_s = {"told": 1}

    async def come_back() -> None:
        await asyncio.sleep(0.3)
        service.is_away = False

    async with open_session(service, tokens) as session:
        names = ["told", *(f"n{number}" for number in range(8))]
        *found, _ = await asyncio.gather(*(read(session, name) for name in names), come_back())
    assert len(found) == 9
    assert service.early == []


async def test_whether_a_service_is_up_is_not_asked_sooner_than_it_said(
    service: Service, tokens: Tokens
) -> None:
    service.broken = {"broken"}
    service.told_s = {"other": 1}
    async with open_session(service, tokens) as session:
        with pytest.raises(RetriableError):
            await read(session, "broken")
    assert service.early == []
    assert service.asked["other"] > 1


async def test_a_request_that_fails_while_others_are_answered_is_given_up(
    service: Service, tokens: Tokens
) -> None:
    service.broken = {"bad"}

    async def others(session: ApiSession) -> None:
        for number in range(100):
            await read(session, f"n{number}")
            await asyncio.sleep(0.01)

    async with open_session(service, tokens) as session:
        failing = asyncio.create_task(read(session, "bad"))
        await others(session)
        with pytest.raises(RetriableError, match="503"):
            await failing
    assert service.asked["bad"] == 4


async def test_a_request_that_fails_alone_is_given_up_when_the_service_answers_something_else(
    service: Service, tokens: Tokens
) -> None:
    service.broken = {"bad"}
    async with open_session(service, tokens) as session:
        with pytest.raises(RetriableError, match="503"):
            await read(session, "bad")
    assert (service.asked["bad"], service.asked["other"]) == (4, 4)


@pytest.mark.parametrize("requests", [1, 8])
async def test_a_service_that_stays_away_ends_in_words_that_say_since_when(
    service: Service, tokens: Tokens, requests: int
) -> None:
    service.is_away = True
    retry = RetrySettings(max_attempts=4, budget_s=0.5, base_s=0.02, max_wait_s=0.1)
    started = time.monotonic()
    async with open_session(service, tokens, retry) as session:
        reads = (read(session, f"n{number}") for number in range(requests))
        found = await asyncio.gather(*reads, return_exceptions=True)
    assert {type(error) for error in found} == {OutageError}
    assert 0.3 < time.monotonic() - started < 5
    assert "has not answered since" in str(found[0])
    assert "GET /things/{name}: answered with status 503" in str(found[0])


async def test_an_endpoint_that_answers_nobody_is_out_though_others_are_not(
    service: Service, tokens: Tokens
) -> None:
    service.broken = names = {f"n{number}" for number in range(16)}  # as many as may be under way
    retry = RetrySettings(max_attempts=4, budget_s=0.5, base_s=0.02, max_wait_s=0.1)
    async with open_session(service, tokens, retry) as session:
        reads = (read(session, name) for name in sorted(names))
        found = await asyncio.gather(*reads, return_exceptions=True)
    assert OutageError in {type(error) for error in found}


async def test_the_last_ones_that_are_broken_for_good_hold_nobody_up(
    service: Service, tokens: Tokens
) -> None:
    service.broken = {f"bad{number}" for number in range(5)}
    started = time.monotonic()
    async with open_session(service, tokens) as session:
        await read(session, "good")
        reads = (read(session, name) for name in service.broken)
        found = await asyncio.gather(*reads, return_exceptions=True)
    assert {type(error) for error in found} == {RetriableError}
    assert {service.asked[name] for name in service.broken} <= {4, 5, 6}
    assert time.monotonic() - started < 5


async def test_in_an_outage_what_was_answered_before_is_asked_for(
    service: Service, tokens: Tokens
) -> None:
    async with open_session(service, tokens) as session:
        await read(session, "good")
        service.is_away = True

        async def come_back() -> None:
            await asyncio.sleep(1.5)
            service.is_away = False

        names = [f"n{number}" for number in range(16)]
        *found, _ = await asyncio.gather(*(read(session, name) for name in names), come_back())
    assert len(found) == 16
    assert max(service.asked[name] for name in names) <= 3
    assert service.asked["good"] > 5


async def test_an_outage_after_which_nothing_answers_ends_in_words(
    service: Service, tokens: Tokens
) -> None:
    retry = RetrySettings(max_attempts=4, budget_s=0.5, base_s=0.02, max_wait_s=0.1)
    async with open_session(service, tokens, retry) as session:
        await read(session, "good")
        service.is_away = True
        reads = (read(session, f"n{number}") for number in range(16))
        found = await asyncio.gather(*reads, return_exceptions=True)
    assert {type(error) for error in found} == {OutageError}


async def test_the_last_writes_that_are_broken_for_good_end_with_the_budget(
    service: Service, tokens: Tokens
) -> None:
    service.lost = 10_000
    retry = RetrySettings(max_attempts=4, budget_s=0.5, base_s=0.02, max_wait_s=0.1)
    async with open_session(service, tokens, retry) as session:
        writes = (make(session, settle=_nothing_found) for _ in range(5))
        found = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(error) for error in found} == {AmbiguousWriteError}


async def test_a_write_of_unknown_outcome_is_settled_before_it_is_sent_again(
    service: Service, tokens: Tokens
) -> None:
    service.lost = 3
    looks: list[AmbiguousWriteError] = []

    async def settle(error: AmbiguousWriteError) -> None:
        looks.append(error)

    async with open_session(service, tokens) as session:
        assert await make(session, settle=settle) == b'{"id": 1}'
    assert (service.posts, len(looks), len(service.made)) == (4, 3, 1)


async def test_a_write_that_is_found_is_not_sent_again(service: Service, tokens: Tokens) -> None:
    service.lost = 1

    async def settle(_: AmbiguousWriteError) -> bytes:
        return b"found"

    async with open_session(service, tokens) as session:
        assert await make(session, settle=settle) == b"found"
    assert service.posts == 1


async def test_a_write_is_tried_as_often_as_a_read_and_then_its_outcome_is_unknown(
    service: Service, tokens: Tokens
) -> None:
    service.lost = 99

    async with open_session(service, tokens) as session:
        with pytest.raises(AmbiguousWriteError, match="outcome is unknown"):
            await make(session, settle=_nothing_found)
    assert service.posts == 4


@pytest.mark.parametrize("writers", [1, 8])
async def test_who_tries_for_all_and_is_throttled_lets_others_try(
    service: Service, tokens: Tokens, writers: int
) -> None:
    lasts = max(writers, OPENS_AFTER)
    service.lost, service.throttled = lasts, frozenset({lasts + 1, lasts + 2})

    async with open_session(service, tokens, replace(RETRY, max_attempts=9)) as session:
        async with asyncio.timeout(10):
            writes = (make(session, settle=_nothing_found) for _ in range(writers))
            await asyncio.gather(*writes)
    assert len(service.made) == writers


async def _nothing_found(_: AmbiguousWriteError) -> None: ...
