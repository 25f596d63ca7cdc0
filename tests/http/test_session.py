from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from aiohttp import web

from customer_import.errors import (
    AmbiguousWriteError,
    AuthenticationError,
    ConfigurationError,
    OutageError,
    RejectedRequestError,
    RetriableError,
    ThrottledError,
)
from customer_import.http.breaker import RetrySettings
from customer_import.http.limiter import WindowLimiter
from customer_import.http.proxy import environment_proxy
from customer_import.http.reader import read_json
from customer_import.http.session import ApiSession
from customer_import.http.token import TokenSource
from customer_import.partner_center.error_body import read_detail
from tests.http.conftest import Handler, Script, Tokens, Waits, answer, cut, late, truncate


async def read(session: ApiSession, **options: Any) -> Any:
    return await session.read("/v1/thing", endpoint="/v1/thing", parse=read_json, **options)


async def write(session: ApiSession, **options: Any) -> Any:
    return await session.write(
        "POST", "/v1/thing", endpoint="/v1/thing", json={}, parse=bytes, **options
    )


async def test_a_session_that_was_not_opened_says_so_and_may_be_closed(
    script: Script, tokens: Tokens
) -> None:
    closed = ApiSession(
        service="Test",
        base_url=script.url,
        tokens=TokenSource(tokens.fetch),
        read_detail=read_detail,
    )
    with pytest.raises(RuntimeError, match="the session is not open"):
        await read(closed)
    await closed.__aexit__(None, None, None)
    assert script.asked == []


@pytest.mark.parametrize("body", [b'{"a": 1}', b'\xef\xbb\xbf{"a": 1}'])
async def test_a_body_is_read_with_and_without_byte_order_mark(
    session: ApiSession, script: Script, body: bytes
) -> None:
    script.answers = [answer(body)]
    assert await read(session) == {"a": 1}


@pytest.mark.parametrize(
    "bad",
    [
        answer(b"", 500),
        answer(b"", 408),
        answer(b"<html>", 503),
        answer(b"<html>not JSON"),
        answer(b""),
        truncate,
        cut,
        late(5),
    ],
    ids=["500", "408", "503", "html", "empty", "truncated", "reset", "too late"],
)
async def test_a_read_is_repeated_after_what_may_pass(
    session: ApiSession, script: Script, bad: Handler
) -> None:
    script.answers = [bad, answer(b"[1]")]
    assert await read(session) == [1]
    assert len(script.asked) == 2


async def test_a_read_gives_up_after_the_last_try(
    session: ApiSession, script: Script, waits: Waits
) -> None:
    script.answers = [answer(b"", 503)]
    with pytest.raises(RetriableError) as caught:
        await read(session)
    assert (len(script.asked), caught.value.status) == (3, 503)
    assert waits.seconds == [1.0, 2.0]


async def test_no_try_begins_after_the_budget(script: Script, tokens: Tokens, waits: Waits) -> None:
    script.answers = [answer(b"", 503, {"Retry-After": "90"})]
    session = ApiSession(
        service="Test",
        base_url=script.url,
        tokens=TokenSource(tokens.fetch),
        read_detail=read_detail,
        retry=RetrySettings(max_attempts=9, budget_s=60),
        sleep=waits,
    )
    async with session:
        with pytest.raises(RetriableError):
            await read(session)
    assert waits.seconds == []


@pytest.mark.parametrize("status", [400, 403, 404, 409])
async def test_another_refusal_is_final(session: ApiSession, script: Script, status: int) -> None:
    script.answers = [answer(b'{"code": 20002, "description": "No relationship"}', status)]
    with pytest.raises(RejectedRequestError) as caught:
        await read(session)
    assert len(script.asked) == 1
    assert (caught.value.status, caught.value.code, caught.value.reason) == (
        status,
        "20002",
        "No relationship",
    )


async def test_the_wait_that_the_server_asks_for_is_kept(
    session: ApiSession, script: Script, waits: Waits
) -> None:
    in_20_s = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    script.answers = [
        answer(b'{"statusCode": 429}', 429, {"Retry-After": "7"}),
        answer(b'{"statusCode": 429}', 429, {"Retry-After": in_20_s}),
        answer(),
    ]
    limiter = WindowLimiter(100, clock=lambda: sum(waits.seconds), sleep=waits)
    await read(session, limiter=limiter)
    assert 7 <= waits.seconds[0] <= 8
    assert 18 <= waits.seconds[1] <= 21
    assert limiter.budget == 81


