"""Loads one tenant: account, contact and sync options, in that order, each step in the ledger.

Works on one tenant at a time and knows nothing of batches. What stops a tenant becomes its
verdict; only refused credentials, a replaced attempt and defects of ours go further.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from customer_import.errors import ApiError, RejectedRequestError
from customer_import.failpoints import reached
from customer_import.runs.verdict import Verdict
from customer_import.tasks.load.account_step import AccountStep
from customer_import.tasks.load.claims import (
    LEASE,
    Claim,
    ClaimRequest,
    ClaimState,
    Holder,
    Step,
    opened,
)
from customer_import.tasks.load.creation import Creation, Creator
from customer_import.tasks.load.entries import LinkedElsewhereError
from customer_import.tasks.load.ledger import LostClaimError
from customer_import.tasks.load.left_out import left_out, left_out_warnings
from customer_import.tasks.load.moves import begun
from customer_import.tasks.load.outcome import Configured, Stop, verdict_of
from customer_import.tasks.load.plan import Plan, plan_update
from customer_import.tasks.load.reconcile import contradicted, linked_elsewhere
from customer_import.tasks.load.records import (
    ChangedFields,
    contact_body,
    sent_contact,
)
from customer_import.tasks.load.triage import (
    already_imported,
    content_held,
    triage,
)
from customer_import.tasks.load.work import Work
from customer_import.vocabulary import DecisionKind, Outcome, ReasonCode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from customer_import.bss.client import OnTurn
    from customer_import.bss.patch import Difference
    from customer_import.http.session import Settle
    from customer_import.runs.results import Result
    from customer_import.tasks.load.claims import Link
    from customer_import.tasks.load.comparison import Comparer, Comparison
    from customer_import.tasks.load.customers import StagedCustomer
    from customer_import.tasks.load.sync_options import OptionChanges
    from customer_import.tasks.load.work import BatchContext

CLAIM_WAIT_S = LEASE.total_seconds() + 30.0
"""A tenant that another run is writing is waited for this long: a dead run's lease ends sooner."""
CLAIM_POLL_S = 0.5


