"""The data behind Partner Center, with edits that survive a restart.

Bodies are serialised once and kept until the customer changes, because benchmarks ask for the
same ones again and again.
"""

from __future__ import annotations

import copy
import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from sandbox.config import CustomerClass
from sandbox.population.models import Access, AuditRecord, Customer, Json, Truth, truth_of
from sandbox.wire import BOM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sandbox.journal import Journal, JournalRecord
    from sandbox.population.models import Population, Reseller

_EDITS = {
    "access": "remove_partner_customer_relationship",
    "reseller_ids": "create_partner_relationship",
    "subscriptions": "update_subscription",
    "document": "update_customer_billing_profile",
}
"""What is changed, to the operation that the record names; the first that fits."""
_RESOURCES = {
    "create_order": "order",
    "create_customer_user": "customer_user",
    "create_partner_relationship": "partner_relationship",
    "policy_updated": "policy",
    "remove_partner_customer_relationship": "partner_customer_relationship",
    "reset_customer_user_password": "customer_user",
    "update_customer_user_licenses": "license",
    "update_subscription": "subscription",
}
_DELEGATED_COMPANY = frozenset({"address", "email"})
_THIN_COMPANY = ("tenantId", "domain", "companyName", "links", "attributes")


class Source:
    """Customers, resellers and audit records of the partner."""

    def __init__(
        self,
        population: Population,
        partner_tenant_id: str,
        journal: Journal,
        *,
        hides_without_access: bool = False,
    ) -> None:
        """Start from a population; later edits go to the journal."""
        self._journal = journal
        self._hides_without_access = hides_without_access
        self._partner_tenant_id = partner_tenant_id
        self.customers: dict[str, Customer] = {c.tenant_id: c for c in population.customers}
        self.resellers: dict[str, Reseller] = {r.tenant_id.lower(): r for r in population.resellers}
        self.tenant_reseller = population.tenant_reseller
        self.other_locations: set[str] = set()
        """Partner ids of authorised resellers that no relationship names."""
        self.audit: list[AuditRecord] = []
        self._edited: set[str] = set()
        self._removed: set[str] = set()
        self._bodies: dict[str, bytes] = {}
        self._items: dict[str, bytes] = {}

    def truth(self, customer: Customer) -> Truth:
        """What an importer ought to find out about a customer."""
        mpn_ids = frozenset(r.mpn_id for r in self.resellers.values())
        return truth_of(customer, mpn_ids, self.tenant_reseller.mpn_id)

    def body(self, customer: Customer) -> bytes:
        """The by-id body, BOM included."""
        body = self._bodies.get(customer.tenant_id)
        if body is None:
            body = customer.raw or BOM + orjson.dumps(self.shown(customer))
            self._bodies[customer.tenant_id] = body
        return body

    def shown(self, customer: Customer) -> Json:
        """The by-id document as this partner may see it."""
        document = customer.document
        if not self._hides_without_access or document.get("allowDelegatedAccess"):
            return document
        company = {
            name: value
            for name, value in (document.get("companyProfile") or {}).items()
            if name not in _DELEGATED_COMPANY
        }
        without = {name: value for name, value in document.items() if name != "customDomains"}
        return without | {"companyProfile": company}

    def list_item(self, customer: Customer) -> bytes:
        """The thin item of the customer list."""
        item = self._items.get(customer.tenant_id)
        if item is None:
            item = self._items[customer.tenant_id] = orjson.dumps(_thin(customer.document))
        return item

    def include(self, customers: Iterable[Customer], resellers: Iterable[Reseller]) -> None:
        """Add served customers and resellers; a known reseller is not added twice."""
        for customer in customers:
            self.customers[customer.tenant_id] = customer
        mpn_ids = {reseller.mpn_id for reseller in self.resellers.values()}
        for reseller in resellers:
            if reseller.mpn_id not in mpn_ids:
                self.resellers[reseller.tenant_id.lower()] = reseller
                mpn_ids.add(reseller.mpn_id)

    def edit(self, tenant_id: str, changes: Json, *, is_audited: bool) -> Customer:
        """Change a customer as somebody in the portal would.

        Args:
            tenant_id: The customer, in any case.
            changes: ``document`` is merged into the by-id body, object by object;
                ``subscriptions``, ``reseller_ids`` and ``access`` replace what there is.
            is_audited: Whether the edit leaves an audit record.

        Raises:
            KeyError: When there is no such customer.
            ValueError: When a change is unknown.
        """
        before = self.customers[tenant_id.lower()]
        unknown = set(changes) - {"document", "subscriptions", "reseller_ids", "access"}
        if unknown:
            message = f"unknown changes: {', '.join(sorted(unknown))}"
            raise ValueError(message)
        after = before.with_document(_merged(before.document, changes.get("document", {})))
        if "subscriptions" in changes:
            after = replace(
                after, subscriptions=tuple(changes["subscriptions"]), raw_subscriptions=None
            )
        if "reseller_ids" in changes:
            after = replace(after, reseller_ids=tuple(changes["reseller_ids"]))
        if "access" in changes:
            after = replace(after, access=Access(changes["access"]))
        self.put(after)
        if is_audited:
            name = next((each for each in _EDITS if each in changes), "document")
            self._record(_EDITS[name], before.document, after.document)
        return after

    def note(self, tenant_id: str, operation: str) -> None:
        """Leave the record of something that the partner did for a customer and that changes nothing here.

        Raises:
            KeyError: When there is no such customer.
        """
        self._record(operation, None, self.customers[tenant_id.lower()].document)

    def add(self, customer: Customer, *, is_audited: bool = True) -> None:
        """Add a customer as a new sale would.

        Raises:
            ValueError: When the tenant is a customer already.
        """
        if customer.tenant_id in self.customers:
            message = "the tenant is a customer already"
            raise ValueError(message)
        self.put(customer)
        if is_audited:
            self._record("add_customer", None, customer.document)

    def remove(self, tenant_id: str) -> None:
        """Take a customer out of the list.

        Raises:
            KeyError: When there is no such customer.
        """
        key = tenant_id.lower()
        del self.customers[key]
        self._removed.add(key)
        self._edited.discard(key)
        self._forget(key)
        self._journal.append({"kind": "customer_removed", "id": key})

    def put(self, customer: Customer) -> None:
        """Store a customer and remember that it differs from the generated one."""
        self.customers[customer.tenant_id] = customer
        self._edited.add(customer.tenant_id)
        self._removed.discard(customer.tenant_id)
        self._forget(customer.tenant_id)
        self._journal.append(_customer_record(customer))

    def restore(self, record: JournalRecord) -> None:
        """Take over one record of the journal."""
        match record["kind"]:
            case "customer":
                customer = _customer(record["value"])
                self.customers[customer.tenant_id] = customer
                self._edited.add(customer.tenant_id)
                self._removed.discard(customer.tenant_id)
            case "customer_removed":
                self.customers.pop(record["id"], None)
                self._removed.add(record["id"])
                self._edited.discard(record["id"])
            case "audit":
                self.audit.append(AuditRecord(record["day"], record["value"]))

    def records(self) -> Iterator[JournalRecord]:
        """All that the journal must hold."""
        for key in sorted(self._removed):
            yield {"kind": "customer_removed", "id": key}
        for key, customer in self.customers.items():
            if key in self._edited:
                yield _customer_record(customer)
        for entry in self.audit:
            yield {"kind": "audit", "day": entry.day, "value": entry.document}

    def _forget(self, key: str) -> None:
        self._bodies.pop(key, None)
        self._items.pop(key, None)

    def _record(self, operation: str, before: Json | None, after: Json) -> None:
        now = datetime.now(UTC)
        document = {
            "partnerId": self._partner_tenant_id,
            "customerId": after["id"],
            "customerName": (after.get("companyProfile") or {}).get("companyName"),
            "userPrincipalName": "admin@partner.example",
            "resourceType": _RESOURCES.get(operation, "customer"),
            "operationType": operation,
            "operationDate": f"{now:%Y-%m-%dT%H:%M:%S.%f}4Z",
            "operationStatus": "succeeded",
            "resourceOldValue": _pascal_text(before),
            "resourceNewValue": _pascal_text(after),
            "customizedData": _domain_data(after) if operation == "add_customer" else [],
            "attributes": {"objectType": "AuditRecord"},
        }
        self.audit.append(AuditRecord(f"{now:%Y-%m-%d}", document))
        self._journal.append({"kind": "audit", "day": f"{now:%Y-%m-%d}", "value": document})


