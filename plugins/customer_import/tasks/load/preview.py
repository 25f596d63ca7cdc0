"""Says what a load would do with a tenant, without writing anything to the BSS or the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.errors import ApiError
from customer_import.runs.verdict import Verdict
from customer_import.tasks.load.decided import doubt_decided
from customer_import.tasks.load.outcome import Configured, Stop, verdict_of
from customer_import.tasks.load.plan import Plan, plan_update
from customer_import.tasks.load.triage import existing_skipped
from customer_import.vocabulary import DecisionKind, OnExisting, Outcome, ReasonCode

if TYPE_CHECKING:
    from customer_import.runs.results import Result
    from customer_import.tasks.load.comparison import Comparer
    from customer_import.tasks.load.customers import StagedCustomer
    from customer_import.tasks.load.work import BatchContext


class TenantPreviewer:
    """Previews tenants; the counterpart of ``TenantLoader``.

    Args:
        context: What the batch shares.
        comparer: Looks at what the BSS has.
    """

    def __init__(self, context: BatchContext, comparer: Comparer) -> None:
        self._context = context
        self._comparer = comparer

    async def load(self, customer: StagedCustomer) -> Result:
        """Record what a load would do.

        Raises:
            AuthenticationError: The BSS refuses the credentials.
        """
        plan: Plan | None = None
        try:
            account_id, verdict = await self._without_looking(customer)
            if verdict is None and account_id is not None:
                link = customer.link
                is_adoption = link is None or link.account_id != account_id
                plan = await plan_update(
                    self._context.run,
                    self._context.look,
                    self._comparer,
                    customer,
                    account_id,
                    None if is_adoption else link,
                )
                verdict = _verdict(customer, plan, account_id, is_adoption=is_adoption)
                await self._context.ledger.keep_before(customer.tenant_id, *plan.before)
        except Stop as stop:
            verdict = stop.verdict
        except ApiError as error:
            verdict = verdict_of(error, Configured.of(self._context.run))
        result = self._context.result(
            customer,
            verdict or _would_create(customer),
            customer.link,
            list(plan.warnings) if plan else [],
            plan.changed if plan else None,
        )
        await self._context.ledger.record([result])
        return result

    async def _without_looking(self, customer: StagedCustomer) -> tuple[int | None, Verdict | None]:
        """Return the customer's account, if it has one, or what can be said without comparing."""
        linked_id = customer.link.account_id if customer.link else None
        match = customer.match
        doubt = match.verdict or await doubt_decided(
            customer, linked_id, self._context.client, self._context.organisation
        )
        account_id = customer.known_account
        is_skipped = self._context.run.params.on_existing is OnExisting.SKIP
        if doubt is None and account_id is not None and linked_id is None and is_skipped:
            doubt = existing_skipped(account_id)
        return account_id, doubt


def _verdict(
    customer: StagedCustomer, plan: Plan, account_id: int, *, is_adoption: bool
) -> Verdict:
    if not is_adoption and customer.link is not None and customer.link.is_begun:
        reason = f"BSS account {account_id}, whose creation was begun, would be finished."
        return Verdict(Outcome.WOULD_CREATE, ReasonCode.NEW, reason)
    said = plan.changed.sentence("Would change", "Would empty", otherwise="")
    if plan.writes:
        code = ReasonCode.ADOPTED if is_adoption else ReasonCode.CHANGED
        decision = customer.decisions.get(DecisionKind.LINK) if is_adoption else None
        told = f"{decision.told()} " if decision else ""
        reason = f"BSS account {account_id} would be updated. {told}{said}"
        return Verdict(Outcome.WOULD_UPDATE, code, reason.rstrip())
    code = ReasonCode.ADOPTED if is_adoption else ReasonCode.SAME
    holds = (
        f"BSS account {account_id} would stay as it is."
        if plan.changed.left_alone
        else (f"BSS account {account_id} holds it all.")
    )
    return Verdict(Outcome.UNCHANGED, code, f"{holds} {said}".rstrip())


def _would_create(customer: StagedCustomer) -> Verdict:
    reason = "A BSS account would be created."
    if customer.match.decision:
        reason += f" {customer.match.decision.told()}"
    if customer.is_in_both_lists:
        reason += (
            " The customer has subscriptions with and without a reseller's MPN ID: direct and indirect import both "
            "find it, and the one that comes first creates the account."
        )
    return Verdict(Outcome.WOULD_CREATE, ReasonCode.NEW, reason)