class TenantLoader:
    """Loads tenants one by one; several at once is fine.

    Args:
        context: What the batch shares.
        comparer: Looks at what the BSS has.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        context: BatchContext,
        comparer: Comparer,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._context = context
        self._run = context.run
        self._client = context.client
        self._ledger = context.ledger
        self._comparer = comparer
        self._creator = Creator(context.ledger, context.run.instance.bss, sleep)
        self._configured = Configured.of(context.run)
        self._accounts = AccountStep(context, self._creator, self._configured.profile)
        self._sleep = sleep

    async def load(self, customer: StagedCustomer) -> Result:
        """Bring one customer into the BSS and record what became of it.

        Raises:
            AuthenticationError: The BSS refuses the credentials; no tenant can be loaded.
            SupersededError: A later attempt of this task is at work.
        """
        claim = await self._claim(customer)
        if claim.state is not ClaimState.GRANTED:
            return await self._not_granted(customer, claim)
        work = Work(customer, claim.link)
        try:
            try:
                result = await self._finish(work, await self._verdict(work, claim))
            except LinkedElsewhereError as other:
                work.link = claim.link
                verdict = _linked_elsewhere(customer, other)
                result = await self._finish(work, verdict)
        except LostClaimError:
            return await self._lost(work)
        reached("after_outcome")
        return result

    async def _finish(self, work: Work, verdict: Verdict) -> Result:
        result = self._context.result(
            work.customer, verdict, work.link, work.warnings, work.changed
        )
        await self._ledger.finish(work.link, result)
        return result

    async def _claim(self, customer: StagedCustomer) -> Claim:
        request = ClaimRequest(
            customer.tenant_id,
            self._run.import_type.value,
            customer.is_in_both_lists,
            creates=customer.match.is_free,
            read_at=customer.read_at,
        )
        waited_s = 0.0
        while True:
            claim = await self._ledger.claim(request)
            if claim.state is not ClaimState.BUSY or waited_s >= CLAIM_WAIT_S:
                return claim
            await self._sleep(CLAIM_POLL_S)
            waited_s += CLAIM_POLL_S

    async def _not_granted(self, customer: StagedCustomer, claim: Claim) -> Result:
        if claim.state is ClaimState.OTHER_IMPORT:
            verdict = already_imported(claim.link)
        else:
            verdict = _claimed_elsewhere(claim.link.holder)
        result = self._context.result(customer, verdict, claim.link)
        await self._ledger.record([result])
        return result

    async def _lost(self, work: Work) -> Result:
        """Report a tenant that was taken over while it was written; its link is the other's."""
        customer = work.customer
        if work.has_written:  # perhaps after the other wrote
            await self._ledger.distrust(customer.tenant_id)
        link = await self._ledger.read(customer.tenant_id)
        verdict = _claimed_elsewhere(link.holder) if link else _link_deleted()
        result = self._context.result(customer, verdict, link)
        await self._ledger.record([result])
        return result

    async def _verdict(self, work: Work, claim: Claim) -> Verdict:
        verdict = triage(
            replace(work.customer, link=claim.link),
            self._run.import_type,
            self._run.params.on_existing,
            self._ledger.now(),
        )
        if verdict is not None:  # another load finished it while this one waited
            return verdict
        try:
            return await self._write(work, has_intent=claim.has_intent)
        except Stop as stop:
            return stop.verdict
        except ApiError as error:
            return verdict_of(error, self._configured, work.told())

    async def _write(self, work: Work, *, has_intent: bool) -> Verdict:
        is_new = await self._accounts.ensure(work, has_intent=has_intent)
        was_complete = work.link.is_complete
        if is_new:
            await self._fill_new_account(work)
        else:
            await self._update(work)
        work.link = replace(
            self._of_this_reading(work),
            sync_options_step=Step.DONE,
            import_type=self._run.import_type.value,
            reseller_mpn_id=work.customer.reseller_mpn_id,
            content_hash=content_held(work.customer.content_hash, [*work.kept, *work.owed]),
            left_out=list(work.left_out) or None,
            owed=sorted(work.owed) or None,
        )
        return _verdict(work, was_complete=was_complete)

    def _of_this_reading(self, work: Work) -> Link:
        return replace(
            work.link, read_at=work.customer.read_at, written_by_run=self._ledger.holder.run_key
        )

    async def _fill_new_account(self, work: Work) -> None:
        account_id = _account_id(work)
        creation = self._contact_creation(work, account_id)
        contact_id = await self._creator.create(creation, work, is_fresh=True)
        if creation.name in work.found:
            await self._adjust_contact(work, account_id, contact_id)
        work.link = creation.at(work.link, Step.DONE, contact_id=contact_id)
        options = await self._comparer.options_of_new_account(work.customer, account_id)
        if options.values:
            work.link = await self._ledger.save(
                replace(work.link, sync_options_step=Step.INTENT, intent_at=self._ledger.now())
            )
            reached("after_contact_outcome")
        await self._set_options(work, account_id, options, is_whole=True)

    async def _update(self, work: Work) -> None:
        account_id = _account_id(work)
        plan = await self._plan(work, account_id)
        comparison = plan.comparison
        work.changed, work.kept, work.owed = plan.changed, comparison.kept, dict(plan.owed)
        work.warnings += plan.warnings
        work.link = replace(
            self._of_this_reading(work), content_hash=opened(work.link.content_hash)
        )
        if plan.is_move:
            work.link = begun(work.link)
        if plan.writes:
            work.link = await self._ledger.save(work.link, plan.before)
        if plan.is_marker_lost:
            await self._restore_marker(work, account_id)
        if comparison.changes.account:
            reached("before_account_patch")
            await self._client.update_account(
                account_id, comparison.changes.account, self._fence(work)
            )
            work.written.append("account")
            reached("after_account_patch")
        await self._update_contact(work, account_id, comparison)
        is_whole = plan.is_move or not (work.link.is_complete or work.link.is_adopted)
        await self._set_options(work, account_id, comparison.options, is_whole=is_whole)

    async def _plan(self, work: Work, account_id: int) -> Plan:
        context = self._context
        try:
            return await plan_update(
                context.run, context.look, self._comparer, work.customer, account_id, work.link
            )
        except (Stop, ApiError):
            if work.is_adoption:  # nobody has seen that the account is the customer's
                work.link = replace(
                    work.link, account_id=None, account_step=Step.NONE, is_adopted=False
                )
            raise

    def _fence(self, work: Work) -> OnTurn:
        """Return what keeps a write from leaving when another holder took the tenant over meanwhile."""

        async def confirm() -> None:
            await self._ledger.confirm(work.customer.tenant_id)
            work.has_written = True

        return confirm

    async def _restore_marker(self, work: Work, account_id: int) -> None:
        field_id = self._context.organisation.tenant_marker_field_id
        await self._client.set_custom_field(
            account_id, field_id, work.customer.tenant_id, self._fence(work)
        )
        work.written.append("tenant id")
        if account_id != work.customer.decided_account:
            work.warnings.append(
                f"BSS account {account_id}, which this customer is linked to, had lost its tenant id; "
                "it was entered again."
            )

    async def _update_contact(self, work: Work, account_id: int, comparison: Comparison) -> None:
        change, contact_id = comparison.changes.contact, comparison.contact_id
        if contact_id is None:
            creation = self._contact_creation(work, account_id)
            contact_id = await self._creator.settle(creation, work)
            if contact_id is None:
                contact_id = await self._creator.create(creation, work, is_fresh=False)
                work.written.append("contact")
            else:
                work.found.add(creation.name)
            if creation.name in work.found:
                await self._adjust_contact(work, account_id, contact_id)
        elif change:
            await self._patch_contact(work, contact_id, change)
        work.link = replace(work.link, contact_id=contact_id, contact_step=Step.DONE)

    async def _adjust_contact(self, work: Work, account_id: int, contact_id: int) -> None:
        """Compare a contact that was found: what was sent may be older than what is to be written, or not it."""
        comparison = await self._comparer.compare(work.customer, account_id, contact_id)
        if comparison is not None and comparison.changes.contact:
            await self._patch_contact(work, contact_id, comparison.changes.contact)

    async def _patch_contact(self, work: Work, contact_id: int, change: Difference) -> None:
        await self._client.update_contact(contact_id, change, self._fence(work))
        work.written.append("contact")

    async def _set_options(
        self, work: Work, account_id: int, options: OptionChanges, *, is_whole: bool
    ) -> None:
        try:
            await self._send_options(work, account_id, options)
        except RejectedRequestError:
            now = await self._comparer.options_now(work.customer, account_id)
            if now.absent == options.absent:
                raise
            if work.changed is not None:
                work.changed = work.changed.without(options.before.keys() - now.before.keys())
            options = now
            await self._send_options(work, account_id, options)
        before = work.link.left_out or ()
        found = left_out(work.customer, self._run, options.absent, before=before, is_whole=is_whole)
        work.left_out = tuple(name for name in found if name not in work.owed)
        work.warnings += left_out_warnings(work.left_out)

    async def _send_options(self, work: Work, account_id: int, options: OptionChanges) -> None:
        system_id = self._context.organisation.sync_system_id
        if not options.values or system_id is None:
            return
        reached("before_sync_options_post")
        await self._client.set_sync_options(
            account_id, system_id, options.values, self._fence(work)
        )
        reached("after_sync_options_post")

    def _contact_creation(self, work: Work, account_id: int) -> Creation:
        async def send(on_turn: OnTurn, settle: Settle[int]) -> int:
            body = contact_body(work.customer, account_id)
            return await self._client.create_contact(body, on_turn, settle)

        async def find() -> int | None:
            contacts = await self._client.contacts(account_id)
            contact = sent_contact(contacts, work.customer.sent_contacts)
            return contact.id if contact else None

        return Creation("contact", send, find)


