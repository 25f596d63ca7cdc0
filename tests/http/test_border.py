"""What a hostile or broken server sends: it costs neither memory nor time, and what it becomes is an error of ours."""

from __future__ import annotations

import asyncio
import gzip
import json
import resource
import zlib
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web

from customer_import.bss.client import BssClient
from customer_import.bss.error_body import read_detail as read_bss_detail
from customer_import.errors import (
    AmbiguousWriteError,
    ApiError,
    OutageError,
    RejectedRequestError,
    RetriableError,
    ThrottledError,
)
from customer_import.garbage_collection import gc_frozen
from customer_import.http.body import MEGABYTE
from customer_import.http.breaker import RetrySettings
from customer_import.http.limiter import Unlimited, WindowLimiter
from customer_import.http.reader import MAX_DEPTH, MAX_VALUES, positive_id, read_json
from customer_import.http.session import ApiSession
from customer_import.http.token import TokenSource
from customer_import.partner_center.error_body import read_detail
from tests.http.conftest import Handler, Script, Tokens, Waits, answer
from tests.stalls import LONGEST_STALL_S, StallWatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


@pytest.fixture
async def watch() -> AsyncIterator[StallWatch]:
    """Fails a test in which the event loop stood still; to collect what other tests left does not count."""
    with gc_frozen():
        async with StallWatch() as watch:
            yield watch
    assert watch.longest_s <= LONGEST_STALL_S


@pytest.fixture(params=[read_detail, read_bss_detail], ids=["Partner Center", "BSS"])
async def session(
    script: Script, waits: Waits, tokens: Tokens, request: pytest.FixtureRequest
) -> AsyncIterator[ApiSession]:
    async with ApiSession(
        service="Test",
        base_url=script.url,
        tokens=TokenSource(tokens.fetch),
        read_detail=request.param,
        timeout_s=20,
        max_body=8 * MEGABYTE,
        retry=RetrySettings(max_attempts=2, base_s=1.0),
        sleep=waits,
        jitter=lambda: 1.0,
    ) as opened:
        yield opened


class Unpaused(Unlimited):
    """Stands never still, so that a test of waits takes no time."""

    def throttled(self, wait_s: float) -> None:
        pass


async def read(session: ApiSession) -> Any:
    limiter = Unpaused()
    return await session.read("/v1/thing", endpoint="/v1/thing", parse=read_json, limiter=limiter)


async def refusal(session: ApiSession, script: Script, body: bytes, status: int = 400) -> ApiError:
    script.answers = [answer(body, status)]
    with pytest.raises(ApiError) as caught:
        await read(session)
    return caught.value


def memory_mb() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@asynccontextmanager
async def little_memory(most_mb: float) -> AsyncIterator[None]:
    before = memory_mb()
    yield
    assert memory_mb() - before <= most_mb


def streamed(pieces: Callable[[], Iterator[bytes]], **headers: str) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={k.replace("_", "-"): v for k, v in headers.items()})
        await response.prepare(request)
        try:
            for piece in pieces():
                await response.write(piece)
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        return response

    return handle


