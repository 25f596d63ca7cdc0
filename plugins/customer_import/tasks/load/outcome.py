"""What ends the work on one tenant in a load: a verdict in the middle of it, or an error of the BSS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

from customer_import.config.mapping import ORDERING_FIELDS
from customer_import.errors import ApiError, RejectedRequestError
from customer_import.runs.verdict import Verdict
from customer_import.vocabulary import Outcome, ReasonCode

if TYPE_CHECKING:
    from customer_import.config.mapping import OrderingProfile
    from customer_import.runs.run import Run

_REFUSED_DATA = frozenset({400, 409, 413, 422})
_MARKER_ENDPOINT = "/customfields"
"""Takes the tenant id alone, which no customer can correct."""
_INSTANCE_SETTINGS = {
    "responsibleuserid": "bss.responsible_user or bss.accepts_responsible_user",
    "permissionruleid": "bss.permission_rule or bss.accepts_permission_rule",
    "billtoaccountid": "reseller_bss_accounts or bss.accepts_bill_to_account",
    "customfields": "bss.tenant_marker_field",
}
"""Sent fields that an instance decides, in small letters: its settings in ``instances.yaml``."""


class Stop(Exception):  # noqa: N818 - ends one tenant's work, says nothing of an error
    """Ends the work on one tenant with a verdict; nothing more is written for it."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(verdict.reason)


@dataclass(frozen=True)
class Configured:
    """What of a sent body is the configuration's and not the customer's.

    Attributes:
        instance: The instance's name.
        profile_name: Name of the ordering profile; ``None`` without one.
        profile: The profile.
    """

    instance: str
    profile_name: str | None
    profile: OrderingProfile | None

    @classmethod
    def of(cls, run: Run) -> Configured:
        """Return what a run sends beside the customer's data."""
        name = run.ordering_options
        return cls(run.params.instance, name, run.mappings.ordering_profile(name))

    def hint(self, fields: tuple[str, ...]) -> str | None:
        """Return what to correct in the configuration; ``None`` when a refusal names none of its fields."""
        names = {name.casefold(): name for name in ORDERING_FIELDS}
        for field in fields:
            key = field.replace("/", ".").strip(".").split(".")[0].split("[")[0].casefold()
            if key in names:
                return self._ordering_hint(names[key])
            if key in _INSTANCE_SETTINGS:
                settings = _INSTANCE_SETTINGS[key]
                return f"Correct {settings} of the instance {self.instance} in instances.yaml."
        return None

    def _ordering_hint(self, field: str) -> str:
        if self.profile is None:
            return (
                f"It asks for the ordering option {field}, and the run has no ordering-options profile: name one by "
                f"bss.ordering_options of the instance {self.instance} or by the parameter ordering_options."
            )
        value = getattr(self.profile, field)
        wrong = "does not name it" if value is None else f"has the value {_shown(value)}"
        return (
            f"The ordering option {field} is at fault; the profile {self.profile_name!r} {wrong}. Correct it in "
            "ordering_options.yaml."
        )


def verdict_of(error: ApiError, configured: Configured, written: str = "") -> Verdict:
    """Return what an error of the BSS means for the tenant it was met at.

    Args:
        error: The error.
        configured: What the run sends beside the customer's data.
        written: What had been written before, as a sentence.

    Refused data is ``rejected``: somebody has to correct it. Everything else is ``failed``: the work
    broke, and the next try may succeed; so is data that the configuration gave, because the
    customer is right and goes through once the configuration is.
    """
    if _is_refusal_of_data(error):
        reason = f"The BSS refused the data ({error.endpoint}): {error.reason}. {written}".rstrip()
        is_marker = error.endpoint.endswith(_MARKER_ENDPOINT)
        correction = configured.hint(("customFields",) if is_marker else error.fields)
        if correction is not None:
            hint = f"This is the configuration's fault, not the customer's. {correction}"
            return Verdict(Outcome.FAILED, ReasonCode.CONFIGURATION, f"{reason} {hint}")
        hint = "Correct the customer in Partner Center and import it again."
        return Verdict(Outcome.REJECTED, ReasonCode.BSS_REFUSED, f"{reason} {hint}")
    reason = f"{error}. What was written is remembered; the next try continues from there."
    return Verdict(Outcome.FAILED, ReasonCode.BSS_ERROR, reason)


def _is_refusal_of_data(error: ApiError) -> TypeGuard[RejectedRequestError]:
    """Whether the BSS refused what was to be written; a look-up holds no data of the customer's."""
    return (
        isinstance(error, RejectedRequestError)
        and error.status in _REFUSED_DATA
        and not error.endpoint.startswith("GET ")
    )


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
