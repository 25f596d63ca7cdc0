"""Plans the search for a name: by the index of beginnings of words, or by looking into every name.

Why: docs/decisions/0015-name-search.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select

from customer_import.database.names import BEGINNING_LENGTH
from customer_import.database.tables import name_beginnings
from customer_import.text import fold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select

MOST_CANDIDATES = 2_000
"""More tenants than that are not picked one by one: what so many have is soon found in any order."""
_LAST = "\U0010ffff"
_TENANT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_indexed = name_beginnings.c


@dataclass(frozen=True)
class NameSearch:
    """A search for a name, domain or tenant id, and how it is done.

    Attributes:
        text: As it was entered.
        candidates: Tenants that have it where a word begins, counted up to one more than ``MOST_CANDIDATES``;
            ``None`` when nobody asked, because every name is to be looked into.
    """

    text: str
    candidates: int | None = None

    @property
    def is_by_word(self) -> bool:
        """Whether names that have the text inside a word only are not found."""
        return 0 < (self.candidates or 0) <= MOST_CANDIDATES

    def condition(self, columns: Any) -> ColumnElement[bool]:  # noqa: ANN401 - columns of any table that has the three
        """Return the condition for rows of a table with ``tenant_id``, ``search_key`` and ``name_folded``."""
        if _TENANT_ID.fullmatch(self.text.lower()):
            is_meant: ColumnElement[bool] = columns.tenant_id == self.text.lower()
            return is_meant
        has_part = or_(*_has_part(columns, self.text))
        if self.is_by_word:
            return and_(columns.tenant_id.in_(_candidates(self.text)), has_part)
        return has_part

    def some(self, columns: Any) -> ColumnElement[bool]:  # noqa: ANN401 - as above
        """Return the same for a list that is cut: of very many candidates only the first."""
        is_cut = (self.candidates or 0) > MOST_CANDIDATES
        first = columns.tenant_id.in_(_candidates(self.text)) if is_cut else None
        return (
            and_(first, self.condition(columns)) if first is not None else self.condition(columns)
        )


def plan_search(connection: Connection, text: str, *, is_inside: bool = False) -> NameSearch:
    """Return how a text is looked for.

    Args:
        connection: An open read transaction.
        text: What was entered.
        is_inside: Look inside words, too.
    """
    if is_inside or not text or _TENANT_ID.fullmatch(text.lower()):
        return NameSearch(text)
    counted = select(func.count()).select_from(_beginning(text).subquery())
    return NameSearch(text, connection.execute(counted).scalar_one())


def _beginning(text: str) -> Select[tuple[str]]:
    first = fold(text)[:BEGINNING_LENGTH].strip()
    return (
        select(_indexed.tenant_id)
        .where(_indexed.beginning >= first, _indexed.beginning < first + _LAST)
        .limit(MOST_CANDIDATES + 1)
    )


def _candidates(text: str) -> ScalarSelect[str]:
    found: ScalarSelect[str] = _beginning(text).scalar_subquery()
    return found


def _has_part(
    columns: Any,  # noqa: ANN401 - as above
    text: str,
) -> Iterator[ColumnElement[bool]]:
    """Give the conditions of which one holds: in the folded name where there is one, else in the lowered one.

    A database that lowers ASCII letters only, as SQLite does, may hold a name that nobody folded.
    """
    folded = fold(text)
    yield func.coalesce(columns.name_folded, columns.search_key).contains(folded, autoescape=True)
    lowered = text.encode().lower().decode()
    if lowered != folded:
        yield columns.search_key.contains(lowered, autoescape=True)
