"""A small real server whose answers a test scripts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from customer_import.http.breaker import RetrySettings
from customer_import.http.session import ApiSession
from customer_import.http.token import AccessToken, TokenSource
from customer_import.partner_center.error_body import read_detail

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(
    body: bytes = b"{}", status: int = 200, headers: dict[str, str] | None = None
) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        return web.Response(body=body, status=status, headers=headers)

    return handle


async def truncate(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    response.content_length = 100
    await response.prepare(request)
    await response.write(b'{"half": ')
    assert request.transport is not None
    request.transport.close()
    return response


async def cut(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def late(seconds: float) -> Handler:
    async def handle(request: web.Request) -> web.Response:
        await asyncio.sleep(seconds)
        return web.Response(body=b"{}")

    return handle


@dataclass
class Script:
    """Answers in order; the last one for good. Keeps what was asked."""

    url: str = ""
    answers: list[Handler] = field(default_factory=list)
    asked: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.bodies.append(await request.read())
        number = min(len(self.asked), len(self.answers)) - 1
        return await self.answers[number](request)


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    script = Script()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", script.answer)
    async with TestServer(app, host="127.0.0.1") as server:
        script.url = str(server.make_url("")).rstrip("/")
        yield script


class Tokens:
    """Issues numbered tokens."""

    def __init__(self, lifetime_s: float = 3600.0) -> None:
        self.issued = 0
        self.lifetime_s = lifetime_s

    async def fetch(self) -> AccessToken:
        self.issued += 1
        return AccessToken(f"token-{self.issued}", self.lifetime_s)


@dataclass
class Waits:
    """Stands in for sleeping."""

    seconds: list[float] = field(default_factory=list)

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
async def session(script: Script, waits: Waits, tokens: Tokens) -> AsyncIterator[ApiSession]:
    async with make_session(script, tokens, waits) as opened:
        yield opened


def make_session(script: Script, tokens: Tokens, waits: Waits) -> ApiSession:
    return ApiSession(
        service="Test",
        base_url=script.url,
        tokens=TokenSource(tokens.fetch),
        read_detail=read_detail,
        timeout_s=3.0,  # a busy machine answers within it, `late` does not
        retry=RetrySettings(max_attempts=3, base_s=1.0),
        sleep=waits,
        jitter=lambda: 1.0,
    )
