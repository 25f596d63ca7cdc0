"""What a load is to do with a customer that has an account: one answer, which a preview says and a load carries out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from customer_import.runs.previews import before_by_field
from customer_import.tasks.load.claims import Step
from customer_import.tasks.load.left_out import taken_by_now
from customer_import.tasks.load.marker import marker_key
from customer_import.tasks.load.moves import has_moved, said_move, still_owed
from customer_import.tasks.load.outcome import Stop
from customer_import.tasks.load.reconcile import (
    account_gone,
    doubt_link,
    marker_moved,
    no_longer_marked,
    unfamiliar,
)
from customer_import.tasks.load.records import (
    ChangedFields,
    before_update,
    changed_fields,
    join_before,
    kept_warning,
)
from customer_import.tasks.load.triage import changed_since_preview
from customer_import.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from customer_import.runs.run import Run
    from customer_import.runs.verdict import Verdict
    from customer_import.tasks.load.account_look import AccountLook
    from customer_import.tasks.load.claims import Link
    from customer_import.tasks.load.comparison import Comparer, Comparison
    from customer_import.tasks.load.customers import StagedCustomer


@dataclass(frozen=True)
class Plan:
    """What an update is to do.

    Attributes:
        comparison: What differs.
        is_move: Whether the customer is another reseller's or import's than before.
        changed: Names of the fields that change, with those that an attempt which broke off has changed already.
        before: BSS values of account and contact that it changes, as JSON.
        is_marker_lost: Whether the tenant id has to be entered again.
        owed: Name to a warning of what a person still has to change after a move.
        warnings: What a person should know.
    """

    comparison: Comparison
    is_move: bool
    changed: ChangedFields
    before: tuple[bytes | None, bytes | None] = field(repr=False)
    is_marker_lost: bool
    owed: Mapping[str, str]
    warnings: tuple[str, ...]

    @property
    def writes(self) -> bool:
        """Whether anything is written, or may have been."""
        return bool(self.changed) or any(self.before)


async def plan_update(
    run: Run,
    look: AccountLook | None,
    comparer: Comparer,
    customer: StagedCustomer,
    account_id: int,
    link: Link | None,
) -> Plan:
    """Look what the BSS has of a customer, and say what an update does about it; writes nothing.

    Args:
        run: The run.
        look: Looks for accounts that came after the run's listing; without it the listing is believed.
        comparer: Looks at what the BSS has.
        customer: As staged.
        account_id: Its account.
        link: As the ledger has it; ``None`` when the account is to be linked first.

    Raises:
        Stop: The account is gone, or somebody else's: a person has to look.
        ApiError: The BSS did not answer properly.
    """
    is_move = link is not None and has_moved(customer, link, run.import_type)
    is_sent = link is not None and link.contact_step is Step.INTENT
    # What was sent of an account that is not finished may be of another reseller, or of other settings.
    is_renewed = is_move or (link is not None and link.is_begun)
    comparison = await comparer.compare(
        customer,
        account_id,
        link.contact_id if link else None,
        is_sent=is_sent,
        has_moved=is_renewed,
        filled=taken_by_now(link.left_out if link else (), run),
    )
    is_by_marker = customer.match.account_id == account_id and customer.match.decision is None
    if is_by_marker and (comparison is None or comparison.marker != marker_key(customer.tenant_id)):
        raise Stop(no_longer_marked(account_id, exists=comparison is not None))
    if comparison is None:
        raise Stop(account_gone(account_id))
    is_marker_lost = await _is_marker_lost(look, customer, account_id, comparison)
    warnings: list[str] = []
    if is_move and link is not None:
        warnings.append(said_move(customer, link, run.import_type))
    told = (link.owed if link else None) or ()
    owed = still_owed(customer, run, comparison, is_move=is_renewed, told=told)
    before = join_before(customer.before, before_update(comparison.changes, comparison.options))
    changed = changed_fields(customer, before)
    others = {"tenant id": is_marker_lost, "contact": comparison.contact_id is None or is_sent}
    changed = replace(
        changed,
        changed=(*changed.changed, *(name for name, is_due in others.items() if is_due)),
        left_alone=comparison.left_alone,
    )
    if doubt := _doubt_preview(customer, changed, before, link):
        raise Stop(doubt)
    warnings += [*owed.values(), *kept_warning(comparison.kept), *comparison.occupied]
    return Plan(comparison, is_move, changed, before, is_marker_lost, owed, tuple(warnings))


def _doubt_preview(
    customer: StagedCustomer,
    changed: ChangedFields,
    before: tuple[bytes | None, bytes | None],
    link: Link | None,
) -> Verdict | None:
    """Return the verdict on a customer of which the BSS holds something else than the preview saw."""
    said = customer.previewed
    if said is None:
        return None
    if said.outcome is Outcome.WOULD_CREATE:
        is_begun = link is not None and not link.is_adopted
        return None if is_begun else changed_since_preview("It has a BSS account by now.")
    fates = {name: fate.value for name, fate in changed.fates.items()}
    if names := said.differing(fates, before_by_field(*before)):
        return changed_since_preview(f"The BSS holds other values: {', '.join(names)}.")
    return None


async def _is_marker_lost(
    look: AccountLook | None, customer: StagedCustomer, account_id: int, comparison: Comparison
) -> bool:
    """Look whether the account is the customer's; return whether its tenant id has to be entered again."""
    marker = comparison.marker
    doubt = doubt_link(customer.tenant_id, account_id, marker)
    is_decided = account_id == customer.decided_account
    if doubt is None and marker is None and not (comparison.is_familiar or is_decided):
        doubt = unfamiliar(customer.tenant_id, account_id)
    if doubt is None and marker is None and look is not None:
        await look.list_again()
        others = await look.twins(customer, account_id)
        doubt = marker_moved(account_id, others) if others else None
    if doubt is not None:
        raise Stop(doubt)
    return marker is None
