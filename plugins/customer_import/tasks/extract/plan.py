"""Plans what an extraction reads: settles the run's scope, once per run, and marks what changed.

Called after the list is staged. What it decides is stored with the run, so that a later attempt of a killed
extraction goes on with the same plan.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from customer_import.bss.models import Organisation
from customer_import.database.engine import refresh_statistics
from customer_import.database.tables import staged_customers
from customer_import.errors import ApiError, AuthenticationError
from customer_import.runs.fingerprint import fingerprint_of
from customer_import.runs.reference_data import get_reference
from customer_import.tasks.extract.audited import forget_records, take_records
from customer_import.tasks.extract.carry_forward import count_due, find_vanished, settle_scope
from customer_import.tasks.extract.watermark import (
    AUDIT_WINDOW,
    Decision,
    decide,
    find_watermark,
    stored_scope,
)
from customer_import.vocabulary import Mode, ReferenceName, Scope, StagedState

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Engine

    from customer_import.partner_center.client import PartnerCenterClient
    from customer_import.partner_center.clouds import Cloud
    from customer_import.partner_center.models import Reseller
    from customer_import.runs.run import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What an extraction reads.

    Attributes:
        scope: Every customer, or those that changed.
        reason: Why, in words.
        carried: Customers that are not read.
        vanished: Customers of an earlier run that are no longer listed.
    """

    scope: Scope
    reason: str
    carried: int = 0
    vanished: int = 0


async def plan_extraction(
    run: Run,
    engine: Engine,
    client: PartnerCenterClient,
    resellers: Iterable[Reseller] = (),
    selected_mpn_ids: Collection[str] = (),
    excluded_mpn_ids: Collection[str] = (),
) -> Plan:
    """Decide what a run reads, and carry the rest forward; the tenants must be listed.

    Args:
        run: The run.
        engine: Its database.
        client: Reads the audit records.
        resellers: The partner's indirect resellers; only the indirect import has them.
        selected_mpn_ids: All MPN ids of the resellers that the run was started for; empty means all resellers.
        excluded_mpn_ids: All MPN ids of the resellers that the instance leaves out.
    """
    await asyncio.to_thread(refresh_statistics, engine, staged_customers)
    vanished = await asyncio.to_thread(_report_vanished, run, engine)
    if (stored := await asyncio.to_thread(stored_scope, engine, run.key)) is not None:
        counts = await asyncio.to_thread(count_due, engine, run)
        return Plan(*stored, counts.get(StagedState.CARRIED.value, 0), vanished)
    organisation = await asyncio.to_thread(_organisation, run, engine)
    fingerprint = fingerprint_of(run, organisation, resellers)
    watermark = await asyncio.to_thread(find_watermark, engine, run)
    decision = decide(run, watermark, fingerprint)
    if run.params.mode is not Mode.DISCOVER:
        decision = await _take_audit_records(run, engine, client, decision)
    counts = await asyncio.to_thread(
        settle_scope,
        engine,
        run,
        decision,
        fingerprint,
        selected_mpn_ids=selected_mpn_ids,
        excluded_mpn_ids=excluded_mpn_ids,
        takes_more=organisation is not None and bool(organisation.found_options),
    )
    log.info("Scope %s: %s", decision.scope, decision.reason)
    if decision.scope is Scope.CHANGED:
        parts = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
        log.info("To be read, by reason, and carried forward: %s", parts or "nobody")
    return Plan(decision.scope, decision.reason, counts.get(StagedState.CARRIED.value, 0), vanished)


async def _take_audit_records(
    run: Run, engine: Engine, client: PartnerCenterClient, decision: Decision
) -> Decision:
    """Mark the customers that audit records name; without records the run is a full one.

    A full run reads them too: the next one need not read for what this one has read.
    """
    if not client.cloud.place.has_audit_records:
        return _without_records(client.cloud, decision)
    basis = decision.watermark.started_at if decision.watermark else run.started_at
    since = basis - AUDIT_WINDOW
    until = datetime.now(UTC) + AUDIT_WINDOW
    try:
        async for page in client.audit_records(since.date(), until.date()):
            await asyncio.to_thread(take_records, engine, run, page)
    except (ApiError, AuthenticationError) as error:
        status = getattr(error, "status", None)
        told = f"HTTP {status}" if status else "no usable answer"
        if decision.scope is Scope.FULL:
            log.info("The audit records cannot be read, which a full run does without: %s", error)
            return decision
        log.warning("The audit records cannot be read, every customer is: %s", error)
        return Decision(Scope.FULL, f"Partner Center gave no audit records ({told})")
    await asyncio.to_thread(forget_records, engine, run, since)
    return decision


def _without_records(cloud: Cloud, decision: Decision) -> Decision:
    if decision.scope is not Scope.CHANGED:
        return decision
    reason = (
        f"Partner Center has no audit records in {cloud.place.title}, so who changed is not known"
    )
    log.warning("%s; every customer is read", reason)
    return Decision(Scope.FULL, reason)


def _organisation(run: Run, engine: Engine) -> Organisation | None:
    body = get_reference(engine, run.key, ReferenceName.ORGANISATION)
    return Organisation.model_validate(body) if body else None


def _report_vanished(run: Run, engine: Engine) -> int:
    if run.params.is_selective or run.params.mode is Mode.DISCOVER:
        return 0
    left_out = get_reference(engine, run.key, ReferenceName.SELECTION) or {}
    vanished = find_vanished(engine, run, tuple(left_out.values()))
    if vanished.count:
        names = ", ".join(vanished.names)
        log.warning(
            "%s customers of an earlier run are no longer in Partner Center's list; their BSS accounts stay: %s",
            vanished.count,
            names,
        )
    return vanished.count
