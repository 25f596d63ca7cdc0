"""The instances of ``include/instances.yaml``: which Partner Center goes into which BSS, and how."""

from __future__ import annotations

import re
from datetime import date  # noqa: TC003 - pydantic reads it at run time
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from customer_import.config.durations import IN_DAYS
from customer_import.config.files import FrozenModel, read_each, read_model
from customer_import.config.instance_names import instance_titles
from customer_import.config.known_texts import MpnId, SubscriptionStatus, check_address
from customer_import.config.messages import WrongValueError
from customer_import.config.notices import NoticesConfig  # noqa: TC001 - pydantic reads it at run time
from customer_import.config.paths import instances_path
from customer_import.config.schedules import ScheduleConfig  # noqa: TC001 - pydantic reads it at run time
from customer_import.errors import ConfigurationError
from customer_import.hints import choose
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from pathlib import Path

NonEmptyStr = Annotated[str, Field(min_length=1)]

MACHINE_CONCURRENCY = 16
"""BSS requests of one machine under way at once, where an instance sets no ``concurrency``."""


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
    client_secret_ends: date | None = None
    """The last day of the connection's client secret, as Entra ID showed it when it was made; told two weeks before."""

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
    account_url: Annotated[
        str | None, AfterValidator(lambda url: check_address(url, "account_id"))
    ] = None
    """URL of an account's page, with ``{account_id}``; the Import Results page links to it."""
    contact_url: Annotated[
        str | None, AfterValidator(lambda url: check_address(url, "contact_id"))
    ] = None
    concurrency: Annotated[int, Field(gt=0, le=256)] | None = None
    """Requests under way at once, of all tasks on all machines; null: ``MACHINE_CONCURRENCY`` on each machine."""
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
    def slots(self) -> int:
        """How many requests may be under way: of all machines together, or of each when ``concurrency`` is not set."""
        return MACHINE_CONCURRENCY if self.concurrency is None else self.concurrency

    @property
    def refused_targets(self) -> frozenset[str]:
        """The fields that the BSS's API does not take."""
        accepted = {
            "responsibleUserId": self.accepts_responsible_user,
            "permissionRuleId": self.accepts_permission_rule,
            "billToAccountId": self.accepts_bill_to_account,
        }
        return frozenset(target for target, is_accepted in accepted.items() if not is_accepted)


class RetentionConfig(FrozenModel):
    """How long what an instance's runs leave behind is kept, in days from the start of the run."""

    personal_data_days: Annotated[int, Field(ge=1), IN_DAYS] = 30
    """What was read from Partner Center and sent to the BSS."""
    results_days: Annotated[int, Field(ge=1), IN_DAYS] | None = None
    """The runs themselves with all results; null: for good. The last complete run of each import always stays."""


