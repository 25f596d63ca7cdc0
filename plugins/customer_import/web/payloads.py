"""What a run sent to the BSS for one customer, field by field.

Read from the staging tables with today's mapping files: a mapping that has changed since the run
shows today's source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Row, select

from customer_import.config.mapping import load_mappings
from customer_import.database.tables import staged_accounts, staged_contacts, staged_customers
from customer_import.web.models import SentField

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

    from customer_import.config.mapping import FieldMapping
    from customer_import.vocabulary import ImportType

_Values = dict[str, Any]  # JSON of any shape
_OPTION = "syncOptions."


def read_sent(
    connection: Connection, import_type: ImportType, run_key: int, tenant_id: str
) -> tuple[SentField, ...]:
    """Return every mapped field of a customer in a run; none when it never reached the mapping.

    Raises:
        ConfigurationError: A mapping file is wrong.
    """
    row = connection.execute(_statement(run_key, tenant_id)).one_or_none()
    if row is None:
        return ()
    mappings = load_mappings()
    sources = _load(row.source) | _derived(row)
    account_before = _load(row.account_before)
    records = (
        ("account", mappings.account, _flat(_load(row.account)), account_before),
        ("contact", mappings.contact, _flat(_load(row.contact)), _load(row.contact_before)),
        ("sync options", mappings.sync_options, _load(row.sync_options), _options(account_before)),
    )
    return tuple(
        field
        for name, mapping, values, before in records
        for field in _fields(name, mapping, import_type, sources, values, before)
    )


def _statement(run_key: int, tenant_id: str) -> Any:  # noqa: ANN401 - a select of nine columns
    customers, accounts, contacts = staged_customers.c, staged_accounts.c, staged_contacts.c
    same_account = (accounts.run_id == customers.run_id) & (
        accounts.tenant_id == customers.tenant_id
    )
    same_contact = (contacts.run_id == customers.run_id) & (
        contacts.tenant_id == customers.tenant_id
    )
    return (
        select(
            customers.tenant_id,
            customers.source,
            customers.domain_prefix,
            customers.reseller_mpn_id,
            customers.reseller_name,
            accounts.payload.label("account"),
            accounts.sync_options,
            accounts.bss_before.label("account_before"),
            contacts.payload.label("contact"),
            contacts.bss_before.label("contact_before"),
        )
        .select_from(
            staged_customers.outerjoin(staged_accounts, same_account).outerjoin(
                staged_contacts, same_contact
            )
        )
        .where(
            customers.run_id == run_key,
            customers.tenant_id == tenant_id,
            customers.source.is_not(None),
        )
    )


def _fields(
    record: str,
    mapping: Mapping[str, FieldMapping],
    import_type: ImportType,
    sources: _Values,
    values: _Values,
    before: _Values,
) -> Iterator[SentField]:
    for target, field in mapping.items():
        if import_type not in field.import_types:
            continue
        source = next((path for path in field.sources if sources.get(path)), field.source)
        yield SentField(
            record=record,
            target=target,
            source=source,
            source_value=_text(sources.get(source)),
            mapped_value=_text(values.get(target)),
            before=_text(before.get(target)) if target in before else None,
        )


def _derived(row: Row[Any]) -> _Values:
    return {
        "tenant.id": row.tenant_id,
        "tenant.domainPrefix": row.domain_prefix,
        "reseller.mpnId": row.reseller_mpn_id,
        "reseller.name": row.reseller_name,
    }


def _load(body: bytes | None) -> _Values:
    return orjson.loads(body) if body else {}


def _flat(body: _Values) -> _Values:
    nested = {
        f"{name}.{key}": value
        for name, inner in body.items()
        if isinstance(inner, dict)
        for key, value in inner.items()
    }
    return body | nested


def _options(before: _Values) -> _Values:
    return {
        name.removeprefix(_OPTION): value
        for name, value in before.items()
        if name.startswith(_OPTION)
    }


def _text(value: object) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) else orjson.dumps(value).decode()
