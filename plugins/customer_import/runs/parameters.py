"""The parameters of one run, as given in the trigger form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from customer_import.config.files import FrozenModel
from customer_import.config.messages import WrongValueError, explain
from customer_import.errors import ConfigurationError
from customer_import.text import clean, trim, without_format
from customer_import.vocabulary import Mode, OnExisting, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping


def _normalise_names(value: object) -> object:
    """Accept a list, or text with one name a line or separated by commas; lower-case, blank-free, without repeats.

    Nothing means all, and so does text without a name. A list of blanks does not: programs make it, and a run for
    somebody would become one for everybody.
    """
    if value is None:
        return ()
    parts = value.replace(",", "\n").splitlines() if isinstance(value, str) else value
    if not isinstance(parts, list | tuple) or not all(map(_may_be_name, parts)):
        return value
    names = (trim(without_format(clean(part))).lower() for part in map(str, parts))
    found = tuple(dict.fromkeys(name for name in names if name))
    if parts and not found and not isinstance(value, str):
        message = "all of its names are blank"
        raise WrongValueError(message, "name at least one, or leave the field empty")
    return found


def _may_be_name(part: object) -> bool:
    """Whether a part is text, or a number, as MPN IDs are written without quotes."""
    return isinstance(part, str | int) and not isinstance(part, bool)


def _blank_is_none(value: object) -> object:
    return trim(clean(value)) or None if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_normalise_names)]
OptionalStr = Annotated[str | None, BeforeValidator(_blank_is_none)]


class RunParams(FrozenModel):
    """The parameters of one run, as given in the trigger form.

    Attributes:
        instance: Key of ``instances.yaml``.
        tenants: Tenant ids or primary domains, lower-cased; empty means all.
        exclude_tenants: The same, left out.
        mode: How far the run goes.
        scope: Which customers it reads from Partner Center, and whether it believes what it remembers of the BSS.
        on_existing: What to do with linked customers that changed.
        responsible_user: BSS user name; overrides the instance's.
        permission_rule: BSS permission rule by name; overrides the instance's.
        ordering_options: Profile name; overrides the instance's.
        previewed_run: Airflow run id of a preview: exactly the customers that it would create or update.
        reseller_mpn_ids: Indirect import: only these resellers' customers; empty means all.
        max_rejected_percent: More than this and the run stops before the load, or fails at its end.
        max_failed_percent: More than this, or as many that left since the run before, and the run stops before the
            load, or fails at its end.
        accept_organisation: The BSS organisation that the connection leads to is right, though the instance wrote to
            another one.
        require_approval: A person has to approve the run before it writes; the instance may ask for it in any case.
        expect_none: Zero discovered customers are right, though an earlier run had some.
    """

    instance: Annotated[str, Field(min_length=1)]
    tenants: Names = ()
    exclude_tenants: Names = ()
    mode: Mode = Mode.IMPORT
    scope: Scope = Scope.FULL
    on_existing: OnExisting = OnExisting.UPDATE
    responsible_user: OptionalStr = None
    permission_rule: OptionalStr = None
    ordering_options: OptionalStr = None
    reseller_mpn_ids: Names = ()
    previewed_run: OptionalStr = None
    max_rejected_percent: Annotated[float, Field(ge=0, le=100)] = 20.0
    max_failed_percent: Annotated[float, Field(ge=0, le=100)] = 5.0
    accept_organisation: bool = False
    expect_none: bool = False
    require_approval: bool = False

    @property
    def is_selective(self) -> bool:
        """Whether the run is for some tenants or resellers only; one that leaves some out is for all others."""
        return bool(self.tenants or self.reseller_mpn_ids or self.previewed_run)

    @model_validator(mode="after")
    def _check_previewed_run(self) -> RunParams:
        names = self.tenants or self.exclude_tenants or self.reseller_mpn_ids
        if self.previewed_run and (names or self.mode is not Mode.IMPORT):
            message = "previewed_run names the customers of an import already"
            hint = "choose the mode import, and leave tenants, exclude_tenants and reseller_mpn_ids empty"
            raise WrongValueError(message, hint, path=("previewed_run",))
        return self

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> RunParams:
        """Read the parameters of a DAG run.

        Raises:
            ConfigurationError: A parameter is unknown or wrong; names it.
        """
        try:
            return cls.model_validate(dict(raw))
        except ValidationError as error:
            fault = explain(error, cls, noun="parameter")[0]
        raise ConfigurationError(  # outside of the handler: without pydantic's own text
            fault.message,
            source="run parameters",
            path=".".join(map(str, fault.path)),
            hint=f"in the trigger form, {fault.hint}",
        )
