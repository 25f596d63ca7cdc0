"""Looks at what the BSS has of a customer and compares it with what is staged; writes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from customer_import.bss.patch import kept_of
from customer_import.tasks.load.account_index import prefix_option
from customer_import.tasks.load.candidates import signs_of, signs_of_account
from customer_import.tasks.load.left_out import filling, occupied_warnings
from customer_import.tasks.load.marker import marker_key
from customer_import.tasks.load.moves import renewing
from customer_import.tasks.load.records import (
    RecordChanges,
    main_contact,
    record_changes,
    sent_contact,
)
from customer_import.tasks.load.sync_options import OptionChanges, option_changes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from customer_import.bss.client import BssClient
    from customer_import.bss.models import Account, Contact, Organisation, SyncOption
    from customer_import.config.mapping import Mappings
    from customer_import.tasks.load.customers import StagedCustomer
    from customer_import.vocabulary import FieldFate


_BELIEVED_AFTER = 2
"""Answers without any sync option that are needed to believe that there are none."""


@dataclass(frozen=True)
class Comparison:
    """What an update would change.

    Attributes:
        changes: Of account and contact.
        contact_id: ``None`` when the account has no contact.
        options: Of the sync options.
        marker: Which tenant the account says it is (``marker_key``).
        account: As it is.
        all_options: Its sync options as they are.
        is_familiar: Whether the account has a marker, or it, contacts or options have anything of the customer's.
        occupied: Warnings of fields that were to be filled and have another value.
    """

    changes: RecordChanges
    contact_id: int | None
    options: OptionChanges
    marker: str | None
    account: Account
    all_options: Sequence[SyncOption]
    is_familiar: bool = True
    occupied: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether the BSS holds everything already."""
        return not self.changes and not self.options.values

    @property
    def cleared(self) -> tuple[str, ...]:
        """Names of the fields and options that would be cleared."""
        return (*self.changes.cleared, *self.options.cleared)

    @property
    def left_alone(self) -> dict[str, FieldFate]:
        """Names of the fields and options that differ and stay, with the reason."""
        return {**self.changes.left_alone, **self.options.left_alone}

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of those whose BSS value stays though Partner Center has none."""
        return (*kept_of(self.changes.left_alone), *self.options.kept)


class Comparer:
    """Reads accounts, contacts and sync options of tenants.

    Args:
        client: Calls the BSS.
        organisation: Its look-ups.
        mappings: Say what an update does with a value that differs or is missing.
        settle_delay_s: Seconds after which a contact is looked for again that a list does not show.
    """

    def __init__(
        self,
        client: BssClient,
        organisation: Organisation,
        mappings: Mappings,
        settle_delay_s: float = 0.0,
    ) -> None:
        self._client = client
        self._settle_delay_s = settle_delay_s
        self._system_id = organisation.sync_system_id
        self._marker_field_id = organisation.tenant_marker_field_id
        self._mappings = mappings
        self._aliases: list[SyncOption] = []
        self._empty_answers = 0
        self._lock = asyncio.Lock()

    async def compare(
        self,
        customer: StagedCustomer,
        account_id: int,
        contact_id: int | None,
        *,
        is_sent: bool = False,
        has_moved: bool = False,
        filled: Collection[str] = (),
    ) -> Comparison | None:
        """Compare a customer with its BSS records; ``None`` when the account does not exist.

        Args:
            customer: As staged.
            account_id: Its account.
            contact_id: Its contact as linked; when that is gone, the one of its name or e-mail takes over, else the
                primary one.
            is_sent: Whether the contact was sent and its outcome is unknown; then another's is not taken for it.
            has_moved: Whether it is another reseller's or another import's than before: what says whose it is is
                then written as for a new account.
            filled: Fields written once that earlier writes left out; they are filled where they are empty.
        """
        account = await self._client.account(account_id)
        if account is None:
            return None
        contacts, options = await asyncio.gather(
            self._contacts(account_id, contact_id), self._options(account_id)
        )
        contact = (
            sent_contact(contacts, customer.sent_contacts)
            if is_sent
            else main_contact(contacts, contact_id, customer.contact)
        )
        mappings = renewing(self._mappings) if has_moved else filling(self._mappings, filled)
        marker = marker_key(account.custom_field(self._marker_field_id))
        return Comparison(
            record_changes(customer, account, contacts, contact, mappings),
            contact.id if contact else None,
            option_changes(customer.sync_options, options, self._mappings.sync_options),
            marker,
            account,
            options,
            marker is not None or self._is_familiar(customer, account, contacts, options),
            () if has_moved else self._occupied(customer, account, contact, filled),
        )

    def _is_familiar(
        self,
        customer: StagedCustomer,
        account: Account,
        contacts: Sequence[Contact],
        options: Sequence[SyncOption],
    ) -> bool:
        """Whether anything of the customer is there; of an e-mail address the whole, since its domain may be shared."""
        option = prefix_option(self._mappings)
        prefix = customer.sync_options.get(option or "") or ""
        email, address = (
            _folded(customer.account.get("email")),
            customer.account.get("billingAddress"),
        )
        wanted = signs_of(
            name=str(customer.account.get("name") or ""),
            prefix=prefix,
            address=address if isinstance(address, Mapping) else None,
        )
        found = signs_of_account(account, option)
        return (
            any(found.get(sign) == digest for sign, digest in wanted.items())
            or (email != "" and email == _folded(account.body.get("email")))
            or (prefix != "" and _folded(prefix) in {_folded(one.value) for one in options})
            or sent_contact(contacts, [customer.contact]) is not None
        )

    async def _contacts(self, account_id: int, linked_id: int | None) -> list[Contact]:
        """Return an account's contacts; that the linked one is gone is not believed at first: a list may lag."""
        contacts = await self._client.contacts(account_id)
        if linked_id is None or any(contact.id == linked_id for contact in contacts):
            return contacts
        await asyncio.sleep(self._settle_delay_s)
        return await self._client.contacts(account_id)

    def _occupied(
        self,
        customer: StagedCustomer,
        account: Account,
        contact: Contact | None,
        filled: Collection[str],
    ) -> tuple[str, ...]:
        warnings = occupied_warnings(
            "account", customer.account, account.body, filled, self._mappings.account
        )
        if contact is not None:
            warnings += occupied_warnings(
                "contact", customer.contact, contact.body, filled, self._mappings.contact
            )
        return tuple(warnings)

    async def options_of_new_account(
        self, customer: StagedCustomer, account_id: int
    ) -> OptionChanges:
        """Return the options to set on an account that was just made; aliases are asked for once."""
        if not any(customer.sync_options.values()):
            return OptionChanges({}, {})
        empty = [replace(option, value=None) for option in await self._known(account_id)]
        return option_changes(customer.sync_options, empty, self._mappings.sync_options)

    async def options_now(self, customer: StagedCustomer, account_id: int) -> OptionChanges:
        """Return the options to set by what the account has now: some that were known may be gone by now."""
        self._aliases = await self._options(account_id)
        return option_changes(customer.sync_options, self._aliases, self._mappings.sync_options)

    async def has_any_option(self, names: Collection[str], account_id: int) -> bool:
        """Whether the organisation has one of these sync options by now."""
        missing = option_changes(
            dict.fromkeys(names, "any"), await self._known(account_id), self._mappings.sync_options
        ).absent
        return len(missing) < len(names)

    async def _known(self, account_id: int) -> list[SyncOption]:
        """Return the options that accounts have, asked for once; that there are none is not believed at first."""
        if not self._aliases:
            async with self._lock:
                while not self._aliases and self._empty_answers < _BELIEVED_AFTER:
                    self._aliases = await self._options(account_id)
                    self._empty_answers += not self._aliases
        return self._aliases

    async def _options(self, account_id: int) -> list[SyncOption]:
        if self._system_id is None:
            return []
        return await self._client.sync_options(account_id, self._system_id)


def _folded(value: object) -> str:
    return str(value or "").casefold()
