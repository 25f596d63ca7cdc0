"""The mapping files of ``include/mappings/`` as frozen models: which Partner Center value goes where in the BSS.

A mapping is data. It can name sources, fallbacks and transforms from fixed catalogues; it cannot import or evaluate
anything. Applying it to customers is the business of ``customer_import.mapping``.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from customer_import.config.files import FrozenModel, read_model
from customer_import.config.mapping_rules import (
    check_address,
    check_ids,
    check_option_names,
    check_targets,
)
from customer_import.config.messages import WrongValueError
from customer_import.config.paths import mappings_folder
from customer_import.config.targets import ACCOUNT_TARGETS, CONTACT_TARGETS
from customer_import.errors import ConfigurationError
from customer_import.hints import choose
from customer_import.text import MAX_TEXT
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ADDRESS = (
    "country",
    "region",
    "city",
    "state",
    "district",
    "addressLine1",
    "addressLine2",
    "addressLine3",
    "postalCode",
)
CUSTOMER_SOURCES: frozenset[str] = frozenset(
    {
        "id",
        "commerceId",
        "relationshipToPartner",
        "associatedPartnerId",
        *(
            f"companyProfile.{key}"
            for key in (
                "tenantId",
                "domain",
                "companyName",
                "organizationRegistrationNumber",
                "email",
            )
        ),
        *(f"companyProfile.address.{key}" for key in (*_ADDRESS, "phoneNumber")),
        *(
            f"billingProfile.{key}"
            for key in (
                "id",
                "firstName",
                "lastName",
                "email",
                "culture",
                "language",
                "companyName",
            )
        ),
        *(
            f"billingProfile.defaultAddress.{key}"
            for key in (*_ADDRESS, "firstName", "middleName", "lastName", "phoneNumber")
        ),
    }
)
"""Paths in the body of ``GET /v1/customers/{id}`` that hold one value (docs/api/partner-center.md section 6)."""

DELEGATED_SOURCES: frozenset[str] = frozenset(
    {"tenant.domainPrefix"}
    | {path for path in CUSTOMER_SOURCES if path.startswith("companyProfile.address.")}
    | {"companyProfile.email"}
)
"""Sources that Partner Center hides from partners without delegated access (docs/api/partner-center.md section 6)."""

DERIVED_SOURCES: frozenset[str] = frozenset(
    {
        "tenant.id",
        "tenant.domainPrefix",
        "reseller.mpnId",
        "reseller.name",
        "reseller.bssAccountId",
        "run.responsibleUserId",
        "run.permissionRuleId",
    }
)
"""Values that the import works out itself: the tenant, its reseller, and what the run was started with."""

SEVERAL_PREFIXES = "tenant.domainPrefixes"
"""What is staged beside the mapped values of a tenant with several onmicrosoft domains: their prefixes, for people."""

TransformName = Literal["trim", "upper", "lower", "country_id", "state_id"]


def _known_source(value: object) -> object:
    known = CUSTOMER_SOURCES | DERIVED_SOURCES
    if isinstance(value, str) and value not in known:
        message = f"the source {value!r} does not exist"
        raise WrongValueError(message, choose(value, known, otherwise="known sources"))
    return value


Source = Annotated[str, BeforeValidator(_known_source)]


class FieldMapping(FrozenModel):
    """Where one BSS field comes from. A field with only a source is copied as it is, outer blanks trimmed."""

    source: Source
    fallbacks: tuple[Source, ...] = ()
    """Tried in order when the source is missing or blank."""
    transforms: tuple[TransformName, ...] = ("trim",)
    required: bool = False
    """Without a value the customer is rejected."""
    max_length: Annotated[int, Field(gt=0, le=MAX_TEXT)] | None = None
    """In characters; longer text is cut, with a warning."""
    on_update: Literal["overwrite", "keep", "fill"] = "overwrite"
    """An update overwrites the BSS value, keeps it, or fills it only when it is empty."""
    on_empty: Literal["keep", "clear"] = "keep"
    """An update keeps or clears the BSS value when Partner Center has none."""
    import_types: Annotated[tuple[ImportType, ...], Field(min_length=1)] = tuple(ImportType)
    """Imports that write the field; others leave it out."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The source and its fallbacks, in the order they are tried."""
        return (self.source, *self.fallbacks)


class SyncOptionMapping(FieldMapping):
    """Where one Microsoft sync option comes from; options are matched by the name that the BSS shows."""


