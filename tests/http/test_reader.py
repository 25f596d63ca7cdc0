"""The JSON reader and the bounds of a body, value for value; what a hostile server costs is in ``test_border``."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import requests

from customer_import.http.body import (
    ACCEPT_ENCODING,
    HEADER_LIMITS,
    MAX_ERROR_BODY,
    MEGABYTE,
    OversizedBodyError,
    Turn,
    client_options,
    in_utf8,
    parse_body,
    read_body,
    read_response,
)
from customer_import.http.reader import (
    MAX_DEPTH,
    MAX_VALUES,
    SMALL,
    positive_id,
    read_document,
    read_json,
)

if TYPE_CHECKING:
    from pathlib import Path

LARGE = SMALL + 1
BEYOND = 5 * MEGABYTE
"""Bytes that are read piece by piece."""


def padded(value: object, size: int) -> bytes:
    """A list of a value and blanks of so many bytes, in texts that are not too long."""
    blanks = ["x" * 1000] * (size // 1003)
    return json.dumps([value, *blanks], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": [1, 2.5, true, null, "x"]}', {"a": [1, 2.5, True, None, "x"]}),
        (b"\xef\xbb\xbf[1]", [1]),
        ('{"a": "ä"}'.encode("utf-16"), {"a": "ä"}),
        ('["ä"]'.encode("utf-32"), ["ä"]),
        (b'["a\nb"]', ["a b"]),
        (b'["a\\u0000b"]', ["ab"]),
        (b'["a\\ud800b"]', ["a\ufffdb"]),
        (b"[NaN, Infinity, -Infinity, 1e999]", [None, None, None, None]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a\\u0007": "b\\u0007"}', {"a": "b"}),
        (b"[18446744073709551615]", [18446744073709551615]),
        (b"[-9223372036854775808]", [-9223372036854775808]),
        (b"[18446744073709551616, NaN]", [1.8446744073709552e19, None]),
        (b"[-9223372036854775808, NaN]", [-9223372036854775808, None]),
        (b"[-9223372036854775809, NaN]", [-9.223372036854775809e18, None]),
        (b"[" + b"9" * 310 + b", NaN]", [None, None]),
        (b"[" + b"9" * 311 + b", NaN]", [None, None]),
        (b"[-" + b"1" * 309 + b", NaN]", [float("-" + "1" * 309), None]),
        (b"[" + b"1" * 300 + b", NaN]", [float("1" * 300), None]),
        (b'["a\x7fb"]', ["ab"]),
        ('["a\x85b"]'.encode(), ["a b"]),
        ('["a\u2028b"]'.encode(), ["a b"]),
        ('["é\u2020"]'.encode(), ["é\u2020"]),
    ],
)
def test_what_a_body_means(body: bytes, value: object) -> None:
    found = read_json(body)
    assert found == value
    assert json.dumps(found) == json.dumps(value)


@pytest.mark.parametrize(
    ("body", "is_same"),
    [
        (b'{"a": 1}', True),
        (b"\xef\xbb\xbf[1]", True),
        ('["é"]'.encode(), True),
        (b'["a\\\\b"]', True),
        (b'["a\\tb"]', False),
        (b'["a\\u0007"]', False),
        (b"[NaN]", False),
        (padded(1, LARGE), True),
        (padded(1, BEYOND), False),
    ],
)
def test_whether_a_value_is_what_the_bytes_say(body: bytes, is_same: bool) -> None:
    value, said = read_document(body)
    assert said is is_same
    assert value == read_json(body)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1] 2", b"nonsense", b"\xff\xfe", b"[" * 100_000, b'{"a" 1}']
)
def test_what_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"^the body: (not JSON|nested too deeply)$"):
        read_json(body)


@pytest.mark.parametrize("size", [0, BEYOND])
def test_levels_are_bounded(size: int) -> None:
    def nested(levels: int) -> bytes:
        # A mark makes the small body be cleaned.
        inner = b'"\\u0007"' if not size else b"1"
        return b"[" * levels + inner + b"]" * levels

    def body(levels: int) -> bytes:
        blanks = padded(1, size)[1:-1] if size else b""
        return b"[" + blanks + b"," + nested(levels - 1) + b"]" if size else nested(levels)

    read_json(body(MAX_DEPTH))
    with pytest.raises(ValueError, match=r"^the body: nested too deeply$"):
        read_json(body(MAX_DEPTH + 1))


def test_levels_of_objects_are_bounded_as_those_of_lists() -> None:
    def body(levels: int) -> bytes:
        return b'{"a":' * levels + b'"\\u0007"' + b"}" * levels

    read_json(body(MAX_DEPTH))
    with pytest.raises(ValueError, match=r"^the body: nested too deeply$"):
        read_json(body(MAX_DEPTH + 1))


def test_a_deep_body_without_a_mark_is_refused_too() -> None:
    read_json(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(ValueError, match=r"^the body: nested too deeply$"):
        read_json(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_values_are_bounded() -> None:
    with pytest.raises(ValueError, match=r"^the body: too many values$"):
        read_json(b"[" + b'"",' * (2 * MAX_VALUES) + b"1]")
    assert len(read_json(b"[" + b'"",' * (MAX_VALUES - 1) + b"1]")) == MAX_VALUES


LARGE_VALUE: Any = {"a\x07": ["b\x07", {"c": None, "d": True}, []], "e": {}, "f": 1.5, "g": 2}


def test_a_large_body_means_what_a_small_one_means() -> None:
    large = read_json(padded(LARGE_VALUE, BEYOND))
    assert large[0] == {"a": ["b", {"c": None, "d": True}, []], "e": {}, "f": 1.5, "g": 2}
    assert [type(large[0][key]) for key in ("f", "g")] == [float, int]
    assert large[1:] == ["x" * 1000] * (len(large) - 1)


@pytest.mark.parametrize("size", [LARGE, BEYOND])
def test_a_large_body_that_is_not_json_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=r"^the body: not JSON$"):
        read_json(padded(1, size)[:-1])


def test_a_text_that_is_too_long_is_refused_wherever_it_stands() -> None:
    long = b'"' + b"x" * (256 * 1024 + 10) + b'"'
    few = padded(1, BEYOND)[1:-1]
    for body in (
        b"[" + long + b"," + few + b"]",
        b"[" + few + b"," + long + b"]",
        b"[" + few + b"," + long + b"," + few + b"]",
        b"[" + few + b',"' + b'\\"' * (128 * 1024 + 10) + b'"]',
        b"[" + b"1" * BEYOND + b"]",
    ):
        with pytest.raises(ValueError, match=r"^the body: a text or a number is too long$"):
            read_json(body)
    nearly = b'"' + b"x" * (255 * 1024) + b'"'
    assert len(read_json(b"[" + few + b"," + nearly + b"]")[-1]) == 65_536


STRETCH = 256 * 1024
MANY = b'"",' * 100_001
"""Values enough that a body is read piece by piece."""


def test_a_stretch_without_quotation_mark_may_be_a_quarter_megabyte_long() -> None:
    chunk = 1024 * 1024
    near_a_chunks_end = MANY * 3 + b'"",' * ((chunk - 1000 - 3 * len(MANY)) // 3)
    last_mark = len(b"[" + MANY) - 2

    def bodies(stretch: int) -> list[bytes]:
        text = b'"' + b"x" * (stretch - 1) + b'"'
        begun = b"[" + MANY + b"1"
        return [
            b"[" + b" " * (stretch - 1) + MANY + b"1]",
            begun + b" " * (stretch - (len(begun) - last_mark) - 1) + b"]",
            b"[" + MANY + text + b"," + MANY + b"1]",
            b"[" + near_a_chunks_end + text + b"," + MANY + b"1]",
            b"[" + near_a_chunks_end * 2 + text + b"]",
        ]

    for body in bodies(STRETCH):
        assert len(read_json(body)) > 100_000
    for body in bodies(STRETCH + 1):
        with pytest.raises(ValueError, match=r"^the body: a text or a number is too long$"):
            read_json(body)


@pytest.mark.parametrize(
    ("body", "is_at_once"),
    [
        (b"[" + b"{}," * 49_999 + b"{}]", True),
        (b"[" + b"{}," * 50_000 + b"{}]", False),
        (b'["' + b"x" * (4 * MEGABYTE - 4) + b'"]', True),
    ],
)
def test_a_large_body_is_read_at_once_while_that_takes_a_moment(
    body: bytes, is_at_once: bool
) -> None:
    # Of a body that is read piece by piece nobody says that its value is what the bytes say.
    if len(body) < MEGABYTE:
        assert read_document(body)[1] is is_at_once
    else:
        assert len(read_json(body)[0]) == 65_536
        with pytest.raises(ValueError, match=r"too long$"):
            read_json(b" " + body)


def test_halves_of_surrogate_pairs_and_endless_numbers_are_no_reason_to_refuse() -> None:
    assert read_json('["a\ud800b"]'.encode("utf-16", "surrogatepass")) == ["a\ufffdb"]
    assert read_json(b"[" + b"1" * 5000 + b", 2]") == [None, 2]


def test_half_of_a_surrogate_pair_is_taken_in_a_large_body_too() -> None:
    text = "x" * 1000
    body = json.dumps([text] * 1100 + ["a\ud800b"]).encode()
    assert MEGABYTE < len(body) < 4 * MEGABYTE
    assert read_document(body) == ([text] * 1100 + ["a?b"], False)


@pytest.mark.parametrize("value", [1, 2**63 - 1])
def test_what_is_an_id(value: int) -> None:
    assert positive_id(value) == value


@pytest.mark.parametrize("value", [0, -1, 2**63, True, 17.0, "17", None])
def test_what_is_no_id(value: object) -> None:
    with pytest.raises(ValueError, match=r"^not an id: a positive 64-bit integer is due$"):
        positive_id(value)


@pytest.mark.parametrize(
    ("body", "charset", "expected"),
    [
        ("ä".encode("latin-1"), "ISO-8859-1", "ä".encode()),
        ("ä".encode("latin-1"), "iso-8859-2", "ä".encode("latin-1")),
        ("ä".encode("latin-1"), None, "ä".encode("latin-1")),
        ("ä".encode(), "iso-8859-1", "ä".encode()),
        (b"\xff\xfea\x00\xe4\x00", "utf-16", "aä".encode()),
        (b"a\x81", "windows-1252", "a\ufffd".encode()),
        (b"plain", "utf-16", b"plain"),
        (b"\xe4" * SMALL, "iso-8859-1", "ä".encode() * SMALL),
        (b"\xe4" * LARGE, "iso-8859-1", b"\xe4" * LARGE),
    ],
)
def test_a_small_body_of_another_character_set_becomes_utf_8(
    body: bytes, charset: str | None, expected: bytes
) -> None:
    assert in_utf8(body, charset) == expected


async def test_a_small_body_is_parsed_where_it_is_and_a_large_one_aside() -> None:
    def where(body: bytes) -> tuple[bool, bool, int]:
        is_main = threading.current_thread() is threading.main_thread()
        return is_main, gc.isenabled(), len(body)

    assert await parse_body(where, b"x" * 32 * 1024) == (True, True, 32 * 1024)
    assert await parse_body(where, b"x" * (32 * 1024 + 1)) == (False, False, 32 * 1024 + 1)


async def test_a_turn_is_taken_once_and_given_back() -> None:
    lock = asyncio.Lock()
    with Turn(lock) as turn:
        assert not lock.locked()
        await turn.take()
        await asyncio.wait_for(turn.take(), 1)
        assert lock.locked()
    assert not lock.locked()
    with Turn(lock):
        pass


class Pieces:
    """An answer of ``aiohttp`` or of ``requests`` that comes in pieces."""

    def __init__(
        self,
        *pieces: bytes,
        status: int = 200,
        charset: str | None = None,
        error: Exception | None = None,
    ) -> None:
        self.pieces = pieces
        self.error = error
        self.status = self.status_code = status
        self.charset = charset
        self.is_closed = False
        self.content = self

    async def iter_any(self) -> Any:
        for piece in self.iter_content(64 * 1024):
            yield piece

    def iter_content(self, size: int) -> Any:
        assert size == 64 * 1024
        yield from self.pieces
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.is_closed = True


async def _async(pieces: Any, bound: int) -> bytes:
    return await read_body(pieces, bound)


async def _sync(pieces: Any, bound: int) -> bytes:
    return read_response(pieces, bound)


@pytest.mark.parametrize("take", [_async, _sync])
async def test_a_body_is_taken_up_to_its_bound(take: Any) -> None:
    assert await take(Pieces(b"abc", b"def"), 6) == b"abcdef"
    too_large = Pieces(b"abc", b"def", b"ghi")
    with pytest.raises(OversizedBodyError):
        await take(too_large, 8)
    assert too_large.is_closed


@pytest.mark.parametrize("take", [_async, _sync])
@pytest.mark.parametrize("status", [300, 404, 500])
async def test_of_an_error_only_the_beginning_is_taken(take: Any, status: int) -> None:
    half = b"x" * (MAX_ERROR_BODY - 10)
    error = Pieces(half, b"y" * 100, b"z", status=status)
    assert await take(error, 1) == half + b"y" * 10
    assert error.is_closed
    assert await take(Pieces(b"abc", status=status), 1) == b"abc"
    with pytest.raises(OversizedBodyError):
        await take(Pieces(b"abc", status=299), 1)


@pytest.mark.parametrize(
    ("take", "error"),
    [
        (_async, aiohttp.ClientPayloadError()),
        (_sync, requests.exceptions.ChunkedEncodingError()),
        (_sync, requests.exceptions.ContentDecodingError()),
    ],
)
async def test_a_body_that_breaks_off_is_enough_of_an_error_only(
    take: Any, error: Exception
) -> None:
    assert await take(Pieces(b"abc", status=500, error=error), 9) == b"abc"
    with pytest.raises(type(error)):
        await take(Pieces(b"abc", error=error), 9)


async def test_a_socket_hands_over_little_at_once(tmp_path: Path) -> None:
    most, peek = 64 * 1024, socket.MSG_PEEK
    address = str(tmp_path / "socket")
    made = client_options()["connector"]._socket_factory((socket.AF_UNIX, socket.SOCK_STREAM, 0))
    with socket.socket(socket.AF_UNIX) as server, made as ours:
        server.bind(address)
        server.listen()
        ours.settimeout(5)
        ours.connect(address)
        theirs, _ = server.accept()
        with theirs:
            theirs.sendall(b"abc" + b"x" * most + b"y")
            buffer = bytearray(4 * most)
            assert ours.recv(3, peek) == b"abc"
            assert ours.recv_into(buffer, 3, peek) == 3
            assert ours.recv(3) == buffer[:3] == b"abc"
            assert len(ours.recv(2 * most, peek)) == most
            assert ours.recv_into(buffer, 2 * most, peek) == most
            assert ours.recv_into(buffer, 0, peek) == most
            assert ours.recv_into(buffer, flags=peek) == most
            assert ours.recv_into(buffer) == most
            assert ours.recv(9) == b"y"


async def test_a_body_of_another_character_set_is_read() -> None:
    response: Any = Pieces("ä".encode("latin-1"), charset="iso-8859-1")
    assert await read_body(response, 10) == "ä".encode()


async def test_the_turn_is_for_large_bodies() -> None:
    lock = asyncio.Lock()
    with Turn(lock) as turn:
        small: Any = Pieces(b"x" * SMALL)
        await read_body(small, MEGABYTE, turn)
        assert not lock.locked()
        large: Any = Pieces(b"x" * SMALL, b"x")
        await read_body(large, MEGABYTE, turn)
        assert lock.locked()


async def test_others_get_their_turn_after_a_megabyte() -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await asyncio.sleep(0)
    before = turns
    exactly: Any = Pieces(b"x" * MEGABYTE)
    await read_body(exactly, 9 * MEGABYTE)
    assert turns == before
    more: Any = Pieces(*[b"x" * (MEGABYTE // 2)] * 9)
    await read_body(more, 9 * MEGABYTE)
    assert turns == before + 3
    task.cancel()


async def test_every_client_has_the_same_bounds() -> None:
    options = client_options(connections=7)
    connector = options.pop("connector")
    assert connector.limit == 7
    assert options.pop("cookie_jar").__class__.__name__ == "DummyCookieJar"
    assert options == {**HEADER_LIMITS, "headers": ACCEPT_ENCODING}
    assert client_options()["connector"].limit == 1
    assert client_options()["connector"]._ssl is True
    tls = ssl.create_default_context()
    assert client_options(tls)["connector"]._ssl is tls
