"""One BSS organisation with its records, kept in memory and in the journal."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sandbox.bss.models import Account, Contact, Counters, Json, Origin, Violation, read_violation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.bss.setup import OrganisationSetup
    from sandbox.journal import Journal, JournalRecord


class Organisation:
    """Accounts, contacts and sync options of one organisation.

    Values handed in are taken as valid; `bss.validation` decides that.
    """

    def __init__(
        self,
        setup: OrganisationSetup,
        journal: Journal,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Start empty."""
        self.setup = setup
        self.accounts: dict[int, Account] = {}
        self.contacts: dict[int, Contact] = {}
        self.sync_options: dict[tuple[int, int], dict[str, str]] = {}
        self.counters = Counters()
        self._journal = journal
        self._now = now
        self._contacts_of: dict[int, list[int]] = {}
        self._accounts_named: dict[str, set[int]] = {}
        self._next_id = setup.first_id

    def create_account(
        self, values: Json, custom_fields: dict[int, str], existing_kind: str = ""
    ) -> Account:
        """Store a new account."""
        now = self._now()
        account = Account(
            id=self._take_id(),
            values=values,
            address_id=str(uuid.uuid4()),
            custom_fields=custom_fields,
            created_at=now,
            updated_at=now,
            address_updated_at=now,
            origin=Origin.EXISTING if existing_kind else Origin.API,
            existing_kind=existing_kind,
        )
        self._save_account(account)
        return account

    def update_account(
        self, account: Account, values: Json, custom_fields: dict[int, str]
    ) -> Account:
        """Store new values of an account."""
        now = self._now()
        is_moved = values.get("billingAddress") != account.values.get("billingAddress")
        changed = replace(
            account,
            values=values,
            custom_fields=custom_fields,
            updated_at=now,
            address_updated_at=now if is_moved else account.address_updated_at,
        )
        self._save_account(changed)
        return changed

    def create_contact(self, values: Json) -> Contact:
        """Store a new contact; a new primary or bill-to contact takes the place of the old one."""
        now = self._now()
        contact = Contact(self._take_id(), values, now, now)
        self._displace(contact)
        self._save_contact(contact)
        return contact

    def update_contact(self, contact: Contact, values: Json) -> Contact:
        """Store new values of a contact."""
        changed = replace(contact, values=values, updated_at=self._now())
        self._displace(changed)
        self._save_contact(changed)
        return changed

    def set_sync_options(self, account_id: int, system_id: int, values: dict[str, str]) -> None:
        """Set the options named, leave the others."""
        merged = self.sync_options.get((account_id, system_id), {}) | values
        self.sync_options[account_id, system_id] = merged
        self._journal.append(self._options_record(account_id, system_id))

    def count_synchronization(self) -> None:
        """Count a call that would provision a tenant."""
        self.counters.synchronizations += 1
        self._journal.append(self._record("synchronization"))

    def count_violation(self, endpoint: str, reason: str) -> None:
        """Remember a request that no correct client would have sent."""
        violation = Violation(self._now(), endpoint, reason)
        self.counters.violations.append(violation)
        self._journal.append(self._violation_record(violation))

    def count_refusal(self, endpoint: str, reason: str) -> None:
        """Count a fair refusal."""
        key = f"{endpoint} {reason}"
        self.counters.refusals[key] = self.counters.refusals.get(key, 0) + 1

    def contacts_of(self, account_id: int) -> tuple[Contact, ...]:
        """The contacts of an account, oldest first."""
        return tuple(self.contacts[number] for number in self._contacts_of.get(account_id, ()))

    def accounts_named(self, name: str) -> tuple[Account, ...]:
        """The accounts of that name, case ignored, oldest first."""
        return tuple(self.accounts[n] for n in sorted(self._accounts_named.get(name.lower(), ())))

    def marker(self, account: Account) -> str | None:
        """The Microsoft tenant id that an account carries, lower-cased; None without one."""
        return account.custom_fields.get(self.setup.tenant_marker.id, "").strip().lower() or None

    def clear(self) -> None:
        """Forget all records and counters; ids go on."""
        for records in (self.accounts, self.contacts, self.sync_options):
            records.clear()
        self._contacts_of.clear()
        self._accounts_named.clear()
        self.counters = Counters()

    def restore(self, record: JournalRecord) -> None:
        """Take over one record of the journal."""
        value = record.get("value", {})
        match record["kind"]:
            case "account":
                self._put_account(_account(value))
            case "contact":
                self._put_contact(_contact(value))
            case "sync_options":
                key = (int(value["account_id"]), int(value["system_id"]))
                self.sync_options[key] = value["options"]
            case "synchronization":
                self.counters.synchronizations += 1
            case "violation":
                self.counters.violations.append(read_violation(value))

    def records(self) -> Iterator[JournalRecord]:
        """All that the journal must hold."""
        for account in self.accounts.values():
            yield self._record("account", account)
        for contact in self.contacts.values():
            yield self._record("contact", contact)
        for account_id, system_id in self.sync_options:
            yield self._options_record(account_id, system_id)
        for _ in range(self.counters.synchronizations):
            yield self._record("synchronization")
        for violation in self.counters.violations:
            yield self._violation_record(violation)

    def _take_id(self) -> int:
        number = self._next_id
        self._next_id += 1
        return number

    def _displace(self, contact: Contact) -> None:
        for flag in ("isPrimary", "isBillTo"):
            if not contact.values.get(flag):
                continue
            for other in self.contacts_of(contact.account_id):
                if other.id != contact.id and other.values.get(flag):
                    self._save_contact(replace(other, values=other.values | {flag: False}))

    def _save_account(self, account: Account) -> None:
        self._put_account(account)
        self._journal.append(self._record("account", account))

    def _save_contact(self, contact: Contact) -> None:
        self._put_contact(contact)
        self._journal.append(self._record("contact", contact))

    def _put_account(self, account: Account) -> None:
        before = self.accounts.get(account.id)
        if before is not None:
            self._accounts_named[before.name.lower()].discard(account.id)
        self.accounts[account.id] = account
        self._accounts_named.setdefault(account.name.lower(), set()).add(account.id)
        self._next_id = max(self._next_id, account.id + 1)

    def _put_contact(self, contact: Contact) -> None:
        before = self.contacts.get(contact.id)
        if before is not None:
            self._contacts_of[before.account_id].remove(contact.id)
        self.contacts[contact.id] = contact
        self._contacts_of.setdefault(contact.account_id, []).append(contact.id)
        self._contacts_of[contact.account_id].sort()
        self._next_id = max(self._next_id, contact.id + 1)

    def _record(self, kind: str, value: object = None) -> JournalRecord:
        return {"kind": kind, "organisation": self.setup.key, "value": value}

    def _options_record(self, account_id: int, system_id: int) -> JournalRecord:
        options = self.sync_options[account_id, system_id]
        value = {"account_id": account_id, "system_id": system_id, "options": options}
        return self._record("sync_options", value)

    def _violation_record(self, violation: Violation) -> JournalRecord:
        return self._record("violation", violation)


def _account(value: Json) -> Account:
    times = {n: datetime.fromisoformat(value[n]) for n in ("created_at", "updated_at")}
    return Account(
        id=value["id"],
        values=value["values"],
        address_id=value["address_id"],
        custom_fields={int(number): text for number, text in value["custom_fields"].items()},
        address_updated_at=datetime.fromisoformat(value["address_updated_at"]),
        origin=Origin(value["origin"]),
        existing_kind=value["existing_kind"],
        **times,
    )


def _contact(value: Json) -> Contact:
    return Contact(
        id=value["id"],
        values=value["values"],
        created_at=datetime.fromisoformat(value["created_at"]),
        updated_at=datetime.fromisoformat(value["updated_at"]),
    )
