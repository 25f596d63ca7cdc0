"""Looks for accounts that came after the run's listing: by hand, by another import, by a POST whose answer was lost.

Accounts are numbered in the order in which they are made, so that one request for those beyond the highest number known
tells all of them at once; and for a few before it, since of two that are made at the same time the later one may show
first. What is found stands in the run's index from then on.

Why: docs/decisions/0004-tenant-marker.md.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from customer_import.database.engine import reading
from customer_import.database.tables import bss_accounts, import_runs
from customer_import.errors import SupersededError
from customer_import.runs.run import as_utc
from customer_import.tasks.load.account_index import (
    OVERLAP,
    MatchRules,
    find_matches,
    find_twins,
    has_lost_signs,
)
from customer_import.tasks.load.account_listing import store_accounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine

    from customer_import.bss.client import BssClient
    from customer_import.bss.models import Account, Organisation
    from customer_import.runs.run import Run
    from customer_import.tasks.load.customers import StagedCustomer
    from customer_import.tasks.load.reconcile import Match

FRESH_FOR_S = 60.0
"""An older look does not allow a creation."""


class OldLookError(Exception):
    """An account may have come since the last look: its POST does not leave before another one."""


class AccountLook:
    """Keeps a run's index of accounts fresh for one load task.

    Args:
        engine: The import's database.
        run: Whose index.
        client: Calls the BSS.
        organisation: Says which custom field is the tenant marker.
    """

    def __init__(
        self, engine: Engine, run: Run, client: BssClient, organisation: Organisation
    ) -> None:
        self._engine = engine
        self._run_key = run.key
        self._began_at = run.started_at
        self._client = client
        self._organisation = organisation
        self._rules = MatchRules.of(run)
        self._lock = asyncio.Lock()
        self._looked_at = self._listed_at = float("-inf")

    @property
    def is_fresh(self) -> bool:
        """Whether the last look is young enough for a creation."""
        return time.monotonic() - self._looked_at < FRESH_FOR_S

    def is_known(self, customer: StagedCustomer) -> bool:
        """Whether what a customer's match goes by is young enough for a creation."""
        return time.monotonic() - customer.looked_at < FRESH_FOR_S

    async def confirm_free(self, customer: StagedCustomer) -> None:
        """Make sure that a customer has no account, as its POST leaves; the index is read, the BSS is not asked.

        Raises:
            OldLookError: That is not known, or it has one by now: ``look_for`` tells.
        """
        if self.is_known(customer):
            return
        found = await asyncio.to_thread(self._matched, [customer]) if self.is_fresh else None
        if not found or not found[0].match.is_free:
            raise OldLookError

    async def look_for(self, customer: StagedCustomer) -> StagedCustomer:
        """Return a customer with what is known of its account, after a look if the last one is old."""
        await self.refresh(since=time.monotonic() - FRESH_FOR_S)
        (matched,) = await self.matched([customer])
        return matched

    async def refresh(self, *, since: float | None = None) -> None:
        """Look, unless another has since a moment.

        Args:
            since: Of ``time.monotonic()``; now when left out.
        """
        since = time.monotonic() if since is None else since
        async with self._lock:
            if self._looked_at >= since:
                return
            began = time.monotonic()
            after = await asyncio.to_thread(self._highest)
            pages = (
                self._client.accounts()
                if after is None
                else self._client.accounts_after(max(after - OVERLAP, 0))
            )
            async for page in pages:
                await asyncio.to_thread(self._store, page)
            self._looked_at = began

    async def list_again(self) -> None:
        """List all accounts, at most once a minute: what an older one carries may have changed, too."""
        await self._list(since=time.monotonic() - FRESH_FOR_S)

    async def matched(self, customers: Sequence[StagedCustomer]) -> list[StagedCustomer]:
        """Return customers with what the index says of those without account by now.

        Raises:
            SupersededError: The run was begun again, so that the index is gone, or another.
        """
        asked = time.monotonic()
        found = await asyncio.to_thread(self._matched, customers)
        if found is None:
            await self._list(since=asked)
            found = await asyncio.to_thread(self._matched, customers, is_whole=True)
        return found or []

    async def _list(self, since: float) -> None:
        async with self._lock:
            if self._listed_at >= since:
                return
            began = time.monotonic()
            async for page in self._client.accounts():
                await asyncio.to_thread(self._store, page)
            self._looked_at = self._listed_at = began

    async def match(self, customer: StagedCustomer) -> Match:
        """Return what the index says of a customer by now."""
        (matched,) = await self.matched([customer])
        return matched.match

    async def twins(self, customer: StagedCustomer, account_id: int) -> tuple[int, ...]:
        """Return the accounts beside this one that carry the customer's marker, by the index."""

        def read() -> tuple[int, ...]:
            with reading(self._engine) as connection:
                found = find_twins(connection, self._run_key, {customer.tenant_id: account_id})
            return found.get(customer.tenant_id, ())

        return await asyncio.to_thread(read)

    def _store(self, page: Sequence[Account]) -> None:
        option = self._rules.prefix_option
        store_accounts(self._engine, self._run_key, page, self._organisation, option)

    def _highest(self) -> int | None:
        statement = select(func.max(bss_accounts.c.account_id)).where(
            bss_accounts.c.run_id == self._run_key
        )
        with reading(self._engine) as connection:
            highest: int | None = connection.execute(statement).scalar_one()
        return highest

    def _matched(
        self, customers: Sequence[StagedCustomer], *, is_whole: bool = False
    ) -> list[StagedCustomer] | None:
        """Match customers; ``None`` when the index has lost what accounts can be known by."""
        looked_at = self._looked_at
        wanted = {
            one.tenant_id: self._rules.wanted(one.account, one.sync_options, one.decisions)
            for one in customers
        }
        with reading(self._engine) as connection:
            self._end_when_begun_again(connection)
            if not is_whole and has_lost_signs(connection, self._run_key):
                return None
            matches = find_matches(connection, self._run_key, wanted, self._rules)
        return [
            replace(one, match=matches[one.tenant_id], looked_at=looked_at) for one in customers
        ]

    def _end_when_begun_again(self, connection: Connection) -> None:
        began_at = connection.execute(
            select(import_runs.c.started_at).where(import_runs.c.id == self._run_key)
        ).scalar_one_or_none()
        if began_at is None or as_utc(began_at) != self._began_at:
            message = "the run was begun again, or deleted, while this task worked"
            raise SupersededError(message)