async def test_a_refused_token_is_replaced_once(
    session: ApiSession, script: Script, tokens: Tokens
) -> None:
    script.answers = [answer(b"", 401), answer(b"[1]")]
    assert await read(session) == [1]
    assert tokens.issued == 2
    sent = [request.headers["Authorization"] for request in script.asked]
    assert sent == ["Bearer token-1", "Bearer token-2"]


async def test_tokens_that_are_always_refused_end_in_words(
    session: ApiSession, script: Script, waits: Waits
) -> None:
    script.answers = [answer(b'{"code": 900420}', 401)]
    with pytest.raises(AuthenticationError, match="credentials and audience") as caught:
        await read(session)
    assert len(script.asked) == 4
    assert waits.seconds == [1.0, 2.0]
    assert caught.value.code == "900420"


async def test_two_sessions_that_end_each_others_token_both_get_on(
    script: Script, tokens: Tokens
) -> None:
    async def newest_only(request: web.Request) -> web.Response:
        is_newest = request.headers["Authorization"] == f"Bearer token-{tokens.issued}"
        return web.json_response([1], status=200 if is_newest else 401)

    script.answers = [newest_only]

    async def work() -> list[Any]:
        async with ApiSession(
            service="Test",
            base_url=script.url,
            tokens=TokenSource(tokens.fetch),
            read_detail=read_detail,
            retry=RetrySettings(max_wait_s=0.2),
        ) as session:
            return [await read(session) for _ in range(20)]

    assert await asyncio.gather(work(), work()) == [[[1]] * 20] * 2
    assert tokens.issued > 4


async def test_a_refusal_that_no_new_token_would_change_is_not_answered_with_one(
    script: Script, tokens: Tokens
) -> None:
    script.answers = [answer(b'{"code": 900421}', 401)]
    session = ApiSession(
        service="Test",
        base_url=script.url,
        tokens=TokenSource(tokens.fetch),
        read_detail=read_detail,
        token_refusals={"900421": "sign in with MFA"},
    )
    async with session:
        with pytest.raises(AuthenticationError, match="GET /v1/thing: sign in with MFA") as caught:
            await read(session)
    assert (len(script.asked), tokens.issued) == (1, 1)
    assert caught.value.code == "900421"


async def test_tries_of_one_call_share_their_headers(session: ApiSession, script: Script) -> None:
    script.answers = [answer(b"", 500), answer()]
    await read(session, headers={"MS-RequestId": "one"})
    assert [request.headers["MS-RequestId"] for request in script.asked] == ["one", "one"]


@pytest.mark.parametrize(
    "lost", [cut, truncate, late(5), answer(b"", 502)], ids=["reset", "truncated", "late", "502"]
)
async def test_a_write_without_an_answer_is_not_sent_again(
    session: ApiSession, script: Script, lost: Handler
) -> None:
    script.answers = [lost]
    with pytest.raises(AmbiguousWriteError, match="outcome is unknown"):
        await write(session)
    assert len(script.asked) == 1


async def test_a_throttled_write_is_sent_again(session: ApiSession, script: Script) -> None:
    script.answers = [answer(b"", 429, {"Retry-After": "0"}), answer(b"made", 201)]
    assert await write(session) == b"made"


async def test_what_waited_for_a_free_connection_stands_still_too_when_the_server_asks_for_a_pause(
    script: Script, tokens: Tokens
) -> None:
    moments: list[float] = []

    async def refuse(_: web.Request) -> web.Response:
        await asyncio.sleep(0.1)  # the other request waits for the only connection meanwhile
        moments.append(time.monotonic())
        return web.Response(status=429, headers={"Retry-After": "1"})

    async def accept(_: web.Request) -> web.Response:
        moments.append(time.monotonic())
        return web.Response(body=b"{}")

    script.answers = [refuse, accept]
    async with ApiSession(
        service="Test",
        base_url=script.url,
        tokens=TokenSource(tokens.fetch),
        read_detail=read_detail,
        concurrency=1,
    ) as session:
        await asyncio.gather(read(session), read(session))
    told, *later = moments
    assert [moment - told >= 1 for moment in later] == [True, True]


async def test_a_write_that_is_throttled_to_the_end_is_nobodys_failure(
    session: ApiSession, script: Script
) -> None:
    script.answers = [answer(b"", 429, {"Retry-After": "0"})]
    with pytest.raises(OutageError) as caught:
        await write(session)
    assert isinstance(caught.value.__cause__, ThrottledError)


