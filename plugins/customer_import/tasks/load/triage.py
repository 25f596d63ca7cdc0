"""Decides what can be decided without asking the BSS.

Most customers of a scheduled run have not changed, and for them no request is sent. Pure.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from customer_import.runs.verdict import Verdict
from customer_import.tasks.load.claims import Step
from customer_import.tasks.load.moves import has_moved
from customer_import.vocabulary import OnExisting, Outcome, ReasonCode, Scope

if TYPE_CHECKING:
    from collections.abc import Collection

    from customer_import.runs.approvals import Approval
    from customer_import.runs.parameters import RunParams
    from customer_import.tasks.load.claims import Link
    from customer_import.tasks.load.customers import StagedCustomer
    from customer_import.vocabulary import ImportType

_KEEPS_MORE = "+kept"
_SAME = "Unchanged in Partner Center since it was written; the BSS was not compared."
_CLOCK_TOLERANCE = timedelta(minutes=10)


def triage(
    customer: StagedCustomer,
    import_type: ImportType,
    on_existing: OnExisting,
    now: datetime | None = None,
) -> Verdict | None:
    """Return the verdict that needs no request; ``None`` when the BSS has to be asked.

    Args:
        customer: With its link as last read.
        import_type: The run's.
        on_existing: What the run does with customers that are there already and have changed.
        now: UTC; the present moment when left out.
    """
    if waits := _in_queue(customer):
        return waits
    verdict = _without_preview(customer, import_type, on_existing, now or datetime.now(UTC))
    return verdict or doubt_preview(customer)


def _in_queue(customer: StagedCustomer) -> Verdict | None:
    """Return the verdict on a new customer that waits; not while it is not known whether it is being created."""
    verdict, link = customer.match.verdict, customer.link
    is_begun = link is not None and link.account_step is not Step.NONE
    if verdict is None or verdict.reason_code is not ReasonCode.IN_QUEUE or is_begun:
        return None
    return verdict


def _without_preview(
    customer: StagedCustomer, import_type: ImportType, on_existing: OnExisting, now: datetime
) -> Verdict | None:
    link = customer.link
    if link is None or link.account_id is None:
        return None
    is_own = link.import_type == import_type.value
    if not is_own and customer.is_in_both_lists:
        return already_imported(link)
    is_same = link.content_hash == customer.content_hash and not customer.is_due
    if is_same and not has_moved(customer, link, import_type):
        return Verdict(Outcome.UNCHANGED, ReasonCode.SAME, _SAME)
    if _is_superseded(customer, link, now):
        return superseded(customer, link)
    is_existing = link.is_complete or link.is_adopted
    if is_existing and on_existing is OnExisting.SKIP:
        return existing_skipped(link.account_id)
    return None


def is_compared(customer: StagedCustomer, params: RunParams) -> bool:
    """Whether a customer is compared with its account though its content may be the same."""
    link = customer.link
    if link is not None and customer.decided_account not in {None, link.account_id}:
        return True
    # Whoever closed the account of a customer that left has not told of it.
    is_back = customer.was_away and link is not None and link.is_complete
    compares = params.scope is Scope.VERIFY or params.previewed_run is not None or is_back
    return compares and params.on_existing is OnExisting.UPDATE


def not_approved(approval: Approval) -> Verdict:
    """Return the verdict on a customer of a run whose load nobody approved."""
    reason = (
        f"Not approved. {approval.told()} Nothing was written. Approval was needed: {approval.why}"
    )
    return Verdict(Outcome.SKIPPED, ReasonCode.NOT_APPROVED, reason)


def doubt_preview(customer: StagedCustomer) -> Verdict | None:
    """Return the verdict on a customer that is another than its preview said, as far as is known without the BSS.

    An account whose creation was begun and not finished is finished.
    """
    said, link = customer.previewed, customer.link
    if said is None:
        return None
    if said.content_hash != customer.content_hash:
        return changed_since_preview("Partner Center or the mapping gives other values.")
    is_linked = link is not None and link.account_id is not None
    is_settled = link is not None and (link.is_complete or link.is_adopted)
    if said.outcome is Outcome.WOULD_UPDATE:
        has_account = is_linked or customer.match.account_id is not None
        return None if has_account else changed_since_preview("It has no BSS account any more.")
    has_account = (is_linked and is_settled) or customer.match.account_id is not None
    return changed_since_preview("It has a BSS account by now.") if has_account else None


def changed_since_preview(what: str) -> Verdict:
    """Return the verdict on a customer that an import would treat otherwise than its preview said."""
    reason = f"Changed since the preview: {what} Nothing was written; start a new preview."
    return Verdict(Outcome.SKIPPED, ReasonCode.CHANGED_SINCE_PREVIEW, reason)


def _is_superseded(customer: StagedCustomer, link: Link, now: datetime) -> bool:
    """Whether a newer reading was written; one of the future is a wrong clock's, and not believed."""
    if link.read_at is None or customer.read_at is None:
        return False
    return customer.read_at < link.read_at <= now + _CLOCK_TOLERANCE


def superseded(customer: StagedCustomer, link: Link) -> Verdict:
    """Return the verdict on a tenant of which a newer reading was written."""
    reason = (
        f"Superseded by run {link.written_by_run}, which read this customer later, {_moment(link.read_at)}; this "
        f"result's reading is of {_moment(customer.read_at)}. See the result there. Nothing was written."
    )
    return Verdict(Outcome.SKIPPED, ReasonCode.SUPERSEDED, reason)


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else "unknown"


def content_held(content_hash: str, kept: Collection[str]) -> str:
    """Return what a link remembers of the content that was written.

    When the BSS keeps values that Partner Center does not have, it is no customer's content hash: the next
    run asks the BSS again and says again what is kept, until it no longer is.
    """
    return f"{content_hash}{_KEEPS_MORE}" if kept else content_hash


def holds_content(link_hash: str | None, content_hash: str) -> bool:
    """Whether a link says that this content was written, all of it."""
    return link_hash in {content_hash, f"{content_hash}{_KEEPS_MORE}"}


def already_imported(link: Link) -> Verdict:
    """Return the verdict on a tenant of both lists that the other import has brought in."""
    reason = (
        f"The {link.import_type} import has already imported this customer as BSS account "
        f"{link.account_id}; it has subscriptions with and without a reseller's MPN ID."
    )
    return Verdict(Outcome.SKIPPED, ReasonCode.ALREADY_IMPORTED, reason)


def existing_skipped(account_id: int) -> Verdict:
    """Return the verdict on a customer that is there and may differ, when the run updates nobody."""
    reason = (
        f"BSS account {account_id} exists and may differ from Partner Center; it was not compared, because this run "
        "skips existing customers."
    )
    return Verdict(Outcome.SKIPPED, ReasonCode.EXISTING_SKIPPED, reason)
