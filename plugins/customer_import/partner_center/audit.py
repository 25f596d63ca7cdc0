"""Reads audit records: which customers somebody changed, and when (docs/api/partner-center.md section 11).

Only the tenant id and the time are taken, and of a new customer the domain prefix. Old and new values are JSON inside
strings, may hold an admin password, and are let go with the page; one is looked into only when the record itself names
no customer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from customer_import.http.reader import read_json
from customer_import.partner_center.flatten import find_domain_prefix
from customer_import.partner_center.models import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from customer_import.partner_center.paging import Item

_VALUES = ("resourceNewValue", "resourceOldValue")
_LONGEST_MOMENT = 64
_ADD_CUSTOMER = "addcustomer"
_DOMAIN = "PrimaryDomainName"
_ID_KEYS = ("CustomerId", "TenantId", "Id")


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One change.

    Attributes:
        tenant_id: The customer, lower-cased.
        at: When, UTC; ``None`` when the record does not say so legibly.
        domain_prefix: Of the tenant's onmicrosoft domain; only the record of a new customer has it.
    """

    tenant_id: str
    at: datetime | None
    domain_prefix: str | None = None


def parse_record(item: Item) -> AuditRecord | None:
    """Read an audit record, of whatever resource; ``None`` when it is about no customer."""
    tenant_id = text_of(item.get("customerId")) or _from_values(item)
    if tenant_id is None:
        return None
    return AuditRecord(tenant_id.lower(), _moment(item.get("operationDate")), _domain_prefix(item))


def changed_since(records: Iterable[AuditRecord], since: datetime) -> list[str]:
    """Return the tenants with a record since a moment, each once; a record without a time counts."""
    return sorted({one.tenant_id for one in records if one.at is None or one.at >= since})


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
    for name in _VALUES:
        value = _parse(item.get(name))
        company = value.get("CompanyProfile")
        for holder in (value, company if isinstance(company, dict) else {}):
            for key in _ID_KEYS:
                if found := text_of(holder.get(key)):
                    return found
    return None


def _parse(value: object) -> dict[str, Any]:
    if not isinstance(value, str):
        return {}
    try:
        parsed = read_json(value.encode())
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) > _LONGEST_MOMENT:
        return None
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
