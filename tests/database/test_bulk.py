from __future__ import annotations

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text, select
from sqlalchemy.exc import IntegrityError

from customer_import.database.bulk import insert_rows

NOTES = Table(
    "bulk_notes",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("text", Text),
    Column("body", LargeBinary),
)


@pytest.fixture
def notes(engine):
    NOTES.create(engine)
    return engine


def stored(engine):
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(NOTES).order_by(NOTES.c.id))]


@pytest.mark.parametrize("size", [0, 1, 499, 500, 501, 1200])
def test_every_row_is_inserted_whatever_their_number(notes, size):
    rows = [(number, f"note {number}", b"\x00\xff") for number in range(size)]
    with notes.begin() as connection:
        insert_rows(connection, NOTES, ("id", "text", "body"), iter(rows))
    assert stored(notes) == rows


def test_values_arrive_as_they_are(notes):
    rows = [(1, "100 % of ?, %s and ':x' \N{WHALE}", b'{"a": "%s"}'), (2, None, None)]
    with notes.begin() as connection:
        insert_rows(connection, NOTES, ("id", "text", "body"), rows)
    assert stored(notes) == rows


def test_a_row_that_exists_is_an_error_not_a_loss(notes):
    with pytest.raises(IntegrityError), notes.begin() as connection:
        insert_rows(connection, NOTES, ("id",), [(1,), (1,)])
    assert stored(notes) == []
