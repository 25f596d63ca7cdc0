"""The awkward but real data that some customers carry.

Each peculiarity changes the draft of one customer. They follow what was recorded or reported of
Partner Center: names in two places, missing fields, unusual domains, subscriptions of all kinds.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.config import CustomerClass
from sandbox.population.models import Access, Json, Reseller

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

OVERLONG_NAME_LENGTH = 300


@dataclass(slots=True)
class Draft:
    """A customer while it is being made."""

    document: Json
    subscriptions: list[Json]
    reseller_ids: list[str]
    rng: random.Random
    resellers: tuple[Reseller, ...]
    access: Access = field(default=Access.OPEN)

    @property
    def tenant_id(self) -> str:
        """The id as the document spells it."""
        return str(self.document["id"])

    @property
    def company(self) -> Json:
        """The company profile."""
        profile: Json = self.document["companyProfile"]
        return profile

    @property
    def billing(self) -> Json:
        """The billing profile."""
        profile: Json = self.document["billingProfile"]
        return profile

    @property
    def address(self) -> Json:
        """The bill-to address."""
        address: Json = self.billing["defaultAddress"]
        return address

    def rename(self, name: str) -> None:
        """Set both company names."""
        self.company["companyName"] = self.billing["companyName"] = name


@dataclass(frozen=True, slots=True)
class Peculiarity:
    """One awkward thing, and which customers it fits.

    Attributes:
        name: How the truth names it.
        apply: Changes the draft.
        made_as: The only class that it fits, or None.
        country: The only country that it fits, or None.
        minimum: How many customers carry it at least.
    """

    name: str
    apply: Callable[[Draft], None]
    made_as: CustomerClass | None = None
    country: str | None = None
    minimum: int = 1


def _statuses(*statuses: str) -> Callable[[Draft], None]:
    """Give the first subscription the first status, a copy of it the next, and so on."""

    def apply(draft: Draft) -> None:
        first = draft.subscriptions[0]
        made = []
        for number, status in enumerate(statuses):
            item = copy.deepcopy(first)
            item["status"] = status
            if number:
                item["id"] = f"{draft.rng.getrandbits(32):08X}{item['id'][8:]}"
            made.append(item)
        draft.subscriptions[:] = made

    return apply


def _suffix(text: str) -> Callable[[Draft], None]:
    def apply(draft: Draft) -> None:
        draft.rename(f"{text} {draft.tenant_id[:6]}")

    return apply


def _set_address(**values: str) -> Callable[[Draft], None]:
    return lambda draft: draft.address.update(values)


def _drop_address(*names: str) -> Callable[[Draft], None]:
    def apply(draft: Draft) -> None:
        for name in names:
            draft.address.pop(name, None)

    return apply


def _drop_billing(*names: str) -> Callable[[Draft], None]:
    def apply(draft: Draft) -> None:
        for name in names:
            draft.billing.pop(name, None)

    return apply


def _relationship(value: str) -> Callable[[Draft], None]:
    return lambda draft: draft.document.update(relationshipToPartner=value)


def _access(value: Access) -> Callable[[Draft], None]:
    def apply(draft: Draft) -> None:
        draft.access = value

    return apply


def _no_subscriptions(draft: Draft) -> None:
    draft.subscriptions.clear()


def _two_resellers(draft: Draft) -> None:
    other = next(r for r in draft.resellers[1:] if r.tenant_id not in draft.reseller_ids)
    _statuses("active", "active")(draft)
    draft.subscriptions[1]["partnerId"] = other.mpn_id
    draft.reseller_ids.append(other.tenant_id)


def _mixed_subscriptions(draft: Draft) -> None:
    reseller = draft.resellers[1]
    _statuses("active", "active")(draft)
    draft.subscriptions[1]["partnerId"] = reseller.mpn_id
    draft.reseller_ids.append(reseller.tenant_id)


def _unknown_partner(draft: Draft) -> None:
    for item in draft.subscriptions:
        item["partnerId"] = "9999999"


def _open_ended(draft: Draft) -> None:
    draft.subscriptions[0]["commitmentEndDate"] = "9999-12-14T00:00:00Z"


def _no_contact_name(draft: Draft) -> None:
    for place in (draft.billing, draft.address):
        place.pop("firstName", None)
        place.pop("lastName", None)


def _custom_domain(draft: Draft) -> None:
    tenant_domain = draft.company["domain"]
    custom = f"{tenant_domain.split('.')[0]}.example.com"
    draft.company["domain"] = custom
    draft.document["customDomains"] = [custom, tenant_domain]


def _no_tenant_domain(draft: Draft) -> None:
    _custom_domain(draft)
    draft.document["customDomains"].pop()


def _mail_domain(draft: Draft) -> None:
    _custom_domain(draft)
    prefix = draft.company["domain"].split(".")[0]
    draft.document["customDomains"].insert(1, f"{prefix}.mail.onmicrosoft.com")


def _mail_domain_only(draft: Draft) -> None:
    _mail_domain(draft)
    draft.document["customDomains"].pop()


def _upper_case_ids(draft: Draft) -> None:
    draft.document["id"] = draft.company["tenantId"] = draft.tenant_id.upper()


def _lower_case_codes(draft: Draft) -> None:
    draft.address.update(country="us", state="wa")


def _untrimmed(draft: Draft) -> None:
    draft.rename(f"  {draft.company['companyName']} ")
    draft.address["city"] += " "
    draft.billing["firstName"] = f" {draft.billing['firstName']}\t"
    draft.billing["email"] += " "


def _overlong(draft: Draft) -> None:
    name = draft.company["companyName"]
    draft.rename((f"{name} and Daughters " * 30)[:OVERLONG_NAME_LENGTH])


def _no_billing_profile(draft: Draft) -> None:
    draft.document["billingProfile"] = None


def _refused_email(draft: Draft) -> None:
    draft.billing["email"] = "päivi@bücher.example"


def _other_billing_name(draft: Draft) -> None:
    draft.billing["companyName"] = f"{draft.company['companyName']} Holding"


def _company_name_missing(draft: Draft) -> None:
    draft.company["companyName"] = ""


def _equal_name(draft: Draft) -> None:
    draft.rename("Contoso Ltd")


_DIRECT, _INDIRECT = CustomerClass.DIRECT, CustomerClass.INDIRECT

PECULIARITIES: tuple[Peculiarity, ...] = (
    Peculiarity("no_subscriptions", _no_subscriptions, _DIRECT, minimum=2),
    Peculiarity("mixed_subscriptions", _mixed_subscriptions, _DIRECT, minimum=2),
    Peculiarity("only_deleted_subscriptions", _statuses("deleted"), _DIRECT),
    Peculiarity("unknown_partner_id", _unknown_partner, _DIRECT),
    Peculiarity("two_resellers", _two_resellers, _INDIRECT, minimum=2),
    Peculiarity("only_deleted_with_mpn_id", _statuses("deleted", "expired"), _INDIRECT),
    Peculiarity("suspended_subscription", _statuses("suspended")),
    Peculiarity("pending_subscription", _statuses("pending")),
    Peculiarity("deleted_subscription", _statuses("active", "deleted")),
    Peculiarity("expired_subscription", _statuses("active", "expired")),
    Peculiarity("open_ended_subscription", _open_ended),
    Peculiarity("greek", _suffix("Ελληνική Τεχνολογία Α.Ε."), country="GR"),
    Peculiarity("arabic", _suffix("شركة الأفق للتقنية"), country="AE"),
    Peculiarity("chinese", _suffix("昊嘉科技有限公司"), country="CN"),
    Peculiarity("cyrillic", _suffix("ТОВ «Світанок»"), country="UA"),
    Peculiarity("japanese", _suffix("株式会社サンプル"), country="JP"),
    Peculiarity("hebrew", _suffix("חברת הדוגמה בע״מ"), country="IL"),
    Peculiarity("emoji", _suffix("Bakery 🥐 & Café ☕️")),
    Peculiarity("equal_name", _equal_name, minimum=3),
    Peculiarity("billing_name_differs", _other_billing_name),
    Peculiarity("company_name_missing", _company_name_missing),
    Peculiarity("names_only_in_address", _drop_billing("firstName", "lastName"), minimum=2),
    Peculiarity("no_contact_name", _no_contact_name),
    Peculiarity("phone_missing", _drop_address("phoneNumber")),
    Peculiarity("phone_empty", _set_address(phoneNumber="")),
    Peculiarity("state_missing", _drop_address("state"), country="US"),
    Peculiarity("state_unknown", _set_address(state="ZZ"), country="US"),
    Peculiarity("state_by_name", _set_address(state="New South Wales"), country="AU"),
    Peculiarity("postal_code_odd", _set_address(postalCode="ABC"), country="DE"),
    Peculiarity("country_unknown", _set_address(country="XX")),
    Peculiarity("email_missing", _drop_billing("email")),
    Peculiarity("email_refused", _refused_email),
    Peculiarity("custom_domain", _custom_domain, minimum=2),
    Peculiarity("no_tenant_domain", _no_tenant_domain),
    Peculiarity("mail_domain", _mail_domain),
    Peculiarity("mail_domain_only", _mail_domain_only),
    Peculiarity("upper_case_ids", _upper_case_ids),
    Peculiarity("lower_case_codes", _lower_case_codes, country="US"),
    Peculiarity("untrimmed_text", _untrimmed),
    Peculiarity("quotes_and_markup", _suffix('O\'Brien & "Sons" <b>Ltd</b>; -- {{x}}')),
    Peculiarity("overlong_name", _overlong),
    Peculiarity("relationship_none", _relationship("none")),
    Peculiarity("relationship_advisor", _relationship("advisor")),
    Peculiarity("left", _access(Access.LEFT)),
    Peculiarity("gone", _access(Access.GONE)),
    Peculiarity("billing_profile_null", _no_billing_profile),
)
