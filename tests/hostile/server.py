"""The server: sends exactly the bytes that a case says, and notes what arrives, here and at another host.

A process of its own, so that what it costs is not taken for the client's. It is told on standard input which case is
next, one name a line, and says on standard output what arrived since, one JSON object a line.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
import struct
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.hostile.script import (
    FOREIGN,
    LENGTH,
    NUMBER,
    OWN,
    SECRETS,
    SIGN_INS,
    Answer,
    Case,
    Packed,
    Pause,
    Piece,
    Repeat,
    as_json,
    metadata,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT = Path(__file__).resolve().parents[2]
_LONGEST_PAUSE_S = 60.0
_METADATA = (metadata(),)
_TOKEN = (as_json({"access_token": SECRETS.access_token, "expires_in": 3600}),)


@dataclass
class Arrivals:
    """What arrived since a case began: heads and bodies, as text."""

    here: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    _asked: Counter[int] = field(default_factory=Counter)

    def count(self, answers: tuple[Answer, ...]) -> int:
        """Return how often these were asked for, this time included."""
        self._asked[id(answers)] += 1
        return self._asked[id(answers)]

    @property
    def told(self) -> dict[str, list[str]]:
        """What is told of it to who asks."""
        return {"here": self.here, "elsewhere": self.elsewhere}


class HostileServer:
    """Plain HTTP, TLS, and a host that nobody has a reason to ask."""

    def __init__(self, cases: dict[str, Case], certificate: Path) -> None:
        self._cases = cases
        self._case: Case | None = None
        self._arrivals = Arrivals()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._foreign = b""

    async def run(self) -> None:
        """Serve until standard input ends."""
        plain = await self._listen(self._serve)
        secure = await self._listen(self._serve, tls=self._tls)
        foreign = await self._listen(self._note)
        dripping = await self._listen(_drip)
        self._foreign = f"http://127.0.0.1:{foreign}".encode()
        _tell({"plain": plain, "secure": secure, "dripping": dripping})
        while line := await asyncio.to_thread(sys.stdin.readline):
            _tell(self._arrivals.told)
            self._case = self._cases.get(line.strip())
            self._arrivals = Arrivals()

    async def _listen(self, serve, tls: ssl.SSLContext | None = None) -> int:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, limit=2**20)
        port: int = server.sockets[0].getsockname()[1]
        return port

    async def _note(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            self._arrivals.elsewhere.append(await _request(reader))
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        case, arrivals = self._case, self._arrivals
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while case is not None and case is self._case:
                request = await _request(reader)
                arrivals.here.append(request)
                answers = _answers(case, request)
                number = arrivals.count(answers)
                answer = answers[min(max(number, 1), len(answers)) - 1]
                await self._send(answer, number, writer)
                if answer.then != "keep":
                    break
            if case is not None and case is self._case and answer.then == "reset":
                _reset(writer)
        writer.close()

    async def _send(self, answer: Answer, number: int, writer: asyncio.StreamWriter) -> None:
        scheme = "http" if writer.get_extra_info("ssl_object") is None else "https"
        port = writer.get_extra_info("sockname")[1]
        known = {
            OWN: f"{scheme}://127.0.0.1:{port}".encode(),
            FOREIGN: self._foreign,
            NUMBER: str(number).encode(),
        }
        for piece in answer.pieces:
            async for part in _parts(piece):
                writer.write(_fill(part, known))
                await writer.drain()


async def _drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin a handshake that takes its time."""
    with suppress(OSError):
        writer.write(b"\x16\x03\x03\x40\x00\x02")
        while not writer.is_closing():
            await asyncio.sleep(0.05)
            writer.write(b"\0")
            await writer.drain()


def _answers(case: Case, request: str) -> tuple[Answer, ...]:
    if "/.well-known/" in request.partition("\r\n")[0]:
        return case.metadata or _METADATA
    if request.startswith("POST /oauth/token ") and case.call not in SIGN_INS:
        return _TOKEN
    return case.answers


async def _request(reader: asyncio.StreamReader) -> str:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return (head + await reader.readexactly(length)).decode("latin-1")


async def _parts(piece: Piece):
    if isinstance(piece, bytes):
        yield piece
    elif isinstance(piece, Packed):
        for part in piece.render():
            yield part
    elif isinstance(piece, Pause):
        await asyncio.sleep(_LONGEST_PAUSE_S if piece.seconds is None else piece.seconds)
    elif isinstance(piece, Repeat):
        number = 0
        while piece.times is None or number < piece.times:
            number += 1
            yield piece.piece
            await asyncio.sleep(piece.pause_s)


def _fill(part: bytes, known: dict[bytes, bytes]) -> bytes:
    if b"@" not in part:
        return part
    for name, value in known.items():
        part = part.replace(name, value)
    if LENGTH in part:
        body = part.partition(b"\r\n\r\n")[2]
        part = part.replace(LENGTH, str(len(body)).encode(), 1)
    return part


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side is told of a reset, not of an end."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _tell(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


class RunningServer:
    """A server in a process of its own."""

    def __init__(self, process: subprocess.Popen[str], ca_file: str) -> None:
        self._process = process
        self.ca_file = ca_file
        ports = self._read()
        self.plain = f"http://127.0.0.1:{ports['plain']}"
        self.dripping = f"https://127.0.0.1:{ports['dripping']}"
        self.secure = f"https://127.0.0.1:{ports['secure']}"

    def begin(self, name: str) -> Arrivals:
        """Let a case begin; return what arrived in the one before."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()
        return Arrivals(**self._read())

    def _read(self):
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


@contextmanager
def running(folder: Path) -> Iterator[RunningServer]:
    """Run the server.

    Args:
        folder: For its certificate.
    """
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = folder / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.server", str(certificate)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
        env=_environment(),
    )
    with process:
        try:
            yield RunningServer(process, str(folder / "ca.pem"))
        finally:
            process.kill()


def _environment() -> dict[str, str]:
    import os

    path = os.pathsep.join(str(part) for part in (_ROOT / "plugins", _ROOT))
    return {**os.environ, "PYTHONPATH": path}


if __name__ == "__main__":
    from tests.hostile.cases import CASES

    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it tells of each write to a closed end
    asyncio.run(HostileServer({case.name: case for case in CASES}, Path(sys.argv[1])).run())
