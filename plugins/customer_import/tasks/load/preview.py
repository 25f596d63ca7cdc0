"""Says what a load would do with a tenant, without writing anything to the BSS or the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.errors import ApiError
from customer_import.runs.verdict import Verdict
from customer_import.tasks.load.outcome import Configured, Stop, verdict_of
from customer_import.tasks.load.plan import Plan, plan_update
from customer_import.tasks.load.triage import existing_skipped
from customer_import.vocabulary import OnExisting, Outcome, ReasonCode

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
            account_id, verdict = self._without_looking(customer)
            if verdict is None and account_id is not None:
                link = customer.link if customer.link and customer.link.account_id else None
                plan = await plan_update(self._context, self._comparer, customer, account_id, link)
                verdict = _verdict(plan, account_id, is_adoption=link is None)
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

    def _without_looking(self, customer: StagedCustomer) -> tuple[int | None, Verdict | None]:
        """Return the customer's account, if it has one, or what can be said without comparing."""
        linked_id = customer.link.account_id if customer.link else None
        if linked_id is not None:
            return linked_id, None
        found_id = customer.match.account_id
        if found_id is not None and self._context.run.params.on_existing is OnExisting.SKIP:
            return found_id, existing_skipped(found_id)
        return found_id, customer.match.verdict


def _verdict(plan: Plan, account_id: int, *, is_adoption: bool) -> Verdict:
    said = plan.changed.sentence("Would change", "Would empty", otherwise="")
    if plan.writes:
        code = ReasonCode.ADOPTED if is_adoption else ReasonCode.CHANGED
        reason = f"BSS account {account_id} would be updated. {said}"
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
    if customer.is_in_both_lists:
        reason += (
            " The customer has subscriptions with and without a reseller's MPN ID: direct and indirect import both "
            "find it, and the one that comes first creates the account."
        )
    return Verdict(Outcome.WOULD_CREATE, ReasonCode.NEW, reason)
