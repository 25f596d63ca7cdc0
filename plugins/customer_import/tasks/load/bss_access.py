"""Opens the BSS for a task of the load: its requests and those of all others keep the operator's limits together."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from airflow.sdk.configuration import conf

from customer_import.bss.client import BssClient
from customer_import.bss.hook import BssHook, rate_limiter
from customer_import.runs.organisations import bind_organisation, check_organisation
from customer_import.runs.slots import SlotShare

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Engine

    from customer_import.http.limiter import WindowLimiter
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
    holder = f"run {run.key}" if batch is None else f"run {run.key} batch {batch}"
    machine = "" if config.concurrency is not None else f" on {_machine()}"
    limiter = rate_limiter(config)
    async with hook.session(config) as session, AsyncExitStack() as shares:
        service = f"{hook.organisation}{machine}"
        slots = SlotShare(engine, service, holder, config.slots, session.set_concurrency)
        await shares.enter_async_context(slots)
        if limiter is not None:
            rate = _share_rate(engine, hook.organisation, holder, limiter)
            await shares.enter_async_context(rate)
        yield BssClient(session, limiter)


def _share_rate(
    engine: Engine, organisation: str, holder: str, limiter: WindowLimiter
) -> SlotShare:
    """Share the requests of a window among all tasks of all machines: each is a slot."""
    held = 0

    async def apply(slots: int) -> None:
        nonlocal held
        if slots > held:  # whoever had them may have used up this window
            limiter.restore((), slots - held)
        await limiter.set_budget(slots)
        held = slots

    return SlotShare(engine, f"{organisation} per window", holder, limiter.budget, apply)


def _machine() -> str:
    """Return the name of this machine, or container, as Airflow shows it with a task."""
    get_hostname = conf.getimport("core", "hostname_callable")
    return str(get_hostname())
