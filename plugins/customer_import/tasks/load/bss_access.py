"""Opens the BSS for a task of the load: its requests and those of all others keep the operator's limits together."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from customer_import.bss.client import BssClient
from customer_import.bss.hook import BssHook, rate_limiter
from customer_import.runs.organisations import bind_organisation, check_organisation
from customer_import.runs.slots import SlotShare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Engine

    from customer_import.runs.run import Run


@asynccontextmanager
async def open_bss(run: Run, engine: Engine, batch: int | None = None) -> AsyncIterator[BssClient]:
    """Give the typed calls to a run's BSS, with a share of ``concurrency`` and ``requests_per_second``.

    Args:
        run: The run.
        engine: The import's database.
        batch: Which of the run's batches it is for; ``None`` for what goes before all of them.

    Raises:
        ConfigurationError: The connection is wrong, or leads to another organisation than the instance wrote to.
    """
    config = run.instance.bss
    hook = BssHook(config.conn_id)
    bind = bind_organisation if run.writes else check_organisation
    bind(engine, run, hook.organisation)
    total = config.concurrency
    holder = f"run {run.key}" if batch is None else f"run {run.key} batch {batch}"
    async with hook.session(config) as session:
        limiter, rate = rate_limiter(config), config.requests_per_second
        held = 0

        async def apply(slots: int) -> None:
            nonlocal held
            await session.set_concurrency(slots)
            if limiter is not None and rate is not None and slots:
                if slots > held:  # whoever had them may have used up this window
                    await asyncio.sleep(limiter.window_s)
                limiter.set_rate(rate * slots / total)
            held = slots

        async with SlotShare(engine, hook.organisation, holder, total, apply):
            yield BssClient(session, limiter)