def bomb(size: int, wbits: int) -> bytes:
    packer = zlib.compressobj(9, wbits=wbits)
    piece = b" " * MEGABYTE
    packed = b"".join(packer.compress(piece) for _ in range(size // MEGABYTE))
    return packed + packer.flush()


GZIP, DEFLATE, RAW = 31, 15, -15
BOMBS = {wbits: bomb(256 * MEGABYTE, wbits) for wbits in (GZIP, DEFLATE, RAW)}


@pytest.mark.parametrize(
    ("packed", "encoding"),
    [(BOMBS[GZIP], "gzip"), (BOMBS[DEFLATE], "deflate"), (BOMBS[RAW], "deflate")],
    ids=["gzip", "deflate", "raw deflate"],
)
async def test_a_bomb_is_not_unpacked_beyond_the_bound(
    session: ApiSession, script: Script, watch: StallWatch, packed: bytes, encoding: str
) -> None:
    script.answers = [streamed(lambda: iter([packed]), Content_Encoding=encoding)]
    async with little_memory(80):
        with pytest.raises(RetriableError, match="larger than 8 MB"):
            await read(session)


async def test_a_body_without_end_is_left_at_the_bound(
    session: ApiSession, script: Script, watch: StallWatch
) -> None:
    piece = b" " * 65_536
    script.answers = [streamed(lambda: iter(lambda: piece, b""))]
    async with little_memory(80):
        with pytest.raises(RetriableError, match="larger than 8 MB"):
            await read(session)


async def test_of_an_error_without_end_the_beginning_is_read_and_the_status_stands(
    session: ApiSession, script: Script, watch: StallWatch
) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=400)
        await response.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await response.write(b"x" * 65_536)
        return response

    script.answers = [handle]
    with pytest.raises(RejectedRequestError, match="answered with status 400"):
        await read(session)


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x-unknown", "gzip"])
async def test_a_body_packed_in_another_way_is_malformed(
    session: ApiSession, script: Script, encoding: str
) -> None:
    body = gzip.compress(gzip.compress(b"{}")) if encoding != "gzip" else b"no gzip at all"
    script.answers = [streamed(lambda: iter([body]), Content_Encoding=encoding)]
    with pytest.raises(RetriableError):
        await read(session)


async def test_a_packed_body_within_the_bound_is_read(session: ApiSession, script: Script) -> None:
    body = gzip.compress(b'\xef\xbb\xbf{"a": [1]}')
    script.answers = [streamed(lambda: iter([body]), Content_Encoding="gzip")]
    assert await read(session) == {"a": [1]}
    assert script.asked[0].headers["Accept-Encoding"] == "gzip, deflate"


ITEM = {"id": 7, "name": "Δοκιμή ΑΕ", "domain": "dokimi.example", "x": [None, True, 1.5]}
HONEST = orjson.dumps({"items": [ITEM] * 50_000})
LARGE = 7 * MEGABYTE
VAST = {
    "many empty lists": b"[" + b"[]," * (LARGE // 3) + b"[]]",
    "many numbers": b"[" + b"1," * (LARGE // 2) + b"1]",
    "many objects": b"[" + b'{"a":1},' * (LARGE // 8) + b"1]",
    "deep": b"[" * LARGE,
    "deep and closed": b"[" * (LARGE // 2) + b"]" * (LARGE // 2),
    "deep objects": b'{"a":' * (LARGE // 5),
    "one text": b'{"name": "' + b"a" * LARGE + b'"}',
    "one text of escapes": b'{"name": "' + b'\\"' * (LARGE // 2) + b'"}',
    "one long number": b"[" + b"1" * LARGE + b"]",
    "not JSON": b"<html>" * (LARGE // 6),
    "one key": b'{"' + b"a" * LARGE + b'": 1}',
    "small and deep": b"[" * 100_000,
    "small and many": b"[" + b"[]," * 40_000 + b"[]]",
    "NaN and much": b"[NaN" + b",1" * 60_000 + b"]",
    "halves of pairs": b'["' + b"\\ud800" * 20_000 + b'"]',
    "one number of 100,000 digits": b"[" + b"1" * 100_000 + b"]",
}


@pytest.mark.parametrize("body", VAST.values(), ids=VAST.keys())
async def test_no_body_stops_the_loop_or_breaks_otherwise(
    session: ApiSession, script: Script, watch: StallWatch, body: bytes
) -> None:
    script.answers = [answer(body)]
    async with little_memory(250):
        with suppress(RetriableError):
            await read(session)


async def test_an_honest_list_of_many_megabytes_is_read_without_a_stall(
    session: ApiSession, script: Script, watch: StallWatch
) -> None:
    script.answers = [answer(HONEST)]
    found = await read(session)
    assert (len(found["items"]), found["items"][-1]) == (50_000, ITEM)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": NaN, "b": -Infinity, "c": 1e400}', {"a": None, "b": None, "c": None}),
        (b'{"a": "\\ud83d!"}', {"a": "\ufffd!"}),
        (b'{"a": "\\ud83e\\udd50"}', {"a": "🥐"}),
        (b'{"a": "x\\u0000\\u001b[1m\\ny"}', {"a": "x[1m y"}),
        (b'{"a": "x\x01\ny\x7f"}', {"a": "x y"}),
        ('{"a": "\x85\u2028x\x9b"}'.encode(), {"a": "  x"}),
        (b'{"k\\u0000": 1}', {"k": 1}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"123456789012345678901234567890", 1.2345678901234568e29),
        ('{"a": "ß"}'.encode("utf-16"), {"a": "ß"}),
        ('{"a": "ß"}'.encode("utf-16-le"), {"a": "ß"}),
        ('{"a": "ß"}'.encode("utf-32"), {"a": "ß"}),
        (orjson.dumps({"a": "x" * 100_000}), {"a": "x" * 65_536}),
        (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, json.loads("[" * MAX_DEPTH + "]" * MAX_DEPTH)),
    ],
)
def test_what_net_writes_is_read_and_cleaned(body: bytes, value: object) -> None:
    assert read_json(body) == value


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xef\xbb\xbf",
        b"{",
        b"{'a': 1}",
        b'{"a": 1} x',
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
        b"[" + b"1," * (2 * MAX_VALUES + 10) + b"1]",
        b"1" * 5_000 + b"x",
        b"<html>",
    ],
)
def test_what_is_no_json_or_beyond_the_bounds_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="the body: "):
        read_json(body)


async def test_a_body_of_another_declared_character_set_is_read(
    session: ApiSession, script: Script
) -> None:
    headers = {"Content-Type": "application/json; charset=windows-1253"}
    script.answers = [answer('{"a": "Δοκιμή"}'.encode("windows-1253"), headers=headers)]
    assert await read(session) == {"a": "Δοκιμή"}


async def test_a_wrongly_declared_character_set_does_not_spoil_utf_8(
    session: ApiSession, script: Script
) -> None:
    headers = {"Content-Type": "application/json; charset=iso-8859-1"}
    script.answers = [answer('{"a": "Δοκιμή"}'.encode(), headers=headers)]
    assert await read(session) == {"a": "Δοκιμή"}


ERROR_TEXTS = {
    "one word": "a" * 100_000,
    "base64": "QUJD+/" * 10_000,
    "colons": ':"' * 50_000,
    "quotes": "“" * 40_000,
    "mixed quotes": "'\"`“‘«" * 8_000,
    "digits": "1" * 100_000,
    "digits and blanks": "1 " * 50_000,
    "at signs": "@" * 100_000,
    "at the end": "a" * 100_000 + "@",
    "blanks": " " * 100_000,
    "a megabyte": "word " * 200_000,
    "line breaks": "\r\n" * 50_000,
}


@pytest.mark.parametrize("said", ERROR_TEXTS.values(), ids=ERROR_TEXTS.keys())
async def test_no_error_text_stops_the_loop(
    session: ApiSession, script: Script, watch: StallWatch, said: str
) -> None:
    body = orjson.dumps(
        {"code": 3000, "description": said, "developerMessage": said, "message": said}
    )
    error = await refusal(session, script, body)
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    "code",
    [
        "x" * 100_000,
        "anna@dokimi.example",
        "+30 2310 555 019",
        "a\x1b[31m\nb",
        "Invalid\0Type",
        "'Anna'",
        {"a": 1},
        ["x"],
        True,
    ],
    ids=[
        "long",
        "e-mail",
        "phone",
        "escape and line break",
        "NUL",
        "quoted",
        "object",
        "list",
        "bool",
    ],
)
async def test_codes_are_short_clean_and_scrubbed(
    session: ApiSession, script: Script, code: object
) -> None:
    said = dict.fromkeys(("description", "developerMessage"), "Invalid value \0 in property")
    error = await refusal(
        session, script, orjson.dumps({"code": code, "type": code, "property": "name"} | said)
    )
    told = str(error) + (error.code or "")
    assert len(told) < 500
    assert told.isprintable()
    assert not [one for one in ("anna", "Anna", "2310", "[31m\n") if one in told]


async def test_a_token_that_is_cut_off_is_not_told(session: ApiSession, script: Script) -> None:
    said = "Bearer " + "word " * 398 + "token-1" * 20
    error = await refusal(
        session, script, orjson.dumps({"description": said, "developerMessage": said})
    )
    assert "token" not in str(error)


@pytest.mark.parametrize(
    ("retry_after", "body", "wait_s"),
    [
        (
            None,
            b'{"statusCode":429,"message":"Rate limit is exceeded. Try again in 57 seconds."}',
            57,
        ),
        (None, b"Too many requests, please retry after 2 minutes", 120),
        (None, b'{"message": "Slow down"}', None),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999", b"", None),
        ("Mon, 99 Jan 99999999999 00:00:00 GMT", b"", None),
        ("1" * 10_000, b"", None),
        ("nan", b"", None),
        ("inf", b"", None),
        ("soon", b"Try again in 3 seconds", 3),
        ("7", b"Try again in 57 seconds", 7),
    ],
)
async def test_a_wait_is_read_wherever_it_is_told(
    script: Script, tokens: Tokens, retry_after: str | None, body: bytes, wait_s: float | None
) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    script.answers = [answer(body, 429, headers if len(retry_after or "") < 8_000 else {})]
    async with ApiSession(
        service="Test",
        base_url=script.url,
        tokens=TokenSource(tokens.fetch),
        read_detail=read_detail,
        retry=RetrySettings(budget_s=0.0),
    ) as session:
        with pytest.raises(OutageError) as caught:
            await read(session)
    assert isinstance(caught.value.__cause__, ThrottledError)
    assert caught.value.__cause__.retry_after == wait_s


async def test_tries_that_are_throttled_do_not_use_up_attempts(
    session: ApiSession, script: Script, waits: Waits
) -> None:
    busy = answer(b'{"message": "Try again in 5 seconds"}', 429)
    script.answers = [busy] * 5 + [answer(b"", 503), answer(b"[1]")]
    assert await read(session) == [1]
    assert len(script.asked) == 7


async def test_throttling_without_end_is_given_up_after_the_budget(
    session: ApiSession, script: Script, waits: Waits
) -> None:
    script.answers = [answer(b'{"message": "Try again in 57 seconds"}', 429)]
    with pytest.raises(OutageError, match="has not answered since"):
        await read(session)
    assert len(script.asked) == 11, "ten waits of 57 seconds and some fit into ten minutes"


async def test_throttling_without_a_word_waits_for_the_window(
    session: ApiSession, script: Script
) -> None:
    limiter = WindowLimiter(100, 0.3)
    script.answers = [answer(b"", 429), answer(b"[1]")]
    started = asyncio.get_running_loop().time()
    await session.read("/", endpoint="/", parse=read_json, limiter=limiter)
    assert asyncio.get_running_loop().time() - started >= 0.3


@pytest.mark.parametrize(
    "found",
    [b"1e300", b"-5", b"0", b"true", b"1.9", b'"17"', b"9223372036854775808", b"null", b"[7]"],
)
async def test_a_write_that_answers_no_usable_id_has_an_unknown_outcome(
    session: ApiSession, script: Script, found: bytes
) -> None:
    script.answers = [answer(b'{"id": ' + found + b"}", 201)]
    with pytest.raises(AmbiguousWriteError, match="outcome is unknown: the answer is malformed"):
        await BssClient(session).create_account({"name": "Dokimi"})


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"7", b"{}", b"<html>", b'{"id":' + b"[" * 10_000]
)
async def test_a_write_that_answers_something_else_has_an_unknown_outcome(
    session: ApiSession, script: Script, body: bytes
) -> None:
    script.answers = [answer(body, 201)]
    with pytest.raises(AmbiguousWriteError):
        await BssClient(session).create_account({"name": "Dokimi"})


