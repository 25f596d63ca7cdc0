"""Looks at what the BSS has of a customer and compares it with what is staged; writes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from customer_import.tasks.load.records import RecordChanges, main_contact, record_changes
from customer_import.tasks.load.sync_options import OptionChanges, option_changes

if TYPE_CHECKING:
    from customer_import.bss.client import BssClient
    from customer_import.bss.models import Organisation, SyncOption
    from customer_import.config.mapping import Mappings
    from customer_import.tasks.load.customers import StagedCustomer


@dataclass(frozen=True)
class Comparison:
    """What an update would change; ``contact_id`` is ``None`` when the account has no contact."""

    changes: RecordChanges
    contact_id: int | None
    options: OptionChanges

    @property
    def is_equal(self) -> bool:
        """Whether the BSS holds everything already."""
        return not self.changes and not self.options.values

    @property
    def cleared(self) -> tuple[str, ...]:
        """Names of the fields and options that would be cleared."""
        return (*self.changes.cleared, *self.options.cleared)

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the fields and options whose BSS value stays though Partner Center has none."""
        return (*self.changes.kept, *self.options.kept)


class Comparer:
    """Reads accounts, contacts and sync options of tenants.

    Args:
        client: Calls the BSS.
        organisation: Its look-ups.
        mappings: Say what an update does with a value that differs or is missing.
    """

    def __init__(self, client: BssClient, organisation: Organisation, mappings: Mappings) -> None:
        self._client = client
        self._system_id = organisation.sync_system_id
        self._mappings = mappings
        self._aliases: list[SyncOption] | None = None
        self._lock = asyncio.Lock()

    async def compare(
        self, customer: StagedCustomer, account_id: int, contact_id: int | None
    ) -> Comparison | None:
        """Compare a customer with its BSS records; ``None`` when the account does not exist.

        Args:
            customer: As staged.
            account_id: Its account.
            contact_id: Its contact as linked; when that is gone, the primary contact takes over.
        """
        account = await self._client.account(account_id)
        if account is None:
            return None
        contacts, options = await asyncio.gather(
            self._client.contacts(account_id), self._options(account_id)
        )
        contact = main_contact(contacts, contact_id)
        return Comparison(
            record_changes(customer, account, contacts, contact, self._mappings),
            contact.id if contact else None,
            option_changes(customer.sync_options, options, self._mappings.sync_options),
        )

    async def options_of_new_account(
        self, customer: StagedCustomer, account_id: int
    ) -> OptionChanges:
        """Return the options to set on an account that was just made; aliases are asked for once."""
        if not any(customer.sync_options.values()):
            return OptionChanges({}, {})
        if self._aliases is None:
            async with self._lock:
                if self._aliases is None:
                    self._aliases = await self._options(account_id)
        empty = [replace(option, value=None) for option in self._aliases]
        return option_changes(customer.sync_options, empty, self._mappings.sync_options)

    async def _options(self, account_id: int) -> list[SyncOption]:
        if self._system_id is None:
            return []
        return await self._client.sync_options(account_id, self._system_id)
