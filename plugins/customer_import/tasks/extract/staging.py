"""Writes what the extraction learns into ``staged_customers``, in batches, off the event loop.

A tenant's row is ``listed`` until everything about it is known; only ``listed`` rows are asked for,
so a restart goes on where the last attempt stopped. A row that failed, or whose values were removed, is ``listed``
again. A tenant that ends here gets its row in ``import_results`` in the same transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
from sqlalchemy import and_, delete, func, or_, select, update

from customer_import.database.engine import insert_missing, reading, upsert
from customer_import.database.names import folded_name, record_names
from customer_import.database.tables import (
    import_results,
    known_tenants,
    reference_data,
    staged_customers,
)
from customer_import.decisions.rules import pack, unpack
from customer_import.failpoints import reached
from customer_import.partner_center.models import ListedTenant
from customer_import.runs.fingerprint import listed_hash
from customer_import.runs.known_tenants import same_tenant
from customer_import.runs.results import Replaces, Result, record_results
from customer_import.runs.staged_customers import lacks_paths, lacks_values, was_read
from customer_import.tasks.extract.staged_tenant import (
    PendingTenant,
    StagedTenant,
    known_classification,
    staged_row,
)
from customer_import.vocabulary import (
    DecisionKind,
    ReferenceName,
    StagedState,
    TaskId,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from sqlalchemy import Engine

    from customer_import.decisions.rules import Decision
    from customer_import.runs.run import Run

log = logging.getLogger(__name__)

BATCH_ROWS = 200
_READ_ROWS = 2_000
_PENDING_ROWS = 1_000
_former = staged_customers.alias("former_customers")


@dataclass(frozen=True, slots=True)
class StageCounts:
    """How the rows of a run stand.

    Attributes:
        listed: All rows.
        pending: Rows still to be asked for.
        discovered: Tenants of the import type, whatever became of them.
        fetched: Discovered tenants that go on to the next task.
        carried: Discovered tenants that need not be read.
        outcomes: Tenants that ended here, by outcome.
    """

    listed: int
    pending: int
    discovered: int
    fetched: int
    carried: int
    outcomes: Counter[str]


class CustomerStaging:
    """The staged customers of one run.

    Args:
        run: The run.
        engine: Its database.
        read_at: What the readings are stamped with (``begin_reading``).
        standing: Decisions by tenant: each listed tenant keeps those about it.
    """

    def __init__(
        self,
        run: Run,
        engine: Engine,
        read_at: datetime,
        standing: Mapping[str, Sequence[Decision]] | None = None,
    ) -> None:
        self._run = run
        self._standing = standing or {}
        self._read_at = read_at
        self._engine = engine
        self._batch: list[StagedTenant] = []
        self._turn = asyncio.Lock()
        self._next_position: int | None = None

    @property
    def assigned_mpn_ids(self) -> set[str]:
        """The MPN ids of the resellers that people decided on."""
        return {
            each.value
            for decisions in self._standing.values()
            for each in decisions
            if each.kind is DecisionKind.RESELLER and each.value
        }

    async def reopen(self) -> None:
        """List again what could not be read, is not there any more, or is less than the mapping files name by now."""
        await asyncio.to_thread(self._reopen)

    async def add_listed(
        self,
        tenants: Sequence[ListedTenant],
        reseller_ids: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Stage listed tenants that are not there yet; the others stay as they are.

        Args:
            tenants: Of one page.
            reseller_ids: Tenant to its resellers, when the instance groups by relationship.
        """
        await asyncio.to_thread(self._insert, tenants, reseller_ids or {})

    async def add(self, tenant: StagedTenant) -> None:
        """Stage a finished tenant with its batch; waits while the database is behind."""
        self._batch.append(tenant)
        if len(self._batch) >= BATCH_ROWS:
            await self.flush()

    async def flush(self) -> None:
        """Write what is waiting; when cancelled, only after the write under way has ended."""
        async with self._turn:
            batch, self._batch = self._batch, []
            if not batch:
                return
            write = asyncio.create_task(asyncio.to_thread(self._write, batch))
            try:
                await asyncio.shield(write)
            finally:
                await asyncio.wait({write})
                write.exception()  # taken also when cancelled: nobody else asks for it, and asyncio would log it

    async def pending(self) -> AsyncIterator[PendingTenant]:
        """Give the tenants still to be asked for, in listing order; holds one page of them."""
        position = -1
        while page := await asyncio.to_thread(self._pending_after, position):
            for tenant in page:
                yield tenant
            position = page[-1].position

    def _reopen(self) -> None:
        staged, results, key = staged_customers.c, import_results.c, self._run.key
        is_unread = and_(staged.run_id == key, staged.state == StagedState.FAILED.value)
        if self._run.is_loading:
            is_unread = or_(is_unread, lacks_values(key))
        if lacks_paths(self._engine, self._run):
            is_unread = or_(is_unread, was_read(key))
        paths = {"name": ReferenceName.PATHS.value, "body": self._run.mappings.customer_paths}
        with self._engine.begin() as connection:
            upsert(connection, reference_data, [{"run_id": key, **paths}])
            unread = connection.execute(select(staged.tenant_id).where(is_unread)).scalars().all()
            if unread:
                log.info(
                    "%d customers could not be read, or what was read of them was removed because it was old, or is "
                    "less than the mapping files name by now: they are read again. Results of customers that were "
                    "loaded stand.",
                    len(unread),
                )
            for first in range(0, len(unread), _PENDING_ROWS):
                some = unread[first : first + _PENDING_ROWS]
                connection.execute(
                    delete(import_results).where(results.run_id == key, results.tenant_id.in_(some))
                )
                connection.execute(
                    update(staged_customers)
                    .where(staged.run_id == key, staged.tenant_id.in_(some))
                    .values(
                        state=StagedState.LISTED.value,
                        is_discovered=None,
                        outcome=None,
                        reason_code=None,
                        reason=None,
                        fetched_at=None,
                    )
                )

    def _pending_after(self, position: int) -> list[PendingTenant]:
        table, known, former = staged_customers.c, known_tenants.c, _former.c
        query = (
            select(
                table.position,
                table.domain_prefix,
                table.tenant_id,
                table.tenant_name,
                table.domain,
                table.relationship,
                table.decisions,
                known.is_discovered,
                known.classification,
                known.reseller_mpn_id,
                known.reseller_name,
                known.is_in_both_lists,
                former.domain_prefix.label("former_prefix"),
            )
            .select_from(
                staged_customers.outerjoin(known_tenants, same_tenant(self._run)).outerjoin(
                    _former,
                    and_(former.run_id == known.run_id, former.tenant_id == known.tenant_id),
                )
            )
            .where(
                table.run_id == self._run.key,
                table.state == StagedState.LISTED.value,
                table.position > position,
            )
            .order_by(table.position)
            .limit(_PENDING_ROWS)
        )
        with reading(self._engine) as connection:
            return [
                PendingTenant(
                    row.position,
                    ListedTenant(row.tenant_id, row.tenant_name, row.domain, row.relationship),
                    row.domain_prefix,
                    row.former_prefix,
                    known_classification(row),
                    unpack(row.decisions, self._run.params.instance, row.tenant_id),
                )
                for row in connection.execute(query)
            ]

    def counts(self) -> StageCounts:
        """Count the rows of the run."""
        table = staged_customers.c
        query = (
            select(table.state, table.is_discovered, table.outcome, func.count())
            .where(table.run_id == self._run.key)
            .group_by(table.state, table.is_discovered, table.outcome)
        )
        with reading(self._engine) as connection:
            groups = connection.execute(query).all()
        outcomes: Counter[str] = Counter()
        for state, _, outcome, count in groups:
            if outcome is not None and state != StagedState.CARRIED:
                outcomes[outcome] += count
        return StageCounts(
            listed=sum(group[3] for group in groups),
            pending=sum(count for state, _, _, count in groups if state == StagedState.LISTED),
            discovered=sum(count for _, is_discovered, _, count in groups if is_discovered),
            fetched=sum(
                count
                for state, is_discovered, _, count in groups
                if state == StagedState.FETCHED and is_discovered
            ),
            carried=sum(
                count
                for state, is_discovered, _, count in groups
                if state == StagedState.CARRIED and is_discovered
            ),
            outcomes=outcomes,
        )

    def sources(self) -> Iterator[dict[str, object]]:
        """Give the mapped values of every fetched customer, one by one."""
        table = staged_customers.c
        query = select(table.source).where(
            table.run_id == self._run.key,
            table.state == StagedState.FETCHED.value,
            table.source.is_not(None),
        )
        with reading(self._engine) as connection:
            for source in connection.execute(
                query.execution_options(yield_per=_READ_ROWS)
            ).scalars():
                yield orjson.loads(source)

    def _insert(
        self, tenants: Sequence[ListedTenant], reseller_ids: Mapping[str, Sequence[str]]
    ) -> None:
        with self._engine.begin() as connection:
            if self._next_position is None:
                last = connection.execute(
                    select(func.max(staged_customers.c.position)).where(
                        staged_customers.c.run_id == self._run.key
                    )
                ).scalar_one()
                self._next_position = 0 if last is None else last + 1
            first = self._next_position
            self._next_position += len(tenants)
            rows = [
                {
                    "run_id": self._run.key,
                    "tenant_id": tenant.tenant_id,
                    "position": position,
                    "tenant_name": tenant.name,
                    "domain": tenant.domain,
                    "name_folded": folded_name(tenant.name, tenant.domain),
                    "relationship": tenant.relationship,
                    "state": StagedState.LISTED.value,
                    "listed_hash": listed_hash(tenant, reseller_ids.get(tenant.tenant_id, ())),
                    "decisions": pack(self._standing.get(tenant.tenant_id, ())),
                }
                for position, tenant in enumerate(tenants, first)
            ]
            insert_missing(connection, staged_customers, rows)
            record_names(connection, ((each.tenant_id, each.name, each.domain) for each in tenants))

    def _write(self, batch: Sequence[StagedTenant]) -> None:
        now = datetime.now(UTC)
        results = [
            Result.of(
                self._run,
                item,
                verdict,
                TaskId.EXTRACT_CUSTOMERS,
                read_at=self._read_at,
                recorded_at=now,
            )
            for item in batch
            if (verdict := item.verdict) and item.is_discovered is not False
        ]
        with self._engine.begin() as connection:
            upsert(
                connection,
                staged_customers,
                [staged_row(item, self._run.key, self._read_at) for item in batch],
            )
            record_results(connection, results, replaces=Replaces.ANY)
            reached("before_staging_commit")
        reached("after_staging_commit")