class OrderingProfile(FrozenModel):
    """Ordering options given to new accounts only (docs/api/bss.md sections 2.5 and 5); unset: the BSS decides.

    These are the fields, beside the name, that ``AccountCreate`` lists as required, and the payment method.
    """

    title: str = ""
    orderingEnabled: bool | None = None  # noqa: N815 - the BSS's own names
    separateInvoices: bool | None = None  # noqa: N815
    taxable: bool | None = None
    autoInvoiceNotification: bool | None = None  # noqa: N815
    resellingEnabled: bool | None = None  # noqa: N815
    isAffiliate: bool | None = None  # noqa: N815
    isBillingFrequencyEnabled: bool | None = None  # noqa: N815
    creditLimit: float | None = None  # noqa: N815
    billingFrequencyMarkup: float | None = None  # noqa: N815
    noteType: Literal[1, 2] | None = None  # noqa: N815
    """1 = invoice, 2 = receipt."""
    paymentMethod: Annotated[str, Field(min_length=1)] | None = None  # noqa: N815
    """Of the organisation's, by name; the run checks it before it writes anything."""

    @property
    def options(self) -> dict[str, object]:
        """What is sent for a new account."""
        return self.model_dump(exclude={"title"}, exclude_none=True)


ORDERING_FIELDS: tuple[str, ...] = tuple(
    name for name in OrderingProfile.model_fields if name != "title"
)
"""Fields of ``AccountCreate`` that come from the ordering profile and not from the customer."""


class _EntityFile(FrozenModel):
    version: Literal[1]
    fields: Annotated[dict[str, FieldMapping], Field(min_length=1)]


class _AccountFile(_EntityFile):
    entity: Literal["account"]

    @model_validator(mode="after")
    def _check(self) -> _AccountFile:
        check_targets(self.fields, ACCOUNT_TARGETS, needed=("name",))
        check_ids(self.fields)
        check_address(self.fields)
        return self


class _ContactFile(_EntityFile):
    entity: Literal["contact"]

    @model_validator(mode="after")
    def _check(self) -> _ContactFile:
        check_targets(self.fields, CONTACT_TARGETS, needed=())
        check_ids(self.fields)
        return self


class _SyncOptionsFile(FrozenModel):
    version: Literal[1]
    entity: Literal["sync_options"]
    fields: dict[str, SyncOptionMapping]

    @model_validator(mode="after")
    def _check(self) -> _SyncOptionsFile:
        check_option_names(self.fields)
        check_ids(self.fields)
        return self


class _OrderingOptionsFile(FrozenModel):
    version: Literal[1]
    entity: Literal["ordering_options"]
    profiles: dict[str, OrderingProfile]


class Mappings(FrozenModel):
    """All mapping files together.

    Attributes:
        account: BSS account field (dotted path) to where it comes from.
        contact: BSS contact field to where it comes from.
        sync_options: Sync option name to where it comes from.
        ordering_options: Profile name to the ordering options of new accounts.
    """

    account: dict[str, FieldMapping]
    contact: dict[str, FieldMapping]
    sync_options: dict[str, SyncOptionMapping]
    ordering_options: dict[str, OrderingProfile]

    @cached_property
    def customer_paths(self) -> tuple[str, ...]:
        """Paths in the Partner Center customer body that any mapping names, sorted; extraction stages exactly these."""
        mappings = (*self.account.values(), *self.contact.values(), *self.sync_options.values())
        return tuple(
            sorted(
                {
                    path
                    for mapping in mappings
                    for path in mapping.sources
                    if path in CUSTOMER_SOURCES
                }
            )
        )

    def with_fields(self, change: Callable[[str, FieldMapping], FieldMapping]) -> Mappings:
        """Return the same with another mapping of some fields of account and contact.

        Args:
            change: Target and mapping to the new mapping, or the same.
        """
        changed = {
            entity: {target: change(target, field) for target, field in fields.items()}
            for entity, fields in (("account", self.account), ("contact", self.contact))
        }
        return self.model_copy(update=changed)

    def ordering_profile(self, name: str | None) -> OrderingProfile | None:
        """Return the profile of that name; ``None`` when no name is given.

        Raises:
            ConfigurationError: There is no such profile.
        """
        if not name:
            return None
        if name not in self.ordering_options:
            message = f"there is no ordering-options profile {name!r}"
            hint = choose(name, self.ordering_options)
            raise ConfigurationError(message, source="ordering_options.yaml", hint=hint)
        return self.ordering_options[name]


def load_mappings(folder: Path | None = None) -> Mappings:
    """Read the four mapping files.

    Args:
        folder: The folder that holds them; ``include/mappings`` by default.

    Raises:
        ConfigurationError: A file is missing or wrong: unknown key, unknown source, unknown or duplicate target; names
            file, path and hint.
    """
    folder = folder or mappings_folder()
    return Mappings(
        account=read_model(folder / "account.yaml", _AccountFile).fields,
        contact=read_model(folder / "contact.yaml", _ContactFile).fields,
        sync_options=read_model(folder / "sync_options.yaml", _SyncOptionsFile).fields,
        ordering_options=read_model(
            folder / "ordering_options.yaml", _OrderingOptionsFile
        ).profiles,
    )
