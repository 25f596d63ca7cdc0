"""The authorisation code grant of Entra ID, with PKCE: what a browser is led through, without its pages.

What the person does in the browser is what `Person` was told.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from sandbox.device_code import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.device_code import Person

REDIRECT_URI = "http://localhost:8400"
"""The one that the application is registered with."""


class BrowserCodes:
    """Authorisation codes; each is good for one grant."""

    def __init__(self) -> None:
        """Begin without codes."""
        self._issued: dict[str, tuple[str, str]] = {}

    def lead(self, query: Mapping[str, str], resource: str, person: Person) -> str:
        """Return the address at which the browser ends."""
        told = {"state": query.get("state", "")}
        if person.reply is Reply.CONSENT:
            code = secrets.token_urlsafe(32)
            self._issued[code] = (resource, query.get("code_challenge", ""))
            told |= {"code": code}
        else:
            told |= {"error": "access_denied", "error_description": "AADSTS65004: User declined."}
        return f"{REDIRECT_URI}/?{urlencode(told)}"

    def redeem(self, form: Mapping[str, str]) -> str | None:
        """Return the API that a code is for; None when the code or its proof is wrong."""
        resource, challenge = self._issued.pop(form.get("code", ""), ("", ""))
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        is_right = proof == challenge and form.get("redirect_uri") == REDIRECT_URI
        return resource if resource and is_right else None
