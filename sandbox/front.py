"""A proxy in front of the sandbox that takes on the names of Microsoft's hosts.

Clients reach it as any other proxy (``HTTPS_PROXY``), ask for the real hosts and get the sandbox, with a certificate of
its own authority for those names. It leads nowhere else.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_HEAD = b"\r\n\r\n"
_PIECE = 65_536


class Front:
    """Answers CONNECT for the hosts that it knows."""

    def __init__(self, address: str, ports: Mapping[str, int]) -> None:
        """Take the address that the sandbox listens on, and host to port."""
        self._address = address
        self._ports = ports

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = await reader.readuntil(_HEAD)
            method, target, *_ = head.split(b" ", 2)
            port = self._ports.get(target.partition(b":")[0].decode("latin-1").lower())
            if method != b"CONNECT" or port is None:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
            else:
                await self._tunnel(reader, writer, port)
        writer.close()

    async def _tunnel(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
    ) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(self._address, port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    writer.close()
