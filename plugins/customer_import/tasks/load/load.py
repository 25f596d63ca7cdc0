"""Loads one batch of a run into the BSS: the work of one mapped ``load_customers`` task.

It may be killed anywhere and run again: what has a result is not done twice, and what was under
way is continued from the ledger.

Why that is safe: docs/decisions/0001-exactly-once.md, docs/decisions/0003-claims.md.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from customer_import.bss.models import Organisation
from customer_import.config.targets import OWNER_TARGETS
from customer_import.errors import ApiError, AuthenticationError
from customer_import.garbage_collection import gc_frozen
from customer_import.runs.reference_data import get_reference
from customer_import.runs.staged_customers import has_values
from customer_import.tasks.load.account_look import AccountLook
from customer_import.tasks.load.approval import TenantRefuser, find_refusal
from customer_import.tasks.load.bss_access import open_bss
from customer_import.tasks.load.claims import Holder
from customer_import.tasks.load.comparison import Comparer
from customer_import.tasks.load.customers import count_staged, read_chunks
from customer_import.tasks.load.drift_options import compare_options
from customer_import.tasks.load.ledger import Ledger
from customer_import.tasks.load.left_out import left_out_warnings, still_left_out, taken_by_now
from customer_import.tasks.load.preview import TenantPreviewer
from customer_import.tasks.load.report import LoadSummary, log_results, summarise
from customer_import.tasks.load.tenant import TenantLoader
from customer_import.tasks.load.triage import is_compared, triage
from customer_import.tasks.load.work import BatchContext
from customer_import.vocabulary import ReasonCode, ReferenceName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Engine

    from customer_import.runs.approvals import Approval
    from customer_import.runs.results import Result
    from customer_import.runs.run import Run
    from customer_import.tasks.load.customers import StagedCustomer

log = logging.getLogger(__name__)

WORKERS_PER_SLOT = 2
"""Workers for each request that may be under way: while some commit, others keep the BSS busy."""
PROGRESS_EVERY_S = 5.0


class _Loader(Protocol):
    async def load(self, customer: StagedCustomer) -> Result: ...


def load_batch(
    run: Run, engine: Engine, batch: int, *, attempt: int, map_index: int
) -> LoadSummary:
    """Load the customers of a batch that have no result yet; in a check compare their sync options.

    Args:
        run: The run.
        engine: The import's database.
        batch: Number of the batch.
        attempt: Try number of the task; a later attempt fences an earlier one out.
        map_index: The task's index, for the results.

    Returns:
        Counts over the whole batch.

    Raises:
        AuthenticationError: The BSS refused the credentials; a retry is useless.
        ConfigurationError: The BSS connection is wrong.
        DataQualityError: What was staged was removed because it was old, before all of it was loaded; or the load waits
            for an approval.
        SupersededError: A later attempt of the task is at work; this one wrote nothing after that.
    """
    if run.is_check:
        return compare_options(run, engine, batch)
    started = time.monotonic()
    if not count_staged(run, engine, batch) and not has_values(engine, run.key, is_validated=True):
        return LoadSummary(batch, {}, 0.0, 0)
    refusal = find_refusal(run, engine)
    began = int(run.started_at.timestamp() * 1000)
    holder = Holder(run.key, batch, attempt, secrets.token_hex(4), began)
    with gc_frozen():
        requests = asyncio.run(_load(run, engine, holder, map_index, refusal))
    log_results(engine, run, batch)
    seconds = time.monotonic() - started
    return summarise(engine, run, batch, seconds=seconds, requests=requests)


async def _load(
    run: Run, engine: Engine, holder: Holder, map_index: int, refusal: Approval | None
) -> int:
    organisation = Organisation.model_validate(
        get_reference(engine, run.key, ReferenceName.ORGANISATION)
    )
    config = run.instance.bss
    async with (
        open_bss(run, engine, holder.batch) as client,
        Ledger(engine, run.params.instance, holder) as ledger,
    ):
        look = AccountLook(engine, run, client, organisation) if refusal is None else None
        context = BatchContext(run, organisation, client, ledger, map_index, look)
        comparer = Comparer(client, organisation, run.mappings, config.settle_delay_s)
        loader: _Loader
        if refusal is not None:
            loader = TenantRefuser(context, refusal)
        elif run.is_preview:
            loader = TenantPreviewer(context, comparer)
        else:
            loader = TenantLoader(context, comparer)
        chunks = read_chunks(run, engine, holder.batch)
        await _Batch(context, loader, comparer).run(chunks, config.slots * WORKERS_PER_SLOT)
        return client.requests


class _Batch:
    """Feeds chunks to workers; a chunk is read while the one before is being loaded."""

    def __init__(self, context: BatchContext, loader: _Loader, comparer: Comparer) -> None:
        self._context = context
        self._comparer = comparer
        self._loader = loader
        self._queue: asyncio.Queue[StagedCustomer | None] = asyncio.Queue(maxsize=1)
        self._done = 0
        self._next_progress = time.monotonic() + PROGRESS_EVERY_S

    async def run(self, chunks: Iterator[list[StagedCustomer]], workers: int) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._feed(chunks, workers))
                for _ in range(workers):
                    group.create_task(self._work())
        except ExceptionGroup as errors:
            raise _most_telling(errors) from None

    async def _feed(self, chunks: Iterator[list[StagedCustomer]], workers: int) -> None:
        while chunk := await asyncio.to_thread(next, chunks, None):
            for customer in await self._look(await self._settle_without_requests(chunk)):
                await self._queue.put(customer)
        for _ in range(workers):
            await self._queue.put(None)

    async def _look(self, customers: list[StagedCustomer]) -> list[StagedCustomer]:
        """Look for accounts that came after the run's listing, when some are about to be created."""
        look = self._context.look
        if look is None or not any(map(_is_new, customers)):
            return customers
        if not look.is_fresh:
            await look.refresh()
        linked = [customer for customer in customers if not _is_new(customer)]
        return [*linked, *await look.matched([one for one in customers if _is_new(one)])]

    async def _due(self, customer: StagedCustomer) -> StagedCustomer:
        """Return a customer with whether it is to be compared though its content is the same."""
        link = customer.link
        if is_compared(customer, self._context.run.params):
            return replace(customer, is_due=True)
        if link is None or link.account_id is None or not link.left_out:
            return customer
        is_due = bool(taken_by_now(link.left_out, self._context.run))
        if options := [name for name in link.left_out if name not in OWNER_TARGETS]:
            try:
                is_due = is_due or await self._comparer.has_any_option(options, link.account_id)
            except ApiError:  # its account may be gone, which its result then says
                is_due = True
        return replace(customer, is_due=is_due)

    async def _settle_without_requests(
        self, chunk: Sequence[StagedCustomer]
    ) -> list[StagedCustomer]:
        """Record those that need no request, all in one commit; return the others."""
        run = self._context.run
        rest: list[StagedCustomer] = []
        results: list[Result] = []
        confirmed: list[str] = []
        now = self._context.ledger.now()
        for customer in [await self._due(one) for one in chunk]:
            verdict = triage(customer, run.import_type, run.params.on_existing, now)
            link = customer.link
            is_held = link is not None and link.holder is not None
            if verdict is None or (is_held and verdict.reason_code is ReasonCode.SUPERSEDED):
                rest.append(customer)  # whoever holds it may find the same; that is waited for
                continue
            is_same = verdict.reason_code is ReasonCode.SAME
            warnings = left_out_warnings(still_left_out(customer, run)) if is_same else []
            results.append(self._context.result(customer, verdict, link, warnings))
            if is_same and run.writes:
                confirmed.append(customer.tenant_id)
        if results:
            await self._context.ledger.record(results, confirmed)
            self._count(len(results))
        return rest

    async def _work(self) -> None:
        while (customer := await self._queue.get()) is not None:
            await self._loader.load(customer)
            self._count(1)

    def _count(self, number: int) -> None:
        self._done += number
        now = time.monotonic()
        if now >= self._next_progress:
            self._next_progress = now + PROGRESS_EVERY_S
            log.info(
                "Batch %d: %d tenants done, %d BSS requests",
                self._context.ledger.holder.batch,
                self._done,
                self._context.client.requests,
            )


def _is_new(customer: StagedCustomer) -> bool:
    return customer.link is None or customer.link.account_id is None


def _most_telling(errors: ExceptionGroup[Exception]) -> Exception:
    """Return the error that explains why the batch ended: workers fail together."""
    refused = (error for error in errors.exceptions if isinstance(error, AuthenticationError))
    return next(refused, errors.exceptions[0])
