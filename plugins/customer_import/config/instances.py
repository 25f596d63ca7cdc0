"""The instances of ``include/instances.yaml``: which Partner Center goes into which BSS, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from customer_import.config.files import FrozenModel, read_model
from customer_import.config.messages import WrongValueError
from customer_import.config.paths import instances_path
from customer_import.errors import ConfigurationError
from customer_import.hints import choose
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from pathlib import Path

NonEmptyStr = Annotated[str, Field(min_length=1)]


class PartnerCenterConfig(FrozenModel):
    """How to read one Partner Center tenant. Limits: docs/api/partner-center.md section 10."""

    conn_id: NonEmptyStr = "partner_center_default"
    requests_per_minute: Annotated[int, Field(gt=0)] = 500
    """Budget per resource (customers, subscriptions) and partner tenant; Microsoft publishes 500."""
    rate_window_s: Annotated[float, Field(gt=0)] = 60.0
    """Over how many seconds the server counts; a window takes its share of ``requests_per_minute``."""
    concurrency: Annotated[int, Field(gt=0, le=256)] = 32
    page_size: Annotated[int, Field(gt=0, le=500)] = 500
    request_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    max_attempts: Annotated[int, Field(gt=0)] = 6
    """Tries of a request that fails while the service answers others."""
    retry_budget_s: Annotated[float, Field(ge=0)] = 600.0
    """Seconds that the service is waited for while it answers nobody; then the task fails, and its retry goes on."""
    max_answer_mb: Annotated[int, Field(gt=0, le=1024)] = 64
    """A decompressed answer larger than this is malformed."""

    @property
    def requests_per_window(self) -> int:
        """The budget of one window."""
        return max(1, round(self.requests_per_minute * self.rate_window_s / 60))


class BssConfig(FrozenModel):
    """How to write to one BSS organisation. Assumptions behind the defaults: docs/limits.md."""

    conn_id: NonEmptyStr = "bss_default"
    api_version: NonEmptyStr = "3"
    tenant_marker_field: NonEmptyStr = "Microsoft Tenant ID"
    """Name, or id, of the account custom field that holds the tenant id."""
    sync_system: NonEmptyStr = "Microsoft Cloud Services"
    """Name, code, or id of the external system that holds the sync options."""
    accepts_responsible_user: bool = False
    accepts_permission_rule: bool = False
    accepts_bill_to_account: bool = False
    responsible_user: str | None = None
    """User name that owns imported records when a run names none."""
    permission_rule: str | None = None
    """Permission rule by name; empty means the default rule of the responsible user."""
    ordering_options: str | None = None
    """Profile of ``ordering_options.yaml`` that new accounts get when a run names none."""
    account_url: str | None = None
    """URL of an account's page, with ``{account_id}``; the Import Results page links to it."""
    contact_url: str | None = None
    concurrency: Annotated[int, Field(gt=0, le=256)] = 16
    requests_per_second: Annotated[float, Field(gt=0)] | None = None
    request_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    max_attempts: Annotated[int, Field(gt=0)] = 6
    """Tries of a request that fails while the service answers others."""
    retry_budget_s: Annotated[float, Field(ge=0)] = 600.0
    """Seconds that the service is waited for while it answers nobody; then the task fails, and its retry goes on."""
    max_answer_mb: Annotated[int, Field(gt=0, le=1024)] = 64
    """A decompressed answer larger than this is malformed."""
    settle_delay_s: Annotated[float, Field(ge=0)] = 5.0
    """How long to wait before a write without an answer is looked for; the server may still be working on it."""

    @property
    def refused_targets(self) -> frozenset[str]:
        """The fields that the BSS's API does not take."""
        accepted = {
            "responsibleUserId": self.accepts_responsible_user,
            "permissionRuleId": self.accepts_permission_rule,
            "billToAccountId": self.accepts_bill_to_account,
        }
        return frozenset(target for target, is_accepted in accepted.items() if not is_accepted)


class InstanceConfig(FrozenModel):
    """One configured pair of a Partner Center tenant and a BSS organisation."""

    title: NonEmptyStr
    import_types: Annotated[tuple[ImportType, ...], Field(min_length=1)]
    partner_center: PartnerCenterConfig = PartnerCenterConfig()
    bss: BssConfig = BssConfig()
    reseller_mpn_id: str | None = None
    """The tenant reseller's own MPN ID; needed by the tenant reseller import, useless to the others."""
    exclude_reseller_mpn_ids: tuple[str, ...] = ()
    """Resellers that the indirect import leaves out, such as tenant resellers with an own instance."""
    reseller_bss_accounts: dict[str, int] = Field(default_factory=dict)
    """Reseller MPN ID to that reseller's BSS account id, the bill-to account of its customers."""
    group_by: Literal["subscriptions", "relationships"] = "subscriptions"
    """How the indirect import finds a tenant's reseller."""
    counted_subscription_statuses: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "active",
        "suspended",
        "pending",
    )
    full_read_every_days: Annotated[float, Field(gt=0)] | None = 7.0
    """A run of scope ``changed`` re-reads every customer at least this often, in even slices; null: never."""
    auto_create: bool = True
    """False: every new customer waits in the matching queue until a person decides what it is."""
    load_batch_size: Annotated[int, Field(gt=0, le=10_000)] = 500
    max_load_batches: Annotated[int, Field(gt=0, le=500)] = 32
    """A run has at most this many load tasks; larger runs have larger batches."""

    @model_validator(mode="after")
    def _check_import_types(self) -> InstanceConfig:
        if ImportType.TENANT_RESELLER in self.import_types:
            if len(self.import_types) > 1:
                message = "an instance of a tenant reseller has its own BSS organisation and takes no other import type"
                hint = "make an instance of its own for the other import types"
                raise WrongValueError(message, hint, path=("import_types",))
            if not self.reseller_mpn_id:
                message = "import type tenant_reseller needs reseller_mpn_id, the tenant reseller's own MPN ID"
                raise WrongValueError(message, "add the key", path=("reseller_mpn_id",))
        return self


class _InstancesFile(FrozenModel):
    version: Literal[1]
    instances: Annotated[dict[NonEmptyStr, InstanceConfig], Field(min_length=1)]


def load_instances(path: Path | None = None) -> dict[str, InstanceConfig]:
    """Read every instance, by name.

    Raises:
        ConfigurationError: The file is missing or wrong; names file, path and hint.
    """
    return dict(read_model(path or instances_path(), _InstancesFile).instances)


def load_instance(
    name: str, import_type: ImportType | None = None, path: Path | None = None
) -> InstanceConfig:
    """Read one instance and check that it takes an import type.

    Args:
        name: The instance's key in the file.
        import_type: The import that is about to run; ``None`` to take any.
        path: Another instances file.

    Raises:
        ConfigurationError: The file is wrong, or has no such instance, or the instance does not take the import type.
    """
    path = path or instances_path()
    instances = load_instances(path)
    if name not in instances:
        message = f"there is no instance {name!r}"
        raise ConfigurationError(message, source=path.name, hint=choose(name, instances))
    instance = instances[name]
    if import_type is not None and import_type not in instance.import_types:
        takers = [
            key for key, value in sorted(instances.items()) if import_type in value.import_types
        ]
        message = f"instance {name!r} does not take the {import_type} import"
        hint = (
            f"choose one of: {', '.join(takers)}"
            if takers
            else f"add {import_type} to its import_types"
        )
        raise ConfigurationError(
            message, source=path.name, path=f"instances.{name}.import_types", hint=hint
        )
    return instance
