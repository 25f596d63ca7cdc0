"""Bodies from a folder, served byte for byte beside the generated population.

File names say what a body answers: ``<resource>[.<variant>].json``. What cannot be placed is
named in the announcement instead of being dropped silently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import orjson

from sandbox.population.models import Access, Customer, Json, Reseller
from sandbox.wire import BOM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SUBSCRIPTION_URI = re.compile(r"customers/([0-9a-fA-F-]{36})/subscriptions")
_COUNTRY_FILE = re.compile(r"countryvalidationrules\.([A-Z]{2})\.json")
_SERVED = "served_body"


@dataclass(slots=True)
class ServedBodies:
    """What a folder of bodies adds to the population.

    Attributes:
        customers: Customers by lower-case tenant id.
        resellers: Resellers, in the order read.
        country_rules: Bodies by ISO code.
        throttled: Body of the first throttled answer.
        refusal: Body for customers that left.
        mpn_not_found: Body for an unknown MPN ID.
        billing_profile: Billing profile for customers known by their subscriptions only.
        unplaced: Files that answer nothing.
    """

    customers: dict[str, Customer] = field(default_factory=dict)
    resellers: list[Reseller] = field(default_factory=list)
    country_rules: dict[str, bytes] = field(default_factory=dict)
    throttled: bytes | None = None
    refusal: bytes | None = None
    mpn_not_found: bytes | None = None
    billing_profile: Json | None = None
    unplaced: list[str] = field(default_factory=list)


def read_bodies(folder: Path) -> ServedBodies:
    """Read a folder.

    Customers come from three kinds of file. A by-id body is served as it is. A subscriptions body
    belongs to the customer named in its links; without a by-id body of its own that customer's is
    composed from ``customers.profiles.billing.json``. List items without a by-id body answer with
    ``customers.by-id.403.json``.

    Args:
        folder: Folder with ``*.json`` files; others are not read.
    """
    served = ServedBodies()
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("*.json"))}
    # By-id bodies first: what the other files say about the same customer is added to them.
    for name in sorted(files, key=lambda name: (_rank(name), name)):
        try:
            is_placed = _place(served, name, files[name])
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            is_placed = False
        if not is_placed:
            served.unplaced.append(name)
    return served


def _place(served: ServedBodies, name: str, body: bytes) -> bool:
    """Place one file; False when it has no place."""
    country = _COUNTRY_FILE.fullmatch(name)
    if country:
        served.country_rules[country[1]] = body
        return True
    if name in _SINGLE:
        _SINGLE[name](served, body)
        return True
    for prefix, place in _FAMILIES.items():
        if name.startswith(prefix):
            return place(served, body)
    return False


def _place_customer(served: ServedBodies, body: bytes) -> bool:
    document = _read(body)
    customer = _customer(document["id"], document)
    served.customers[customer.tenant_id] = replace(customer, raw=body)
    return True


def _place_list(served: ServedBodies, body: bytes) -> bool:
    for item in _read(body)["items"]:
        customer = _customer(item["id"], item)
        left = replace(customer, access=Access.LEFT, raw_refusal=served.refusal)
        served.customers.setdefault(customer.tenant_id, left)
    return True


def _place_subscriptions(served: ServedBodies, body: bytes) -> bool:
    collection = _read(body)
    owner = _SUBSCRIPTION_URI.search(body.decode())
    if owner is None:
        return False
    tenant_id = owner[1].lower()
    customer = served.customers.get(tenant_id)
    if customer is None or customer.access is not Access.OPEN:
        customer = _composed(tenant_id, served.billing_profile)
    known = {r.mpn_id: r.tenant_id for r in served.resellers}
    partner_ids = {str(item.get("partnerId", "")) for item in collection["items"]}
    served.customers[tenant_id] = replace(
        customer,
        subscriptions=tuple(collection["items"]),
        raw_subscriptions=body,
        reseller_ids=tuple(sorted(known[mpn_id] for mpn_id in partner_ids if mpn_id in known)),
    )
    return True


def _place_relationships(served: ServedBodies, body: bytes) -> bool:
    known = {reseller.mpn_id for reseller in served.resellers}
    for item in _read(body)["items"]:
        if item["mpnId"] not in known:
            known.add(item["mpnId"])
            served.resellers.append(
                Reseller(
                    tenant_id=item["id"],
                    name=item["name"],
                    mpn_id=item["mpnId"],
                    location=item.get("location"),
                    state=item.get("state"),
                )
            )
    return True


def _set_billing_profile(served: ServedBodies, body: bytes) -> None:
    served.billing_profile = _read(body)


def _setter(name: str) -> Callable[[ServedBodies, bytes], None]:
    return lambda served, body: setattr(served, name, body)


_SINGLE: dict[str, Callable[[ServedBodies, bytes], None]] = {
    "customers.by-id.403.json": _setter("refusal"),
    "customers.profiles.billing.json": _set_billing_profile,
    "profiles.mpn.404.json": _setter("mpn_not_found"),
    "throttled.429.json": _setter("throttled"),
}
_FAMILIES: dict[str, Callable[[ServedBodies, bytes], bool]] = {
    "relationships.": _place_relationships,
    "customers.by-id": _place_customer,
    "subscriptions.": _place_subscriptions,
    "customers.list": _place_list,
}


def _rank(name: str) -> int:
    families: Iterator[str] = iter(_FAMILIES)
    if name in _SINGLE:
        return 0
    return next((n for n, prefix in enumerate(families, 1) if name.startswith(prefix)), 0)


def _read(body: bytes) -> Json:
    document: Json = orjson.loads(body.removeprefix(BOM))
    return document


def _customer(tenant_id: str, document: Json) -> Customer:
    return Customer(tenant_id=tenant_id.lower(), document=document, peculiarities=(_SERVED,))


def _composed(tenant_id: str, billing_profile: Json | None) -> Customer:
    """Make the by-id body of a customer that is known by its subscriptions only."""
    name = (billing_profile or {}).get("companyName", "Served Customer")
    document: Json = {
        "id": tenant_id,
        "companyProfile": {
            "tenantId": tenant_id,
            "domain": f"served{tenant_id[:8]}.onmicrosoft.com",
            "companyName": name,
            "attributes": {"objectType": "CustomerCompanyProfile"},
        },
        "billingProfile": billing_profile,
        "relationshipToPartner": "reseller",
        "allowDelegatedAccess": True,
        "customDomains": [f"served{tenant_id[:8]}.onmicrosoft.com"],
        "attributes": {"objectType": "Customer"},
    }
    return _customer(tenant_id, document)
