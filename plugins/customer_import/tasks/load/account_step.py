"""Finds or creates the account of one tenant: by link, marker or decision, or with a POST of its own.

Why: docs/decisions/0001-exactly-once.md, docs/decisions/0004-tenant-marker.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from customer_import.failpoints import reached
from customer_import.tasks.load.account_look import OldLookError
from customer_import.tasks.load.claims import Step
from customer_import.tasks.load.creation import Creation, Creator
from customer_import.tasks.load.decided import doubt_decided
from customer_import.tasks.load.outcome import Stop
from customer_import.tasks.load.records import account_body, find_marked
from customer_import.tasks.load.triage import existing_skipped
from customer_import.vocabulary import OnExisting, ReasonCode

if TYPE_CHECKING:
    from customer_import.bss.client import OnTurn
    from customer_import.config.mapping import OrderingProfile
    from customer_import.http.session import Settle
    from customer_import.tasks.load.work import BatchContext, Work


class AccountStep:
    """The first of a tenant's steps.

    Args:
        context: What the batch shares.
        creator: Sends POSTs that create something.
        profile: Ordering options of new accounts.
    """

    def __init__(
        self, context: BatchContext, creator: Creator, profile: OrderingProfile | None
    ) -> None:
        self._context = context
        self._run = context.run
        self._client = context.client
        self._ledger = context.ledger
        self._creator = creator
        self._profile = profile

    async def ensure(self, work: Work, *, has_intent: bool) -> bool:
        """Make sure that the tenant has an account; return whether this attempt certainly made it.

        The contact's intent is recorded together with an account that was made.

        Args:
            work: The work on the tenant; its link is kept up to date.
            has_intent: Whether the claim recorded the account's intent just now.

        Raises:
            Stop: A person has to say which account it is; or the run leaves alone who exists.
            ApiError: The BSS did not answer properly.
            CustomerImportError: What the ledger raises.
        """
        if work.link.account_id is not None:
            await self._heed_decision(work)
            return False
        creation = self._creation(work)
        if not has_intent:
            several = work.customer.match.verdict
            if several is not None and several.reason_code is ReasonCode.SEVERAL_ACCOUNTS:
                raise Stop(several)
            found = await self._creator.settle(creation, work)
            if found is not None:
                work.link = creation.at(work.link, Step.DONE, account_id=found)
                await self._heed_decision(work)
                return False
            if await self._adopt(work):
                return False
        account_id = await self._create(creation, work, has_intent=has_intent)
        if account_id is None:
            return False
        if creation.name in work.found:  # by us, or meanwhile by a person: it is compared
            work.link = creation.at(work.link, Step.DONE, account_id=account_id)
            await self._heed_decision(work)
            return False
        # The account's outcome and the contact's intent are one commit: the contact's POST is next.
        work.link = await self._ledger.save(
            replace(
                work.link,
                account_id=account_id,
                account_step=Step.DONE,
                contact_step=Step.INTENT,
                intent_at=self._ledger.now(),
            )
        )
        reached("after_account_outcome")
        return True

    async def _create(self, creation: Creation, work: Work, *, has_intent: bool) -> int | None:
        """Create the account; ``None`` when a look finds that the customer has one, which is linked then."""
        look = self._context.look
        while True:
            if look is not None and not look.is_known(work.customer):
                work.customer = await look.look_for(work.customer)
                if not work.customer.match.is_free:
                    work.link = creation.at(work.link, Step.NONE)
                    await self._adopt(work)
                    return None
            try:
                return await self._creator.create(creation, work, is_fresh=has_intent)
            except OldLookError:  # it waited long for its turn
                has_intent = False

    async def _heed_decision(self, work: Work) -> None:
        """Link another account than the one that it is linked to, where a person decided so."""
        if work.customer.decided_account not in {None, work.link.account_id}:
            await self._link_as_decided(work)

    async def _link_as_decided(self, work: Work) -> None:
        """Link the account that a person decided on, in place of another one if there is one."""
        doubt = await doubt_decided(
            work.customer, work.link.account_id, self._client, self._context.organisation
        )
        if doubt is not None:
            raise Stop(doubt)
        work.link = replace(
            work.link,
            account_id=work.customer.decided_account,
            account_step=Step.DONE,
            contact_id=None,
            contact_step=Step.NONE,
            content_hash=None,
            left_out=None,
            owed=None,
            is_adopted=True,
        )

    async def _adopt(self, work: Work) -> bool:
        """Link the account that is the tenant's already, by its marker or by decision, if there is one."""
        match = work.customer.match
        if match.verdict is not None:
            raise Stop(match.verdict)
        if match.account_id is None:
            return False
        if match.decision is not None:
            await self._link_as_decided(work)
        work.is_adoption = True
        work.link = replace(
            work.link, account_id=match.account_id, account_step=Step.DONE, is_adopted=True
        )
        if self._run.params.on_existing is OnExisting.SKIP:
            raise Stop(existing_skipped(match.account_id))
        return True

    def _creation(self, work: Work) -> Creation:
        customer, organisation = work.customer, self._context.organisation

        async def send(on_turn: OnTurn, settle: Settle[int]) -> int:
            async def leave() -> None:
                if self._context.look is not None:
                    await self._context.look.confirm_free(work.customer)
                await on_turn()

            body = account_body(customer, organisation, self._profile)
            return await self._client.create_account(body, leave, settle)

        async def find() -> int | None:
            if customer.match.account_id is not None and customer.match.decision is None:
                return customer.match.account_id
            if self._context.look is not None:
                await self._context.look.refresh()
                match = await self._context.look.match(customer)
                if match.account_id is not None and match.decision is None:
                    return match.account_id
            named = await self._client.accounts_named(str(customer.account["name"]))
            return find_marked(named, organisation, customer.tenant_id)

        return Creation("account", send, find)
