"""Reads the BSS's error bodies (docs/api/bss.md section 2.7) into words that may be logged and stored.

The body's ``value`` is never read and the message is scrubbed, because both may repeat what was sent: an e-mail
address, a phone number, a person's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import re2

from customer_import.config.mapping import ORDERING_FIELDS
from customer_import.http.classify import ErrorDetail
from customer_import.http.reader import read_json
from customer_import.http.redaction import code_of, reason_of, redact

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_MESSAGE_LENGTH = 300

_RATE_LIMIT = re2.compile(r"(?i)rate.?limit|too.?many|throttl|quota")
_NAME = re2.compile(r"[A-Za-z][\w.\[\]/]{0,80}")


def read_detail(body: bytes, request_texts: Collection[str] = ()) -> ErrorDetail:
    """Return what an error body says; nothing when it is empty or not the BSS's error model.

    An empty one is the BSS's own (docs/api/bss.md section 2.7); what is not JSON at all is somebody else's.

    403 means a missing right or a rate limit: ``code`` and ``type`` tell which (docs/api/bss.md section 6, trap 10).

    Args:
        body: As answered.
        request_texts: What the request carried; removed from the message before patterns look for more.
    """
    try:
        parsed = read_json(body)
    except ValueError:
        return ErrorDetail(is_legible=not body.strip())
    if not isinstance(parsed, dict):
        return ErrorDetail()
    kind, code = (code_of(parsed.get(name), request_texts) for name in ("type", "code"))
    is_retriable = parsed.get("isRetriableError")
    return ErrorDetail(
        code=code or kind,
        message=_message(parsed, kind or code, request_texts),
        is_retriable=is_retriable if isinstance(is_retriable, bool) else None,
        is_rate_limit=any(_RATE_LIMIT.search(name) for name in (kind, code) if name),
        fields=_fields(parsed, request_texts),
    )


def _message(body: dict[str, object], kind: str | None, request_texts: Collection[str]) -> str:
    said = reason_of(body.get("developerMessage"), request_texts, MAX_MESSAGE_LENGTH)
    place = ".".join(
        name
        for name in (_name(body.get(key), request_texts) for key in ("entity", "property"))
        if name
    )
    parts = (kind, f"at {place}" if place else "", said)
    return ": ".join(filter(None, (" ".join(filter(None, parts[:2])), parts[2])))


def _fields(body: dict[str, object], request_texts: Collection[str]) -> tuple[str, ...]:
    """Return the fields that the body complains of: its ``property``, else ordering fields that the message names.

    ``property`` is promised for not-found errors only. Validation messages name a field as it is sent, in capitals or
    in words ("'Credit Limit' must not be empty"), so only letters are compared; the names of ordering fields are long
    enough not to turn up by chance.
    """
    named = _name(body.get("property"), request_texts)
    if named:
        return (named,)
    message = body.get("developerMessage")
    said = redact(message[:MAX_MESSAGE_LENGTH], request_texts) if isinstance(message, str) else ""
    letters = "".join(filter(str.isalpha, said)).casefold()
    return tuple(name for name in ORDERING_FIELDS if name.casefold() in letters)


def _name(value: object, request_texts: Collection[str]) -> str | None:
    """Return the name of an entity or property; what does not look like one, or was sent as a value, is left out."""
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        return None
    return value if redact(value, request_texts) == value else None
