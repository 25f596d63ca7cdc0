"""Partner Center bodies as far as the import reads them.

Shapes: docs/api/partner-center.md; unknown keys are ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field, field_validator


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class CountryRules(_Model):
    """Answer of ``GET /v1/countryvalidationrules/{iso2}`` (docs/api/partner-center.md section 9)."""

    iso2_code: str = Field(alias="iso2Code")
    is_state_required: bool = Field(default=False, alias="isStateRequired")
    is_postal_code_required: bool = Field(default=False, alias="isPostalCodeRequired")
    postal_code_regex: str | None = Field(default=None, alias="postalCodeRegex")
    is_city_required: bool = Field(default=False, alias="isCityRequired")
    phone_number_regex: str | None = Field(default=None, alias="phoneNumberRegex")
    calling_codes: tuple[str, ...] = Field(default=(), alias="countryCallingCodesList")


class Reseller(_Model):
    """An indirect reseller of the signed-in provider (docs/api/partner-center.md section 7)."""

    tenant_id: str = Field(alias="id", min_length=1)
    name: str = ""
    mpn_id: str = Field(default="", alias="mpnId")

    @field_validator("tenant_id", "name", "mpn_id", mode="before")
    @classmethod
    def _clean(cls, value: object) -> object:
        """Trim; MPN ids are strings in answers and numbers in parameter tables."""
        return "" if value is None else str(value).strip()

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
    """What the classification needs of a subscription (docs/api/partner-center.md section 8).

    Attributes:
        id: As Partner Center spells it.
        status: Lower-cased.
        partner_id: MPN ID of the reseller of record, trimmed; ``None`` on direct ones.
    """

    id: str
    status: str
    partner_id: str | None = None


def text_of(value: object) -> str | None:
    """Return a value that is text, trimmed and without NUL characters, which PostgreSQL refuses."""
    return (value.replace("\0", "").strip() or None) if isinstance(value, str) else None
