"""What Partner Center holds: customers with their truth, resellers, audit records.

A customer's bodies are kept as the JSON documents that go over the wire, because being able to
hold any body that Microsoft was seen to send is the point of the sandbox.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sandbox.config import CustomerClass

Json = dict[str, Any]  # a JSON object as Partner Center sends it

LIVE_STATUSES = frozenset({"active", "suspended", "pending"})


class Access(StrEnum):
    """What Partner Center answers when asked for the customer by id."""

    OPEN = "open"
    LEFT = "left"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Reseller:
    """An indirect reseller of the partner."""

    tenant_id: str
    name: str
    mpn_id: str
    location: str | None = None
    state: str | None = "Active"

    def item(self, *, is_of_one_customer: bool = False) -> Json:
        """The relationship as Partner Center lists it.

        Args:
            is_of_one_customer: The list under a customer leaves out state and location.
        """
        item: Json = {
            "id": self.tenant_id,
            "name": self.name,
            "relationshipType": "is_indirect_cloud_solution_provider_of",
            "mpnId": self.mpn_id,
            "attributes": {"objectType": "PartnerRelationship"},
        }
        if not is_of_one_customer:
            item |= {"state": self.state, "location": self.location}
        return {name: value for name, value in item.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One customer with everything that Partner Center knows, and the truth about it.

    Attributes:
        tenant_id: Lower-case GUID.
        document: The by-id body.
        subscriptions: Items of the subscriptions body.
        reseller_ids: Tenant ids of the resellers that have a relationship with the customer.
        access: Whether the customer can still be read.
        made_as: The class that the customer was generated for; None for served bodies.
        peculiarities: What is special about the customer.
        raw: By-id body to be served byte for byte.
        raw_subscriptions: Subscriptions body to be served byte for byte.
        raw_refusal: 403 body to be served byte for byte when `access` is `left`.
    """

    tenant_id: str
    document: Json
    subscriptions: tuple[Json, ...] = ()
    reseller_ids: tuple[str, ...] = ()
    access: Access = Access.OPEN
    made_as: CustomerClass | None = None
    peculiarities: tuple[str, ...] = ()
    raw: bytes | None = None
    raw_subscriptions: bytes | None = None
    raw_refusal: bytes | None = None

    @property
    def company_name(self) -> str:
        """The tenant's name, empty when it has none."""
        return str((self.document.get("companyProfile") or {}).get("companyName") or "")

    @property
    def domain(self) -> str:
        """The tenant's default domain."""
        return str((self.document.get("companyProfile") or {}).get("domain") or "")

    @property
    def live_mpn_ids(self) -> tuple[str | None, ...]:
        """MPN IDs of the subscriptions that count; None stands for one without."""
        live = (item for item in self.subscriptions if item.get("status") in LIVE_STATUSES)
        found = {str(item["partnerId"]).strip() if item.get("partnerId") else None for item in live}
        return tuple(sorted(found, key=str))

    def with_document(self, document: Json) -> Customer:
        """The same customer after an edit; it no longer answers byte for byte."""
        return replace(self, document=document, raw=None)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One entry of Partner Center's audit log, with its day for filtering."""

    day: str
    document: Json


@dataclass(frozen=True, slots=True)
class Truth:
    """What an importer ought to find out about a customer.

    Attributes:
        classes: The import types that the customer belongs to, by its live subscriptions.
        reseller_mpn_ids: MPN IDs of its live subscriptions that belong to known resellers.
        made_as: The class that it was generated for.
        access: Whether it can be read by id.
        peculiarities: What is special about it.
    """

    classes: tuple[str, ...]
    reseller_mpn_ids: tuple[str, ...]
    made_as: str | None
    access: str
    peculiarities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Population:
    """Customers and resellers made from one seed."""

    customers: tuple[Customer, ...]
    resellers: tuple[Reseller, ...]
    tenant_reseller: Reseller


def truth_of(customer: Customer, reseller_mpn_ids: frozenset[str], own_mpn_id: str) -> Truth:
    """Decide the classes of a customer from its subscriptions alone.

    Args:
        customer: The customer.
        reseller_mpn_ids: MPN IDs of all resellers.
        own_mpn_id: MPN ID of the tenant reseller.
    """
    live = customer.live_mpn_ids
    known = tuple(mpn for mpn in live if mpn is not None and mpn in reseller_mpn_ids)
    classes = []
    if not live or None in live:
        classes.append(CustomerClass.DIRECT.value)
    if known:
        classes.append(CustomerClass.INDIRECT.value)
    if own_mpn_id in live:
        classes.append(CustomerClass.TENANT_RESELLER.value)
    made_as = customer.made_as.value if customer.made_as else None
    return Truth(tuple(classes), known, made_as, customer.access.value, customer.peculiarities)