async def test_a_write_whose_answer_is_too_large_has_an_unknown_outcome(
    session: ApiSession, script: Script, watch: StallWatch
) -> None:
    script.answers = [streamed(lambda: iter([b" " * MEGABYTE] * 9))]
    with pytest.raises(AmbiguousWriteError, match="larger than 8 MB"):
        await BssClient(session).create_account({"name": "Dokimi"})


def test_the_largest_id_fits_into_the_database() -> None:
    assert positive_id(2**63 - 1) == 2**63 - 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 5_000,
        b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 " + b"O" * 100_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX-A\x00: b\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffffff\r\n",
        b"HTTP/1.1 99999 OK\r\n",
        b"HTTP/9.9 200 OK\r\n",
        b"\x16\x03\x01 no HTTP at all",
        b"",
    ],
    ids=[
        "flood",
        "long field",
        "long line",
        "NUL",
        "negative",
        "vast",
        "chunk",
        "status",
        "version",
        "TLS",
        "nothing",
    ],
)
async def test_a_broken_head_is_a_broken_connection(
    waits: Waits, tokens: Tokens, watch: StallWatch, head: bytes
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + b"\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        ApiSession(
            service="Test",
            base_url=f"http://127.0.0.1:{port}",
            tokens=TokenSource(tokens.fetch),
            read_detail=read_detail,
            retry=RetrySettings(max_attempts=1),
            sleep=waits,
        ) as session,
    ):
        with pytest.raises(RetriableError):
            await read(session)
