"""Builds what is sent to the BSS for customers: account, contact, sync options, and the hash of their content.

Pure: columns in, bodies out. The tenant marker, the ordering options, and a contact's account id and
flags are not here: the loader adds them, because they depend on whether a record is new.

A body names every field that the mapping writes: with its value; with null when Partner Center has
none, emptied or never set; and not at all when it is ``UNKNOWN`` what the value should be. What a
null does to a BSS value is the mapping's ``on_empty``; a field left out is never compared.

An entity's records are one frame, a row per customer and a column per target field; which of them are
sent, nested and hashed is said in columns of that frame. Why frames begin here and not earlier:
docs/decisions/0007-pandas.md.

The content hash answers "has anything that an update would write changed since the last load?". So
it covers account, contact and sync options without the fields whose ``on_update`` is ``keep``:
those are written once, with the new record, and a change of them (a run started by somebody else)
must not make an update of every customer. ``fill`` fields are covered. So are the rules, as far as
they decide something about this customer: ``on_update`` of what it has a value for, ``on_empty`` of
what it has none for. After a change of one, those whom it concerns are compared with the BSS once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
import pandas as pd

from customer_import.config.targets import (
    ADDRESS_PREFIX,
    COUNTRY_TARGET,
    EMAIL_TARGET,
    ID_TARGETS,
)
from customer_import.mapping.lookups import Ids, resolve_ids, row_countries
from customer_import.mapping.selection import select_fields

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from customer_import.bss.models import Organisation
    from customer_import.config.mapping import FieldMapping
    from customer_import.mapping.source_columns import Flags, SourceColumns, Texts
    from customer_import.runs.run import Run

_HASH_BYTES = 20
_RULES_VERSION = 2
"""Of the rules that stand in the program; a higher one compares every customer with the BSS once."""
UNKNOWN: Final = object()
"""In a column: what the value should be is not known, as with a state that the BSS does not have.

