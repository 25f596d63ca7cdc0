"""What became of one tenant in a load: its verdict, and the row of ``import_results`` made from it.

Reasons are sentences for people. They name the company, ids and the BSS's own words, never an
e-mail address, a phone number or a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer_import.errors import ApiError, RejectedRequestError
from customer_import.vocabulary import Outcome, ReasonCode

if TYPE_CHECKING:
    from datetime import datetime

_REFUSED_DATA = frozenset({400, 409, 413, 422})


@dataclass(frozen=True)
class Verdict:
    """The outcome of one tenant with its reason."""

    outcome: Outcome
    reason_code: ReasonCode
    reason: str


class Stop(Exception):  # noqa: N818 - ends one tenant's work, says nothing of an error
    """Ends the work on one tenant with a verdict; nothing more is written for it."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(verdict.reason)


@dataclass(frozen=True)
class TenantResult:
    """A row of ``import_results``; the fields are its columns."""

    run_id: int
    tenant_id: str
    import_type: str
    instance: str
    tenant_name: str | None
    domain: str | None
    reseller_mpn_id: str | None
    reseller_name: str | None
    outcome: str
    reason_code: str
    reason: str
    warnings: list[str] | None
    account_id: int | None
    contact_id: int | None
    attempts: int
    task_id: str
    map_index: int
    recorded_at: datetime


def verdict_of(error: ApiError) -> Verdict:
    """Return what an error of the BSS means for the tenant it was met at.

    Refused data is ``rejected``: somebody has to correct it. Everything else is ``failed``: the work
    broke, and the next try may succeed.
    """
    if isinstance(error, RejectedRequestError) and error.status in _REFUSED_DATA:
        reason = f"The BSS refused the data ({error.endpoint}): {error.reason}."
        hint = "Correct the customer in Partner Center and import it again."
        return Verdict(Outcome.REJECTED, ReasonCode.BSS_REFUSED, f"{reason} {hint}")
    reason = f"{error}. What was written is remembered; the next try continues from there."
    return Verdict(Outcome.FAILED, ReasonCode.BSS_ERROR, reason)
