"""Says what a load would do with a tenant, without writing anything to the BSS or the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.errors import ApiError
from customer_import.runs.verdict import Verdict
from customer_import.tasks.load.decided import doubt_decided
from customer_import.tasks.load.left_out import taken_by_now
from customer_import.tasks.load.outcome import Configured, verdict_of
from customer_import.tasks.load.reconcile import doubt_link
from customer_import.tasks.load.records import before_update, changed_fields, kept_warning
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
        warnings: list[str] = []
        try:
            verdict = await self._verdict(customer, warnings)
        except ApiError as error:
            verdict = verdict_of(error, Configured.of(self._context.run))
        result = self._context.result(customer, verdict, customer.link, warnings)
        await self._context.ledger.record([result])
        return result

    async def _verdict(self, customer: StagedCustomer, warnings: list[str]) -> Verdict:
        link, match = customer.link, customer.match
        linked_id = link.account_id if link else None
        doubt = match.verdict or await doubt_decided(
            customer, linked_id, self._context.client, self._context.organisation
        )
        if doubt is not None:
            return doubt
        account_id = match.account_id or customer.decided_account or linked_id
        if account_id is None:
            told = f" {match.decision.told()}" if match.decision else ""
            reason = f"A BSS account would be created.{told}"
            return Verdict(Outcome.WOULD_CREATE, ReasonCode.NEW, reason)
        if linked_id is None and self._context.run.params.on_existing is OnExisting.SKIP:
            return existing_skipped(account_id)
        return await self._compared(customer, account_id, warnings)

    async def _compared(
        self, customer: StagedCustomer, account_id: int, warnings: list[str]
    ) -> Verdict:
        link = customer.link
        is_adoption = link is None or link.account_id != account_id
        comparison = await self._comparer.compare(
            customer,
            account_id,
            link.contact_id if link and not is_adoption else None,
            filled=taken_by_now(link.left_out if link else (), self._context.run),
        )
        if comparison is None:
            reason = (
                f"BSS account {account_id}, which this customer is linked to, no longer exists."
            )
            return Verdict(Outcome.FAILED, ReasonCode.BSS_ERROR, reason)
        if doubt := doubt_link(customer.tenant_id, account_id, comparison.marker):
            return doubt
        warnings += [*kept_warning(comparison.kept), *comparison.occupied]
        if comparison.is_equal:
            code = ReasonCode.ADOPTED if is_adoption else ReasonCode.SAME
            return Verdict(Outcome.UNCHANGED, code, f"BSS account {account_id} holds it all.")
        before = before_update(comparison.changes, comparison.options)
        await self._context.ledger.keep_before(customer.tenant_id, *before)
        code = ReasonCode.ADOPTED if is_adoption else ReasonCode.CHANGED
        changes = changed_fields(customer, before).sentence("Would change", "Would empty")
        decision = customer.decisions.get(DecisionKind.LINK) if is_adoption else None
        told = f"{decision.told()} " if decision else ""
        reason = f"BSS account {account_id} would be updated. {told}{changes}".rstrip()
        return Verdict(Outcome.WOULD_UPDATE, code, reason)