def _account_id(work: Work) -> int:
    if work.link.account_id is None:
        message = "the tenant has no account yet"
        raise RuntimeError(message)
    return work.link.account_id


def _verdict(work: Work, *, was_complete: bool) -> Verdict:
    account_id = work.link.account_id
    customer = work.customer
    if not was_complete and not work.link.is_adopted:
        reason = f"Created as BSS account {account_id}."
        if customer.match.decision is not None:
            reason += f" {customer.match.decision.told()}"
        return Verdict(Outcome.CREATED, ReasonCode.NEW, reason)
    differences = work.changed if work.changed is not None else ChangedFields()
    changed = differences.sentence()
    outcome = Outcome.UPDATED if differences else Outcome.UNCHANGED
    if not was_complete:
        reason = f"BSS account {account_id} carried the tenant id already and was linked. {changed}"
        link = customer.decisions.get(DecisionKind.LINK)
        if link is not None and account_id == customer.decided_account:
            reason = f"{link.told()} {changed}"
        return Verdict(outcome, ReasonCode.ADOPTED, reason)
    return Verdict(outcome, ReasonCode.CHANGED if differences else ReasonCode.SAME, changed)


def _linked_elsewhere(customer: StagedCustomer, other: LinkedElsewhereError) -> Verdict:
    link = customer.decisions.get(DecisionKind.LINK)
    if link is not None and other.account_id == customer.decided_account:
        why = f"BSS account {other.account_id} is linked to tenant {other.tenant_id} already."
        return contradicted(link, why)
    return linked_elsewhere(other.account_id, other.tenant_id)


def _claimed_elsewhere(holder: str | None) -> Verdict:
    who = f"run {Holder.parse(holder).run_key}" if holder else "another run"
    reason = f"The load of {who} is writing this customer; see its result there."
    return Verdict(Outcome.SKIPPED, ReasonCode.CLAIMED_ELSEWHERE, reason)


def _link_deleted() -> Verdict:
    reason = (
        "This customer's row in tenant_links was deleted while it was written; the next try looks "
        "for its account by the tenant id."
    )
    return Verdict(Outcome.FAILED, ReasonCode.LINK_DELETED, reason)
