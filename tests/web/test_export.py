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
from tests.web.data import add_results, add_run

if TYPE_CHECKING:
    from sqlalchemy import Engine


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", '=HYPERLINK("http://x")', "＝1"]
)
def test_what_begins_like_a_formula_is_made_text(text: str) -> None:
    assert neutralise(text) == f"'{text}"


@given(st.text())
def test_neutralised_text_never_begins_like_a_formula_and_keeps_every_character(text: str) -> None:
    safe = neutralise(text)
    assert safe.lstrip(" ")[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}
    assert safe.removeprefix("'" if safe != text else "") == text


def test_a_file_of_many_pieces_reads_back_as_the_rows(engine: Engine) -> None:
    key = add_run(engine)
    names = [f'=cmd|"{number}"\nline, two' for number in range(1_203)]
    add_results(engine, key, *({"tenant_name": name, "warnings": ["a", "b"]} for name in names))
    pieces = list(csv_pieces(engine, key, ResultFilter(sort="oldest")))
    assert len(pieces) == 3
    text = "".join(pieces)
    assert text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [row["tenant_name"] for row in rows] == [f"'{name}" for name in names]
    assert rows[0]["warnings"] == "a | b"
