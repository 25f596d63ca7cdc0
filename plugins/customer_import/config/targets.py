"""The BSS fields that a mapping may fill, and those that the code knows by name."""

from __future__ import annotations

ADDRESS_PREFIX = "billingAddress."
COUNTRY_TARGET = "billingAddress.countryId"
"""The account field whose country a row's states belong to."""
STATE_TARGET = "billingAddress.stateId"
EMAIL_TARGET = "email"
"""Of account and contact; an address is never cut."""
CITY_TARGET = "billingAddress.city"
POSTAL_CODE_TARGET = "billingAddress.postCode"

_OF_BOTH = frozenset({"responsibleUserId", "permissionRuleId"})
BILL_TO_TARGET = "billToAccountId"
OWNER_TARGETS = _OF_BOTH | {BILL_TO_TARGET}
"""Fields that say whose an account is, most of a contact, too. The instance says whether the API takes them."""
ID_TARGETS = OWNER_TARGETS | {COUNTRY_TARGET, STATE_TARGET}
"""Fields that hold an id: digits, not text."""

ACCOUNT_TARGETS: frozenset[str] = OWNER_TARGETS | {
    "name",
    "phone",
    "email",
    "billingAddress.address",
    "billingAddress.address2",
    CITY_TARGET,
    POSTAL_CODE_TARGET,
    COUNTRY_TARGET,
    STATE_TARGET,
}
"""Fields of ``AccountCreate`` (docs/api/bss.md section 2.5)."""
ADDRESS_TARGETS: tuple[str, ...] = tuple(
    sorted(target for target in ACCOUNT_TARGETS if target.startswith(ADDRESS_PREFIX))
)
"""The parts of the billing address, which is one value."""
CONTACT_TARGETS: frozenset[str] = _OF_BOTH | {
    "firstName",
    "lastName",
    "email",
    "phone",
    "mobilePhone",
}
"""Fields of a contact; the flags are fixed and a password is never sent."""
