"""What must not be found, and the forms in which it could hide.

Every personal value of a kind begins with the same stem, so that a cut value is found as well. Tokens are recognised
by their shape: the sandbox issues more of them than anybody could list.
"""

from __future__ import annotations

import base64
import html
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.info import SandboxInfo

STEMS = {
    "email": "canary-mail-",
    "firstName": "Canaryfirst",
    "lastName": "Καναρίνης",
    "phoneNumber": "6942424242",
    "addressLine1": "Canarystreet",
}
"""Beginning of the values of each kind; the Greek one shows that escapes of other scripts are found."""

_TOKEN = re.compile(r"(?:app|user|refresh|bss)\.[\w-]+\.\d+\.\d{3}\.[0-9a-f]{16}\.[0-9a-f]{40}")
_TOKEN_NAME = "token"


@dataclass(frozen=True)
class Hit:
    """A mark that was found: what, in which form, and where; never the value."""

    mark: str
    form: str
    where: str


class Marks:
    """Texts to look for, by name, each in all its forms.

    Args:
        texts: Text by name; a text may be the beginning of a value.
    """

    def __init__(self, texts: dict[str, str]) -> None:
        self.names = (*texts, _TOKEN_NAME)
        self._folded = [
            (name, form, said.lower())
            for name, text in texts.items()
            for form, said in _readable_forms(text)
        ]
        self._exact = [
            (name, "base64", said) for name, text in texts.items() for said in _base64_forms(text)
        ]

    def find(self, content: str, where: str) -> Iterator[Hit]:
        """Yield every mark that a text holds, upper and lower case alike, once per form."""
        folded = content.lower()
        for name, form, said in self._folded:
            if said in folded:
                yield Hit(name, form, where)
        for name, form, said in self._exact:
            if said in content:
                yield Hit(name, form, where)
        if _TOKEN.search(folded):
            yield Hit(_TOKEN_NAME, "plain", where)


def secrets_of(info: SandboxInfo) -> dict[str, str]:
    """Return every password and secret that the import signs in with, by name."""
    secrets = {
        "partner client secret": info.client_secret,
        "first refresh token": info.refresh_token,
    }
    for organisation in (info.provider, info.tenant_reseller):
        secrets[f"password, {organisation.name}"] = organisation.password
        secrets[f"client secret, {organisation.name}"] = organisation.client_secret
    return secrets


def marked(document: dict[str, Any], number: int) -> dict[str, Any]:
    """Return the change that gives a customer marked personal values wherever it has any.

    Args:
        document: The customer as Partner Center has it.
        number: Makes the values this customer's own.
    """
    profile = document.get("billingProfile") or {}
    address = profile.get("defaultAddress") or {}
    changes = _marked_fields(profile, number)
    if at_address := _marked_fields(address, number):
        changes["defaultAddress"] = at_address
    return {"billingProfile": changes} if changes else {}


def _marked_fields(holder: dict[str, Any], number: int) -> dict[str, Any]:
    return {
        name: _value(name, holder[name], number)
        for name in STEMS
        if isinstance(holder.get(name), str) and holder[name].strip()
    }


def _value(name: str, before: str, number: int) -> str:
    """Return a marked value; a broken e-mail address stays broken, so that it is refused."""
    if name == "email":
        return f"{STEMS[name]}{number:04d}" + ("@canary.example" if "@" in before else ".broken")
    if name == "phoneNumber":
        return f"+30 {STEMS[name]}{number:04d}"
    return f"{STEMS[name]}{number:04d}"


def _readable_forms(text: str) -> set[tuple[str, str]]:
    """Return the text as logs, URLs, JSON, pages and dumps of bytes write it, and each of these within JSON again."""
    forms = {
        "plain": text,
        "URL-encoded": quote(text, safe=""),
        "URL-encoded form": quote_plus(text),
        "HTML-escaped": html.escape(text),
        "JSON-escaped": _in_json(text),
        "bytes": repr(text.encode())[2:-1],
        "hexadecimal": text.encode().hex(),
    }
    named = {_in_json(said): f"{form}, in JSON" for form, said in forms.items()}
    named |= {said: form for form, said in reversed(forms.items())}  # equal forms count once
    return {(form, said) for said, form in named.items()}


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _base64_forms(text: str) -> set[str]:
    """Return what base64 makes of a text that begins at any place of a longer one.

    A Basic header encodes ``user:secret``: only the characters that the secret alone decides are the same always.
    """
    found = set()
    for shift in range(3):
        data = bytes(shift) + text.encode()
        first, end = -(-8 * shift // 6), 8 * len(data) // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(data).decode()[first:end])
    return found
