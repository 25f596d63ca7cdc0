"""Reads audit records: which customers somebody changed (docs/api/partner-center.md section 11).

Only the tenant id and a hash are taken, and of a new customer the domain prefix. Old and new values are JSON inside
strings, may hold an admin password, and are let go with the page; one is looked into only when the record itself names
no customer.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from customer_import.http.reader import read_json
from customer_import.partner_center.flatten import find_domain_prefix
from customer_import.partner_center.models import tenant_id_of, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from customer_import.partner_center.paging import Item

_NOISE = frozenset(
    name.replace("_", "")
    for name in """
    create_customer_user update_customer_user delete_customer_user restore_customer_user reset_customer_user_password
    update_customer_user_principal_name update_customer_user_licenses update_sfb_customer_user_licenses
    add_user_member remove_user_member create_partner_user update_partner_user remove_partner_user
    register_application unregister_application add_application_credential remove_application_credential
    policy_created policy_updated policy_deleted create_self_serve_policy update_self_serve_policy
    delete_self_serve_policy device_updated device_deleted devices_update_attempted
    devices_upload_to_new_batch_attempted devices_upload_to_existing_batch_attempted
    create_referral update_referral create_related_referral update_related_referral
    create_credit update_credit cancel_credit ready_invoice increase_spending_limit update_customer_spending_budget
    get_software_key get_software_download_link software_attestation create_agreement manage_overage
    azure_fraud_event_detected
    dap_admin_relationship_terminated dap_admin_relationship_terminated_by_microsoft
    granular_admin_relationship_approved granular_admin_relationship_termination_requested
    granular_admin_relationship_terminated granular_admin_relationship_expired
    granular_admin_relationship_cleaned_up granular_admin_access_assignment_deleted
    """.split()  # noqa: SIM905 - a list would be fifty lines
)
"""Types of operation that change nothing of what is imported, as ``_operation`` spells them.

The last four lines are of delegated access that ends or does not yet hold: that only hides fields. Whatever is not
listed counts, because an operation that Microsoft adds must not be missed (docs/api/partner-center.md section 11).
"""
_VALUES = ("resourceNewValue", "resourceOldValue")
_ADD_CUSTOMER = "addcustomer"
_DOMAIN = "PrimaryDomainName"
_CUSTOMER, _COMPANY_PROFILE = "customer", "companyprofile"
_CUSTOMER_IDS = ("customerid", "tenantid")
_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One change.

    Attributes:
        tenant_id: The customer, lower-cased.
        key: A hash of the record, by which it is known again: not every one has an id.
        domain_prefix: Of the tenant's onmicrosoft domain; only the record of a new customer has it.
    """

    tenant_id: str
    key: str
    domain_prefix: str | None = None


def parse_record(item: Item) -> AuditRecord | None:
    """Read an audit record; ``None`` when it is about no customer, or about nothing that is imported."""
    if _operation(item) in _NOISE:
        return None
    tenant_id = tenant_id_of(item.get("customerId")) or _from_values(item)
    if tenant_id is None:
        return None
    return AuditRecord(tenant_id, _key(item), _domain_prefix(item))


def domain_prefixes(records: Iterable[AuditRecord]) -> dict[str, str]:
    """Return the domain prefixes that records of new customers name, by tenant."""
    return {one.tenant_id: one.domain_prefix for one in records if one.domain_prefix}


def _operation(item: Item) -> str:
    """Return the type of operation without letter case and underscores, which differ (docs, quirk Q9)."""
    return (text_of(item.get("operationType")) or "").replace("_", "").lower()


def _domain_prefix(item: Item) -> str | None:
    data = item.get("customizedData")
    if _operation(item) != _ADD_CUSTOMER or not isinstance(data, list):
        return None
    pairs = [pair for pair in data if isinstance(pair, dict)]
    return find_domain_prefix([pair.get("value") for pair in pairs if pair.get("key") == _DOMAIN])


def _from_values(item: Item) -> str | None:
    """Look for the customer where a value names it; the id of anything else says nothing."""
    is_of_customer = (text_of(item.get("resourceType")) or "").lower() == _CUSTOMER
    for name in _VALUES:
        value = _folded(_parse(item.get(name)))
        holders = [value, _folded(value.get(_COMPANY_PROFILE))]
        found = [holder.get(key) for holder in holders for key in _CUSTOMER_IDS]
        for each in [*found, value.get("id") if is_of_customer else None]:
            if tenant_id := tenant_id_of(each):
                return tenant_id
    return None


def _key(item: Item) -> str:
    body = json.dumps(item, sort_keys=True, default=str).encode()
    return hashlib.blake2b(body, digest_size=_KEY_BYTES).hexdigest()


def _folded(value: object) -> dict[str, Any]:
    """Return an object with its keys in lower case, which differs (docs, quirk Q9); nothing of what is no object."""
    return {key.lower(): each for key, each in value.items()} if isinstance(value, dict) else {}


def _parse(value: object) -> object:
    """Return what a value says: JSON in a text as a rule."""
    if not isinstance(value, str):
        return value
    try:
        return read_json(value.encode())
    except ValueError:
        return None
