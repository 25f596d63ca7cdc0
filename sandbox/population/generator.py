"""Draws a population from a seed: the same seed, size and mix give the same customers."""

from __future__ import annotations

import random
import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sandbox.config import ClassMix, CustomerClass
from sandbox.credentials import guid
from sandbox.geography import COUNTRIES
from sandbox.population.models import Customer, Json, Population, Reseller
from sandbox.population.peculiarities import PECULIARITIES, Draft, Peculiarity
from sandbox.population.places import PLACES, Place, name_pool, phone_number, postal_code

if TYPE_CHECKING:
    from collections.abc import Iterator

_SMALLEST_WITH_PECULIARITIES = 100
_OFFERS = (
    ("Microsoft 365 Business Basic", "CFQ7TTC0LH18:0001", "license", "monthly"),
    ("Microsoft 365 E3", "CFQ7TTC0LFLX:0001", "license", "annual"),
    (
        "Office 365 Business Essentials",
        "BD938F12-058F-4927-BBA3-AE36B1D2501C",
        "license",
        "monthly",
    ),
    ("Azure plan", "DZH318Z0BPS6:0001", "usage", "monthly"),
)
_EPOCH = datetime(2019, 1, 1, tzinfo=UTC)


def generate(size: int, seed: int, mix: ClassMix, reseller_count: int) -> Population:
    """Generate resellers and customers.

    Args:
        size: Number of customers. From 100 on every peculiarity occurs.
        seed: Decides everything that is random.
        mix: Shares of the classes.
        reseller_count: Number of resellers, at least three.
    """
    rng = random.Random(f"{seed}:population")  # noqa: S311 - must be the same at every start
    resellers = tuple(_resellers(max(3, reseller_count), seed, rng))
    classes = _classes(size, mix, rng)
    peculiar = _peculiarity_plan(classes, rng)
    customers = tuple(
        generate_customer(
            index, seed=seed, made_as=made_as, resellers=resellers, peculiarity=peculiar.get(index)
        )
        for index, made_as in enumerate(classes)
    )
    return Population(customers, resellers, tenant_reseller=resellers[0])


def generate_customer(
    index: int,
    *,
    seed: int,
    made_as: CustomerClass,
    resellers: tuple[Reseller, ...],
    peculiarity: Peculiarity | None = None,
) -> Customer:
    """Generate one customer; it depends on seed and index only, not on its neighbours.

    Args:
        index: Number of the customer in the population.
        seed: Seed of the population.
        made_as: Class to generate for.
        resellers: All resellers, the tenant reseller first.
        peculiarity: What to make special about it.
    """
    rng = random.Random(f"{seed}:customer:{index}")  # noqa: S311 - must be the same at every start
    country = peculiarity.country if peculiarity and peculiarity.country else None
    place = PLACES[country] if country else _any_place(rng)
    document = _document(index, seed, place, rng)
    draft = Draft(document, [], [], rng, resellers)
    _subscribe(draft, made_as)
    if peculiarity:
        peculiarity.apply(draft)
    return Customer(
        tenant_id=str(document["id"]).lower(),
        document=document,
        subscriptions=tuple(draft.subscriptions),
        reseller_ids=tuple(draft.reseller_ids),
        access=draft.access,
        made_as=made_as,
        peculiarities=(peculiarity.name,) if peculiarity else (),
    )


def _resellers(count: int, seed: int, rng: random.Random) -> Iterator[Reseller]:
    companies = name_pool("en_US", seed).companies
    countries = rng.choices(list(PLACES), k=count)
    mpn_ids = rng.sample(range(4_000_000, 6_999_999), k=count)
    for number in range(count):
        yield Reseller(
            tenant_id=guid(rng),
            name=f"{companies[number % len(companies)]} Cloud",
            mpn_id=str(mpn_ids[number]),
            location=countries[number],
        )


