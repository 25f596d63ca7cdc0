"""The BSS's ``$filter`` and ``$orderBy``: a small part of OData.

Text compares without regard to case, as the database behind the BSS is taken to do. Properties
that the vendor does not list as filterable are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import eq, gt, itemgetter, lt, ne
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox.bss.errors import bad_parameter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")
Value = str | float | bool | datetime | None
Row = Callable[[str], Value]

_TOKEN = re.compile(
    r"\s*(?:(?P<date>datetime'[^']*')|(?P<text>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z_0-9/]*)|(?P<mark>[(),]))"
)
# Both sides have the type that the property has, which no type checker can know here.
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {"eq": eq, "ne": ne, "gt": gt, "lt": lt}


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on rows.

    Attributes:
        takes: Tells whether a row, given as a reader of its properties, is wanted.
        equals: Properties that must equal a value for any row to be taken; lets a caller use an
            index.
    """

    takes: Callable[[Row], bool]
    equals: Mapping[str, Value]


def parse_filter(text: str, properties: Mapping[str, type]) -> Filter:
    """Read a ``$filter``.

    Args:
        text: The condition.
        properties: Filterable properties with the type of their values.

    Raises:
        WireError: 400 without body when the condition cannot be read.
    """
    parser = _Parser(_tokens(text), properties)
    found = parser.alternatives()
    parser.end()
    return found


def ordered(
    records: list[T], text: str, properties: Iterable[str], row: Callable[[T], Row]
) -> list[T]:
    """Sort records by a ``$orderBy``.

    Args:
        records: What to sort.
        text: Comma-separated properties, each with ``asc`` or ``desc`` or neither.
        properties: Orderable properties.
        row: Makes the reader of a record's properties.

    Raises:
        WireError: 400 without body when a property is not orderable.
    """
    allowed = {name.lower(): name for name in properties}
    for part in reversed(text.split(",")):
        words = part.split()
        is_sound = words and words[0].lower() in allowed and words[1:] in ([], ["asc"], ["desc"])
        if not is_sound:
            raise bad_parameter(name="orderBy")
        name = allowed[words[0].lower()]
        keyed = [(_sortable(row(record)(name)), record) for record in records]
        keyed.sort(key=itemgetter(0), reverse=words[1:] == ["desc"])
        records = [record for _, record in keyed]
    return records


def _sortable(value: Value) -> tuple[bool, object]:
    return (value is not None, _folded(value) if value is not None else 0)


def _folded(value: Value) -> Value:
    return value.lower() if isinstance(value, str) else value


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, position = [], 0
    text = text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise bad_parameter(name="filter")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens: or, and, brackets, comparisons."""

    def __init__(self, tokens: list[tuple[str, str]], properties: Mapping[str, type]) -> None:
        self._tokens = [*tokens, ("end", "")]
        self._at = 0
        self._properties = {name.lower(): (name, kind) for name, kind in properties.items()}

    def alternatives(self) -> Filter:
        found = self._all_of()
        while self._skip("or"):
            left, right = found, self._all_of()
            found = Filter(_either(left, right), {})
        return found

    def end(self) -> None:
        if self._tokens[self._at][0] != "end":
            raise bad_parameter(name="filter")

    def _all_of(self) -> Filter:
        found = self._condition()
        while self._skip("and"):
            left, right = found, self._condition()
            found = Filter(_both(left, right), {**left.equals, **right.equals})
        return found

    def _condition(self) -> Filter:
        if self._skip("("):
            found = self.alternatives()
            self._expect(")")
            return found
        if self._skip("contains"):
            return self._contains()
        name, kind = self._property()
        compare = _COMPARE.get(self._next()[1])
        if compare is None:
            raise bad_parameter(name="filter")
        value = _folded(self._literal(kind))
        equals = {name: value} if compare is eq else {}
        return Filter(_comparison(name, compare, value), equals)

    def _contains(self) -> Filter:
        self._expect("(")
        name, kind = self._property()
        self._expect(",")
        value = _folded(self._literal(str))
        self._expect(")")
        if kind is not str:
            raise bad_parameter(name="filter")
        return Filter(lambda row: str(value) in str(_folded(row(name)) or ""), {})

    def _property(self) -> tuple[str, type]:
        known = self._properties.get(self._next()[1].lower())
        if known is None:
            raise bad_parameter(name="filter")
        return known

    def _literal(self, kind: type) -> Value:
        form, text = self._next()
        value = _read_literal(form, text)
        fits = value is None or isinstance(value, kind) or (kind is int and form == "number")
        if not fits:
            raise bad_parameter(name="filter")
        return value

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _skip(self, text: str) -> bool:
        form, found = self._tokens[self._at]
        is_next = form in {"word", "mark"} and found.lower() == text
        self._at += is_next
        return is_next

    def _expect(self, text: str) -> None:
        if not self._skip(text):
            raise bad_parameter(name="filter")


def _either(left: Filter, right: Filter) -> Callable[[Row], bool]:
    return lambda row: left.takes(row) or right.takes(row)


def _both(left: Filter, right: Filter) -> Callable[[Row], bool]:
    return lambda row: left.takes(row) and right.takes(row)


def _comparison(
    name: str, compare: Callable[[Any, Any], bool], value: Value
) -> Callable[[Row], bool]:
    def takes(row: Row) -> bool:
        found = _folded(row(name))
        if (found is None or value is None) and compare in {gt, lt}:
            return False
        return compare(found, value)

    return takes


def _read_literal(form: str, text: str) -> Value:
    match form:
        case "text":
            return text[1:-1].replace("''", "'")
        case "number":
            return float(text)
        case "date":
            return _read_date(text[len("datetime'") : -1])
        case "word" if text.lower() in {"true", "false", "null"}:
            return {"true": True, "false": False, "null": None}[text.lower()]
        case _:
            raise bad_parameter(name="filter")


def _read_date(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_parameter(name="filter") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
