"""What a request carried, so that an error text that repeats it can be cleaned before anybody reads it.

Patterns find e-mail addresses and phone numbers in such a text, but no pattern finds a person's name or a token.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_SHORTEST = 2  # a single character tells nothing, and removing it would make the text unreadable


def request_texts(headers: Mapping[str, str], data: bytes | None) -> tuple[str, ...]:
    """Return the token and every text of the JSON body, the longest first: one may contain another."""
    found = {headers.get("Authorization", "").rpartition(" ")[2]}
    if data:
        found.update(_texts(orjson.loads(data)))
    return tuple(sorted((text for text in found if len(text) >= _SHORTEST), key=len, reverse=True))


def redact(text: str, request_texts: Collection[str]) -> str:
    """Replace in a text whatever was sent, as whole words and in any case."""
    if not request_texts:
        return text
    either = "|".join(map(re.escape, request_texts))
    return re.sub(rf"(?<!\w)(?:{either})(?!\w)", "…", text, flags=re.IGNORECASE)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
