"""Bodies as bytes: bombs, floods, other encodings, and JSON that is none, too much, or odd."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

from customer_import.errors import OutageError, RetriableError
from tests.hostile.cases.good import BODY, GOOD, on_every_client, unusable
from tests.hostile.script import (
    DEFLATE,
    GZIP,
    MEGABYTE,
    RAW_DEFLATE,
    TENANT,
    Answer,
    Case,
    Gives,
    Packed,
    Raises,
    Repeat,
    http,
    raw,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGE = 7 * MEGABYTE
_BOMB = 512 * MEGABYTE
_CLOSE = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
_START = b'{"items": [{"id": "' + TENANT.encode() + b'", "companyProfile": {"companyName": '
_END = b"}}]}"


def _packed(coding: str, wbits: int) -> Answer:
    return raw(_CLOSE + f"Content-Encoding: {coding}\r\n\r\n".encode(), Packed(_BOMB, wbits))


def _long(*pieces: bytes | Repeat) -> Answer:
    return raw(_CLOSE + b"\r\n", *pieces)


def _repeated(piece: bytes, size: int) -> Repeat:
    """That many bytes of a piece, in pieces of a fair size."""
    per_piece = max(65_536 // len(piece), 1)
    return Repeat(piece * per_piece, size // (per_piece * len(piece)))


_FIELD = b"a" * 60_000 + b'","b": "'
_JUST_WITHIN = _long(b'{"id": "', _repeated(_FIELD, 60 * MEGABYTE), b'"}')
TOO_LARGE: dict[str, Answer] = {
    "gzip bomb": _packed("gzip", GZIP),
    "deflate bomb": _packed("deflate", DEFLATE),
    "raw deflate bomb": _packed("deflate", RAW_DEFLATE),
    "bomb in chunks": raw(
        _CLOSE + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
        Packed(_BOMB, GZIP, chunked=True),
    ),
    "body without end": _long(Repeat(b" " * 65_536)),
    "chunks without end": raw(
        _CLOSE + b"Transfer-Encoding: chunked\r\n\r\n",
        Repeat(b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    ),
    "length of a gibibyte": raw(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n", Repeat(b"[" * 65_536, 16_384)
    ),
}
"""Beyond every client's bound."""

LARGE: dict[str, Answer] = {
    "many empty lists": _long(b"[", _repeated(b"[],", _LARGE), b"[]]"),
    "many objects": _long(b"[", _repeated(b'{"a":1},', _LARGE), b"1]"),
    "7 MB of open brackets": _long(_repeated(b"[", _LARGE)),
    "7 MB of open objects": _long(_repeated(b'{"a":', _LARGE)),
    "one text of 7 MB": _long(b'{"name": "', _repeated(b"a", _LARGE), b'"}'),
    "one text of escapes": _long(b'{"name": "', _repeated(b'\\"', _LARGE), b'"}'),
    "one number of 7 MB": _long(b"[", _repeated(b"1", _LARGE), b"]"),
    "one key of 7 MB": _long(b'{"', _repeated(b"k", _LARGE), b'": 1}'),
    "7 MB of HTML": _long(_repeated(b"<html>", _LARGE)),
    "7 MB of NUL": _long(_repeated(b"\0", _LARGE)),
}
"""Within the bound of an answer, and no answer of this API."""

ENCODINGS: dict[str, Answer] = {
    "gzip": http(gzip.compress(BODY), headers={"Content-Encoding": "gzip"}),
    "GZIP in capitals": http(gzip.compress(BODY), headers={"Content-Encoding": "GZIP"}),
    "deflate": http(zlib.compress(BODY), headers={"Content-Encoding": "deflate"}),
    "byte order mark": http(b"\xef\xbb\xbf" + BODY),
    "UTF-16 with a mark": http(BODY.decode().encode("utf-16")),
    "UTF-16 without one": http(BODY.decode().encode("utf-16-le")),
    "UTF-32": http(BODY.decode().encode("utf-32")),
    "a charset that nobody has": http(
        BODY, headers={"Content-Type": "application/json; charset=x-klingon"}
    ),
    "a charset that runs code": http(
        BODY, headers={"Content-Type": 'text/html; charset="unicode_escape"'}
    ),
    "charset idna": http(BODY, headers={"Content-Type": "text/plain; charset=idna"}),
    "long content type": http(BODY, headers={"Content-Type": "a/b; " + 'c="d"; ' * 1_000}),
    "content type of an image": http(BODY, headers={"Content-Type": "image/png"}),
}
"""The same body in another dress."""

