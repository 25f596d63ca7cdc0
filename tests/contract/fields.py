"""Holds what the import looks at and may write against a description; and what is found wrong."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.contract.descriptions import ITEM

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sandbox.exchanges import Exchange
    from tests.contract.descriptions import Description
    from tests.contract.tracing import Reads


class Verdict:
    """What is wrong, by endpoint and in words, with how often; and what was looked at."""

    def __init__(self) -> None:
        self.violations: Counter[str] = Counter()
        self.requests = 0
        self.answers = 0
        self.used: set[str] = set()
        self.fields: set[tuple[str, str]] = set()
        self.described: set[tuple[str, str]] = set()

    def add(self, place: str, fault: str) -> None:
        self.violations[f"{place}: {fault}"] += 1


def judge_reads(
    description: Description,
    reads: Reads,
    service: str,
    verdict: Verdict,
    ours: Description | None = None,
) -> None:
    """Look whether everything that the import looks at in answers is described.

    Args:
        description: Ours or a vendor's.
        reads: What was looked at.
        service: That it describes.
        verdict: Is told.
        ours: Our description beside a vendor's: what it has for another spelling only need not be there.
    """
    for (owner, _, status, path), exchange in reads.found.items():
        operation = description.find(exchange.method, urlsplit(exchange.url).path)
        if owner != service or operation is None:
            continue
        if ours is not None and not _is_due(ours, exchange, status, path):
            continue
        schema = description.answer(operation, status)
        words = dotted(path)
        # A model that may be filled by its own names looks for both.
        spelt = (*path[:-1], _camel(path[-1]))
        if schema is None or not any(description.follow(schema, each) for each in (path, spelt)):
            verdict.add(
                operation.name, f"answer {status}: the import reads {words}, which is not described"
            )
        else:
            verdict.described.add((operation.name, f"{status} {words}"))
        verdict.fields.add((operation.name, f"{status} {words}"))


def _is_due(ours: Description, exchange: Exchange, status: int, path: tuple[str, ...]) -> bool:
    operation = ours.find(exchange.method, urlsplit(exchange.url).path)
    schema = ours.answer(operation, status) if operation else None
    return schema is not None and ours.follow(schema, path, is_lenient=False)


def judge_writes(
    description: Description, written: Mapping[str, Iterable[str]], verdict: Verdict
) -> None:
    """Look whether every field that a mapping may fill can be sent.

    Args:
        description: Of the BSS.
        written: Dotted paths by the path that creates what has them.
        verdict: Is told.
    """
    for path, names in written.items():
        operation = description.find("post", path)
        schema = description.request(operation) if operation else None
        if operation is None or schema is None:
            verdict.add(f"POST {path}", "is not described")
            continue
        for name in names:
            if not description.follow(schema, tuple(name.split(".")), is_lenient=False):
                verdict.add(
                    operation.name, f"request: the import writes {name}, which is not described"
                )
            else:
                verdict.described.add((operation.name, name))
            verdict.fields.add((operation.name, name))


def unread_leniences(description: Description, reads: Reads, service: str) -> list[str]:
    """Return the names in ``x-also-read`` that nothing looks at any more."""
    looked_at = {step for (owner, *_, path) in reads.found if owner == service for step in path}
    return sorted({name for name in _leniences(description.document) if name not in looked_at})


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def dotted(path: tuple[str, ...]) -> str:
    return ".".join(path).replace(f".{ITEM}", ITEM)


def _leniences(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _leniences(item)]
    if not isinstance(node, dict):
        return []
    return [*node.get("x-also-read", ()), *(n for v in node.values() for n in _leniences(v))]
