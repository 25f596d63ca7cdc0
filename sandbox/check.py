"""Whether what stands in the BSS is what a correct importer leaves behind.

Every figure counts something that must not be; all of them are 0 after a correct import, whatever
went wrong on the way. The check reads the BSS's records and the population's truth, never the
importer's own tables.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from sandbox.bss.models import Origin
from sandbox.bss.setup import DOMAIN_PREFIX_ALIAS, MPN_ALIAS
from sandbox.config import CustomerClass

if TYPE_CHECKING:
    from sandbox.bss import Organisation
    from sandbox.bss.models import Account
    from sandbox.partner_center import Source
    from sandbox.population.models import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckFigures:
    """What must not be, counted.

    Attributes:
        duplicate_accounts: Accounts beyond the first for one tenant marker or domain prefix.
        accounts_without_marker: Imported accounts that carry no tenant marker.
        accounts_without_contact: Imported accounts without a contact.
        accounts_with_more_contacts: Imported accounts with more than one contact.
        contacts_not_primary_and_bill_to: Contacts of imported accounts lacking one of the flags.
        storefront_contacts: Contacts that are storefront users.
        contract_violations: Requests that no correct client sends.
        synchronizations: Calls that would have provisioned a tenant again.
        mpn_id_unexpected: Accounts with an MPN ID that their tenant's truth does not give.
        mpn_id_missing: Accounts of indirect customers without an MPN ID.
    """

    duplicate_accounts: int = 0
    accounts_without_marker: int = 0
    accounts_without_contact: int = 0
    accounts_with_more_contacts: int = 0
    contacts_not_primary_and_bill_to: int = 0
    storefront_contacts: int = 0
    contract_violations: int = 0
    synchronizations: int = 0
    mpn_id_unexpected: int = 0
    mpn_id_missing: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether all figures are 0."""
        return not any(getattr(self, figure.name) for figure in fields(self))

    def __add__(self, other: CheckFigures) -> CheckFigures:
        """Add figure by figure."""
        names = [figure.name for figure in fields(self)]
        return CheckFigures(**{name: getattr(self, name) + getattr(other, name) for name in names})


def check_organisation(organisation: Organisation, source: Source) -> CheckFigures:
    """Check one organisation.

    Args:
        organisation: The organisation.
        source: Where the truth about its customers comes from.
    """
    imported = [a for a in organisation.accounts.values() if a.origin is Origin.API]
    contacts = [organisation.contacts_of(account.id) for account in imported]
    unflagged = sum(
        not (contact.values.get("isPrimary") and contact.values.get("isBillTo"))
        for group in contacts
        for contact in group
    )
    mpn = Counter(_mpn_verdict(organisation, source, account) for account in imported)
    return CheckFigures(
        duplicate_accounts=_duplicates(organisation),
        accounts_without_marker=sum(organisation.marker(a) is None for a in imported),
        accounts_without_contact=sum(not group for group in contacts),
        accounts_with_more_contacts=sum(len(group) > 1 for group in contacts),
        contacts_not_primary_and_bill_to=unflagged,
        storefront_contacts=sum(
            bool(c.values.get("isStorefrontUser")) for c in organisation.contacts.values()
        ),
        contract_violations=len(organisation.counters.violations),
        synchronizations=organisation.counters.synchronizations,
        mpn_id_unexpected=mpn["unexpected"],
        mpn_id_missing=mpn["missing"],
    )


def _duplicates(organisation: Organisation) -> int:
    """Count accounts beyond the first per tenant, told by marker, else by domain prefix."""
    prefixes = {
        account.id: _option(organisation, account, DOMAIN_PREFIX_ALIAS).lower()
        for account in organisation.accounts.values()
    }
    markers = {
        account.id: organisation.marker(account) for account in organisation.accounts.values()
    }
    marker_of = {prefixes[number]: marker for number, marker in markers.items() if marker}
    tenants = Counter(
        markers[number] or marker_of.get(prefix, prefix)
        for number, prefix in prefixes.items()
        if markers[number] or prefix
    )
    return sum(count - 1 for count in tenants.values())


def _mpn_verdict(organisation: Organisation, source: Source, account: Account) -> str:
    marker = organisation.marker(account)
    customer = source.customers.get(marker) if marker else None
    if customer is None:
        return "unknown"
    mpn_id = _option(organisation, account, MPN_ALIAS)
    if not mpn_id and not _has_mpn_option(organisation):
        return "right"
    return _judge(source.truth(customer), mpn_id)


def _has_mpn_option(organisation: Organisation) -> bool:
    """A tenant reseller's organisation does not have the option (docs/api/bss.md section 1.5)."""
    return any(option.alias == MPN_ALIAS for option in organisation.setup.microsoft.options)


def _judge(truth: Truth, mpn_id: str) -> str:
    is_indirect = CustomerClass.INDIRECT in truth.classes
    is_mixed = is_indirect and CustomerClass.DIRECT in truth.classes
    if mpn_id and mpn_id not in truth.reseller_mpn_ids:
        return "unexpected"
    if not mpn_id and is_indirect and not is_mixed:
        return "missing"
    return "right"


def _option(organisation: Organisation, account: Account, alias: str) -> str:
    system_id = organisation.setup.microsoft.id
    return organisation.sync_options.get((account.id, system_id), {}).get(alias, "")
