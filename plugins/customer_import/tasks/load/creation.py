"""Sends a POST that creates something, exactly once, whatever happens on the way.

The intent is durable before the POST leaves. A POST without an answer, of this attempt or of one
that died, is settled by looking for what it would have made; only when that certainly is not there
the POST is sent again.

Why: docs/decisions/0001-exactly-once.md.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from customer_import.errors import AmbiguousWriteError, RejectedRequestError, RetriableError
from customer_import.failpoints import reached
from customer_import.tasks.load.claims import Link, Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from customer_import.bss.client import OnTurn
    from customer_import.config.instances import BssConfig
    from customer_import.http.session import Settle
    from customer_import.tasks.load.ledger import Ledger
    from customer_import.tasks.load.work import Work

LEAVE_WITHIN = 0.25
"""Part of the time-out that a POST may wait for its turn before its intent is recorded anew."""


@dataclass(frozen=True)
class Creation:
    """One thing to create for one tenant.

    Attributes:
        name: ``account`` or ``contact``; its step is the link's ``<name>_step``.
        send: Sends the POST and returns the new id; awaits its first argument when the POST leaves next, and its
            second when the outcome is unknown.
        find: Looks for what the POST would have made; returns its id or ``None``.
    """

    name: str
    send: Callable[[OnTurn, Settle[int]], Awaitable[int]]
    find: Callable[[], Awaitable[int | None]]

    def step_of(self, link: Link) -> Step:
        """Return how far this creation has come."""
        return Step(getattr(link, f"{self.name}_step"))

    def at(self, link: Link, step: Step, **values: Any) -> Link:  # noqa: ANN401 - columns of a link
        """Return the link with this creation at another step."""
        return replace(link, **{f"{self.name}_step": step, **values})


class Creator:
    """Runs creations against one ledger.

    Args:
        ledger: Where intents and outcomes go.
        config: Timeouts and settle delay.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        config: BssConfig,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ledger = ledger
        self._leave_within_s = LEAVE_WITHIN * config.request_timeout_s
        self._write_window_s = self._leave_within_s + config.request_timeout_s
        self._settle_delay_s = config.settle_delay_s
        self._sleep = sleep

    async def create(self, creation: Creation, work: Work, *, is_fresh: bool) -> int:
        """Send the POST until it is known to have been carried out; nothing of it may exist yet.

        It has its whole time-out on the way, however long it waited for its turn: it leaves at most ``LEAVE_WITHIN``
        of the time-out after its intent, and the session gives it up one time-out later.

        Args:
            creation: What to create.
            work: Its link is kept up to date; the step is ``intent`` afterwards, because the caller
                records the outcome together with what comes next.
            is_fresh: Whether the intent on the link was recorded just now, for this very POST.

        Returns:
            The id.

        Raises:
            LostClaimError: Another holder took the tenant over.
            AmbiguousWriteError: The outcome is still unknown; the step stays in ``intent``.
            OutageError: The BSS is away; the same.
            RejectedRequestError: The BSS refused it; the step is back at ``none``.
            RetriableError: It was not carried out; the same.
        """
        has_intent = is_fresh

        async def intend() -> None:
            nonlocal has_intent
            while not has_intent or self._age_s(work.link) > self._leave_within_s:
                await self._intend(creation, work)
                has_intent = True

        async def settle(error: AmbiguousWriteError) -> int | None:
            nonlocal has_intent
            has_intent = False
            await self._sleep(max(self._settle_delay_s, error.retry_after or 0.0))
            try:
                found = await self._find(creation, work.link)
            except (RejectedRequestError, RetriableError) as unread:
                raise error from unread  # whether it was carried out is still not known
            if found is not None:
                work.found.add(creation.name)
            return found

        if not is_fresh:
            await intend()
        reached(f"before_{creation.name}_post")
        try:
            number = await creation.send(intend, settle)
        except (RejectedRequestError, RetriableError):
            # It was not carried out: nothing is left to settle.
            work.link = creation.at(work.link, Step.NONE)
            raise
        reached(f"after_{creation.name}_post")
        return number

    async def settle(self, creation: Creation, work: Work) -> int | None:
        """Find out what became of a POST whose sender died, or still runs without supervision.

        Returns:
            The id of what it made; ``None`` when it made nothing and cannot make anything any more.
        """
        if creation.step_of(work.link) is not Step.INTENT:
            return None
        found = await self._find(creation, work.link)
        if found is None:
            work.link = creation.at(work.link, Step.NONE)
        return found

    async def _find(self, creation: Creation, link: Link) -> int | None:
        """Look for what a POST made, until it can make nothing any more: an error may come before the work is done."""
        found = await creation.find()
        if found is None and link.intent_at is not None:
            window = timedelta(seconds=self._write_window_s + self._settle_delay_s)
            wait_s = (link.intent_at + window - self._ledger.now()).total_seconds()
            if wait_s > 0:
                await self._sleep(min(wait_s, window.total_seconds()))
                found = await creation.find()
        return found

    def _age_s(self, link: Link) -> float:
        """Return an intent's age; one of the future tells none, because the clock was set back: it is recorded anew."""
        now = self._ledger.now()
        if link.intent_at is None or link.intent_at > now:
            return float("inf")
        return (now - link.intent_at).total_seconds()

    async def _intend(self, creation: Creation, work: Work) -> None:
        values: dict[str, object] = {"intent_at": self._ledger.now()}
        if creation.name == "account":
            values["created_by_run"] = self._ledger.holder.run_key
        work.link = await self._ledger.save(creation.at(work.link, Step.INTENT, **values))