class InstanceConfig(FrozenModel):
    """One configured pair of a Partner Center tenant and a BSS organisation."""

    title: NonEmptyStr
    import_types: Annotated[tuple[ImportType, ...], Field(min_length=1)]
    partner_center: PartnerCenterConfig = PartnerCenterConfig()
    bss: BssConfig = BssConfig()
    reseller_mpn_id: MpnId | None = None
    """The tenant reseller's own MPN ID; needed by the tenant reseller import, useless to the others."""
    exclude_reseller_mpn_ids: tuple[MpnId, ...] = ()
    """Resellers that the indirect import leaves out, such as tenant resellers with an own instance."""
    reseller_bss_accounts: dict[MpnId, Annotated[int, Field(ge=1, le=2**31 - 1)]] = Field(
        default_factory=dict
    )
    """Reseller MPN ID to that reseller's BSS account id, the bill-to account of its customers."""
    group_by: Literal["subscriptions", "relationships"] = "subscriptions"
    """How the indirect import finds a tenant's reseller."""
    counted_subscription_statuses: Annotated[
        tuple[SubscriptionStatus, ...], Field(min_length=1)
    ] = (
        "active",
        "suspended",
        "pending",
    )
    full_read_every_days: Annotated[float, Field(gt=0), IN_DAYS] | None = 7.0
    """A run of scope ``changed`` re-reads every customer at least this often, in even slices; null: never."""
    hierarchy_refresh_days: Annotated[float, Field(gt=0), IN_DAYS] | None = None
    """The page Microsoft Tenants gets a list that is older than this anew when it is opened; null: when asked."""
    auto_create: bool = True
    """False: every new customer waits in the matching queue until a person decides what it is."""
    require_approval: bool = False
    """Whether a person has to approve every run before it writes to the BSS."""
    max_overwritten_percent: Annotated[float, Field(ge=0, le=100)] = 20.0
    """A run that overwrites or empties values of more of the customers with an account than this asks by itself."""
    approval_timeout_hours: Annotated[float, Field(gt=0, le=24 * 30)] = 24.0
    """A run that nobody has approved by then writes nothing."""
    approvers: tuple[NonEmptyStr, ...] = ()
    """Ids of the Airflow users who may answer; empty: everybody who may answer the DAG's required actions."""
    load_batch_size: Annotated[int, Field(gt=0, le=10_000)] | None = None
    """Customers of a load task; null: a run of few is one task, a larger one is cut evenly for several workers."""
    max_load_batches: Annotated[int, Field(gt=0, le=500)] = 16
    """A run has at most this many load tasks; larger runs have larger batches."""
    retention: RetentionConfig = RetentionConfig()
    notices: NoticesConfig | None = None
    """Who is told without asking; null: nobody."""
    schedules: dict[ImportType, ScheduleConfig] = Field(default_factory=dict)
    """When which import runs by itself, as a DAG of its own."""
    roles: dict[NonEmptyStr, Literal["see", "start"]] = Field(default_factory=dict)
    """Role of Airflow to what its users may do with the DAGs of the schedules; who sees all DAGs sees these too."""

    @model_validator(mode="after")
    def _check_schedules(self) -> InstanceConfig:
        for import_type in self.schedules:
            if import_type not in self.import_types:
                message = f"there is a schedule for {import_type}, which the instance does not take"
                hint = "take the schedule out, or add the import to import_types"
                raise WrongValueError(message, hint, path=("schedules", import_type.value))
        if self.roles and not self.schedules:
            message = "roles are given for the DAGs of schedules, and there is no schedule"
            raise WrongValueError(message, "add a schedule, or take the roles out", path=("roles",))
        return self

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


_IN_DAG_ID = re.compile(r"[\w.-]{1,100}", re.ASCII)


class _InstancesFile(FrozenModel):
    version: Literal[1]
    instances: Annotated[dict[NonEmptyStr, InstanceConfig], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_names(self) -> _InstancesFile:
        for name, instance in self.instances.items():
            if instance.schedules and not _IN_DAG_ID.fullmatch(name):
                message = f"{name!r} cannot be part of a DAG's id, and the instance has a schedule"
                hint = (
                    "use letters without accents, digits, dots, dashes and underscores, at most 100"
                )
                raise WrongValueError(message, hint, path=("instances", name))
        return self


def load_instances(path: Path | None = None) -> dict[str, InstanceConfig]:
    """Read every instance, by name.

    Raises:
        ConfigurationError: The file is missing or wrong; names file, path and hint.
    """
    return dict(read_model(path or instances_path(), _InstancesFile).instances)


def load_each_instance(path: Path | None = None) -> dict[str, InstanceConfig | ConfigurationError]:
    """Read every instance, by name, or what is wrong with it; one that is wrong is no fault of the others.

    Raises:
        ConfigurationError: The file as a whole is missing or wrong.
    """
    read = read_each(path or instances_path(), _InstancesFile, "instances")
    return {
        name: one if isinstance(one, ConfigurationError) else one.instances[name]
        for name, one in read.items()
    }


def load_instance(
    name: str, import_type: ImportType | None = None, path: Path | None = None
) -> InstanceConfig:
    """Read one instance and check that it takes an import type.

    Args:
        name: The instance's key in the file.
        import_type: The import that is about to run; ``None`` to take any.
        path: Another instances file.

    Raises:
        ConfigurationError: The file is wrong, or has no such instance, or the instance is wrong or does not take the
            import type; another instance may be wrong.
    """
    path = path or instances_path()
    instances = load_each_instance(path)
    if name not in instances:
        message = f"there is no instance {name!r}"
        raise ConfigurationError(message, source=path.name, hint=choose(name, instances))
    instance = instances[name]
    if isinstance(instance, ConfigurationError):
        raise instance
    if import_type is not None and import_type not in instance.import_types:
        takers = sorted(instance_titles(import_type, path))
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
