"""What is no success: statuses, waits, and error bodies that are long, odd, or repeat what was sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from customer_import.errors import (
    AmbiguousWriteError,
    ApiError,
    AuthenticationError,
    OutageError,
    RejectedRequestError,
    RetriableError,
    ThrottledError,
)
from tests.hostile.script import (
    FOREIGN,
    PERSON,
    SECRETS,
    SIGN_INS,
    Case,
    Gives,
    Pause,
    Raises,
    Repeat,
    as_json,
    http,
    raw,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

REDIRECTS = (300, 301, 302, 303, 304, 305, 307, 308, 399)
FOR_NOW = (302, 303, 307)
_TEXT = "developerMessage", "description", "message"
_TOKEN = SECRETS.access_token
_CARRIED: dict[str, tuple[str, ...]] = {
    "customer": (_TOKEN, PERSON.email, PERSON.phone),  # found by their look, though not sent
    "create contact": (_TOKEN, *PERSON),
    "own write": (_TOKEN, *PERSON),
    "entra app": (SECRETS.client_secret,),
    "entra user": (SECRETS.client_secret, SECRETS.refresh_token),
    "grant": (SECRETS.user_password, SECRETS.key_secret, SECRETS.basic),
    "own grant": (SECRETS.user_password, SECRETS.key_secret, SECRETS.basic),
}
"""What the server can repeat of a request."""


def _said(text: object, code: object = "invalid", **more: object) -> dict[str, object]:
    """An error body in the words of both services and of the gateway before one of them."""
    return {"code": code, "type": code, **dict.fromkeys(_TEXT, text), **more}


LONG: dict[str, bytes] = {
    "one word": b"a" * 100_000,
    "base64": b"QUJD+/" * 20_000,
    "colons and quotes": b":'" * 50_000,
    "opening quotes": "“".encode() * 40_000,
    "at signs": b"@" * 100_000,
    "digits and blanks": b"1 " * 50_000,
    "a million words": b"word " * 200_000,
    "signs of phone numbers": b"+1(2)-/." * 20_000,
    "equals signs": b"a=b:" * 25_000,
    "NUL": b"\\u0000" * 20_000,
    "line breaks": b"\\r\\n" * 40_000,
}
SHAPES: dict[str, bytes] = {
    "nothing": b"",
    "null": b"null",
    "number": b"42",
    "list": b'[{"code": 1}]',
    "list of lists": b"[" * 60 + b"]" * 60,
    "brackets without end": b"[" * 100_000,
    "HTML": b"<html><body>Bad Request</body></html>",
    "no UTF-8": b"\xff\xfe\xfd" * 100,
    "texts that are objects": json.dumps(_said({"a": ["b"]}, {"x": 1})).encode(),
    "texts that are numbers": json.dumps(_said(10**30, 10**400)).encode()[:300] + b"}",
    "texts that are bools": json.dumps(_said(True, False)).encode(),
    "problem details": b'{"title": "Bad Request", "status": 400, "errors": {"name": ["x"]}}',
    "OData error": b'{"error": {"code": "x", "message": {"lang": "en", "value": "y"}}}',
    "code of 10,000 characters": json.dumps(_said("x", "c" * 10_000)).encode(),
    "code with a terminal's escape": json.dumps(_said("x", "\x1b[31m\r\nSet: x")).encode(),
    "retriable in words": json.dumps(_said("x", isRetriableError="yes")).encode(),
    "property of 5,000 characters": json.dumps(_said("x", property="p" * 5_000)).encode(),
    "entity that is a list": json.dumps(_said("x", entity=["a"], property={"b": 1})).encode(),
}
WAITS: dict[str, tuple[str, bytes, float | None]] = {
    "seconds": ("7", b"", 7.0),
    "a date in the past": ("Mon, 01 Jan 2024 00:00:00 GMT", b"", 0.0),
    "a date without end": ("Fri, 31 Dec 9999 23:59:59 GMT", b"", 3600.0),
    "a zone beyond all": ("Mon, 01 Jan 2024 00:00:00 +99999999999999", b"", None),
    "a year beyond all": ("Mon, 01 Jan 99999999999 00:00:00 GMT", b"", None),
    "a day that is none": ("Mon, 99 Foo 2024 99:99:99 GMT", b"", None),
    "negative": ("-5", b"", 0.0),
    "beyond an hour": ("999999999", b"", 3600.0),
    "with a comma": ("1,5", b"", None),
    "infinity": ("inf", b"", None),
    "NaN": ("nan", b"", None),
    "5,000 digits": ("1" * 5_000, b"", None),
    "Arabic digits": ("\u0661\u0662".encode().decode("latin-1"), b"", None),
    "two of them": ("7, 9", b"", None),
    "in words": ("", b'{"message": "Rate limit is exceeded. Try again in 57 seconds."}', 57.0),
    "in minutes": ("", b"Too many requests, please retry after 2 minutes", 120.0),
    "in words without end": ("", b"try again in " + b"9" * 50_000 + b" seconds", None),
    "in words, far in": ("", b"x " * 50_000 + b"Try again in 5 seconds", None),
}
_READS = {"customer": "Partner Center", "account": "BSS"}
_NOT_FOUND = 404


def _echoes(carried: tuple[str, ...]) -> Iterator[tuple[str, dict[str, object]]]:
    everything = " ".join(carried)
    first, last = carried[0], carried[-1]
    yield "plain", _said(f"refused for {everything} by rule")
    yield "quoted", _said(f"'{first}' and \"{everything}\"")
    yield "in capitals", _said(everything.upper())
    yield "glued to letters", _said(f"bearer_{first}_x{first}y")
    yield "at the cut", _said("word " * 398 + everything)
    yield "after a megabyte", _said("word " * 3_000 + everything)
    yield "in other keys", {everything: everything, "value": everything, "data": [everything]}
    yield "with a line break inside", _said("\r\n".join(carried))
    yield "as OAuth's error", {"error": last, "error_description": everything}
    yield "as OAuth's codes", {"error": "x", "error_codes": [first, everything]}
    for number, text in enumerate(carried):
        yield f"as code {number}", _said("x", text)
        yield f"as property {number}", _said("x", property=text, entity=text)


def cases() -> Iterator[Case]:
    yield from _statuses()
    for call, service in _READS.items():
        for kind, text in LONG.items():
            body = b'{"code": 3000, "type": "x", ' + b", ".join(
                f'"{name}": "'.encode() + text + b'"' for name in _TEXT
            )
            refused = Raises(RejectedRequestError, service)
            yield Case(f"error of {kind}: {call}", call, (http(body + b"}", 400),), refused)
        for kind, body in SHAPES.items():
            refused = Raises(RejectedRequestError, "HTTP 400")
            yield Case(f"error body, {kind}: {call}", call, (http(body, 400),), refused)
        for kind, (header, body, wait_s) in WAITS.items():
            headers = {"Retry-After": header} if header else {}
            answer = http(body, 503, headers)
            fields: dict[str, object] = {"retry_after": wait_s, "status": 503}
            yield Case(f"wait, {kind}: {call}", call, (answer,), Raises(RetriableError, "", fields))
    for call, carried in _CARRIED.items():
        refused = Raises(AuthenticationError if call in SIGN_INS else RejectedRequestError)
        for kind, repeated in _echoes(carried):
            yield Case(f"echo {kind}: {call}", call, (as_json(repeated, 400),), refused)


def _redirected(status: int, call: str) -> type[ApiError]:
    """Return what a redirect becomes: one for now is a service that is away, one for good a wrong address."""
    if status not in FOR_NOW:
        return RejectedRequestError
    return AmbiguousWriteError if call == "create contact" else RetriableError


def _statuses() -> Iterator[Case]:
    location = {"Location": f"{FOREIGN.decode()}/v1/customers"}
    for status in REDIRECTS:
        for call in ("tenants", "account", "create contact", "own read", "own write"):
            refused = Raises(_redirected(status, call), f"HTTP {status}")
            answer = http(b"" if status == 304 else b"{}", status, location)
            if status == 304:
                answer = raw(b"HTTP/1.1 304 Not Modified\r\n\r\n")
            yield Case(f"status {status}: {call}", call, (answer,), refused)
    for status in (500, 502, 503, 504, 520, 599, 600, 999, 408, 425):
        yield Case(
            f"status {status}: create contact",
            "create contact",
            (http(b"<html>", status),),
            Raises(AmbiguousWriteError, "the outcome is unknown"),
        )
        yield Case(
            f"status {status}: tenants",
            "tenants",
            (http(b"<html>", status),),
            Raises(RetriableError, f"HTTP {status}"),
        )
    for call in ("tenants", "create contact", "own write"):
        yield Case(
            f"401 for ever: {call}",
            call,
            (http(b"{}", 401, {"WWW-Authenticate": 'Basic realm="' + "x" * 5_000 + '"'}),),
            Raises(AuthenticationError, "refused a token that was just issued"),
        )
        due = Raises(OutageError, "has not answered since")
        if call == "own write":
            due = Raises(ThrottledError, "", {"retry_after": 3600.0})
        answer = http(b"", 429, {"Retry-After": "3600"})
        yield Case(f"429, an hour: {call}", call, (answer,), due)
    yield Case("not found: account", "account", (http(b"", _NOT_FOUND),), Gives(None))
    yield Case("not found, in words: account", "account", (as_json({}, _NOT_FOUND),), Gives(None))
    lost = Raises(RetriableError, "HTTP 404")
    yield Case("not found, by a proxy: account", "account", (http(b"<html>", _NOT_FOUND),), lost)
    yield Case(
        "403 that is a limit: account",
        "account",
        (as_json({"type": "RateLimitExceeded"}, 403, Retry_After="60"),),
        Raises(OutageError, "RateLimitExceeded"),
    )
    endless = raw(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", Repeat(b"x" * 65_536))
    broken = raw(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 999\r\n\r\n{", then="reset")
    packed = http(b"no gzip", 400, {"Content-Encoding": "gzip"})
    for kind, answer in {"endless": endless, "broken off": broken, "badly packed": packed}.items():
        for call in ("customer", "create contact", "own write"):
            refused = Raises(RejectedRequestError, "HTTP 400")
            yield Case(f"error body, {kind}: {call}", call, (answer,), refused)
    yield Case(
        "503, then silence: tenants",
        "tenants",
        (http(b"", 503), raw(Pause())),
        Raises(RetriableError, "no answer within"),
        timeout_s=0.5,
        is_fast=False,
    )
