"""How the two BSS organisations are set up: lookups, custom fields, systems, users.

The provider is an indirect CSP, so its Microsoft system has the MPN ID option; the tenant
reseller's has none. Ids differ between the two, as they do between real organisations.
"""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.credentials import OrganisationCredentials, organisation_credentials
from sandbox.geography import COUNTRIES

PROVIDER = "provider"
TENANT_RESELLER = "tenant_reseller"

TENANT_MARKER = "Microsoft Tenant ID"
MICROSOFT_SYSTEM = "Microsoft Cloud Services"
DOMAIN_PREFIX_ALIAS = "domainprefix"
MPN_ALIAS = "resellermpnid"


@dataclass(frozen=True, slots=True)
class BssState:
    """A state as the BSS knows it."""

    id: int
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class BssCountry:
    """A country as the BSS knows it."""

    id: int
    code: str
    name: str
    states: tuple[BssState, ...]


@dataclass(frozen=True, slots=True)
class CustomField:
    """Definition of an account custom field."""

    id: int
    name: str
    api_field: str
    is_read_only: bool = False


@dataclass(frozen=True, slots=True)
class SyncOption:
    """An option of an external system on an account."""

    alias: str
    name: str
    is_mandatory: bool = False


@dataclass(frozen=True, slots=True)
class ExternalSystem:
    """A system that accounts are synchronised with."""

    id: int
    code: str
    name: str
    is_active: bool
    options: tuple[SyncOption, ...]


@dataclass(frozen=True, slots=True)
class BssUser:
    """A user of the organisation."""

    id: int
    username: str
    full_name: str
    default_permission_rule_id: int


@dataclass(frozen=True, slots=True)
class PermissionRule:
    """A permission rule of the organisation."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class OrganisationSetup:
    """Everything about an organisation that an import does not change."""

    key: str
    name: str
    credentials: OrganisationCredentials
    countries: tuple[BssCountry, ...]
    field_group_id: int
    custom_fields: tuple[CustomField, ...]
    systems: tuple[ExternalSystem, ...]
    users: tuple[BssUser, ...]
    permission_rules: tuple[PermissionRule, ...]
    payment_methods: tuple[str, ...]
    first_id: int

    @property
    def tenant_marker(self) -> CustomField:
        """The custom field that carries the Microsoft tenant id."""
        return next(field for field in self.custom_fields if field.name == TENANT_MARKER)

    @property
    def microsoft(self) -> ExternalSystem:
        """The Microsoft system."""
        return next(system for system in self.systems if system.name == MICROSOFT_SYSTEM)

    def country(self, country_id: int) -> BssCountry | None:
        """Find a country by id."""
        return next((c for c in self.countries if c.id == country_id), None)


def organisation_setup(key: str, seed: int) -> OrganisationSetup:
    """Set up one of the two organisations.

    Args:
        key: `PROVIDER` or `TENANT_RESELLER`.
        seed: Decides the credentials.
    """
    is_provider = key == PROVIDER
    base = 100 if is_provider else 700
    credentials = organisation_credentials(seed, key)
    options = [
        SyncOption("username", "username"),
        SyncOption(DOMAIN_PREFIX_ALIAS, "Domain prefix"),
    ]
    if is_provider:
        options.append(SyncOption(MPN_ALIAS, "Reseller (MPN ID)"))
    return OrganisationSetup(
        key=key,
        name="Sandbox Provider" if is_provider else "Sandbox Tenant Reseller",
        credentials=credentials,
        countries=_countries(base),
        field_group_id=base + 3,
        custom_fields=(
            CustomField(base + 41, TENANT_MARKER, "microsoft_tenant_id"),
            CustomField(base + 42, "Account Manager", "account_manager"),
            CustomField(base + 43, "Contract Number", "contract_number"),
            CustomField(base + 44, "Risk Class", "risk_class", is_read_only=True),
        ),
        systems=(
            ExternalSystem(base + 7, "MCS", MICROSOFT_SYSTEM, True, tuple(options)),  # noqa: FBT003 - the field says it
            ExternalSystem(base + 8, "GWS", "Google Workspace", False, ()),  # noqa: FBT003 - the field says it
        ),
        users=(
            BssUser(base + 1, credentials.username, "Import Service", base + 21),
            BssUser(base + 2, "sales@bss.example", "Sales Desk", base + 22),
        ),
        permission_rules=(
            PermissionRule(base + 21, "All users"),
            PermissionRule(base + 22, "Sales only"),
        ),
        payment_methods=("Bank transfer", "Credit card"),
        first_id=10_001 if is_provider else 500_001,
    )


def _countries(base: int) -> tuple[BssCountry, ...]:
    made = []
    for number, country in enumerate(COUNTRIES.values()):
        country_id = base + 900 + number
        states = tuple(
            BssState(country_id * 100 + index, state.code, state.name)
            for index, state in enumerate(country.states)
        )
        made.append(BssCountry(country_id, country.code, country.name, states))
    return tuple(made)
