from __future__ import annotations

import traceback

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from customer_import.database.bulk import insert_rows
from customer_import.errors import DatabaseError

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


@pytest.mark.parametrize("size", [0, 1, 499, 500, 501, 2001])
def test_every_row_is_inserted_whatever_their_number(notes, size):
    rows = [(number, f"note {number}", b"\x00\xff") for number in range(size)]
    with notes.begin() as connection:
        insert_rows(connection, NOTES, ("id", "text", "body"), iter(rows))
    assert stored(notes) == rows


def test_values_arrive_as_they_are(notes):
    texts = [
        "100 % of ?, %s and ':x' \N{WHALE}",
        r"\N",
        r"\.",
        "",
        " ",
        "a\tb\r\nc\\",
        r"\x41",
        '"',
        "1e3",
    ]
    rows: list[tuple[int, str | None, bytes | None]]
    rows = [(number, text, text.encode()) for number, text in enumerate(texts)]
    rows += [(97, None, None), (98, None, bytes(range(256))), (99, "\\", b"")]
    with notes.begin() as connection:
        insert_rows(connection, NOTES, ("id", "text", "body"), rows)
    assert stored(notes) == rows


def test_a_blank_row_at_the_end_is_a_row(notes):
    with notes.begin() as connection:
        insert_rows(connection, NOTES, ("text",), [("a",), ("",)])
    assert [text for _, text, _ in stored(notes)] == ["a", ""]


def test_a_row_that_exists_is_an_error_not_a_loss(notes):
    with pytest.raises(IntegrityError), notes.begin() as connection:
        insert_rows(connection, NOTES, ("id",), [(1,), (1,)])
    assert stored(notes) == []


@pytest.mark.parametrize("columns", [("id", "no_such"), ("id", "text")])
def test_a_fault_says_no_value_and_the_connection_goes_on(notes, columns):
    secret = "anna.muster@example.com"
    with pytest.raises(SQLAlchemyError) as caught, notes.begin() as connection:
        insert_rows(connection, NOTES, columns, [(1, secret), (secret, secret)])
    assert secret not in "".join(traceback.format_exception(caught.value))
    with notes.begin() as connection:
        insert_rows(connection, NOTES, ("id", "text"), [(1, secret)])


def test_a_lost_connection_is_told_in_words(postgres_engine):
    NOTES.create(postgres_engine)

    def lose():
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        with postgres_engine.begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    with postgres_engine.connect() as connection:
        lose()
        with pytest.raises(DatabaseError, match="the connection was lost"):
            insert_rows(connection, NOTES, ("id",), [(1,)])
    with postgres_engine.begin() as connection:
        insert_rows(connection, NOTES, ("id",), [(1,)])