async def test_a_write_that_cannot_connect_is_sent_again_and_stays_retriable(
    tokens: Tokens, waits: Waits, unused_tcp_port: int
) -> None:
    session = ApiSession(
        service="Test",
        base_url=f"http://127.0.0.1:{unused_tcp_port}",
        tokens=TokenSource(tokens.fetch),
        read_detail=read_detail,
        retry=RetrySettings(max_attempts=2),
        sleep=waits,
    )
    async with session:
        with pytest.raises(RetriableError, match="cannot connect") as caught:
            await write(session)
    assert caught.value.is_sent is False
    assert session.requests == 2


async def test_an_idempotent_write_is_repeated(session: ApiSession, script: Script) -> None:
    script.answers = [cut, answer(b"", 204)]
    assert await write(session, is_idempotent=True) == b""


async def test_errors_hold_neither_query_nor_body(session: ApiSession, script: Script) -> None:
    body = b'{"code": 400, "description": "bad anna@example.com", "data": ["anna@example.com"]}'
    script.answers = [answer(body, 400)]
    with pytest.raises(RejectedRequestError) as caught:
        await session.read("/v1/thing?name=anna@example.com", endpoint="/v1/thing", parse=read_json)
    assert "anna" not in str(caught.value)


def test_the_proxy_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://me:secret@proxy.example:3128")
    monkeypatch.setenv("no_proxy", "localhost")
    assert str(environment_proxy("http://api.example")) == "http://me:secret@proxy.example:3128"
    assert environment_proxy("http://localhost:80") is None
    assert environment_proxy("ftp://api.example") is None


@pytest.mark.parametrize(
    ("named", "taken"),
    [
        ("127.0.0.1:3128", "http://127.0.0.1:3128"),
        ("proxy.example", "http://proxy.example"),
        (" me:secret@proxy.example:3128\n", "http://me:secret@proxy.example:3128"),
        ("HTTPS://proxy.example/", "https://proxy.example/"),
        ("http://me:se%23cret@[::1]:3128", "http://me:se%23cret@[::1]:3128"),
    ],
)
def test_a_proxy_is_taken_as_curl_takes_it(
    monkeypatch: pytest.MonkeyPatch, named: str, taken: str
) -> None:
    monkeypatch.setenv("https_proxy", named)
    assert str(environment_proxy("https://api.example")) == taken


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("socks5://127.0.0.1:1080", "a proxy that speaks socks5 cannot be used"),
        ("socks5h://me:secret@proxy:1080", "a proxy that speaks socks5h cannot be used"),
        ("http://me:se#cret@proxy:3128", "it is not the address of a proxy"),
        ("http://me:12#secret@proxy:3128", "it is not the address of a proxy"),
        ("me:1/secret@proxy:3128", "it is not the address of a proxy"),
        ("http://proxy:31280000", "it is not the address of a proxy"),
        ("http://", "it is not the address of a proxy"),
        ("http://my proxy:3128", "it is not the address of a proxy"),
        ("http=proxy:3128", "it is not the address of a proxy"),
    ],
)
async def test_a_proxy_that_cannot_be_used_is_refused_before_the_first_request(
    monkeypatch: pytest.MonkeyPatch, script: Script, tokens: Tokens, named: str, said: str
) -> None:
    monkeypatch.setenv("http_proxy", named)
    session = ApiSession(
        service="Test",
        base_url="http://api.invalid",
        tokens=TokenSource(tokens.fetch),
        read_detail=read_detail,
    )
    with pytest.raises(ConfigurationError, match=said) as caught:
        async with session:
            await read(session)
    assert str(caught.value).startswith("environment variable http_proxy: ")
    assert "cret" not in str(caught.value)
    assert tokens.issued == 0


def test_a_host_may_be_left_out_of_the_proxy_with_its_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "api.example:8443, other.example:443")
    assert environment_proxy("https://api.example:8443") is None
    assert environment_proxy("https://api.example") is not None
    assert environment_proxy("https://other.example") is None


async def test_requests_go_through_the_proxy_with_its_credentials(
    script: Script, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.answers = [answer(b"[1]")]
    monkeypatch.setenv("http_proxy", script.url.replace("//", "//me:secret@"))
    session = ApiSession(
        service="Test",
        base_url="http://api.invalid",
        tokens=TokenSource(tokens.fetch),
        read_detail=read_detail,
    )
    async with session:
        assert await read(session) == [1]
    [request] = script.asked
    assert request.host == "api.invalid"
    assert request.headers["Proxy-Authorization"].startswith("Basic ")
    assert request.headers["Authorization"] == "Bearer token-1"
