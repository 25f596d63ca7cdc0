"""Bearer and refresh tokens that prove themselves.

A token carries its kind, its subject and its end, signed with a key derived from the seed. No
table of tokens is needed, and a token outlives a restart of the sandbox as a real one would.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import orjson

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
        has_mfa: Whether the person behind it signed in with multi-factor authentication.
        has_role: Whether that person has an agent role in Partner Center.
        audience: Address of the API that it is for; empty when it is for none in particular.
        shows_methods: Whether it has the claim ``amr``, which a third party's MFA may leave out.
    """

    kind: TokenKind
    subject: str
    expires_at: float
    has_mfa: bool = True
    has_role: bool = True
    audience: str = ""
    shows_methods: bool = True


class TokenIssuer:
    """Issues tokens and recognises its own.

    All have three parts; those of a person look like Microsoft's (a JSON Web Token with the claim ``amr``), the others
    are opaque.
    """

    def __init__(self, key: bytes, now: Callable[[], float]) -> None:
        """Take the signing key and the clock (Unix seconds)."""
        self._key = key
        self._now = now
        self._known: dict[str, Claims] = {}

    def issue(
        self,
        kind: TokenKind,
        subject: str,
        ttl_s: float,
        *,
        has_mfa: bool = True,
        has_role: bool = True,
        audience: str = "",
        shows_methods: bool = True,
    ) -> str:
        """Make a new token that ends after ``ttl_s`` seconds."""
        payload = {
            "aud": audience,
            "tid": subject,
            "exp": round(self._now() + ttl_s, 3),
            "mfa": has_mfa,
            "agent": has_role,
            "kind": kind.value,
            "uti": secrets.token_hex(8),
        }
        if shows_methods:
            payload["amr"] = ["pwd", "mfa"] if has_mfa else ["pwd"]
        head = _encoded({"typ": "JWT", "alg": "HS256"}) if kind is TokenKind.APP_USER else kind
        text = f"{head}.{_encoded(payload)}"
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
        if not token.isascii() or not hmac.compare_digest(
            signature.encode(), self._signature(text).encode()
        ):
            return None
        payload = text.partition(".")[2]
        said = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return Claims(
            TokenKind(said["kind"]),
            said["tid"],
            said["exp"],
            has_mfa=said["mfa"],
            has_role=said["agent"],
            audience=said["aud"],
            shows_methods="amr" in said,
        )

    def _signature(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()[:40]


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(value)).rstrip(b"=").decode()
