"""A spreadsheet must not take a customer's name for a formula, and nothing else may change."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_import.web.export import COLUMNS, csv_pieces, neutralise
from customer_import.web.results import ResultFilter
from tests.web.data import START, add_results, add_run

if TYPE_CHECKING:
    from sqlalchemy import Engine


FORMULA = "=+@-＝＋＠－"
BLANKS = " \t\r\n\v\f\u00a0\u3000\ufeff\u200b\u2028"
SEPARATORS = ';,\t|:^~ \u00a0/\n#"_'


def cells(text: str, separator: str) -> list[str]:
    """What a spreadsheet makes of a text with some separator, as it sees it: without quotes and blanks before it."""
    return [cell.lstrip(BLANKS + '"') for cell in text.split(separator)]


def is_formula(cell: str) -> bool:
    return cell[:1] in FORMULA and len(cell.rstrip(BLANKS + '"')) > 1


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30 1", "'+49 30 1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "\t'=1"),
        (" =1", " '=1"),
        ("＝1", "'＝1"),
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("Acme;=cmd|' /C calc'!A0;GmbH", "Acme;'=cmd|' /C calc'!A0;GmbH"),
        ("Acme\t=cmd|' /C calc'!A0", "Acme\t'=cmd|' /C calc'!A0"),
        ("Acme\u00a0=1", "Acme\u00a0'=1"),
        *((f"{blank}=1", f"{blank}'=1") for blank in "\u00a0\u3000\ufeff\v\f\r\n"),
    ],
)
def test_what_begins_like_a_formula_is_made_text(text: str, safe: str) -> None:
    assert neutralise(text) == safe


@pytest.mark.parametrize(
    "text",
    [
        "Müller & Söhne - Nord GmbH",
        "e-mail",
        "anna@example.com",
        "12345678-1234-4234-9234-123456789012",
        "2026-03-01T04:00:00+00:00",
        "https://bss.example.com/x?account=7",
        "A + B",
    ],
)
def test_what_cannot_begin_a_cell_stays_as_it_is(text: str) -> None:
    assert neutralise(text) == text


@given(
    st.text(st.one_of(st.sampled_from(FORMULA + BLANKS + SEPARATORS + "ab1"), st.characters())),
    st.sampled_from(SEPARATORS),
)
def test_no_separator_makes_a_formula_of_a_part(text: str, separator: str) -> None:
    safe = neutralise(text)
    assert not [cell for cell in cells(safe, separator) if is_formula(cell)]
    assert safe.replace("'", "") == text.replace("'", "")


def test_a_file_of_many_pieces_reads_back_as_the_rows(engine: Engine) -> None:
    key = add_run(engine)
    names = [f'=cmd|"{number}"\nline, two' for number in range(1_203)]
    common = {"warnings": ["a", "b"], "read_at": START}
    add_results(engine, key, *({"tenant_name": name} for name in names), **common)
    pieces = list(csv_pieces(engine, key, ResultFilter(sort="oldest")))
    assert len(pieces) == 3
    text = "".join(pieces)
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["tenant_name"] for row in rows] == [f"'{name}" for name in names]
    assert rows[0]["warnings"] == "a | b"
    assert rows[0]["read_at"] == "2026-03-01T04:00:00+00:00"