So is a value that Partner Center does not show to us: it is neither there nor absent. An address with such a part
is left out whole, because it is one value.
"""
_ABSENT, _THERE, _UNKNOWN = range(3)
_Body = dict[str, Any]  # Any: text, id, or the nested address


@dataclass(frozen=True)
class Entities:
    """The transformed customers of a chunk; each list has one item per customer, in their order.

    Attributes:
        tenant_ids: Tenant ids.
        accounts: Bodies of accounts: JSON, keys sorted, null where Partner Center has no value.
        contacts: Bodies of contacts.
        sync_options: Option name to value or null, as JSON.
        content_hashes: Hex.
        cut: Target field (``account.name``) to the number of customers whose text was cut.
        unknown_states: Customers whose state the organisation does not know; it is left out.
    """

    tenant_ids: Texts
    accounts: list[bytes]
    contacts: list[bytes]
    sync_options: list[bytes]
    content_hashes: list[str]
    cut: Mapping[str, int]
    unknown_states: int


def build_entities(source: SourceColumns, run: Run, organisation: Organisation) -> Entities:
    """Transform customers into BSS bodies.

    Args:
        source: Their source columns.
        run: Import type, instance and mappings.
        organisation: Look-ups of the BSS organisation.
    """
    mappings: dict[str, Mapping[str, FieldMapping]] = {
        "account": run.mappings.account,
        "contact": run.mappings.contact,
        "sync_options": run.mappings.sync_options,
    }
    texts = {
        entity: select_fields(source.texts, fields, run.import_type)
        for entity, fields in mappings.items()
    }
    countries = row_countries(texts["account"], organisation, source.size)
    refused = run.instance.bss.refused_targets
    bodies: dict[str, list[bytes]] = {}
    hashed: list[list[bytes]] = []
    cut: dict[str, int] = {}
    unknown_states = 0
    for entity, fields in mappings.items():
        ids = _ids(texts[entity], fields, organisation, countries)
        unknown_states += _unknown_states(texts[entity], ids, fields)
        shortened, counts = _cut(
            {target: own for target, own in texts[entity].items() if target not in ids}, fields
        )
        cut |= {f"{entity}.{target}": count for target, count in counts.items()}
        known: dict[str, Sequence[object]] = {**shortened, **_with_unknown(ids, texts[entity])}
        columns = _without_hidden(known, fields, source.hidden)
        taken = {target: own for target, own in columns.items() if target not in refused}
        records = pd.DataFrame(taken, index=range(source.size), dtype=object)
        bodies[entity] = _dump(records)
        hashed.append(
            _dump_hashed(records, fields) if _written_once(records, fields) else bodies[entity]
        )
        hashed.append(_rules(records, fields))
    return Entities(
        tenant_ids=source.texts["tenant.id"],
        accounts=bodies["account"],
        contacts=bodies["contact"],
        sync_options=bodies["sync_options"],
        content_hashes=_content_hashes(hashed),
        cut=cut,
        unknown_states=unknown_states,
    )


def _ids(
    texts: Mapping[str, Texts],
    fields: Mapping[str, FieldMapping],
    organisation: Organisation,
    countries: Ids,
) -> dict[str, Ids]:
    """Return the columns of which the BSS takes ids: looked up, or written as digits."""
    digits = {target: _as_ids(own) for target, own in texts.items() if target in ID_TARGETS}
    return digits | resolve_ids(texts, fields, organisation, countries)


def _with_unknown(ids: Mapping[str, Ids], texts: Mapping[str, Texts]) -> dict[str, list[object]]:
    """Mark what Partner Center has and the BSS has no id for: it is unknown, not absent."""
    return {
        target: [
            UNKNOWN if number is None and text is not None else number
            for number, text in zip(own, texts[target], strict=True)
        ]
        for target, own in ids.items()
    }


def _without_hidden(
    columns: Mapping[str, Sequence[object]],
    fields: Mapping[str, FieldMapping],
    hidden: Mapping[str, Flags],
) -> dict[str, Sequence[object]]:
    """Mark what none of its sources gives and one of them may have, but hides."""
    address = [target for target in columns if target.startswith(ADDRESS_PREFIX)]
    marked = dict(columns)
    for target, values in columns.items():
        flags = [hidden[source] for source in fields[target].sources if source in hidden]
        if not flags:
            continue
        rows = np.logical_or.reduce(flags) & [value is None for value in values]
        for each in address if target in address else [target]:
            marked[each] = [
                UNKNOWN if is_hidden else value
                for value, is_hidden in zip(marked[each], rows.tolist(), strict=True)
            ]
    return marked


def _written_once(records: pd.DataFrame, fields: Mapping[str, FieldMapping]) -> list[str]:
    return [target for target in _targets(records) if fields[target].on_update == "keep"]


def _whether_there(value: object) -> object:
    return value if value is None or value is UNKNOWN else True


def _dump_hashed(records: pd.DataFrame, fields: Mapping[str, FieldMapping]) -> list[bytes]:
    """Return what an update would write: of a field written once only whether it is to be cleared."""
    written_once = _written_once(records, fields)
    hashed = records.drop(columns=written_once)
    for target in written_once:
        # Without its country an address would be left out, and with it what an update does write.
        if fields[target].on_empty == "clear" or target == COUNTRY_TARGET:
            hashed[target] = records[target].map(_whether_there)
    return _dump(hashed)


def _rules(records: pd.DataFrame, fields: Mapping[str, FieldMapping]) -> list[bytes]:
    """Return the rules that decide what an update does with each record, as JSON."""
    targets = _targets(records)
    patterns = _patterns(records)
    known: dict[bytes, bytes] = {}  # few patterns, many records
    for pattern in set(patterns):
        decided = dict(zip(targets, pattern, strict=True))
        # Without its country an address is left out.
        has_address = decided.get(COUNTRY_TARGET) == _THERE
        rules = {
            target: _rule(fields[target], is_there=how == _THERE)
            for target, how in decided.items()
            if how != _UNKNOWN
            and (has_address or not target.startswith(ADDRESS_PREFIX))
            and not _is_left_alone(fields[target])
        }
        known[pattern] = orjson.dumps(rules, option=orjson.OPT_SORT_KEYS)
    return [known[pattern] for pattern in patterns]


def _patterns(records: pd.DataFrame) -> list[bytes]:
    """Return of each record which of its values are there, absent or unknown, a byte each."""
    values = records.to_numpy()
    kinds = np.full(values.shape, _THERE, np.uint8)
    kinds[_are(values, None)] = _ABSENT
    kinds[_are(values, UNKNOWN)] = _UNKNOWN
    joined, width = kinds.tobytes(), kinds.shape[1]
    return [joined[row * width : (row + 1) * width] for row in range(len(kinds))]


def _are(values: NDArray[np.object_], wanted: object) -> Flags:
    are: Flags = values == wanted
    return are


def _is_left_alone(field: FieldMapping) -> bool:
    """Whether no update does anything with a field, whatever value there is."""
    return field.on_update == "keep" and field.on_empty == "keep"


def _rule(field: FieldMapping, *, is_there: bool) -> str:
    return field.on_update if is_there else field.on_empty


def _as_ids(texts: Texts) -> Ids:
    known = {  # few ids, many customers
        text: int(text) if text is not None and text.isascii() and text.isdigit() else None
        for text in set(texts)
    }
    return [known[text] for text in texts]


def _unknown_states(
    texts: Mapping[str, Texts], ids: Mapping[str, Ids], fields: Mapping[str, FieldMapping]
) -> int:
    return sum(
        ids[target].count(None) - texts[target].count(None)
        for target in ids
        if "state_id" in fields[target].transforms
    )


def _cut(
    texts: Mapping[str, Texts], fields: Mapping[str, FieldMapping]
) -> tuple[dict[str, Texts], dict[str, int]]:
    """Cut text that is too long for its target, leaving no blank at the end; return how often, per target."""
    columns = dict(texts)
    counts: dict[str, int] = {}
    for target, own in texts.items():
        limit = fields[target].max_length
        # What validation says of the others, it says of an e-mail address before: cut, it would be another's.
        if (
            limit is None
            or target == EMAIL_TARGET
            or max(map(len, filter(None, own)), default=0) <= limit
        ):
            continue
        columns[target] = [
            text[:limit].rstrip() if text and len(text) > limit else text for text in own
        ]
        counts[target] = sum(text is not None and len(text) > limit for text in own)
    return columns, counts


def _dump(records: pd.DataFrame) -> list[bytes]:
    return [orjson.dumps(body, option=orjson.OPT_SORT_KEYS) for body in _bodies(records)]


def _bodies(records: pd.DataFrame) -> list[_Body]:
    """Return each record without what is unknown, the address nested.

    An address without a country is left out because the BSS refuses it.
    """
    parts = [target for target in _targets(records) if target.startswith(ADDRESS_PREFIX)]
    bodies = _without_unknown(records.drop(columns=parts))
    if parts:
        names = [part.removeprefix(ADDRESS_PREFIX) for part in parts]
        addresses = _without_unknown(records[parts].set_axis(names, axis=1))
        for body, address in zip(bodies, addresses, strict=True):
            if address.get("countryId") is not None:
                body[ADDRESS_PREFIX.rstrip(".")] = address
    return bodies


def _without_unknown(records: pd.DataFrame) -> list[_Body]:
    targets = _targets(records)
    values = records.to_numpy()
    rows = values.tolist()  # a row at a time, as to_dict("records") does in twice the time
    bodies = [dict(zip(targets, row, strict=True)) for row in rows]
    for row, column in np.argwhere(_are(values, UNKNOWN)).tolist():
        del bodies[row][targets[column]]
    return bodies


def _targets(records: pd.DataFrame) -> list[str]:
    targets: list[str] = records.columns.tolist()
    return targets


def _content_hashes(columns: Sequence[Sequence[bytes]]) -> list[str]:
    """Hash each customer's parts, all of them JSON."""
    version = b"%d" % _RULES_VERSION
    return [
        hashlib.blake2b(b",".join((version, *parts)), digest_size=_HASH_BYTES).hexdigest()
        for parts in zip(*columns, strict=True)
    ]
