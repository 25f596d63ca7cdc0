"""Builds what is sent to the BSS for customers: account, contact, sync options, and the hash of their content.

Pure: frame in, frame out. The tenant marker, the ordering options, and a contact's account id and
flags are not here: the loader adds them, because they depend on whether a record is new. Values
that are missing are left out of a body altogether.

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

from customer_import.mapping.lookups import Ids, resolve_ids, row_countries
from customer_import.mapping.selection import select_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from customer_import.bss.models import Organisation
    from customer_import.config.mapping import FieldMapping
    from customer_import.mapping.selection import Texts
    from customer_import.runs.run import Run

_HASH_BYTES = 20
_Columns = dict[str, list[Any]]  # Any: text or id
_Body = dict[str, Any]  # Any: text, id, or the nested address


@dataclass(frozen=True)
class Entities:
    """The transformed customers of a chunk.

    Attributes:
        frame: One row per customer: ``tenant_id``, ``account``, ``contact`` and ``sync_options``
            (JSON as bytes, keys sorted), ``content_hash`` (hex).
        cut: Target field (``account.name``) to the number of customers whose text was cut.
        unknown_states: Customers whose state the organisation does not know; it is left out.
    """

    frame: pd.DataFrame
    cut: Mapping[str, int]
    unknown_states: int


def build_entities(source: pd.DataFrame, run: Run, organisation: Organisation) -> Entities:
    """Transform customers into BSS bodies.

    Args:
        source: Source columns (``source_frame``).
        run: Import type, instance and mappings.
        organisation: Look-ups of the BSS organisation.
    """
    cut: dict[str, int] = {}
    size = len(source)
    fields: dict[str, Mapping[str, FieldMapping]] = {
        "account": run.mappings.account,
        "contact": run.mappings.contact,
        "sync_options": run.mappings.sync_options,
    }
    selected = {
        entity: select_fields(source, own, run.import_type) for entity, own in fields.items()
    }
    states = _state_targets(selected["account"], fields["account"])
    countries = row_countries(selected["account"], organisation, size)
    for target in _refused_targets(run):
        selected["account"].pop(target, None)
        selected["contact"].pop(target, None)
    columns = {
        entity: _typed_columns(entity, texts, fields[entity], organisation, countries, cut)
        for entity, texts in selected.items()
    }
    account, contact, options = columns.values()
    accounts = _dump(_account_bodies(account, size))
    contacts = _dump(_bodies(contact, size))
    sync_options = _dump(_bodies(options, size))
    hashes = _content_hashes(
        _without_kept(account, fields["account"], accounts, size, is_account=True),
        _without_kept(contact, fields["contact"], contacts, size),
        _without_kept(options, fields["sync_options"], sync_options, size),
    )
    frame = pd.DataFrame(
        {
            "tenant_id": source["tenant.id"].tolist(),
            "account": accounts,
            "contact": contacts,
            "sync_options": sync_options,
            "content_hash": hashes,
        },
        dtype=object,
    )
    unknown_states = sum(
        account[target].count(None) - selected["account"][target].count(None) for target in states
    )
    return Entities(frame, cut, unknown_states)


def _state_targets(selected: Iterable[str], fields: Mapping[str, FieldMapping]) -> list[str]:
    return [target for target in selected if "state_id" in fields[target].transforms]


def _refused_targets(run: Run) -> list[str]:
    """Return the fields that the instance says its BSS does not take."""
    accepted = {
        "responsibleUserId": run.instance.bss.accepts_responsible_user,
        "permissionRuleId": run.instance.bss.accepts_permission_rule,
        "billToAccountId": run.instance.bss.accepts_bill_to_account,
    }
    return [target for target, is_accepted in accepted.items() if not is_accepted]


def _typed_columns(
    entity: str,
    selected: Mapping[str, Texts],
    fields: Mapping[str, FieldMapping],
    organisation: Organisation,
    countries: Ids,
    cut: dict[str, int],
) -> _Columns:
    resolved = resolve_ids(selected, fields, organisation, countries)
    columns: _Columns = {}
    for target, texts in selected.items():
        limit = fields[target].max_length
        if target in resolved:
            columns[target] = resolved[target]
        elif target.endswith("Id"):
            columns[target] = [_as_id(text) for text in texts]
        else:
            columns[target], count = _cut(texts, limit)
            if count:
                cut[f"{entity}.{target}"] = count
    return columns


def _as_id(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _cut(texts: Texts, limit: int | None) -> tuple[Texts, int]:
    """Cut text to ``limit`` characters, without a blank left at the end; return how many were cut."""
    if limit is None or max(map(len, filter(None, texts)), default=0) <= limit:
        return texts, 0
    is_long = [text is not None and len(text) > limit for text in texts]
    cut = [
        text[:limit].rstrip() if text and long else text
        for text, long in zip(texts, is_long, strict=True)
    ]
    return cut, sum(is_long)


def _bodies(columns: _Columns, size: int) -> list[_Body]:
    bodies: list[_Body] = [{} for _ in range(size)]
    for name, values in columns.items():
        for body, value in zip(bodies, values, strict=True):
            if value is not None:
                body[name] = value
    return bodies


def _account_bodies(columns: _Columns, size: int) -> list[_Body]:
    """Nest the address; one without a country is left out because the BSS refuses it."""
    prefix = "billingAddress."
    bodies = _bodies(
        {name: values for name, values in columns.items() if not name.startswith(prefix)}, size
    )
    parts = {
        name.removeprefix(prefix): values
        for name, values in columns.items()
        if name.startswith(prefix)
    }
    for body, address in zip(bodies, _bodies(parts, size), strict=True):
        if "countryId" in address:
            body["billingAddress"] = address
    return bodies


def _dump(bodies: list[_Body]) -> list[bytes]:
    return [orjson.dumps(body, option=orjson.OPT_SORT_KEYS) for body in bodies]


def _without_kept(
    columns: _Columns,
    fields: Mapping[str, FieldMapping],
    dumped: list[bytes],
    size: int,
    *,
    is_account: bool = False,
) -> list[bytes]:
    updated = {
        target: values for target, values in columns.items() if fields[target].on_update != "keep"
    }
    if len(updated) == len(columns):
        return dumped
    return _dump(_account_bodies(updated, size) if is_account else _bodies(updated, size))


def _content_hashes(
    accounts: list[bytes], contacts: list[bytes], options: list[bytes]
) -> list[str]:
    return [
        hashlib.blake2b(b"[%b,%b,%b]" % parts, digest_size=_HASH_BYTES).hexdigest()
        for parts in zip(accounts, contacts, options, strict=True)
    ]
