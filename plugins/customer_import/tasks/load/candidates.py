"""Says how much a BSS account without tenant id resembles a customer, and why. Pure.

Nothing here makes an account a customer's: that is a person's decision. What is compared are digests, so that an
organisation's addresses are not stored.

Why: docs/decisions/0004-tenant-marker.md.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from customer_import.text import trim
from customer_import.vocabulary import Sign

if TYPE_CHECKING:
    from collections.abc import Iterable

    from customer_import.bss.models import Account

WEIGHTS = {
    Sign.DOMAIN_PREFIX: 50,  # Microsoft gives each to one tenant only
    Sign.NAME: 40,
    Sign.CORE_NAME: 30,
    Sign.ADDRESS: 20,
    Sign.EMAIL_DOMAIN: 10,
}
SIGN_WORDS = {
    Sign.DOMAIN_PREFIX: "same domain prefix",
    Sign.NAME: "same name",
    Sign.CORE_NAME: "same name but for the legal form",
    Sign.ADDRESS: "same address",
    Sign.EMAIL_DOMAIN: "same e-mail domain",
}
LIKELY = 30
"""An account that weighs as much keeps a customer from being created until a person has looked."""
MOST_CANDIDATES = 10
"""Of one customer."""
MOST_SHARING = 20
"""A sign that more accounts share tells nothing: a mail provider's domain, the address of an office building."""

_FORMS = """
ab abee ad ae ag aps as asa bv co company corp corporation cv doo ead eg ehf ei eirl ek eood epe eurl ev gbr gmbh hb hf
ike inc incorporated kft kg kgaa kk lda limited llc llp lp ltd ltda mbh nv nyrt oe ohg ood oo oy oyj plc private pte pty
pvt sa sapi sarl sas sasu sau sca sci se sl slu snc sp spa srl srls sro sti ug vof z zrt αβεε αε εε επε ικε οε ооо оао
зао ао
"""
_LEGAL_FORMS = frozenset(_FORMS.split())
_CONNECTORS = frozenset(("&", "and", "und", "et", "e", "y", "i", "og", "och", "en"))
_WORD = re.compile(r"[^\W_]+|&")


@dataclass(frozen=True)
class Candidate:
    """An account that may be the customer.

    Attributes:
        account_id: The account.
        name: Its name as the index has it: trimmed, case-folded.
        signs: What speaks for it.
    """

    account_id: int
    name: str
    signs: frozenset[Sign]

    @property
    def telling(self) -> tuple[Sign, ...]:
        """What speaks for it, the strongest first; the whole name says the name without legal form, too."""
        counted = self.signs - {Sign.CORE_NAME} if Sign.NAME in self.signs else self.signs
        return tuple(sign for sign in WEIGHTS if sign in counted)

    @property
    def score(self) -> int:
        """How much speaks for it."""
        return sum(WEIGHTS[sign] for sign in self.telling)

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is stored: account, name, signs."""
        signs = [sign.value for sign in self.telling]
        return {"account_id": self.account_id, "name": self.name, "signs": signs}


def rank(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    """Return the best candidates, best first; of equal ones the older account."""
    ordered = sorted(candidates, key=lambda one: (-one.score, one.account_id))
    return tuple(ordered[:MOST_CANDIDATES])


def core_name(name: str) -> str:
    """Return a company name without case, punctuation and legal form: ``Contoso, Ltd.`` and ``CONTOSO GmbH`` are one.

    A name of nothing but legal forms stays.
    """
    folded = unicodedata.normalize("NFKC", name).casefold().replace(".", "")
    words = _WORD.findall(folded)
    core = list(words)
    while core and (core[-1] in _LEGAL_FORMS or core[-1] in _CONNECTORS):
        core.pop()
    return " ".join(core or words)


def signs_of(
    *, name: str, email: str = "", prefix: str = "", address: Mapping[str, object] | None = None
) -> dict[Sign, str]:
    """Return what an account or a customer can be known by: each sign with a digest that equal ones share.

    Args:
        name: Company name.
        email: Corporate e-mail address; its domain counts.
        prefix: Of the tenant's onmicrosoft.com domain.
        address: ``address``, ``city``, ``postCode`` and ``countryId`` of the billing address.
    """
    values = {
        Sign.CORE_NAME: core_name(name),
        Sign.DOMAIN_PREFIX: trim(prefix).casefold(),
        Sign.EMAIL_DOMAIN: trim(email.rpartition("@")[2]).casefold() if "@" in email else "",
        Sign.ADDRESS: _address(address or {}),
    }
    return {sign: _digest(sign, value) for sign, value in values.items() if value}


def signs_of_account(account: Account, option: str | None) -> dict[Sign, str]:
    """Return what an account can be known by (``signs_of``).

    Args:
        account: As the BSS has it.
        option: Name of the sync option that holds the domain prefix, which may be a custom field of the account, too.
    """
    address, email = account.body.get("billingAddress"), account.body.get("email")
    parts = dict(address) if isinstance(address, Mapping) else {}
    country = parts.get("country")
    parts["countryId"] = country.get("id") if isinstance(country, Mapping) else None
    return signs_of(
        name=account.name,
        email=email if isinstance(email, str) else "",
        prefix=(account.custom_field_named(option) if option else None) or "",
        address=parts,
    )


def _address(parts: Mapping[str, object]) -> str:
    """Return street, place and country as one text; nothing without a street and a place."""
    street, place = (_letters(parts.get(name)) for name in ("address", "postCode"))
    place = place or _letters(parts.get("city"))
    return f"{street}|{place}|{parts.get('countryId')}" if street and place else ""


def _letters(value: object) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def _digest(sign: Sign, value: str) -> str:
    return blake2b(f"{sign}\0{value}".encode(), digest_size=16).hexdigest()
