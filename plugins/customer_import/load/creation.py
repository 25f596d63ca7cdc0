"""Sends a POST that creates something, exactly once, whatever happens on the way.

The BSS has no idempotency key. So the intent is durable before the POST leaves; a POST without an
answer, of this attempt or of one that died, is settled by looking for what it would have made, and
only when that certainly is not there the POST is sent again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from customer_import.errors import AmbiguousWriteError, RejectedRequestError, RetriableError
from customer_import.load.claims import Link, Step
from customer_import.points import reached

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from customer_import.config.instances import BssConfig
    from customer_import.load.ledger import Ledger
    from customer_import.load.work import Work

MAX_SENDS = 3
_SERVER_ERROR = 500


@dataclass(frozen=True)
class Creation:
    """One thing to create for one tenant.

    Attributes:
        name: ``account`` or ``contact``; its step is the link's ``<name>_step``.
        send: Sends the POST and returns the new id.
        find: Looks for what the POST would have made; returns its id or ``None``.
    """

    name: str
    send: Callable[[], Awaitable[int]]
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
        self._write_window_s = config.request_timeout_s
        self._settle_delay_s = config.settle_delay_s
        self._sleep = sleep

    async def create(self, creation: Creation, work: Work, *, is_fresh: bool) -> int:
        """Send the POST until it is known to have been carried out; nothing of it may exist yet.

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
            RejectedRequestError: The BSS refused it; the step is back at ``none``.
            RetriableError: It was not carried out; the same.
        """
        for sends in range(1, MAX_SENDS + 1):
            if sends > 1 or not is_fresh:
                await self._intend(creation, work)
            try:
                return await self._send(creation)
            except AmbiguousWriteError as error:
                await self._sleep(max(self._settle_delay_s, error.retry_after or 0.0))
                found = await creation.find()
                if found is not None:
                    return found
                if sends == MAX_SENDS:
                    raise
            except (RejectedRequestError, RetriableError):
                # It was not carried out: nothing is left to settle.
                work.link = creation.at(work.link, Step.NONE)
                raise
        message = "a creation is sent at least once"
        raise RuntimeError(message)

    async def settle(self, creation: Creation, work: Work) -> int | None:
        """Find out what became of a POST whose sender died, or still runs without supervision.

        Returns:
            The id of what it made; ``None`` when it made nothing and cannot make anything any more.
        """
        if creation.step_of(work.link) is not Step.INTENT:
            return None
        found = await creation.find()
        if found is None and work.link.intent_at is not None:
            window = timedelta(seconds=self._write_window_s + self._settle_delay_s)
            wait_s = (work.link.intent_at + window - self._ledger.now()).total_seconds()
            if wait_s > 0:
                await self._sleep(wait_s)
                found = await creation.find()
        if found is None:
            work.link = creation.at(work.link, Step.NONE)
        return found

    async def _intend(self, creation: Creation, work: Work) -> None:
        values: dict[str, object] = {"intent_at": self._ledger.now()}
        if creation.name == "account":
            values["created_by_run"] = self._ledger.holder.run_id
        work.link = await self._ledger.save(creation.at(work.link, Step.INTENT, **values))

    async def _send(self, creation: Creation) -> int:
        """Send the POST, giving it up when its window ends: see ``customer_import.load.claims``."""
        reached(f"before_{creation.name}_post")
        endpoint = f"POST {creation.name}"
        try:
            async with asyncio.timeout(self._write_window_s):
                number = await creation.send()
        except TimeoutError as error:
            message = f"the outcome is unknown: no answer within {self._write_window_s:.0f} s"
            raise AmbiguousWriteError(message, service="BSS", endpoint=endpoint) from error
        except RejectedRequestError as error:
            if error.status is None or error.status < _SERVER_ERROR:
                raise
            # A server that fails does not promise that it did nothing, whatever it says of retries.
            raise AmbiguousWriteError.of(error, error.reason) from error
        reached(f"after_{creation.name}_post")
        return number
