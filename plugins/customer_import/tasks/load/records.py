"""Bodies and comparisons of one customer's BSS records: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import orjson

from customer_import.bss.patch import Difference, PatchOperation, difference, flatten, is_blank
from customer_import.config.targets import ACCOUNT_TARGETS, CONTACT_TARGETS
from customer_import.tasks.load.marker import marker_key
from customer_import.text import fold, without_format
from customer_import.vocabulary import FieldFate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from customer_import.bss.models import Account, Contact, Organisation
    from customer_import.config.mapping import Mappings, OrderingProfile
    from customer_import.tasks.load.customers import StagedCustomer
    from customer_import.tasks.load.sync_options import OptionChanges

_OPTION = "syncOptions."
_RULES = {
    FieldFate.KEEP: "keep",
    FieldFate.FILL: "fill",
    FieldFate.COUNTRY: "goes with the country",
}


def account_body(
    customer: StagedCustomer, organisation: Organisation, profile: OrderingProfile | None
) -> dict[str, object]:
    """Return the body that creates a customer's account: payload without nulls, ordering options, marker."""
    ordering = profile.options if profile else {}
    marker = {"id": organisation.tenant_marker_field_id, "value": customer.tenant_id}
    return {**ordering, **present_values(customer.account), "customFields": [marker]}


def contact_body(customer: StagedCustomer, account_id: int) -> dict[str, object]:
    """Return the body that creates a customer's contact: primary, bill-to, nothing else."""
    contact = present_values(customer.contact)
    return {**contact, "accountId": account_id, "isPrimary": True, "isBillTo": True}


def present_values(body: Mapping[str, object]) -> dict[str, object]:
    """Return a staged body without what Partner Center has no value for, as a creation sends it."""
    return {
        name: present_values(value) if isinstance(value, Mapping) else value
        for name, value in body.items()
        if value is not None
    }


def find_marked(
    accounts: Sequence[Account], organisation: Organisation, tenant_id: str
) -> int | None:
    """Return the oldest account that carries a tenant's marker."""
    field_id = organisation.tenant_marker_field_id
    ids = [
        account.id
        for account in accounts
        if marker_key(account.custom_field(field_id)) == marker_key(tenant_id)
    ]
    return min(ids, default=None)


def sent_contact(
    contacts: Sequence[Contact], bodies: Iterable[Mapping[str, object]]
) -> Contact | None:
    """Return the contact that a creation made, as far as can be told: of the name or the e-mail of what was sent.

    Values may have changed since, on either side; a contact that shares neither was made by somebody else.

    Args:
        contacts: Of the account.
        bodies: What may have been sent: now, and by a run before.
    """
    by_age = sorted(contacts, key=lambda contact: (not contact.is_primary, contact.id))
    wanted = set[tuple[str, ...]]().union(*map(_signs, bodies))
    return next((contact for contact in by_age if wanted & _signs(contact.body)), None)


def _signs(body: Mapping[str, object]) -> set[tuple[str, ...]]:
    """Return what a contact is recognised by, however the BSS tidied it: case, blanks and what shows nothing go."""
    first, last, email = (
        " ".join(fold(without_format(str(body.get(key) or ""))).split())
        for key in ("firstName", "lastName", "email")
    )
    return {sign for sign in (("name", first, last), ("email", email)) if any(sign[1:])}


def main_contact(
    contacts: Sequence[Contact], linked_id: int | None, staged: Mapping[str, object]
) -> Contact | None:
    """Return the linked contact; when it is gone or not known, the one of its name or e-mail; else the primary one."""
    by_age = sorted(contacts, key=lambda contact: contact.id)
    linked = (contact for contact in by_age if contact.id == linked_id)
    primary = (contact for contact in by_age if contact.is_primary)
    return next(linked, None) or sent_contact(contacts, [staged]) or next(primary, None)


@dataclass(frozen=True)
class RecordChanges:
    """What an update of account and contact would change; ``contact`` is ``None`` without one."""

    account: Difference
    contact: Difference | None

    def __bool__(self) -> bool:
        """Whether anything would be written."""
        return bool(self.account) or self.contact is None or bool(self.contact)

    @property
    def cleared(self) -> tuple[str, ...]:
        """Names of the fields that would be cleared, those of the contact as ``contact.phone``."""
        contact = () if self.contact is None else self.contact.cleared
        return (*self.account.cleared, *_of_contact(contact))

    @property
    def left_alone(self) -> dict[str, FieldFate]:
        """Names of the fields that differ and stay, with the reason."""
        contact = {} if self.contact is None else self.contact.left_alone
        return {
            **self.account.left_alone,
            **{f"contact.{name}": why for name, why in contact.items()},
        }


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
            change = replace(change, operations=(*change.operations, flag), before=before)
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


