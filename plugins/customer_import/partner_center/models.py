"""Partner Center bodies as far as the import reads them.

Shapes: docs/api/partner-center.md; unknown keys are ignored.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from customer_import.text import cut, trim, without_format

MAX_NAME = 500
MAX_MPN_ID = 50
_MAX_DOMAIN = 255
_MAX_ID = 64
MAX_OFFER_NAME = 200
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OPEN_END = "9999"
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=True, hide_input_in_errors=True
    )


class CountryRules(_Model):
    """Answer of ``GET /v1/countryvalidationrules/{iso2}`` (docs/api/partner-center.md section 9)."""

    iso2_code: str = Field(alias="iso2Code")
    is_state_required: bool = Field(default=False, alias="isStateRequired")
    is_postal_code_required: bool = Field(default=False, alias="isPostalCodeRequired")
    postal_code_regex: str | None = Field(default=None, alias="postalCodeRegex")
    is_city_required: bool = Field(default=False, alias="isCityRequired")
    phone_number_regex: str | None = Field(default=None, alias="phoneNumberRegex")
    calling_codes: tuple[str, ...] = Field(default=(), alias="countryCallingCodesList")

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, value: object) -> object:
        """Take null for absent, as .NET writes it."""
        if not isinstance(value, dict):
            return value
        return {key: each for key, each in value.items() if each is not None}


class Reseller(_Model):
    """An indirect reseller of the signed-in provider (docs/api/partner-center.md section 7)."""

    tenant_id: str = Field(alias="id", min_length=1)
    name: str = ""
    mpn_id: str = Field(default="", alias="mpnId")

    @field_validator("tenant_id", "name", "mpn_id", mode="before")
    @classmethod
    def _trim(cls, value: object) -> object:
        """Trim; MPN ids are strings in answers and numbers in parameter tables."""
        return text_or_number(value) or ""

    @field_validator("tenant_id", "name", "mpn_id")
    @classmethod
    def _shorten(cls, value: str, info: ValidationInfo) -> str:
        return value[: {"name": MAX_NAME, "mpn_id": MAX_MPN_ID}.get(info.field_name or "", _MAX_ID)]

    @field_validator("tenant_id")
    @classmethod
    def _lower(cls, value: str) -> str:
        return value.lower()


@dataclass(frozen=True, slots=True)
class ListedTenant:
    """An item of the customer list; thin, without address (docs/api/partner-center.md section 5).

    Attributes:
        tenant_id: Lower-cased.
        name: The tenant's company name.
        domain: Its default domain, lower-cased; often a custom one.
        relationship: ``relationshipToPartner``, lower-cased.
    """

    tenant_id: str
    name: str | None = None
    domain: str | None = None
    relationship: str | None = None


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is read of a subscription (docs/api/partner-center.md section 8).

    Attributes:
        id: As Partner Center spells it.
        status: Lower-cased.
        partner_id: MPN ID of the reseller of record, trimmed; ``None`` on direct ones.
        name: What was sold, not what the customer calls it: that may be a person's name.
        ends_on: Last day of the commitment, ``YYYY-MM-DD``; ``None`` when it has none.
        is_renewed: Whether it is renewed by itself; ``None`` when Partner Center does not say.
    """

    id: str
    status: str
    partner_id: str | None = None
    name: str | None = None
    ends_on: str | None = None
    is_renewed: bool | None = None


@dataclass(frozen=True, slots=True)
class Peek:
    """What reading one customer showed.

    Attributes:
        has_tenants: Whether there is one.
        is_mfa_compliant: Whether Partner Center says that the token proves multi-factor authentication; ``None`` when
            it says nothing of it, or was not asked.
    """

    has_tenants: bool
    is_mfa_compliant: bool | None = None


def is_guid(text: str) -> bool:
    """Whether a lower-cased text is a GUID in its usual form; nothing else is put into a path."""
    return _GUID.fullmatch(text) is not None


def tenant_id_of(value: object) -> str | None:
    """Return the tenant id that a text means, as tenants are known; ``None`` for any other text, and for nobody's id.

    Braces, invisible characters, missing hyphens and capitals make no difference.
    """
    try:
        found = uuid.UUID(trim(without_format(value)) if isinstance(value, str) else "")
    except ValueError:
        return None
    return str(found) if found.int else None  # .NET writes zeros for an id that was not set


def text_of(value: object, max_length: int = MAX_NAME) -> str | None:
    """Return a value that is text, trimmed and cut; ``None`` when it is none or blank."""
    return (cut(trim(value), max_length) or None) if isinstance(value, str) else None


def text_or_number(value: object) -> str | None:
    """Return text trimmed, and a whole number in digits; ``None`` for anything else, and for blank text."""
    if isinstance(value, str):
        return trim(value) or None
    return str(value) if type(value) is int else None


def domain_of(value: object) -> str | None:
    """Return a domain, lower-cased and without format characters; ``None`` for what is none."""
    text = trim(without_format(value)).lower() if isinstance(value, str) else ""
    return text if 0 < len(text) <= _MAX_DOMAIN else None


def day_of(value: object) -> str | None:
    """Return the day of a moment, ``YYYY-MM-DD``; ``None`` for what is none, and for the end of what has no end."""
    day = value[:10] if isinstance(value, str) else ""
    return day if _DAY.fullmatch(day) and not day.startswith(_OPEN_END) else None
