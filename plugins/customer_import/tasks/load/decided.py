"""Looks whether a customer can be linked to the account that a person decided on; writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.tasks.load.marker import marker_key
from customer_import.tasks.load.reconcile import contradicted, doubt_decision
from customer_import.vocabulary import DecisionKind

if TYPE_CHECKING:
    from customer_import.bss.client import BssClient
    from customer_import.bss.models import Organisation
    from customer_import.runs.verdict import Verdict
    from customer_import.tasks.load.customers import StagedCustomer


async def doubt_decided(
    customer: StagedCustomer,
    linked_id: int | None,
    client: BssClient,
    organisation: Organisation,
) -> Verdict | None:
    """Return why a customer cannot be linked as decided; ``None`` when it can, or is, or nothing was decided.

    Args:
        customer: With its decisions.
        linked_id: The account that it is linked to.
        client: Calls the BSS.
        organisation: Says which custom field is the tenant marker.
    """
    decision, wanted_id = customer.decisions.get(DecisionKind.LINK), customer.decided_account
    if decision is None or wanted_id is None or wanted_id == linked_id:
        return None
    field_id = organisation.tenant_marker_field_id
    if linked_id is not None:
        former = await client.account(linked_id)
        own = marker_key(customer.tenant_id)
        if former is not None and marker_key(former.custom_field(field_id)) == own:
            return contradicted(
                decision, f"it is linked to BSS account {linked_id}, which carries its tenant id."
            )
    account = await client.account(wanted_id)
    marker = marker_key(account.custom_field(field_id)) if account else None
    return doubt_decision(decision, customer.tenant_id, marker, exists=account is not None)
