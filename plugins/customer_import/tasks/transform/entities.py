"""Builds what is sent to the BSS for customers: account, contact, sync options, and the hash of their content.

Pure: columns in, bodies out. The tenant marker, the ordering options, and a contact's account id and
flags are not here: the loader adds them, because they depend on whether a record is new. Values
that are missing are left out of a body altogether.

An entity's records are one frame, a row per customer and a column per target field; which of them are
sent, nested and hashed is said in columns of that frame. Why frames begin here and not earlier:
docs/decisions/0007-pandas.md.

The content hash answers "has anything that an update would write changed since the last load?". So
it covers account, contact and sync options without the fields whose ``on_update`` is ``keep``:
those are written once, with the new record, and a change of them (a run started by somebody else)
must not make an update of every customer. ``fill`` fields are covered.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pandas as pd

from customer_import.config.targets import ID_TARGETS
from customer_import.mapping.lookups import Ids, resolve_ids, row_countries
from customer_import.mapping.selection import select_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from customer_import.bss.models import Organisation
    from customer_import.config.mapping import FieldMapping
    from customer_import.mapping.source_columns import SourceColumns, Texts
    from customer_import.runs.run import Run

_HASH_BYTES = 20
_ADDRESS = "billingAddress."
_Body = dict[str, Any]  # Any: text, id, or the nested address


@dataclass(frozen=True)
class Entities:
    """The transformed customers of a chunk; each list has one item per customer, in their order.

    Attributes:
        tenant_ids: Tenant ids.
        accounts: Bodies of accounts: JSON, keys sorted.
        contacts: Bodies of contacts.
        sync_options: Option name to value, as JSON.
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
    refused = _refused_targets(run)
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
        records = pd.DataFrame(shortened | ids, index=range(source.size), dtype=object)
        records = records.drop(columns=refused, errors="ignore")
        kept = [target for target in _targets(records) if fields[target].on_update == "keep"]
        bodies[entity] = _dump(records)
        hashed.append(_dump(records.drop(columns=kept)) if kept else bodies[entity])
    return Entities(
        tenant_ids=source.texts["tenant.id"],
        accounts=bodies["account"],
        contacts=bodies["contact"],
        sync_options=bodies["sync_options"],
        content_hashes=_content_hashes(*hashed),
        cut=cut,
        unknown_states=unknown_states,
    )


def _refused_targets(run: Run) -> list[str]:
    """Return the fields that the instance says its BSS does not take."""
    accepted = {
        "responsibleUserId": run.instance.bss.accepts_responsible_user,
        "permissionRuleId": run.instance.bss.accepts_permission_rule,
        "billToAccountId": run.instance.bss.accepts_bill_to_account,
    }
    return [target for target, is_accepted in accepted.items() if not is_accepted]


def _ids(
    texts: Mapping[str, Texts],
    fields: Mapping[str, FieldMapping],
    organisation: Organisation,
    countries: Ids,
) -> dict[str, Ids]:
    """Return the columns of which the BSS takes ids: looked up, or written as digits."""
    digits = {target: _as_ids(own) for target, own in texts.items() if target in ID_TARGETS}
    return digits | resolve_ids(texts, fields, organisation, countries)


def _as_ids(texts: Texts) -> Ids:
    return [
        int(text) if text is not None and text.isascii() and text.isdigit() else None
        for text in texts
    ]


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
        if limit is None or max(map(len, filter(None, own)), default=0) <= limit:
            continue
        columns[target] = [
            text[:limit].rstrip() if text and len(text) > limit else text for text in own
        ]
        counts[target] = sum(text is not None and len(text) > limit for text in own)
    return columns, counts


def _dump(records: pd.DataFrame) -> list[bytes]:
    return [orjson.dumps(body, option=orjson.OPT_SORT_KEYS) for body in _bodies(records)]


def _bodies(records: pd.DataFrame) -> list[_Body]:
    """Return each record without what is missing, the address nested.

    An address without a country is left out because the BSS refuses it.
    """
    parts = [target for target in _targets(records) if target.startswith(_ADDRESS)]
    bodies = _without_missing(records.drop(columns=parts))
    if parts:
        addresses = records[parts].set_axis([part.removeprefix(_ADDRESS) for part in parts], axis=1)
        for body, address in zip(bodies, _without_missing(addresses), strict=True):
            if "countryId" in address:
                body["billingAddress"] = address
    return bodies


def _without_missing(records: pd.DataFrame) -> list[_Body]:
    targets = _targets(records)
    return [
        {target: value for target, value in zip(targets, row, strict=True) if value is not None}
        for row in records.to_numpy().tolist()  # a row at a time, as to_dict("records") does in twice the time
    ]


def _targets(records: pd.DataFrame) -> list[str]:
    targets: list[str] = records.columns.tolist()
    return targets


def _content_hashes(
    accounts: list[bytes], contacts: list[bytes], options: list[bytes]
) -> list[str]:
    return [
        hashlib.blake2b(b"[%b,%b,%b]" % parts, digest_size=_HASH_BYTES).hexdigest()
        for parts in zip(accounts, contacts, options, strict=True)
    ]
