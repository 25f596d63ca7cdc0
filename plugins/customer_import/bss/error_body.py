"""Reads the BSS's error bodies (docs/api/bss.md section 2.7) into words that may be logged and stored.

The body's ``value`` is never read and the message is scrubbed, because both may repeat what was sent: an e-mail
address, a phone number, a person's name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from customer_import.http.classify import ErrorDetail
from customer_import.http.redaction import redact
from customer_import.http.session import parse_json

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_MESSAGE_LENGTH = 300

_RATE_LIMIT = re.compile(r"rate.?limit|too.?many|throttl|quota", re.IGNORECASE)
_PERSONAL = (
    re.compile(r"""(["'`“‘«]).*?(?:\1|["'`”’»]|$)"""),  # a quoted value
    re.compile(r"\S+@\S+"),  # an e-mail address, or what was meant as one
    re.compile(r"\+?\d[\d\s()./-]{5,}\d"),  # a phone number
    re.compile(r"(?<=[:=])\s*\S.*$"),  # a value announced by a colon or an equals sign
)


def read_detail(body: bytes, request_texts: Collection[str] = ()) -> ErrorDetail:
    """Return what an error body says; nothing when it is empty or not the BSS's error model.

    403 means a missing right or a rate limit: ``code`` and ``type`` tell which (docs/api/bss.md section 6, trap 10).

    Args:
        body: As answered.
        request_texts: What the request carried; removed from the message before patterns look for more.
    """
    try:
        parsed = parse_json(body)
    except ValueError:
        return ErrorDetail()
    if not isinstance(parsed, dict):
        return ErrorDetail()
    kind, code = _text(parsed.get("type")), _text(parsed.get("code"))
    is_retriable = parsed.get("isRetriableError")
    return ErrorDetail(
        code=code or kind,
        message=_message(parsed, kind or code, request_texts),
        is_retriable=is_retriable if isinstance(is_retriable, bool) else None,
        is_rate_limit=any(_RATE_LIMIT.search(name) for name in (kind, code) if name),
    )


def scrub(text: str) -> str:
    """Remove from a message what could be a value of the customer: quoted text, e-mail addresses, phone numbers."""
    for pattern in _PERSONAL:
        text = pattern.sub("…", text)
    text = " ".join(text.split())
    return text if len(text) <= MAX_MESSAGE_LENGTH else text[: MAX_MESSAGE_LENGTH - 1] + "…"


def _message(body: dict[str, object], kind: str | None, request_texts: Collection[str]) -> str:
    said = scrub(redact(_text(body.get("developerMessage")) or "", request_texts))
    place = ".".join(
        part for part in (_name(body.get("entity")), _name(body.get("property"))) if part
    )
    parts = (kind, f"at {place}" if place else "", said)
    return ": ".join(filter(None, (" ".join(filter(None, parts[:2])), parts[2])))


def _text(value: object) -> str | None:
    return str(value).strip() or None if isinstance(value, str | int) else None


def _name(value: object) -> str | None:
    """Return the name of an entity or property; anything that does not look like a name is left out."""
    return (
        value
        if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.\[\]/]{0,80}", value)
        else None
    )
