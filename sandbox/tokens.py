"""Bearer and refresh tokens that prove themselves.

A token carries its kind, its subject and its end, signed with a key derived from the seed. No
table of tokens is needed, and a token outlives a restart of the sandbox as a real one would.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_REMEMBERED = 10_000


class TokenKind(StrEnum):
    """What a token is good for."""

    APP_ONLY = "app"
    APP_USER = "user"
    REFRESH = "refresh"
    BSS = "bss"


@dataclass(frozen=True, slots=True)
class Claims:
    """What a genuine token says.

    Attributes:
        kind: What it is good for.
        subject: The tenant or the BSS organisation that it was issued for.
        expires_at: Unix time in seconds.
    """

    kind: TokenKind
    subject: str
    expires_at: float


class TokenIssuer:
    """Issues tokens and recognises its own."""

    def __init__(self, key: bytes, now: Callable[[], float]) -> None:
        """Take the signing key and the clock (Unix seconds)."""
        self._key = key
        self._now = now
        self._known: dict[str, Claims] = {}

    def issue(self, kind: TokenKind, subject: str, ttl_s: float) -> str:
        """Make a new token that ends after ``ttl_s`` seconds."""
        text = f"{kind}.{subject}.{self._now() + ttl_s:.3f}.{secrets.token_hex(8)}"
        return f"{text}.{self._signature(text)}"

    def read(self, token: str) -> Claims | None:
        """Return what the token says, or None when it is not one of ours."""
        claims = self._known.get(token)
        if claims is None and (claims := self._verified(token)) is not None:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            self._known[token] = claims
        return claims

    def is_live(self, claims: Claims) -> bool:
        """Tell whether the token has not ended yet."""
        return claims.expires_at > self._now()

    def _verified(self, token: str) -> Claims | None:
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(text).encode()):
            return None
        kind, _, rest = text.partition(".")
        subject, whole, fraction, _nonce = rest.rsplit(".", 3)
        return Claims(TokenKind(kind), subject, float(f"{whole}.{fraction}"))

    def _signature(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:40]
