"""Pages by key: a page costs the same wherever it is, and rows that arrive shift nothing.

A cursor is opaque to its user: the direction, the order it belongs to and the key of the row it
stands at.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Row, Select, asc, desc, tuple_

from customer_import.web.models import Page

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Connection

    from customer_import.web.models import Item

_INT64 = 2**63


class CursorError(ValueError):
    """A cursor is not one of ours, or belongs to another order."""

    def __init__(self) -> None:
        super().__init__("the cursor does not belong to this list; begin again without one")


@dataclass(frozen=True)
class Order:
    """The order of a list: the selected columns that together name a row, all in one direction.

    Attributes:
        name: Ties a cursor to its order.
        columns: Columns of the statement; the last one makes the key unique.
        types: Type of each column's value.
        is_descending: Largest first.
    """

    name: str
    columns: tuple[ColumnElement[Any], ...]
    types: tuple[type, ...]
    is_descending: bool = False


@dataclass(frozen=True)
class KeyPage:
    """One page: rows of keys, and the cursors of its neighbours (``None``: there is none)."""

    rows: Sequence[Row[Any]]
    previous_cursor: str | None
    next_cursor: str | None

    def showing(self, items: Iterable[Item]) -> Page[Item]:
        """Return the page with what its rows are shown as."""
        return Page(
            items=tuple(items),
            previous_cursor=self.previous_cursor,
            next_cursor=self.next_cursor,
        )


def read_page(
    connection: Connection, statement: Select[Any], order: Order, cursor: str | None, limit: int
) -> KeyPage:
    """Read one page of a statement that selects at least the order's columns, first and in order.

    Args:
        connection: An open read transaction.
        statement: Filters, without order and limit.
        order: The order.
        cursor: From an earlier page; ``None`` for the first.
        limit: Rows a page.

    Raises:
        CursorError: The cursor is of another list.
    """
    is_backward, key = _decode(cursor, order) if cursor else (False, None)
    is_descending = order.is_descending is not is_backward
    if key is not None:
        position = tuple_(*order.columns)
        bound = tuple_(*key)
        statement = statement.where(position < bound if is_descending else position > bound)
    direction = desc if is_descending else asc
    statement = statement.order_by(*map(direction, order.columns)).limit(limit + 1)
    rows = list(connection.execute(statement))
    has_more = len(rows) > limit
    rows = rows[:limit]
    if is_backward:
        rows.reverse()
    has_previous, has_next = (has_more, True) if is_backward else (key is not None, has_more)
    return KeyPage(
        rows,
        _encode(order, rows[0], is_backward=True) if rows and has_previous else None,
        _encode(order, rows[-1], is_backward=False) if rows and has_next else None,
    )


def _encode(order: Order, row: Row[Any], *, is_backward: bool) -> str:
    text = orjson.dumps([order.name, is_backward, *row[: len(order.columns)]])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _decode(cursor: str, order: Order) -> tuple[bool, list[Any]]:
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        name, is_backward, *key = orjson.loads(text)
    except (ValueError, TypeError, binascii.Error) as error:
        raise CursorError from error
    is_ours = name == order.name and isinstance(is_backward, bool) and _fits(key, order.types)
    if not is_ours:
        raise CursorError
    return is_backward, key


def _fits(key: list[Any], types: tuple[type, ...]) -> bool:
    """A forged key must not reach the database with a type or a character that it cannot take."""
    return len(key) == len(types) and all(
        type(value) is kind
        and not (isinstance(value, str) and "\0" in value)
        and not (isinstance(value, int) and not -_INT64 <= value < _INT64)
        for value, kind in zip(key, types, strict=True)
    )
