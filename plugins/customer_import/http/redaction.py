"""What a stranger says of an error, made fit for logs and pages: short, clean, and without what was sent.

A text is cut before any pattern looks at it, and every pattern takes linear time (``re2``, or a plain alternation).
Patterns find quoted values, e-mail addresses and phone numbers; no pattern finds a person's name or a token, so what
the request carried is removed first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson
import re2

from customer_import.text import clean, cut, shorten_to_words, trim

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

LOOKED_AT = 2_000
"""Characters of a remote text that are looked at, whatever its length."""
MAX_CODE_LENGTH = 80
_GONE = "\x01"
"""Stands for what was removed until the patterns are through: ``re2`` takes ASCII alone for a replacement."""
_UNMISTAKABLE = 16
"""Characters of a text that stands nowhere by chance; a shorter one may be part of a word."""
_SHORTEST = 2  # a single character tells nothing, and removing it would make the text unreadable
_QUOTED = re2.compile(r"""["'`“‘«][^"'`“”‘’»«]*(?:["'`”’»“‘«]|$)""")
_PERSONAL = (
    (_QUOTED, _GONE),  # a quoted value
    (re2.compile(r"\S*@\S*"), _GONE),  # an e-mail address, or what was meant as one
    (re2.compile(r"\+?\pN[\pN\s()./-]{5,}\pN"), _GONE),  # a phone number
    (
        re2.compile(r"([:=])\s*\S.*$"),
        rf"\1 {_GONE}",
    ),  # a value announced by a colon or an equals sign
)
_CODE = re2.compile(r"[A-Za-z0-9][\w.:/-]*")


def request_texts(headers: Mapping[str, str], data: bytes | None) -> tuple[str, ...]:
    """Return the token and every text of the JSON body, the longest first: one may contain another."""
    found = {headers.get("Authorization", "").rpartition(" ")[2]}
    if data:
        found.update(_texts(orjson.loads(data)))
    return tuple(sorted((text for text in found if len(text) >= _SHORTEST), key=len, reverse=True))


def redact(text: str, request_texts: Collection[str]) -> str:
    """Replace in a text whatever was sent, in any case; short texts as whole words only."""
    findable = [sent for sent in request_texts if len(sent) <= len(text)]
    if not findable:
        return text
    either = "|".join(map(_pattern, findable))
    return re.sub(either, "…", text, flags=re.IGNORECASE)


def _pattern(sent: str) -> str:
    escaped = re.escape(sent)
    return escaped if len(sent) >= _UNMISTAKABLE else rf"(?<!\w){escaped}(?!\w)"


def scrub(text: str, max_length: int) -> str:
    """Remove from a message what could be a value of the customer: quoted text, e-mail addresses, phone numbers."""
    text = " ".join(shorten_to_words(clean(text), LOOKED_AT).split())
    for pattern, replacement in _PERSONAL:
        text = pattern.sub(replacement, text)
    return cut(text.replace(_GONE, "…"), max_length)


def reason_of(value: object, request_texts: Collection[str], max_length: int) -> str:
    """Return a remote error text as it may be logged and stored; empty when it is no text.

    Args:
        value: As the body has it.
        request_texts: What the request carried; removed before patterns look for more.
        max_length: Of the result.
    """
    if not isinstance(value, str):
        return ""
    text = shorten_to_words(clean(value[: 2 * LOOKED_AT]), LOOKED_AT)
    return scrub(redact(text, request_texts), max_length)


def code_of(value: object, request_texts: Collection[str] = ()) -> str | None:
    """Return a remote error code: text or a number, one short word as a rule, otherwise treated as a reason."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = trim(clean(str(value) if isinstance(value, str) else f"{value:d}", LOOKED_AT))
    if len(text) <= MAX_CODE_LENGTH and _CODE.fullmatch(text):
        return redact(text, request_texts) if isinstance(value, str) else text
    return reason_of(text, request_texts, MAX_CODE_LENGTH) or None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