def _classes(size: int, mix: ClassMix, rng: random.Random) -> list[CustomerClass]:
    shares = {name: getattr(mix, name.value) for name in CustomerClass}
    total = sum(shares.values())
    counts = {name: size * share // total for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: -(size * shares[name] % total))
    for name in by_remainder[: size - sum(counts.values())]:
        counts[name] += 1
    classes = [name for name, count in counts.items() for _ in range(count)]
    rng.shuffle(classes)
    return classes


def _peculiarity_plan(classes: list[CustomerClass], rng: random.Random) -> dict[int, Peculiarity]:
    """Give every peculiarity to some customers of a class that it fits, one each."""
    if len(classes) < _SMALLEST_WITH_PECULIARITIES:
        return {}
    free = rng.sample(range(len(classes)), k=len(classes))
    plan: dict[int, Peculiarity] = {}
    # Those that fit one class only choose first, so that a small population has room for all.
    for peculiarity in sorted(PECULIARITIES, key=lambda p: p.made_as is None):
        wanted = max(peculiarity.minimum, len(classes) // 200)
        fitting = [i for i in free if peculiarity.made_as in {None, classes[i]}][:wanted]
        plan.update(dict.fromkeys(fitting, peculiarity))
        taken = set(fitting)
        free = [i for i in free if i not in taken]
    return plan


def _any_place(rng: random.Random) -> Place:
    return rng.choices(list(PLACES.values()), weights=[p.share for p in PLACES.values()])[0]


def _document(index: int, seed: int, place: Place, rng: random.Random) -> Json:
    tenant_id = guid(rng)
    pool = name_pool(place.locale, seed)
    company = f"{rng.choice(pool.companies)} {index:05d}"
    prefix = f"{_slug(company) or 'tenant'}{index:05d}"
    domain = f"{prefix}.onmicrosoft.com"
    first_name, last_name = rng.choice(pool.first_names), rng.choice(pool.last_names)
    return {
        "id": tenant_id,
        "commerceId": guid(rng),
        "companyProfile": {
            "tenantId": tenant_id,
            "domain": domain,
            "companyName": company,
            "links": _self_link(f"/customers/{tenant_id}/profiles/company"),
            "attributes": {"objectType": "CustomerCompanyProfile"},
        },
        "billingProfile": {
            "id": guid(rng),
            "firstName": first_name,
            "lastName": last_name,
            "email": f"billing@{prefix}.example.com",
            "culture": COUNTRIES[place.country].culture,
            "language": COUNTRIES[place.country].culture.split("-")[0],
            "companyName": company,
            "defaultAddress": _address(place, first_name, last_name, rng),
            "links": _self_link(f"/customers/{tenant_id}/profiles/billing"),
            "attributes": {
                "etag": str(rng.randint(-(2**62), 2**62)),
                "objectType": "CustomerBillingProfile",
            },
        },
        "relationshipToPartner": "reseller",
        "allowDelegatedAccess": rng.random() < 0.6,
        "customDomains": [domain],
        "links": _self_link(f"/customers/{tenant_id}"),
        "attributes": {"objectType": "Customer"},
    }


def _address(place: Place, first_name: str, last_name: str, rng: random.Random) -> Json:
    city, state = rng.choice(place.cities)
    address = {
        "country": place.country,
        "city": city,
        "state": state,
        "addressLine1": place.street.format(n=rng.randint(1, 250)),
        "addressLine2": rng.choice(["", "", f"{rng.randint(1, 9)}. floor"]),
        "postalCode": postal_code(place, rng),
        "firstName": first_name,
        "lastName": last_name,
        "phoneNumber": phone_number(place, rng),
    }
    if not state:
        del address["state"]
    return address


def _self_link(uri: str) -> Json:
    return {"self": {"uri": uri, "method": "GET", "headers": []}}


def _slug(text: str) -> str:
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z]", "", ascii_text.lower())[:16]


def _subscribe(draft: Draft, made_as: CustomerClass) -> None:
    reseller = None
    if made_as is CustomerClass.TENANT_RESELLER:
        reseller = draft.resellers[0]
    elif made_as is CustomerClass.INDIRECT:
        reseller = draft.rng.choice(draft.resellers[1:])
    if reseller:
        draft.reseller_ids.append(reseller.tenant_id)
    for _ in range(draft.rng.randint(1, 3)):
        draft.subscriptions.append(_subscription(draft, reseller.mpn_id if reseller else None))


def _subscription(draft: Draft, mpn_id: str | None) -> Json:
    rng = draft.rng
    name, offer_id, billing_type, cycle = rng.choice(_OFFERS)
    subscription_id = guid(rng).upper()
    start = _EPOCH + timedelta(days=rng.randint(0, 2500), microseconds=rng.randint(0, 10**6))
    item: Json = {
        "id": subscription_id,
        "offerId": offer_id,
        "offerName": name,
        "friendlyName": name,
        "quantity": rng.randint(1, 200),
        "unitType": "Licenses" if billing_type == "license" else "Usage-based",
        "creationDate": f"{start:%Y-%m-%dT%H:%M:%S.%f}4Z",
        "effectiveStartDate": f"{start:%Y-%m-%d}T00:00:00Z",
        "commitmentEndDate": f"{start + timedelta(days=365):%Y-%m-%d}T00:00:00Z",
        "status": "active",
        "autoRenewEnabled": True,
        "isTrial": False,
        "billingType": billing_type,
        "billingCycle": cycle,
        "termDuration": "P1M" if cycle == "monthly" else "P1Y",
        "contractType": "subscription",
        "links": _self_link(f"/customers/{draft.tenant_id}/subscriptions/{subscription_id}"),
        "orderId": guid(rng).upper(),
        "attributes": {"etag": f"{rng.getrandbits(64):016x}", "objectType": "Subscription"},
    }
    if mpn_id:
        item["partnerId"] = mpn_id
    return item
