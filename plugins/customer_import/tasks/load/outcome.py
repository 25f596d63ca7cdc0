"""What ends the work on one tenant in a load: a verdict in the middle of it, or an error of the BSS."""

from __future__ import annotations

from customer_import.errors import ApiError, RejectedRequestError
from customer_import.runs.verdict import Verdict
from customer_import.vocabulary import Outcome, ReasonCode

_REFUSED_DATA = frozenset({400, 409, 413, 422})


class Stop(Exception):  # noqa: N818 - ends one tenant's work, says nothing of an error
    """Ends the work on one tenant with a verdict; nothing more is written for it."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(verdict.reason)


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
