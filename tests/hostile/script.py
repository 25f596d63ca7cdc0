"""What a case of the hostile server is made of: bytes as they leave it, and the outcome that is right.

Pure data: the server and who asks it are different processes and read the same table.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from customer_import.errors import CustomerImportError

MEGABYTE = 1024 * 1024
GZIP, DEFLATE, RAW_DEFLATE = 31, 15, -15
OWN, FOREIGN, NUMBER, LENGTH = b"@OWN@", b"@FOREIGN@", b"@NUMBER@", b"@LENGTH@"
"""Stand in a case's bytes for what is known when it runs: the server itself, another host, the number of the request,
the bytes that follow the head."""
SIGN_INS = frozenset({"entra app", "entra user", "grant", "own grant"})
"""Calls whose answer is a token's; to others the server gives a token when they ask for one."""


@dataclass(frozen=True)
class Secrets:
    """What the clients carry; none of it may turn up in an error, a log or at another host."""

    access_token: str = "acc-6f1d2b7790ef4d1b-Zeugnis"
    client_secret: str = "cls-83b07cf9e2ab4c8d-Siegel"
    refresh_token: str = "rft-d28a51c604a94fd3-Erneuert"
    user_password: str = "pwd-49e3aa518c7b4be6-Losung"
    key_secret: str = "kys-0c55d9a7312e49f8-Riegel"
    issued_token: str = "iss-b6e0417f9d5c42aa-Ausgestellt"

    @property
    def basic(self) -> str:
        """What the Basic header has of the key's secret."""
        return base64.b64encode(f"key:{self.key_secret}".encode()).decode()


@dataclass(frozen=True)
class Person:
    """Whom the written contact is about; nothing of it may turn up either."""

    first_name: str = "Penelope"
    last_name: str = "Kanariotaki"
    email: str = "p.kanariotaki@bakery.example"
    phone: str = "+30 2310 555 987"

    def __iter__(self) -> Iterator[str]:
        return iter(vars(self).values())


SECRETS, PERSON = Secrets(), Person()
TENANT = "11111111-2222-3333-4444-555555555555"


@dataclass(frozen=True)
class Repeat:
    """A piece sent so often; without end when ``times`` is none."""

    piece: bytes
    times: int | None = None
    pause_s: float = 0.0


@dataclass(frozen=True)
class Packed:
    """That many blanks, packed: a bomb."""

    size: int
    wbits: int = GZIP
    chunked: bool = False

    def render(self) -> Iterator[bytes]:
        packer = zlib.compressobj(9, wbits=self.wbits)
        piece = b" " * MEGABYTE
        for _ in range(self.size // MEGABYTE):
            if packed := packer.compress(piece):
                yield self._framed(packed)
        yield self._framed(packer.flush())

    def _framed(self, packed: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(packed), packed) if self.chunked else packed


@dataclass(frozen=True)
class Pause:
    """Nothing, for so long; for good when ``seconds`` is none."""

    seconds: float | None = None


Piece = bytes | Repeat | Packed | Pause


@dataclass(frozen=True)
class Answer:
    """What the server sends once it has read a request, and what it does then."""

    pieces: tuple[Piece, ...]
    then: Literal["close", "keep", "reset"] = "close"


@dataclass(frozen=True)
class Gives:
    """The call returns this value."""

    value: Any


@dataclass(frozen=True)
class Raises:
    """The call raises exactly this error, and these words stand in its text."""

    error: type[CustomerImportError]
    words: str = ""
    fields: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        name: Unique.
        call: Which call of the library meets it; a key of ``calls.CALLS``.
        answers: In order; the last one for good.
        outcome: What is right.
        metadata: Answers to Entra ID's metadata request, when that one is hostile.
        timeout_s: Bound on a request.
        most_s: Bound on the call.
        most_requests: How often the server may be asked.
        is_fast: Whether the short form has it.
    """

    name: str
    call: str
    answers: tuple[Answer, ...]
    outcome: Gives | Raises
    metadata: tuple[Answer, ...] = ()
    timeout_s: float = 20.0
    most_s: float = 20.0
    most_requests: int = 4
    is_fast: bool = True


def raw(*pieces: Piece, then: Literal["close", "keep", "reset"] = "close") -> Answer:
    """Exactly these bytes."""
    return Answer(pieces, then)


def http(
    body: bytes = b"{}", status: int | str = 200, headers: dict[str, str] | None = None
) -> Answer:
    """A well-formed answer that leaves the connection open."""
    reason = status if isinstance(status, str) else f"{status} Told"
    head = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    start = f"HTTP/1.1 {reason}\r\n{head}Content-Length: ".encode()
    return raw(start + LENGTH + b"\r\n\r\n" + body, then="keep")


def as_json(value: object, status: int = 200, **headers: str) -> Answer:
    """A well-formed answer of JSON."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return http(json.dumps(value).encode(), status, {"Content-Type": "application/json"} | named)


def metadata(**changes: object) -> Answer:
    """Entra ID's description of itself."""
    base = f"{OWN.decode()}/contoso/oauth2/v2.0"
    told: dict[str, object] = {
        "issuer": f"{OWN.decode()}/contoso/v2.0",
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
    }
    return as_json(told | changes)
