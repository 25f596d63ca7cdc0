"""Works out what an update changes: staged payload against BSS record, as a JSON Patch (docs/api/bss.md section 2.4).

Pure. The BSS shows countries, states and the bill-to account as objects and takes them as ids; a field is compared in
the shape in which it is written. A value that the source does not have never removes a BSS value, with one exception:
a state that belongs to another country than the new one is removed, because the BSS would refuse the pair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from customer_import import text
from customer_import.config.targets import COUNTRY_TARGET, STATE_TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from customer_import.bss.models import Json
    from customer_import.config.mapping import FieldMapping


@dataclass(frozen=True)
class PatchOperation:
    """One operation of a JSON Patch; ``value`` is personal data."""

    op: Literal["add", "replace", "remove"]
    path: str
    value: object = field(default=None, repr=False)

    def as_json(self) -> dict[str, object]:
        """Return the operation as it is sent."""
        body: dict[str, object] = {"op": self.op, "path": self.path}
        return body if self.op == "remove" else {**body, "value": self.value}


@dataclass(frozen=True)
class Difference:
    """What an update would change.

    Attributes:
        operations: The patch; empty when nothing differs.
        before: BSS value of each field that the patch changes, by dotted path; ``None`` where it was empty.
    """

    operations: tuple[PatchOperation, ...]
    before: Mapping[str, object] = field(repr=False)

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.operations)

    def as_json(self) -> list[dict[str, object]]:
        """Return the patch as it is sent."""
        return [operation.as_json() for operation in self.operations]


def difference(
    payload: Mapping[str, object], record: Json, mappings: Mapping[str, FieldMapping]
) -> Difference:
    """Return the changes that make a BSS record hold a payload.

    Args:
        payload: The staged account or contact in the shape of a create.
        record: The BSS record in the shape of a read.
        mappings: By dotted target path; their ``on_update`` says whether a field is overwritten, kept or only filled.
    """
    operations: list[PatchOperation] = []
    before: dict[str, object] = {}
    wanted = {path: value for path, value in flatten(payload) if not is_blank(value)}
    for path, value in wanted.items():
        rule = mappings[path].on_update if path in mappings else "overwrite"
        old = read_field(record, path)
        is_empty = is_blank(old)
        if rule == "keep" or (rule == "fill" and not is_empty) or old == value:
            continue
        operations.append(PatchOperation("add" if is_empty else "replace", _pointer(path), value))
        before[path] = None if is_empty else old
    if COUNTRY_TARGET in before and STATE_TARGET not in wanted:
        state = read_field(record, STATE_TARGET)
        if not is_blank(state):
            operations.append(PatchOperation("remove", _pointer(STATE_TARGET)))
            before[STATE_TARGET] = state
    return Difference(tuple(operations), before)


def flatten(payload: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield (dotted path, value) of every value that is not an object."""
    for key, value in payload.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def read_field(record: Json, path: str) -> object:
    """Return a field of a BSS record by its create path; ``countryId`` is found as ``country.id``."""
    *parents, name = path.split(".")
    value: object = record
    for parent in parents:
        value = value.get(parent) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping):
        return None
    if name in value:
        return value[name]
    if name.endswith("Id"):
        shown = value.get(name.removesuffix("Id"))
        return shown.get("id") if isinstance(shown, Mapping) else None
    return None


def is_blank(value: object) -> bool:
    """Whether a value is missing: null or blank text."""
    return value is None or (isinstance(value, str) and text.is_blank(value))


def _pointer(path: str) -> str:
    """Return a dotted path as a JSON pointer; field names have none of the characters that pointers escape."""
    return "/" + path.replace(".", "/")
