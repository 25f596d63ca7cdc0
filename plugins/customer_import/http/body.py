"""How much of an answer is taken in: bounds on headers and on the decompressed body, which is read as a stream.

A body is never unpacked beyond its bound, however small it came. Only gzip and deflate are asked for and unpacked; a
body that is packed in another way, or twice, stays packed and is not JSON. Of an answer that is no success only the
beginning is read: it is an error text, and its status stands whatever follows.
"""

from __future__ import annotations

import asyncio
import io
import socket
from typing import TYPE_CHECKING, Any, Self, TypedDict, TypeVar

import aiohttp
import requests

from customer_import.garbage_collection import gc_paused
from customer_import.http.reader import SMALL

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from typing_extensions import Buffer

Value = TypeVar("Value")

MEGABYTE = 1024 * 1024
MAX_BODY = 64 * MEGABYTE
MAX_ERROR_BODY = SMALL
_PIECE = 64 * 1024
_IN_LOOP = 32 * 1024
"""Bytes that are parsed where they arrive; a customer has a few thousand."""
_SUCCESS_ENDS = 300
_CHARSETS = frozenset(
    {"us-ascii", "iso-8859-1", "iso-8859-7", "iso-8859-15", "windows-1250", "windows-1251"}
    | {"windows-1252", "windows-1253", "utf-16", "utf-16le", "utf-16be"}
)
"""Other character sets that a server may declare; their decoders take linear time."""


class HeaderLimits(TypedDict):
    """Bounds on what stands before a body: a longer line or more lines break the connection."""

    max_line_size: int
    max_field_size: int
    max_headers: int


HEADER_LIMITS: HeaderLimits = {"max_line_size": 8_190, "max_field_size": 16_384, "max_headers": 100}
"""For ``aiohttp``. A continuation token of Partner Center has some hundred characters. ``requests`` has bounds of
its own that cannot be set: 100 lines of 65,536 bytes."""
ACCEPT_ENCODING = {"Accept-Encoding": "gzip, deflate"}


class OversizedBodyError(Exception):
    """An answer is larger than its bound."""


class Turn:
    """The turn of one request to take in a large answer; from then on it is held until the block ends.

    Args:
        lock: Shared by all requests that are under way together: their answers would fill the memory.
    """

    def __init__(self, lock: asyncio.Lock) -> None:
        self._lock = lock
        self._is_held = False

    async def take(self) -> None:
        """Wait for the turn."""
        if not self._is_held:
            await self._lock.acquire()
            self._is_held = True

    def __enter__(self) -> Self:
        """Begin without the turn."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Give the turn to the next."""
        if self._is_held:
            self._lock.release()


async def read_body(
    response: aiohttp.ClientResponse, max_body: int, turn: Turn | None = None
) -> bytes:
    """Read a body up to its bound, with pauses for others; of an error only its beginning.

    Args:
        response: Open.
        max_body: Decompressed bytes of a success.
        turn: Taken when the body proves to be large.

    Raises:
        OversizedBodyError: A success is larger than that.
    """
    is_error = response.status >= _SUCCESS_ENDS
    bound = MAX_ERROR_BODY if is_error else max_body
    body, size, unbroken = io.BytesIO(), 0, 0
    try:
        async for piece in response.content.iter_any():
            size += len(piece)
            if size > bound:
                body.write(piece[: len(piece) + bound - size])
                response.close()
                if not is_error:
                    raise OversizedBodyError
                break
            body.write(piece)
            if turn is not None and size > SMALL:
                await turn.take()
            unbroken += len(piece)
            if unbroken > MEGABYTE:
                await asyncio.sleep(0)
                unbroken = 0
    except aiohttp.ClientPayloadError:
        if not is_error:
            raise
    return in_utf8(body.getvalue(), response.charset)


def read_response(response: requests.Response, max_body: int = MAX_BODY) -> bytes:
    """Do what ``read_body`` does for an unread answer of ``requests``; errors as for its ``content``.

    Raises:
        OversizedBodyError: A success is larger than its bound.
    """
    is_error = response.status_code >= _SUCCESS_ENDS
    bound = MAX_ERROR_BODY if is_error else max_body
    body, size = io.BytesIO(), 0
    try:
        for piece in response.iter_content(_PIECE):
            size += len(piece)
            if size > bound:
                body.write(piece[: len(piece) + bound - size])
                response.close()
                if not is_error:
                    raise OversizedBodyError
                break
            body.write(piece)
    except (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError):
        if not is_error:
            raise
    return body.getvalue()


async def parse_body(parse: Callable[[bytes], Value], body: bytes) -> Value:
    """Parse a body; a large one in a thread, so that the event loop goes on."""
    if len(body) <= _IN_LOOP:
        return parse(body)
    return await asyncio.to_thread(_parse_aside, parse, body)


def _parse_aside(parse: Callable[[bytes], Value], body: bytes) -> Value:
    with gc_paused():  # a collection stops the loop, too, and there is nothing to collect
        return parse(body)


def in_utf8(body: bytes, charset: str | None) -> bytes:
    """Return a small body of another declared character set in UTF-8; others, and what is UTF-8 anyway, as they are."""
    name = (charset or "").lower()
    if name not in _CHARSETS or len(body) > SMALL or body.isascii():
        return body
    try:
        body.decode()
    except UnicodeDecodeError:
        return body.decode(name, "replace").encode()
    return body


class _Socket(socket.socket):
    """Hands over little at once: a flood of interim answers is parsed in one go, however many came."""

    def recv(self, size: int, flags: int = 0) -> bytes:
        return super().recv(min(size, _PIECE), flags)

    def recv_into(self, buffer: Buffer, size: int = 0, flags: int = 0) -> int:
        return super().recv_into(buffer, min(size or _PIECE, _PIECE), flags)


def client_options(tls: ssl.SSLContext | None = None, connections: int = 1) -> dict[str, Any]:
    """Return what every ``aiohttp`` client of the import is made with; to be called in its event loop.

    Args:
        tls: TLS settings; ``None`` for the system's.
        connections: Most at once.
    """
    return {
        **HEADER_LIMITS,
        "headers": ACCEPT_ENCODING,
        "cookie_jar": aiohttp.DummyCookieJar(),
        "connector": aiohttp.TCPConnector(
            limit=connections, ssl=tls or True, socket_factory=lambda info: _Socket(*info[:3])
        ),
    }
