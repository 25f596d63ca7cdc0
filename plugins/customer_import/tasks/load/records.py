"""Bodies and comparisons of one customer's BSS records: pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from customer_import.bss.patch import Difference, PatchOperation, difference
from customer_import.tasks.load.reconcile import marker_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from customer_import.bss.models import Account, Contact, Organisation
    from customer_import.config.mapping import Mappings, OrderingProfile
    from customer_import.tasks.load.customers import StagedCustomer
    from customer_import.tasks.load.sync_options import OptionChanges


def account_body(
    customer: StagedCustomer, organisation: Organisation, profile: OrderingProfile | None
) -> dict[str, object]:
    """Return the body that creates a customer's account: payload, ordering options, marker."""
    ordering = profile.model_dump(exclude={"title"}, exclude_none=True) if profile else {}
    marker = {"id": organisation.tenant_marker_field_id, "value": customer.tenant_id}
    return {**ordering, **customer.account, "customFields": [marker]}


def contact_body(customer: StagedCustomer, account_id: int) -> dict[str, object]:
    """Return the body that creates a customer's contact: primary, bill-to, nothing else."""
    return {**customer.contact, "accountId": account_id, "isPrimary": True, "isBillTo": True}


def find_marked(
    accounts: Sequence[Account], organisation: Organisation, tenant_id: str
) -> int | None:
    """Return the oldest account that carries a tenant's marker."""
    field_id = organisation.tenant_marker_field_id
    ids = [
        account.id
        for account in accounts
        if marker_key(account.custom_field(field_id)) == tenant_id.lower()
    ]
    return min(ids, default=None)


def main_contact(contacts: Sequence[Contact], linked_id: int | None) -> Contact | None:
    """Return the linked contact; when it is gone, the primary one."""
    by_age = sorted(contacts, key=lambda contact: contact.id)
    linked = (contact for contact in by_age if contact.id == linked_id)
    primary = (contact for contact in by_age if contact.is_primary)
    return next(linked, None) or next(primary, None)


@dataclass(frozen=True)
class RecordChanges:
    """What an update of account and contact would change; ``contact`` is ``None`` without one."""

    account: Difference
    contact: Difference | None

    def __bool__(self) -> bool:
        """Whether anything would be written."""
        return bool(self.account) or self.contact is None or bool(self.contact)


def record_changes(
    customer: StagedCustomer,
    account: Account,
    contacts: Sequence[Contact],
    contact: Contact | None,
    mappings: Mappings,
) -> RecordChanges:
    """Compare a customer with its BSS records.

    The contact becomes the bill-to contact only when the account has none: a person's later choice
    of another one is kept.
    """
    change = None
    if contact is not None:
        change = difference(customer.contact, contact.body, mappings.contact)
        if not any(other.is_bill_to for other in contacts):
            flag = PatchOperation("replace", "/isBillTo", value=True)
            before = {**change.before, "isBillTo": False}
            change = Difference((*change.operations, flag), before)
    return RecordChanges(difference(customer.account, account.body, mappings.account), change)


def join_before(
    earlier: tuple[bytes | None, bytes | None], now: tuple[bytes | None, bytes | None]
) -> tuple[bytes | None, bytes | None]:
    """Join the BSS values that two attempts at one update found; those of the earlier one are the older."""
    account, contact = (
        orjson.dumps({**orjson.loads(new), **orjson.loads(old)}) if new and old else new or old
        for old, new in zip(earlier, now, strict=True)
    )
    return account, contact


def changed_fields(before: tuple[bytes | None, bytes | None]) -> list[str]:
    """Return the names of the fields that an update changes, for people."""
    account, contact = (orjson.loads(part) if part else {} for part in before)
    names = [name.removeprefix("syncOptions.") for name in account]
    return names + [f"contact.{name}" for name in contact]


def before_update(
    changes: RecordChanges, options: OptionChanges
) -> tuple[bytes | None, bytes | None]:
    """Return the BSS values that an update changes, as JSON: of account with sync options, of contact."""
    named = {f"syncOptions.{name}": value for name, value in options.before.items()}
    account = {**changes.account.before, **named}
    contact = changes.contact.before if changes.contact else {}
    return (orjson.dumps(account) if account else None, orjson.dumps(contact) if contact else None)
