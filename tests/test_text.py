"""What is clean, trimmed and blank."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_import import text
from customer_import.text import (
    INVISIBLE,
    clean,
    cut,
    fold,
    is_blank,
    shorten_to_words,
    trim,
    without_format,
)

EVERY_CHARACTER = [chr(code) for code in range(0x110000)]


def test_every_format_character_of_unicode_is_known() -> None:
    """The table is of Unicode 15; an older ``unicodedata`` knows fewer."""
    known = set(text._FORMAT)
    ours = {one for one in EVERY_CHARACTER if unicodedata.category(one) == "Cf"}
    assert ours <= known
    assert {unicodedata.category(one) for one in known - ours} <= {"Cn", "Mn"}


def test_every_white_space_character_is_known() -> None:
    assert {one for one in EVERY_CHARACTER if one.isspace()} == set(text._SPACES)


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=40))
def test_clean_text_holds_no_control_character_and_can_be_encoded(dirty: str) -> None:
    cleaned = clean(dirty)
    assert {"Cc", "Cs", "Zl", "Zp"}.isdisjoint(map(unicodedata.category, cleaned))
    assert clean(cleaned) == cleaned
    cleaned.encode()


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("Dokimi\0", "Dokimi"),
        ("a\r\nb\tc\u2028d", "a b c d"),
        ("\x1b[31mred\x07", "[31mred"),
        ("half \ud83d of it", "half \ufffd of it"),
        ("Δοκιμή 🥐 \u200bx", "Δοκιμή 🥐 \u200bx"),
    ],
)
def test_text_is_cleaned(dirty: str, cleaned: str) -> None:
    assert clean(dirty) == cleaned


@pytest.mark.parametrize(
    "edge", ["\u200b", "\u2060", "\ufeff", "\u202a", "\u202c", "\xad", "\u3164", "\xa0"]
)
def test_what_shows_nothing_is_trimmed_and_blank(edge: str) -> None:
    assert trim(f" {edge} Δοκιμή {edge}x{edge}\t{edge}") == f"Δοκιμή {edge}x"
    assert is_blank(f"{edge} {edge}")
    assert not is_blank(f"{edge}a")


@pytest.mark.parametrize("selector", ["\ufe0f", "\U000e0100", "\u180b"])
def test_a_selector_alone_is_blank_but_stays_at_what_it_selects(selector: str) -> None:
    assert is_blank(f"{selector} {selector}\u200b")
    assert selector in INVISIBLE
    assert trim(f" ☎{selector} ") == f"☎{selector}"


@given(st.text(max_size=10))
def test_of_text_that_is_not_blank_something_is_left(some: str) -> None:
    assert is_blank(some) or trim(some)


def test_format_characters_are_removed_inside() -> None:
    assert without_format("an\u200bna@dokimi\xad.example") == "anna@dokimi.example"


def test_text_is_cut_and_shortened_to_words() -> None:
    assert cut("abcdef", 4) == "abc…"
    assert shorten_to_words("one two three", 9) == "one two …"
    assert shorten_to_words("a" * 100, 9) == "…"
    assert shorten_to_words("one", 9) == "one"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Contoso", "CONTOSO"),
        ("Öz GIDA", "öz gida"),
        ("Straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("Ärzte", "A\u0308RZTE"),
        ("МОСКВА", "москва"),
        ("GIDA", "gıda"),
        ("İZMİR", "izmir"),
    ],
)
def test_case_does_not_count_in_any_script(one: str, other: str) -> None:
    assert fold(one) == fold(other)
