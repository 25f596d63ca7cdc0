"""Judges whether a link agrees with Partner Center and with the accounts that the BSS lists: pure.

At most one finding says which account the customer is. Where that is in doubt, nothing else is compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer_import.runs.drift import DriftFinding
from customer_import.tasks.load.claims import Step
from customer_import.tasks.load.marker import is_tenant_id
from customer_import.vocabulary import DRIFT, DecisionKind, DriftKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from customer_import.vocabulary import FieldFate

WHOLE = tuple(kind for kind, meaning in DRIFT.items() if meaning.is_whole)
"""Kinds beside which nothing else is said of a customer."""
_NAMED = 10


@dataclass(frozen=True)
class LinkedCustomer:
    """A link, and what else is known of its customer.

    Attributes:
        tenant_id: The customer.
        tenant_name: As a run listed it last.
        domain: The same.
        account_id: The linked account.
        contact_id: The linked contact.
        account_step: How far the account's creation came.
        contact_step: The same of the contact.
        is_listed: Whether Partner Center still has it.
        decided: What people decided about it: kind to value.
    """

    tenant_id: str
    tenant_name: str | None
    domain: str | None
    account_id: int | None
    contact_id: int | None
    account_step: Step
    contact_step: Step
    is_listed: bool
    decided: Mapping[DecisionKind, str | None]

    @property
    def decided_account(self) -> int | None:
        """The account that a person decided it is."""
        value = self.decided.get(DecisionKind.LINK)
        return int(value) if value else None

    @property
    def is_as_linked(self) -> bool:
        """Whether no decision says that the link is to be something else, or nothing."""
        is_excluded = DecisionKind.EXCLUDE in self.decided
        return not is_excluded and self.decided_account in {None, self.account_id}

    def found(
        self, kind: DriftKind, detail: str, fields: Mapping[str, FieldFate] | None = None
    ) -> DriftFinding:
        """Return a finding about this customer."""
        return DriftFinding(
            self.tenant_id,
            kind,
            detail,
            self.tenant_name,
            self.domain,
            self.account_id,
            self.contact_id,
            fields or {},
        )


def judge_link(
    customer: LinkedCustomer, markers: Mapping[int, str | None], carriers: Sequence[int]
) -> DriftFinding | None:
    """Return what is wrong with a link; ``None`` when customer, link and account agree, or a person decided on it.

    Args:
        customer: With its link.
        markers: Account to the tenant id that it carries (``marker_key``), of the accounts that the BSS has; the
            linked one at least, if it is there.
        carriers: The accounts that carry the customer's tenant id.
    """
    if DecisionKind.EXCLUDE in customer.decided:
        return None
    if not customer.is_listed:
        return customer.found(DriftKind.CUSTOMER_GONE, "Partner Center does not have it any more.")
    if not customer.is_as_linked:
        return None  # the next import links it as decided, or says what speaks against it
    if customer.account_id is None:
        return _without_account(customer, carriers)
    return _judge_account(customer, customer.account_id, markers, carriers)


def doubled(
    tenant_id: str, tenant_name: str | None, domain: str | None, carriers: Sequence[int]
) -> DriftFinding:
    """Return that several accounts carry the tenant id of a customer without link."""
    detail = f"{_accounts(carriers)} carry its tenant id; it is linked to none."
    return DriftFinding(tenant_id, DriftKind.MARKER_DOUBLED, detail, tenant_name, domain)


def judge_contact(customer: LinkedCustomer, seen: Collection[int]) -> DriftFinding | None:
    """Return that a customer's contact is gone; ``None`` when it is there, or was never written.

    Args:
        customer: Its account is there.
        seen: The contacts that the BSS has on the accounts that they are linked with.
    """
    if customer.contact_id is None:
        if customer.contact_step is Step.NONE:
            return None
        detail = f"The link with BSS account {customer.account_id} names no contact."
        return customer.found(DriftKind.CONTACT_GONE, detail)
    if customer.contact_id in seen:
        return None
    detail = f"BSS account {customer.account_id} does not have contact {customer.contact_id}."
    return customer.found(DriftKind.CONTACT_GONE, detail)


def _judge_account(
    customer: LinkedCustomer,
    linked: int,
    markers: Mapping[int, str | None],
    carriers: Sequence[int],
) -> DriftFinding | None:
    if linked not in markers:
        at = f" {_accounts(carriers)} carries its tenant id." if carriers else ""
        detail = f"BSS account {linked} does not exist any more.{at}"
        return customer.found(DriftKind.ACCOUNT_GONE, detail)
    marker = markers[linked]
    if marker is None:
        return _without_marker(customer, carriers)
    if marker != customer.tenant_id:
        return customer.found(DriftKind.MARKER_DIFFERS, _other_marker(linked, marker))
    if len(carriers) > 1 and customer.decided_account is None:
        detail = f"{_accounts(carriers)} carry its tenant id; it is linked to {linked}."
        return customer.found(DriftKind.MARKER_DOUBLED, detail)
    return None


def _without_account(customer: LinkedCustomer, carriers: Sequence[int]) -> DriftFinding | None:
    if customer.account_step is Step.NONE:
        return None  # nothing was ever sent; the import's result says why
    at = f" {_accounts(carriers)} carries its tenant id." if carriers else ""
    detail = f"An account was sent to the BSS, and the link does not name it.{at}"
    return customer.found(DriftKind.LINK_WITHOUT_ACCOUNT, detail)


def _without_marker(customer: LinkedCustomer, carriers: Sequence[int]) -> DriftFinding:
    linked = customer.account_id
    if carriers:
        detail = f"BSS account {linked} carries no tenant id, and {_accounts(carriers)} carries this one."
        return customer.found(DriftKind.MARKER_DIFFERS, detail)
    detail = f"BSS account {linked} carries no tenant id any more."
    return customer.found(DriftKind.MARKER_REMOVED, detail)


def _other_marker(account_id: int, marker: str) -> str:
    if is_tenant_id(marker):
        return f"BSS account {account_id} carries the tenant id of another, {marker}."
    return f"BSS account {account_id} has something in its tenant id field that is no tenant id."


def _accounts(ids: Sequence[int]) -> str:
    shown = ", ".join(map(str, sorted(ids)[:_NAMED]))
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return f"BSS account{'s' if len(ids) > 1 else ''} {shown}{more}"