def _domain_data(document: Json) -> list[Json]:
    """Make what the record of a new customer says beside its values."""
    default = (document.get("companyProfile") or {}).get("domain")
    own = [name for name in document.get("customDomains") or () if ".onmicrosoft." in name]
    return [
        {"key": "PrimaryDomainName", "value": own[-1] if own else default},
        {"key": "Relationship", "value": "Reseller"},
    ]


def _thin(document: Json) -> Json:
    company = document.get("companyProfile") or {}
    return {
        "id": document["id"],
        "companyProfile": {name: company[name] for name in _THIN_COMPANY if name in company},
        "relationshipToPartner": document.get("relationshipToPartner", "reseller"),
        "attributes": {"objectType": "Customer"},
    }


def _merged(base: Json, changes: Json) -> Json:
    """Merge like RFC 7396, but null is a value: real bodies have nulls."""
    merged = copy.deepcopy(base)
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = _merged(merged[name], value)
        else:
            merged[name] = value
    return merged


def _pascal_text(document: Json | None) -> str | None:
    def pascal(value: object) -> object:
        if isinstance(value, dict):
            return {f"{name[:1].upper()}{name[1:]}": pascal(item) for name, item in value.items()}
        return [pascal(item) for item in value] if isinstance(value, list) else value

    return None if document is None else json.dumps(pascal(document), ensure_ascii=False)


def _customer_record(customer: Customer) -> JournalRecord:
    raws = ("raw", "raw_subscriptions", "raw_refusal")
    value = {k: v for k, v in asdict(customer).items() if k not in raws}
    for name in raws:
        raw: bytes | None = getattr(customer, name)
        value[name] = raw.hex() if raw is not None else None
    return {"kind": "customer", "value": value}


def _customer(value: Json) -> Customer:
    made_as = value["made_as"]
    raws = {
        name: bytes.fromhex(value[name]) if value[name] else None
        for name in ("raw", "raw_subscriptions", "raw_refusal")
    }
    return Customer(
        tenant_id=value["tenant_id"],
        document=value["document"],
        subscriptions=tuple(value["subscriptions"]),
        reseller_ids=tuple(value["reseller_ids"]),
        access=Access(value["access"]),
        made_as=CustomerClass(made_as) if made_as else None,
        peculiarities=tuple(value["peculiarities"]),
        **raws,
    )
