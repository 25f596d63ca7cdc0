"""What text is, everywhere in the import: clean, trimmed, blank, short enough. Pure and linear in the text's length.

Clean text has no character that a database, a log or a page cannot take: no NUL, no control character, no line break,
no half of a surrogate pair. What comes from outside is cleaned once, where bytes become values (``http.reader``).
Blank text shows nothing: white space and Unicode's format characters (category Cf: zero-width spaces, direction marks,
byte order marks), which nobody sees and many copy.
"""

from __future__ import annotations

import re
import unicodedata

MAX_TEXT = 65_536
"""Characters of a text from outside; what is beyond is cut. No field of either API comes near it."""

_LINE_BREAKS = "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"
_UNCLEAN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CLEANING: dict[int, str | None] = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)]),
    **dict.fromkeys(map(ord, _LINE_BREAKS), " "),
    **dict.fromkeys(range(0xD800, 0xE000), "\N{REPLACEMENT CHARACTER}"),
}

_FORMAT_RANGES = (
    (0xAD, 0xAD), (0x600, 0x605), (0x61C, 0x61C), (0x6DD, 0x6DD), (0x70F, 0x70F), (0x890, 0x891),
    (0x8E2, 0x8E2), (0x180E, 0x180E), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x2064),
    (0x2066, 0x206F), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0x110BD, 0x110BD), (0x110CD, 0x110CD),
    (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0001, 0xE0001),
    (0xE0020, 0xE007F),
)  # fmt: skip
"""Category Cf of Unicode 15; a test compares it with ``unicodedata``."""
_SHOWING_NOTHING = "\u034f\u115f\u1160\u17b4\u17b5\u2065\u2800\u3164\uffa0"
"""Not of category Cf, but as empty: joiner, fillers, the blank braille pattern."""
_FORMAT = "".join(chr(code) for low, high in _FORMAT_RANGES for code in range(low, high + 1))
_SPACES = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
_EDGES = _SPACES + _FORMAT + _SHOWING_NOTHING
_SELECTORS = "\u180b\u180c\u180d\u180f" + "".join(
    chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
)
"""They say how the character before them looks, so they stay at it; alone they show nothing."""
INVISIBLE = frozenset(_EDGES + _SELECTORS)
"""Characters that show nothing: blank text consists of them."""
_ADDRESS = re.compile(r"[^\s@<(]+@[^\s@]*[^\s@.,;:!?>)]")
_ONE_I = {ord("\N{LATIN SMALL LETTER DOTLESS I}"): "i"}
_REMOVED = dict.fromkeys(map(ord, _FORMAT + _SHOWING_NOTHING))


def clean(text: str, max_length: int = MAX_TEXT) -> str:
    """Return a text that can be stored, logged and shown, at most ``max_length`` characters long.

    A line break or tab becomes a blank, half a surrogate pair the replacement character; other control
    characters go.
    """
    text = text[:max_length]
    if (text.isascii() and text.isprintable()) or _UNCLEAN.search(text) is None:
        return text
    return text.replace("\r\n", "\n").translate(_CLEANING)


def trim(text: str) -> str:
    """Return a text without white space and format characters at its ends."""
    return text.strip() if text.isascii() else text.strip(_EDGES)


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: empty, or white space and format characters alone."""
    return not text or (text[0] in INVISIBLE and INVISIBLE.issuperset(text))


def without_format(text: str) -> str:
    """Return a text without format characters anywhere: for what is matched as a whole, such as an e-mail address."""
    return text if text.isascii() else text.translate(_REMOVED)


def has_address(text: str) -> bool:
    """Whether a text that a person wrote holds an e-mail address."""
    return _ADDRESS.search(text) is not None


def without_addresses(text: str) -> str:
    """Return a text with ``[address]`` in the place of each e-mail address."""
    return _ADDRESS.sub("[address]", text)


def short_name(name: str) -> str:
    """Return a user's name without the domain: some Airflows use e-mail addresses, and names go into logs."""
    return name.partition("@")[0] or name


def cut(text: str, max_length: int) -> str:
    """Return a text that is at most ``max_length`` characters long; a dot-dot-dot says that more was there."""
    return text if len(text) <= max_length else text[: max_length - 1] + "…"


def shorten_to_words(text: str, max_length: int) -> str:
    """Cut a text after a whole word: half a secret would not be found by who looks for all of it."""
    if len(text) <= max_length:
        return text
    head, _, _ = text[: max_length + 1].rpartition(" ")
    return f"{head} …" if head else "…"


def fold(text: str) -> str:
    """Return a text as it is compared when case does not count, in any script; composed, as people type it.

    The Turkish i without a dot, and the one that keeps its dot when it is large, are the i of everybody else: without
    the language nobody can tell which one a capital letter was.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFC", text).casefold().translate(_ONE_I)
    return unicodedata.normalize("NFC", folded.replace("i\u0307", "i"))
