"""What a run sent to the BSS for one customer, field by field.

Read from the staging tables with today's mapping files: a mapping that has changed since the run
shows today's source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Row, select

from customer_import.bss.patch import flatten
from customer_import.config.mapping import load_mappings
from customer_import.database.tables import staged_accounts, staged_contacts, staged_customers
from customer_import.runs.reference_data import find_reference
from customer_import.vocabulary import FieldFate, Outcome, ReferenceName
from customer_import.web.changes import ChangeReader, as_text
from customer_import.web.models import SentField

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from customer_import.vocabulary import ImportType
    from customer_import.web.models import FieldChange, ResultView

_Values = dict[str, Any]  # JSON of any shape


def read_sent(
    connection: Connection, import_type: ImportType, result: ResultView
) -> tuple[SentField, ...]:
    """Return every mapped field of a customer in a run; none when it never reached the mapping.

    Raises:
        ConfigurationError: A mapping file is wrong.
    """
    row = connection.execute(_statement(result.run_key, result.tenant_id)).one_or_none()
    if row is None:
        return ()
    mappings = load_mappings()
    sources = _load(row.source) | _derived(row)
    reader = ChangeReader(connection, result.run_key)
    (filled,) = reader.fill(connection, [result])
    changes = {change.field: change for change in filled.changes}
    records = (
        ("account", "", mappings.account, dict(flatten(_load(row.account)))),
        ("contact", "contact.", mappings.contact, dict(flatten(_load(row.contact)))),
        ("sync options", "", mappings.sync_options, _load(row.sync_options)),
    )
    fields = []
    for record, prefix, mapping, values in records:
        for target, field in mapping.items():
            if import_type not in field.import_types:
                continue
            name, value = f"{prefix}{target}", values.get(target)
            source = next((path for path in field.sources if sources.get(path)), field.source)
            change = changes.pop(name, None)
            fate = (result.fields or {}).get(name)
            fields.append(
                SentField(
                    record=record,
                    target=target,
                    source=source,
                    source_value=as_text(sources.get(source)),
                    mapped_value=as_text(value),
                    mapped_name=reader.name_of(target, value),
                    fate=fate,
                    change=change,
                )
            )
    new = {Outcome.CREATED, Outcome.WOULD_CREATE}
    ordering = _ordering(connection, result.run_key) if result.outcome in new else ()
    return (*fields, *map(_unmapped, changes.values()), *ordering)


def _ordering(connection: Connection, run_key: int) -> Iterator[SentField]:
    """Give the ordering options that the run gives to new accounts, as they were when it began."""
    ordering = find_reference(connection, run_key, ReferenceName.ORDERING) or {}
    for target, value in ordering.get("options", {}).items():
        yield SentField(
            record="ordering options",
            target=target,
            source=f"profile {ordering['profile']}",
            source_value=None,
            mapped_value=as_text(value),
            mapped_name=None,
            fate=None,
            change=None,
        )


def _unmapped(change: FieldChange) -> SentField:
    """Return a field that no mapping names: the tenant id, a contact that is missing, its bill-to flag."""
    is_of_contact = change.field.startswith("contact")
    return SentField(
        record="contact" if is_of_contact else "account",
        target=change.field.removeprefix("contact."),
        source="",
        source_value=None,
        mapped_value=change.after,
        mapped_name=None,
        fate=FieldFate.CHANGED,
        change=change,
    )


def _statement(run_key: int, tenant_id: str) -> Any:  # noqa: ANN401 - a select of seven columns
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
            contacts.payload.label("contact"),
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


def _derived(row: Row[Any]) -> _Values:
    return {
        "tenant.id": row.tenant_id,
        "tenant.domainPrefix": row.domain_prefix,
        "reseller.mpnId": row.reseller_mpn_id,
        "reseller.name": row.reseller_name,
    }


def _load(body: bytes | None) -> _Values:
    return orjson.loads(body) if body else {}