_OPEN = 100_000
NO_JSON: dict[str, bytes] = {
    "100,000 brackets": b"[" * _OPEN,
    "100,000 brackets closed": b"[" * _OPEN + b"]" * _OPEN,
    "objects 50,000 deep": b'{"a":' * 50_000,
    "nothing": b"",
    "blanks": b" \n\t ",
    "single quotes": b"'Bakery'",
    "no quotes": b"Bakery",
    "half a text": b'"Bakery',
    "half an escape": b'"Bakery\\',
    "escape of x": b'"\\x42akery"',
    "escape of three digits": b'"\\u042"',
    "comma at the end": b'["Bakery",]',
    "two commas": b'["a",,"b"]',
    "comment": b'/* name */ "Bakery"',
    "leading zero": b"012",
    "plus sign": b"+1",
    "hexadecimal": b"0x1F",
    "dot at the end": b"1.",
    "True": b"True",
    "undefined": b"undefined",
    "invalid UTF-8": b'"\xff\xfe\xfd"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "UTF-8 cut in the middle": b'"\xe2\x82"',
    "surrogate in UTF-8": b'"\xed\xa0\x80',
    "brackets that do not match": b'["Bakery"}',
    "second value": b'"Bakery" "Bakery"',
}
"""In the place of a company name."""

JSON: dict[str, tuple[bytes, str | None]] = {
    "escaped letters": (b'"\\u0042akery"', "Bakery"),
    "escaped solidus": (b'"a\\/b"', "a/b"),
    "NUL": (b'"Bak\\u0000ery"', "Bakery"),
    "DEL and C1": (b'"Bak\x7fe\xc2\x85ry"', "Bake ry"),
    "raw tab and line break": (b'"Bak\tery\n"', "Bak ery"),
    "ESC": (b'"\\u001b[31mBakery"', "[31mBakery"),
    "half a pair, escaped": (b'"Bakery \\ud800"', "Bakery \ufffd"),
    "halves in the wrong order": (b'"\\udc00\\ud800"', "\ufffd\ufffd"),
    "pair": (b'"\\ud83e\\udd50"', "🥐"),
    "not a character": (b'"\xef\xbf\xbf"', "\uffff"),
    "line separator": (b'"a\xe2\x80\xa8b"', "a b"),
    "blank of zero width alone": (b'"\\u200b\\ufeff"', None),
    "number": (b"17", None),
    "true": (b"true", None),
    "list": (b'["Bakery"]', None),
    "object": (b'{"a": "Bakery"}', None),
    "NaN": (b"NaN", None),
    "minus infinity": (b"-Infinity", None),
    "1e999": (b"1e999", None),
    "a number of 4,500 digits": (b"9" * 4_500, None),
    "minus zero": (b"-0.0", None),
    "key twice": (b'"Pub", "companyName": "Bakery"', "Bakery"),
    "key of nothing": (b'"Bakery", "": 1', "Bakery"),
    "prototype": (b'"Bakery", "__proto__": {"x": 1}, "constructor": 2', "Bakery"),
    "10,000 keys": (
        b'"Bakery"' + b"".join(b', "k%d": 1' % number for number in range(10_000)),
        "Bakery",
    ),
    "a text of a megabyte": (b'"' + b"a" * 200_000 + b'"', "a" * 499 + "…"),
}
"""In the place of a company name, and what is read."""


def cases() -> Iterator[Case]:
    for kind, answer in TOO_LARGE.items():
        for call in GOOD:
            is_fast = call in {"tenants", "grant"}
            yield Case(f"{kind}: {call}", call, (answer,), unusable(call), is_fast=is_fast)
    for kind, answer in LARGE.items():
        for call in ("tenants", "accounts", "create contact", "entra user", "grant"):
            is_fast = call == "tenants"
            yield Case(f"{kind}: {call}", call, (answer,), unusable(call), is_fast=is_fast)
    away = Raises(OutageError, "has not answered since")
    for kind, answer in {"bombs": TOO_LARGE["gzip bomb"], "bodies of 60 MB": _JUST_WITHIN}.items():
        yield Case(
            f"32 {kind} at once",
            "many customers",
            (answer,),
            away,
            most_s=120,
            most_requests=64,
            is_fast=False,
        )
    for kind, answer in ENCODINGS.items():
        outcomes = {name: outcome for name, outcome in GOOD.items() if name != "own read"}
        yield from on_every_client(kind, answer, outcomes)
    refused = Raises(RetriableError, "the answer is malformed")
    for kind, body in NO_JSON.items():
        yield Case(f"name: {kind}", "tenants", (http(_START + body + _END),), refused)
    for kind, (body, name) in JSON.items():
        answer = http(_START + body + _END)
        yield Case(f"name: {kind}", "tenants", (answer,), Gives([[TENANT, name]]))
