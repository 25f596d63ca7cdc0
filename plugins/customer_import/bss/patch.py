"""Works out what an update changes: staged payload against BSS record, as a JSON Patch (docs/api/bss.md section 2.4).

Pure. The BSS shows countries, states and the bill-to account as objects and takes them as ids; a field is compared in
the shape in which it is written.

A payload names the fields that the source knows: a null means that the source has no value, and the mapping's
``on_empty`` says what becomes of the BSS's; a field that is left out is not known and stays as it is. The billing
address is one value: when a part of it changes, every part that the payload has no value for is removed, so that no
state or line of the old address stands beside a new city. A state goes with its country, whatever its own rule says,
because the BSS refuses a state of another country.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from customer_import import text
from customer_import.config.targets import (
    ADDRESS_PREFIX,
    ADDRESS_TARGETS,
    BILL_TO_TARGET,
    COUNTRY_TARGET,
    STATE_TARGET,
)
from customer_import.vocabulary import FieldFate

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
        cleared: Dotted paths of the fields that the patch removes.
        left_alone: Dotted paths of the fields that differ and stay, with the reason.
    """

    operations: tuple[PatchOperation, ...]
    before: Mapping[str, object] = field(repr=False)
    cleared: tuple[str, ...] = ()
    left_alone: Mapping[str, FieldFate] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return bool(self.operations)

    @property
    def kept(self) -> tuple[str, ...]:
        """Dotted paths of the fields that the source has no value for and whose BSS value stays."""
        return kept_of(self.left_alone)

    def as_json(self) -> list[dict[str, object]]:
        """Return the patch as it is sent."""
        return [operation.as_json() for operation in self.operations]


def kept_of(left_alone: Mapping[str, FieldFate]) -> tuple[str, ...]:
    """Return the names of the fields that stay because the source has no value, in their order."""
    return tuple(name for name, why in left_alone.items() if why is FieldFate.NO_VALUE)


def difference(
    payload: Mapping[str, object], record: Json, mappings: Mapping[str, FieldMapping]
) -> Difference:
    """Return the changes that make a BSS record hold a payload.

    Args:
        payload: The staged account or contact in the shape of a create; null where the source has no value.
        record: The BSS record in the shape of a read.
        mappings: By dotted target path; their ``on_update`` says whether a field is overwritten, kept or only filled,
            their ``on_empty`` whether it is cleared when the source has no value.
    """
    operations: list[PatchOperation] = []
    before: dict[str, object] = {}
    left_alone: dict[str, FieldFate] = {}
    named = dict(flatten(payload))
    wanted = {path: value for path, value in named.items() if not is_blank(value)}
    for path in sorted(
        wanted, key=lambda path: path == STATE_TARGET
    ):  # the state after its country
        value, old = wanted[path], read_field(record, path)
        rule: str = mappings[path].on_update if path in mappings else "overwrite"
        if path == STATE_TARGET:
            rule = _state_rule(rule, wanted, record, before)
        is_empty = is_blank(old)
        if old == value:
            continue
        if rule in {FieldFate.KEEP, FieldFate.COUNTRY} or (rule == "fill" and not is_empty):
            left_alone[path] = FieldFate(rule)
            continue
        operations.append(PatchOperation("add" if is_empty else "replace", _pointer(path), value))
        before[path] = None if is_empty else old
    emptied = {
        path: read_field(record, path)
        for path in named.keys() - wanted.keys()
        if not is_blank(read_field(record, path))
    }
    cleared = {path for path in emptied if path in mappings and mappings[path].on_empty == "clear"}
    if any(path.startswith(ADDRESS_PREFIX) for path in (*before, *cleared)):
        cleared |= {
            path
            for path in ADDRESS_TARGETS
            if path not in wanted and not is_blank(read_field(record, path))
        }
    for path in sorted(cleared):
        operations.append(PatchOperation("remove", _pointer(path)))
        before[path] = read_field(record, path)
    left_alone |= {
        path: FieldFate.NO_VALUE for path in emptied.keys() - cleared if _is_said(path, mappings)
    }
    return Difference(
        tuple(operations), before, tuple(sorted(cleared)), dict(sorted(left_alone.items()))
    )


def _state_rule(
    rule: str, wanted: Mapping[str, object], record: Json, before: Mapping[str, object]
) -> str:
    """Return the rule of the state: written with a new country, left alone beside a country that is kept."""
    if COUNTRY_TARGET in before:
        return "overwrite"
    old = read_field(record, COUNTRY_TARGET)
    return rule if wanted.get(COUNTRY_TARGET, old) == old else FieldFate.COUNTRY


def _is_said(path: str, mappings: Mapping[str, FieldMapping]) -> bool:
    """Whether a value that is kept is worth a word: a field written once is the BSS's own from then on."""
    return path not in mappings or mappings[path].on_update != "keep"


def flatten(payload: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield (dotted path, value) of every value that is not an object."""
    for key, value in payload.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def read_field(record: Json, path: str) -> object:
    """Return a field of a BSS record by its create path; ``countryId`` is found as ``country.id``.

    An account that is billed itself has no bill-to account, though the BSS shows its own number there. An id of zero is
    how .NET writes that none was set.
    """
    value = _read(record, path)
    if path.endswith("Id") and value == 0:
        return None
    return None if path == BILL_TO_TARGET and value == record.get("id") else value


def _read(record: Json, path: str) -> object:
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
