"""What pasting and mounted files leave around a value: dropped; what cannot be meant inside a secret: refused."""

from __future__ import annotations

import unicodedata

from customer_import.errors import ConfigurationError


def trim(text: str) -> str:
    """Return a text without the white space and invisible characters at its ends, as pasting leaves them."""
    start, end = 0, len(text)
    while start < end and _is_blank(text[start]):
        start += 1
    while end > start and _is_blank(text[end - 1]):
        end -= 1
    return text[start:end]


def one_line(text: str, *, source: str, path: str | None = None) -> str:
    """Return a pasted value, trimmed.

    Args:
        text: As entered.
        source: For messages, such as ``connection bss_default``.
        path: The field.

    Raises:
        ConfigurationError: There is a line break or another control character inside; never shows the value.
    """
    trimmed = trim(text)
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in trimmed):
        message = "there is a line break or another control character inside"
        hint = "enter it anew as one line"
        raise ConfigurationError(message, source=source, path=path, hint=hint)
    return trimmed


def _is_blank(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in {"Cc", "Cf"}
