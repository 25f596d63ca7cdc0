"""What stands before a body: status lines, headers, framing; and connections that break or stand still."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.hostile.cases.good import BODY, GOOD, on_every_client, unusable
from tests.hostile.script import Case, Gives, Pause, Repeat, http, raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.script import Answer, Raises

_OK = b"HTTP/1.1 200 OK\r\n"
_SIZE = f"Content-Length: {len(BODY)}\r\n".encode()
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_CHUNK = f"{len(BODY):x}\r\n".encode() + BODY + b"\r\n"
_COOKIE = b"Set-Cookie: c=" + b"d" * 8_000 + b"; Domain=127.0.0.1; Max-Age=99999999999999999999\r\n"
_FLOOD = Repeat(b"X-Flood: some header\r\n" * 1_000)

BROKEN: dict[str, Answer] = {
    "nothing": raw(),
    "reset at once": raw(then="reset"),
    "TLS instead of HTTP": raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "HTTP/0.9": raw(BODY),
    "another protocol": raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "half a status line": raw(b"HTTP/1."),
    "half the headers": raw(_OK + b"Content-Type: applica"),
    "status of letters": raw(b"HTTP/1.1 abc OK\r\n" + _SIZE + b"\r\n" + BODY),
    "negative status": raw(b"HTTP/1.1 -200 OK\r\n" + _SIZE + b"\r\n" + BODY),
    "status of five digits": raw(b"HTTP/1.1 20000 OK\r\n" + _SIZE + b"\r\n" + BODY),
    "reason of a megabyte": raw(
        b"HTTP/1.1 200 ", Repeat(b"O" * 65_536, 16), b"\r\n" + _SIZE + b"\r\n" + BODY
    ),
    "header of a megabyte": raw(
        _OK + b"X-Long: ", Repeat(b"b" * 65_536, 16), b"\r\n" + _SIZE + b"\r\n" + BODY
    ),
    "name of a megabyte": raw(_OK, Repeat(b"X" * 65_536, 16), b": b\r\n" + _SIZE + b"\r\n" + BODY),
    "1,000 headers": raw(_OK + b"X-A: b\r\n" * 1_000 + _SIZE + b"\r\n" + BODY),
    "1,000 cookies": raw(
        _OK + b"Set-Cookie: a=b; expires=Mon, 01 Jan 2024\r\n" * 1_000 + _SIZE + b"\r\n" + BODY
    ),
    "headers without end": raw(_OK, _FLOOD),
    "body cut short": raw(_OK + b"Content-Length: 99999\r\n\r\n" + BODY),
    "reset in the body": raw(_OK + b"Content-Length: 99999\r\n\r\n" + BODY, then="reset"),
    "chunks without an end": raw(_CHUNKED + _CHUNK),
    "chunk cut short": raw(_CHUNKED + b"fff\r\n" + BODY),
    "chunk size of letters": raw(_CHUNKED + b"xyz\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "negative chunk size": raw(_CHUNKED + b"-5\r\n" + BODY + b"\r\n0\r\n\r\n"),
    "chunk size beyond 64 bits": raw(_CHUNKED + b"f" * 40 + b"\r\n" + BODY),
    "gzip in name only": http(BODY, headers={"Content-Encoding": "gzip"}),
    "deflate in name only": http(b"\x78\x9c" + BODY, headers={"Content-Encoding": "deflate"}),
}
"""No usable answer for any client."""

STANDING = {
    "silence": raw(Pause()),
    "silence in the headers": raw(_OK + b"Content-Type: appl", Pause()),
    "silence in the body": raw(_OK + b"Content-Length: 99999\r\n\r\n{", Pause()),
    "chunk size without end": raw(_CHUNKED, Repeat(b"0" * 65_536)),
    "no chunks, packed": raw(
        _OK + b"Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n" + b"\x1f\x8b" * 500
    ),
    "drip in the headers": raw(_OK + b"X-Drip: ", Repeat(b"d", None, 0.05)),
    "drip in the body": raw(_OK + b"Content-Length: 99999\r\n\r\n", Repeat(b" ", None, 0.05)),
    "drip of chunks": raw(_CHUNKED, Repeat(b"1\r\n \r\n", None, 0.05)),
    "100 Continue without end": raw(Repeat(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)),
    "102 Processing for ever": raw(Repeat(b"HTTP/1.1 102 Processing\r\n\r\n", None, 0.05)),
}
"""Never done: what a bound on the whole request ends."""

READ: dict[str, Answer] = {
    "as it should be": http(BODY),
    "lower case and blanks": raw(
        b"HTTP/1.1 200 OK\r\ncontent-length:   " + str(len(BODY)).encode() + b"  \r\n\r\n" + BODY
    ),
    "no length, then the end": raw(_OK + b"\r\n" + BODY),
    "HTTP/1.0": raw(b"HTTP/1.0 200 OK\r\n\r\n" + BODY),
    "no reason": raw(b"HTTP/1.1 200\r\n" + _SIZE + b"\r\n" + BODY),
    "in chunks": raw(_CHUNKED + _CHUNK + b"0\r\n\r\n", then="keep"),
    "in 5-byte pieces": raw(
        _OK + _SIZE + b"\r\n", *(BODY[i : i + 5] for i in range(0, len(BODY), 5)), then="keep"
    ),
    "byte by byte chunks": raw(
        _CHUNKED, *(b"1\r\n" + bytes([one]) + b"\r\n" for one in BODY), b"0\r\n\r\n", then="keep"
    ),
    "100 Continue first": raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + _OK + _SIZE + b"\r\n" + BODY),
    "90 cookies": raw(
        _OK + b"Set-Cookie: a=b; Expires=" + b"1 " * 200 + b"\r\n" + _SIZE,
        *[_COOKIE] * 89,
        b"\r\n" + BODY,
    ),
}
"""Odd but whole."""

_STATUS_299 = http(BODY, "299 Whatever")
_TWO_ANSWERS = raw(_OK + _SIZE + b"\r\n" + BODY + b"HTTP/1.1 200 OK\r\n" * 50)
_BY_REQUESTS = ("own read", "entra app", "own grant")


def cases() -> Iterator[Case]:
    unusable_for = {call: unusable(call) for call in GOOD}
    for kind, answer in BROKEN.items():
        outcomes: dict[str, Gives | Raises] = {**unusable_for}
        if kind == "half the headers":  # which http.client takes for all
            outcomes["own read"] = Gives([200, 0])
        yield from on_every_client(kind, answer, outcomes)
    for kind, answer in STANDING.items():
        for call, outcome in unusable_for.items():
            is_fast = call == "own grant"
            yield Case(f"{kind}: {call}", call, (answer,), outcome, timeout_s=0.5, is_fast=is_fast)
    for kind, answer in READ.items():
        yield from on_every_client(kind, answer, GOOD)
    for call in ("entra at a handshake", "grant at a handshake", "own grant at a handshake"):
        yield Case(f"drip in the TLS handshake: {call}", call, (raw(),), unusable(call))
    told = Gives([299, len(BODY)])
    yield from on_every_client("status 299", _STATUS_299, {**GOOD, "own read": told})
    read = {call: GOOD[call] for call in _BY_REQUESTS}  # which leaves the rest alone
    yield from on_every_client("more than its length", _TWO_ANSWERS, {**unusable_for, **read})