@dataclass(frozen=True)
class ChangedFields:
    """Names of the fields in which BSS and Partner Center differ, for people.

    Attributes:
        changed: Those that get a value.
        emptied: Those that get none, because Partner Center has none.
        left_alone: Those that stay as they are in the BSS, with the reason.
    """

    changed: tuple[str, ...] = ()
    emptied: tuple[str, ...] = ()
    left_alone: Mapping[str, FieldFate] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(self.changed or self.emptied)

    def without(self, names: Collection[str]) -> ChangedFields:
        """Return the same but for some fields that do not change after all."""
        changed, emptied = (
            tuple(name for name in some if name not in names)
            for some in (self.changed, self.emptied)
        )
        return replace(self, changed=changed, emptied=emptied)

    @property
    def fates(self) -> dict[str, FieldFate]:
        """What becomes of each, by name."""
        return {
            **self.left_alone,
            **dict.fromkeys(self.emptied, FieldFate.EMPTIED),
            **dict.fromkeys(self.changed, FieldFate.CHANGED),
        }

    def sentence(
        self,
        changed: str = "Changed",
        emptied: str = "Emptied",
        otherwise: str = "Nothing to change.",
    ) -> str:
        """Say them: ``Changed: name. Emptied, because Partner Center has no value: phone.``.

        What stays because Partner Center has no value is said in a warning (``kept_warning``).
        """
        parts = []
        if self.changed:
            parts.append(f"{changed}: {', '.join(self.changed)}.")
        if self.emptied:
            names = ", ".join(self.emptied)
            parts.append(f"{emptied}, because Partner Center has no value: {names}.")
        left = {name: _RULES[why] for name, why in self.left_alone.items() if why in _RULES}
        if left:
            names = ", ".join(f"{name} ({rule})" for name, rule in sorted(left.items()))
            parts.append(f"Left alone by the mapping's rule: {names}.")
        return " ".join(parts if self or not otherwise else [otherwise, *parts])


def changed_fields(
    customer: StagedCustomer, before: tuple[bytes | None, bytes | None]
) -> ChangedFields:
    """Return what an update of a customer changes.

    Args:
        customer: As staged.
        before: The BSS values that it changes (``before_update``).
    """
    account, contact = (orjson.loads(part) if part else {} for part in before)
    values = {
        **dict(flatten(customer.account)),
        **{f"{_OPTION}{name}": value for name, value in customer.sync_options.items()},
    }
    contact_values = dict(flatten(customer.contact))
    mapped = {
        name: is_blank(values.get(name)) and (name in ACCOUNT_TARGETS or name.startswith(_OPTION))
        for name in account
    }
    named = {name.removeprefix(_OPTION): is_emptied for name, is_emptied in mapped.items()}
    named |= {
        f"contact.{name}": is_blank(contact_values.get(name)) and name in CONTACT_TARGETS
        for name in contact
    }
    return ChangedFields(
        tuple(name for name, is_emptied in named.items() if not is_emptied),
        tuple(name for name, is_emptied in named.items() if is_emptied),
    )


def kept_warning(kept: Sequence[str]) -> list[str]:
    """Say, in one warning, which BSS values stay though Partner Center has none; nothing when there are none."""
    if not kept:
        return []
    warning = (
        f"The BSS keeps what Partner Center has no value for: {', '.join(kept)}. Empty it in the BSS, enter it in "
        "Partner Center, or set on_empty: clear for it in the mapping files."
    )
    return [warning]


def before_update(
    changes: RecordChanges, options: OptionChanges
) -> tuple[bytes | None, bytes | None]:
    """Return the BSS values that an update changes, as JSON: of account with sync options, of contact."""
    named = {f"{_OPTION}{name}": value for name, value in options.before.items()}
    account = {**changes.account.before, **named}
    contact = changes.contact.before if changes.contact else {}
    return (orjson.dumps(account) if account else None, orjson.dumps(contact) if contact else None)


def _of_contact(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"contact.{name}" for name in names)
