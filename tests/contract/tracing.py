"""Notes which properties of the services' answers the import looks at.

The values that the border hands out are dicts that note each key that is asked for, whether it is there or not. They
change nothing else, and nothing of how requests are sent.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from customer_import.http import reader
from tests.contract.descriptions import ITEM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.exchanges import Exchange

Read = tuple["Exchange", tuple[str, ...]]


class _Traced(dict[str, Any]):
    """A JSON object that notes which of its keys are asked for."""

    __slots__ = ("_note", "_path")

    def __init__(self, values: dict[str, Any], path: tuple[str, ...], note: Any) -> None:
        super().__init__((key, _traced(value, (*path, key), note)) for key, value in values.items())
        self._path, self._note = path, note

    def __getitem__(self, key: str) -> Any:
        self._note((*self._path, key))
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._note((*self._path, key))
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self._note((*self._path, str(key)))
        return super().__contains__(key)


def _traced(value: Any, path: tuple[str, ...], note: Any) -> Any:
    if isinstance(value, dict):
        return _Traced(value, path, note)
    if isinstance(value, list):
        return [_traced(item, (*path, ITEM), note) for item in value]
    return value


class Reads:
    """What was looked at, by endpoint, status and path of properties; each with an exchange that shows it."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self._exchanges = exchanges
        self._seen = 0
        self._by_answer: dict[bytes, Exchange] = {}
        self.found: dict[tuple[str, str, int, tuple[str, ...]], Exchange] = {}

    def wrap(self, body: bytes, value: Any) -> Any:
        """Return the value of an answer as one that notes; of anything else as it is."""
        while self._seen < len(self._exchanges):
            exchange = self._exchanges[self._seen]
            self._by_answer.setdefault(bytes(exchange.answer), exchange)
            self._seen += 1
        found = self._by_answer.get(bytes(body))
        if found is None or found.service == "entra":
            return value
        key = (found.service, found.endpoint, found.status)
        return _traced(value, (), lambda path: self.found.setdefault((*key, path), found))


@contextmanager
def tracing(exchanges: list[Exchange]) -> Iterator[Reads]:
    """Note what is looked at while the block runs, in every module that reads answers."""
    reads = Reads(exchanges)
    read_json, read_document = reader.read_json, reader.read_document

    def traced_json(body: bytes) -> Any:
        return reads.wrap(body, read_json(body))

    def traced_document(body: bytes) -> tuple[Any, bool]:
        value, is_verbatim = read_document(body)
        return reads.wrap(body, value), is_verbatim

    def put(old: Any, new: Any, name: str) -> None:
        for module in list(sys.modules.values()):
            if (
                getattr(module, "__name__", "").startswith(
                    ("customer_import.bss", "customer_import.partner_center")
                )
                and getattr(module, name, None) is old
            ):
                setattr(module, name, new)

    put(read_json, traced_json, "read_json")
    put(read_document, traced_document, "read_document")
    try:
        yield reads
    finally:
        put(traced_json, read_json, "read_json")
        put(traced_document, read_document, "read_document")
