"""Sign-ins: redirects, metadata that leads elsewhere, tokens that are none, refusals of every shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.errors import AuthenticationError, RetriableError
from tests.hostile.cases.good import BODY
from tests.hostile.script import (
    FOREIGN,
    MEGABYTE,
    SECRETS,
    SIGN_INS,
    Case,
    Gives,
    Raises,
    as_json,
    http,
    metadata,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.script import Answer

_CALLS = sorted(SIGN_INS)
_ENTRA = ("entra app", "entra user")
_REFUSED = Raises(AuthenticationError)
TOKENS: dict[str, object] = {
    "number": 7,
    "null": None,
    "true": True,
    "list": ["token"],
    "object": {"token": "x"},
    "empty": "",
    "blank": " ",
    "line break and a header": "abc\r\nX-Evil: 1",
    "blank inside": "abc def",
    "letters beyond ASCII": "tökén",
    "20,000 characters": "t" * 20_000,
}
LIFETIMES: dict[str, tuple[object, float]] = {
    "text": ("3600", 3600.0),
    "negative": (-1, 3600.0),
    "zero": (0, 3600.0),
    "a century": (3_153_600_000, 86_400.0),
    "no number": ("soon", 3600.0),
    "null": (None, 3600.0),
    "list": ([], 3600.0),
    "1e999": ("1e999", 86_400.0),
    "NaN in words": ("nan", 3600.0),
}
REFUSALS: dict[str, object] = {
    "nothing known": {"error": "invalid_grant", "error_codes": [0]},
    "codes of texts": {"error": "invalid_grant", "error_codes": ["x" * 5_000]},
    "codes that are no list": {"error": "invalid_grant", "error_codes": {"a": 1}},
    "codes of lists": {"error": "invalid_grant", "error_codes": [[[1]]]},
    "no codes": {"error": "invalid_client", "error_codes": []},
    "error of 100,000 characters": {"error": "e" * 100_000},
    "error that is an object": {"error": {"code": "x"}},
    "terminal's escape": {"error": "\x1b]0;x\x07\r\nfoo"},
    "claims": {"error": "interaction_required", "claims": '{"access_token":{"x":1}}'},
    "a code of 400 digits": {"error": "x", "error_codes": [10**400]},
}
NO_TOKEN = {
    "HTML": b"<html>Sign in</html>",
    "nothing": b"",
    "list": b"[]",
    "null": b"null",
    "text": b'"token"',
    "deep": b"[" * 100_000,
    "a megabyte": b'{"access_token": "' + b"t" * MEGABYTE + b'"}',
    "half": BODY[:-20],
}


def _places() -> Iterator[tuple[str, str]]:
    yield "another host", f"{FOREIGN.decode()}/oauth/token"
    yield "no scheme", "//127.0.0.1:1/oauth/token"
    yield "another user", "https://user:pw@other.example/x?y=z"
    yield "a script", "javascript:alert(1)"
    yield "a file", "file:///etc/passwd"
    yield "nothing", ""
    yield "half a host", "http://[::1"
    yield "8,000 characters", "https://" + "a" * 8_000
    yield "a secret for a host", f"https://{SECRETS.user_password}.{SECRETS.client_secret}.example/"


def cases() -> Iterator[Case]:
    for call in _CALLS:
        for status in (300, 301, 302, 303, 305, 307, 308):
            answer = http(b"{}", status, {"Location": f"{FOREIGN.decode()}/oauth/token"})
            yield _refused(f"sign-in, {status}", call, answer, "nothing was sent there")
        for place, location in _places():
            answer = http(b"{}", 307, {"Location": location})
            yield _refused(f"sign-in, 307 to {place}", call, answer, "nothing was sent there")
        for kind, body in NO_TOKEN.items():
            yield Case(f"no token, {kind}: {call}", call, (http(body),), Raises(RetriableError))
        for kind, token in TOKENS.items():
            body_of_token = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
            answer = as_json(body_of_token)
            yield Case(f"token, {kind}: {call}", call, (answer,), Raises(RetriableError))
        for kind, refusal in REFUSALS.items():
            yield _refused(f"refusal, {kind}", call, as_json(refusal, 400), "")
        for kind, (told, seconds) in LIFETIMES.items():
            given = {"access_token": SECRETS.issued_token, "token_type": "Bearer"}
            answer = as_json(given | {"expires_in": told})
            due = Gives([SECRETS.issued_token, seconds])
            yield Case(f"lifetime, {kind}: {call}", call, (answer,), due)
    for call in _ENTRA:
        for place, location in _places():
            answer = metadata(token_endpoint=location)
            yield _metadata_case(f"metadata, token at {place}", call, answer, _REFUSED)
        answer = http(b"{}", 302, {"Location": f"{FOREIGN.decode()}/x"})
        yield _metadata_case("metadata, 302", call, answer, _REFUSED)
        for kind, body in NO_TOKEN.items():
            yield _metadata_case(f"metadata, {kind}", call, http(body), Raises(RetriableError))
        answer = metadata(**{f"k{number}": number for number in range(1_000)})
        due = Gives([SECRETS.issued_token, 3600.0])
        yield _metadata_case("metadata, 1,000 keys", call, answer, due)


def _refused(kind: str, call: str, answer: Answer, words: str) -> Case:
    return Case(f"{kind}: {call}", call, (answer,), Raises(AuthenticationError, words))


def _metadata_case(kind: str, call: str, answer: Answer, due: Gives | Raises) -> Case:
    return Case(f"{kind}: {call}", call, (http(BODY),), due, metadata=(answer,))
