"""Extracts customers: lists tenants, classifies them, reads those of the import, stages everything.

One event loop, a fixed number of workers, two rate limiters; memory holds names of tenants and one
batch of bodies. What the values mean for the BSS is not decided here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import select

from customer_import.database.tables import import_results, staged_customers
from customer_import.decisions.store import standing_by_subject
from customer_import.errors import EndlessListError, RejectedRequestError, RetriableError
from customer_import.failpoints import reached
from customer_import.garbage_collection import gc_frozen
from customer_import.partner_center.client import SUBSCRIPTIONS, PartnerCenterClient
from customer_import.partner_center.entra import SERVICE
from customer_import.partner_center.error_body import (
    tells_that_customer_is_gone,
    tells_that_customer_left,
)
from customer_import.partner_center.models import is_guid
from customer_import.runs.outcome_log import log_outcomes
from customer_import.runs.previews import previewed_tenants
from customer_import.runs.reference_data import get_reference, put_reference
from customer_import.runs.renewals import note_renewed, open_hook
from customer_import.runs.results import find_former
from customer_import.runs.run import begin_reading, record_progress
from customer_import.runs.slots import SlotShare
from customer_import.tasks.extract.classification import (
    Classification,
    Classifier,
    customer_gone,
    customer_left,
    not_a_tenant,
    not_usable,
)
from customer_import.tasks.extract.country_rules import read_country_rules
from customer_import.tasks.extract.plan import Plan, plan_extraction
from customer_import.tasks.extract.rate_windows import RateWindows, open_limits
from customer_import.tasks.extract.reseller_check import ResellerCheck
from customer_import.tasks.extract.selection import (
    ResellerSelection,
    Selection,
    check_selected,
    without_resellers,
)
from customer_import.tasks.extract.staged_tenant import PendingTenant, StagedTenant
from customer_import.tasks.extract.staging import CustomerStaging
from customer_import.vocabulary import (
    ImportType,
    Mode,
    Outcome,
    ReferenceName,
    StagedState,
    TaskId,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import Engine

    from customer_import.errors import ApiError
    from customer_import.partner_center.flatten import FlatCustomer
    from customer_import.partner_center.hook import PartnerCenterHook
    from customer_import.partner_center.models import (
        ListedTenant,
        Reseller,
        Subscription,
    )
    from customer_import.runs.run import Run

log = logging.getLogger(__name__)

SPARE_WORKERS = 16
"""Beside those for the requests that may be under way: while some parse and stage, Partner Center stays busy."""
_FLUSH_EVERY_S = 1.0
_PROGRESS_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class ExtractSummary:
    """What the extraction did, restarts included.

    Attributes:
        listed: Tenants that the run looked at.
        discovered: Tenants of the import type.
        fetched: Discovered tenants that go on to the next task.
        carried: Discovered tenants that were not read, because nothing about them changed.
        skipped: Discovered tenants that end here for a reason.
        ambiguous: Discovered tenants under several resellers.
        failed: Tenants without a usable answer, also those that nobody could classify.
        vanished: Customers of an earlier run that are no longer listed.
        scope: ``full`` or ``changed``, as it was done.
        scope_reason: Why, in words.
        requests: Requests of this attempt, repeated ones included.
        seconds: Duration of this attempt.
    """

    listed: int
    discovered: int
    fetched: int
    carried: int
    skipped: int
    ambiguous: int
    failed: int
    vanished: int
    scope: str
    scope_reason: str
    requests: int
    seconds: float


def extract_customers(
    run: Run, engine: Engine, hook: PartnerCenterHook | None = None
) -> ExtractSummary:
    """Extract a run's customers into ``staged_customers``; called again, it goes on there.

    Args:
        run: The run.
        engine: Its database.
        hook: Another hook than that of the instance's connection.

    Raises:
        AuthenticationError: Token or role were refused.
        ConfigurationError: Connection, instance or a run parameter are wrong: nobody has the name of a tenant or
            reseller that the run was asked for.
        ApiError: The lists could not be read; one customer's trouble is that customer's outcome
            instead.
    """
    hook = hook or open_hook(engine, run)
    hook.prepare()
    with gc_frozen():
        summary = asyncio.run(_extract(run, engine, hook))
    note_renewed(engine, run, hook)
    return summary


async def _extract(run: Run, engine: Engine, hook: PartnerCenterHook) -> ExtractSummary:
    started = time.monotonic()
    config = run.instance.partner_center
    partner = hook.settings.partner
    windows = RateWindows(engine, partner)
    async with (
        # Microsoft counts per partner tenant: two extractions at once would gain nothing.
        SlotShare(engine, partner, f"run {run.key} extract", 1, _use_slots),
        hook.session(config) as session,
        open_limits(config, windows) as limits,
    ):
        client = PartnerCenterClient(session, config, limits, hook.settings.cloud)
        # When its turn has come: of two extractions that read, the later one has the later moment.
        read_at = await asyncio.to_thread(begin_reading, engine, run)
        standing = await asyncio.to_thread(standing_by_subject, engine, run.params.instance)
        staging = CustomerStaging(run, engine, read_at, standing)
        extraction = _Extraction(run, engine, client, staging)
        await extraction.list_tenants()
        plan = await extraction.plan()
        await extraction.fetch_tenants()
        await read_country_rules(run, engine, client, staging)
        counts = await asyncio.to_thread(staging.counts)
        requests = client.requests
    summary = ExtractSummary(
        listed=counts.listed,
        discovered=counts.discovered,
        fetched=counts.fetched,
        carried=counts.carried,
        skipped=counts.outcomes[Outcome.SKIPPED],
        ambiguous=counts.outcomes[Outcome.AMBIGUOUS],
        failed=counts.outcomes[Outcome.FAILED],
        vanished=plan.vanished,
        scope=plan.scope.value,
        scope_reason=plan.reason,
        requests=requests,
        seconds=round(time.monotonic() - started, 3),
    )
    await asyncio.to_thread(_log_ended, engine, run.key)
    log.info(
        "Extracted: %s listed, %s discovered, of these %s fetched, %s carried, %s skipped, %s ambiguous, "
        "%s failed; %s requests in %.1f s",
        summary.listed,
        summary.discovered,
        summary.fetched,
        summary.carried,
        summary.skipped,
        summary.ambiguous,
        summary.failed,
        summary.requests,
        summary.seconds,
    )
    return summary


async def _use_slots(_: int) -> None:
    """Nothing to share: one extraction has the whole limit."""


def _log_ended(engine: Engine, run_key: int) -> None:
    """Log the outcome lines of those that ended here; those that were carried are only counted."""
    read = select(staged_customers.c.tenant_id).where(
        staged_customers.c.run_id == run_key,
        staged_customers.c.state != StagedState.CARRIED.value,
    )
    results = import_results.c
    log_outcomes(
        engine,
        run_key,
        results.task_id == TaskId.EXTRACT_CUSTOMERS.value,
        results.tenant_id.in_(read),
    )


class _Extraction:
    """One attempt at extracting one run."""

    def __init__(
        self, run: Run, engine: Engine, client: PartnerCenterClient, staging: CustomerStaging
    ) -> None:
        self._run = run
        self._engine = engine
        self._client = client
        self._staging = staging
        self._classifier = Classifier(run.import_type, run.instance)
        self._reseller_check = ResellerCheck(client)
        self._resellers: tuple[Reseller, ...] = ()
        self._selected = ResellerSelection()
        # Tenant to its resellers, when the instance groups by relationship.
        self._reseller_ids: dict[str, list[str]] | None = None
        self._done = 0
        self._discovered = 0

    async def list_tenants(self) -> None:
        """Stage the tenants of this partner that the run was asked for, and reopen those that have to be read again."""
        await self._staging.reopen()
        if self._run.import_type is ImportType.INDIRECT:
            await self._list_resellers()
        elif self._run.params.reseller_mpn_ids:
            raise without_resellers(self._run.import_type)
        engine, run = self._engine, self._run
        remembered = await asyncio.to_thread(
            get_reference, engine, run.key, ReferenceName.SELECTION
        )
        previewed = None
        if run.preview_key is not None:
            previewed = await asyncio.to_thread(previewed_tenants, engine, run.preview_key)
        selection = Selection(run.params, remembered, previewed)
        listed = 0
        async for page in self._client.tenants():
            chosen = [tenant for tenant in page if selection.takes(tenant)]
            await self._staging.add_listed(chosen, self._reseller_ids)
            reached("after_page")
            listed += len(page)
            log.info("Listed %s customers", listed)
        if not selection.is_empty:
            await asyncio.to_thread(self._settle_selection, selection)

    def _settle_selection(self, selection: Selection) -> None:
        former = find_former(
            self._engine, self._run.params.instance, selection.unmatched_exclusions()
        )
        for name in sorted(former):
            log.warning("%s is to be left out, and is no longer in Partner Center's list", name)
        selection.check(former)
        put_reference(self._engine, self._run.key, ReferenceName.SELECTION, selection.matched)

    async def plan(self) -> Plan:
        """Decide which of the listed tenants are asked for, and carry the others forward."""
        return await plan_extraction(
            self._run,
            self._engine,
            self._client,
            self._resellers,
            self._selected.mpn_ids,
            self._classifier.excluded_mpn_ids,
        )

    async def _list_resellers(self) -> None:
        self._resellers = resellers = await self._client.resellers()
        log.info("Listed %s resellers", len(resellers))
        await self._check_resellers(resellers)
        body = [reseller.model_dump(mode="json", by_alias=True) for reseller in resellers]
        await asyncio.to_thread(
            put_reference, self._engine, self._run.key, ReferenceName.RESELLERS, body
        )
        self._classifier = Classifier(self._run.import_type, self._run.instance, resellers)
        self._selected = ResellerSelection(self._run.params.reseller_mpn_ids, resellers)
        if self._run.instance.group_by == "relationships":
            self._reseller_ids = await self._list_relationships(resellers)

    async def _check_resellers(self, resellers: tuple[Reseller, ...]) -> None:
        known = {reseller.mpn_id for reseller in resellers if reseller.mpn_id}
        known |= self._staging.assigned_mpn_ids
        nobody = "no indirect reseller of this partner has the MPN ID"
        if excluded := sorted(set(self._run.instance.exclude_reseller_mpn_ids) - known):
            told = await self._reseller_check.describe(excluded)
            named = f"exclude_reseller_mpn_ids of the instance names {', '.join(excluded)}"
            log.warning("%s, but %s. %s", named, nobody, told)
        unknown = set(self._run.params.reseller_mpn_ids) - known
        told = await self._reseller_check.describe(unknown)
        check_selected("reseller_mpn_ids", unknown, known, nobody=nobody, told=told)

    async def _list_relationships(self, resellers: tuple[Reseller, ...]) -> dict[str, list[str]]:
        """Ask for every reseller's customers: way A of docs/api/partner-center.md section 7."""
        reseller_ids: dict[str, list[str]] = {}
        for key in dict.fromkeys(reseller.tenant_id for reseller in resellers):
            async for page in self._client.tenants(key):
                for tenant in page:
                    reseller_ids.setdefault(tenant.tenant_id, []).append(key)
        return reseller_ids

    async def fetch_tenants(self) -> None:
        """Ask for every listed tenant, with a fixed number of workers; the session bounds the requests."""
        counts = await asyncio.to_thread(self._staging.counts)
        self._done, self._discovered = counts.listed - counts.pending, counts.discovered
        queue = _Shared(self._staging.pending())
        slots = self._run.instance.partner_center.concurrency
        try:
            async with asyncio.TaskGroup() as group:
                ticker = group.create_task(self._tick(counts.listed, counts.pending))
                workers = [
                    group.create_task(self._work(queue))
                    for _ in range(min(slots + SPARE_WORKERS, counts.pending))
                ]
                await asyncio.gather(*workers)
                ticker.cancel()
        except BaseExceptionGroup as errors:
            # The workers fail for one reason; a retry policy needs the error itself, not a group.
            raise errors.exceptions[0] from errors
        finally:
            await self._staging.flush()  # also after an error: nothing is asked for twice
            await self._record_progress(counts.listed)

    async def _work(self, queue: _Shared) -> None:
        while (pending := await queue.take()) is not None:
            staged = await self._fetch(pending)
            self._done += 1
            self._discovered += staged.is_discovered is True
            await self._staging.add(staged)

    async def _fetch(self, pending: PendingTenant) -> StagedTenant:
        tenant = pending.tenant
        counted: tuple[Subscription, ...] | None = None
        customer: FlatCustomer | None = None
        if not is_guid(tenant.tenant_id):
            return StagedTenant(pending, not_a_tenant(tenant.tenant_id))
        decide = partial(self._classifier.decide, tenant, decisions=pending.decisions)
        known = decide(pending.known)
        try:
            classified, counted = await self._classify(tenant)
            found = known = decide(classified) or classified
            if self._selected.takes(found):
                told = await self._reseller_check.describe(found.unknown_mpn_ids)
                found = found.with_more(told)
                if found.is_discovered and found.verdict is None and self._reads_bodies:
                    paths = self._run.mappings.customer_paths
                    reached("before_detail")
                    customer = await self._client.customer(tenant.tenant_id, paths)
                    reached("after_detail")
        except RejectedRequestError as error:
            found = _classify_refusal(error, known)
        except (RetriableError, EndlessListError) as error:
            found = not_usable(_describe(error), known)
        if known is not None and known.is_excluded:
            found = known  # whatever its answers were
        return StagedTenant(
            pending, found, counted, customer, is_selected=self._selected.takes(found)
        )

    async def _classify(
        self, tenant: ListedTenant
    ) -> tuple[Classification, tuple[Subscription, ...] | None]:
        if self._reseller_ids is not None:
            reseller_ids = self._reseller_ids.get(tenant.tenant_id, [])
            return self._classifier.by_relationships(tenant, reseller_ids), None
        subscriptions = await self._client.subscriptions(tenant.tenant_id)
        if not all(item.status for item in subscriptions):
            # Not counted, it would make a reseller's customer a direct one.
            message = "a subscription has no status"
            raise RetriableError(message, service=SERVICE, endpoint=f"GET {SUBSCRIPTIONS}")
        counted = self._classifier.counted(subscriptions)
        return self._classifier.by_subscriptions(tenant, counted), counted

    @property
    def _reads_bodies(self) -> bool:
        return self._run.params.mode is not Mode.DISCOVER

    async def _tick(self, total: int, pending: int) -> None:
        """Write batches that fill slowly, and report progress, until cancelled."""
        started = last = time.monotonic()
        before = self._done
        while True:
            await asyncio.sleep(_FLUSH_EVERY_S)
            await self._staging.flush()
            now = time.monotonic()
            if now - last < _PROGRESS_EVERY_S:
                continue
            last = now
            done = self._done - before
            rate = done / (now - started)
            left = f"{(pending - done) / rate / 60:.1f} min" if rate else "unknown"
            log.info(
                "Extracted %s of %s customers, %.0f a minute, time left %s",
                self._done,
                total,
                rate * 60,
                left,
            )
            await self._record_progress(total)

    async def _record_progress(self, listed: int) -> None:
        values = {"listed": listed, "extracted": self._done, "discovered": self._discovered}
        await asyncio.to_thread(record_progress, self._engine, self._run.key, **values)


class _Shared:
    """Hands the tenants of one generator to many workers: a generator takes one caller at a time."""

    def __init__(self, tenants: AsyncIterator[PendingTenant]) -> None:
        self._tenants = tenants
        self._turn = asyncio.Lock()

    async def take(self) -> PendingTenant | None:
        """Return the next tenant; ``None`` when there is none left."""
        async with self._turn:
            return await anext(self._tenants, None)


def _classify_refusal(error: RejectedRequestError, known: Classification | None) -> Classification:
    if tells_that_customer_left(error):
        return customer_left(known)
    if tells_that_customer_is_gone(error):
        return customer_gone(known)
    return not_usable(_describe(error), known)


def _describe(error: ApiError) -> str:
    status = f", HTTP {error.status}" if error.status else ""
    code = f", code {error.code}" if error.code else ""
    return f"{error.endpoint}: {error.reason.rstrip('.')}{status}{code}"
