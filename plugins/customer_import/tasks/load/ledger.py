"""The ledger: records before a write that it is intended, and after it what came of it.

One holder (one attempt of one load task) writes through one ledger. Claims, intents, outcomes and
results that are due at the same moment share a transaction; nothing leaves for the BSS before its
intent is committed. Every write is fenced: a link that another holder has taken over stays as it
is, and so does its result.

Why: docs/decisions/0001-exactly-once.md, docs/decisions/0003-claims.md.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Self

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from customer_import.database.engine import clock, durable, insert_missing, reading
from customer_import.database.tables import (
    staged_accounts,
    staged_contacts,
    tenant_links,
)
from customer_import.errors import CustomerImportError, DatabaseError, SupersededError
from customer_import.failpoints import reached
from customer_import.runs.organisations import organisation_of
from customer_import.runs.results import Replaces, record_results
from customer_import.tasks.load.claims import (
    LEASE,
    RENEW_EVERY_S,
    Claim,
    ClaimRequest,
    Holder,
    decide,
    opened,
)
from customer_import.tasks.load.committer import GATHER_S, GroupCommitter
from customer_import.tasks.load.entries import (
    Answer,
    Before,
    Entry,
    Fence,
    LinkedElsewhereError,
    Note,
    Save,
    answer_to,
    is_new_account,
    links_to_write,
    results_to_write,
    tenants_of,
)
from customer_import.tasks.load.statements import (
    LINK_COLUMNS,
    WRITE_CONTENT,
    WRITE_LINK,
    confirm_links,
    content_row,
    link_row,
    read_link,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine

    from customer_import.runs.results import Result
    from customer_import.tasks.load.claims import Link


log = logging.getLogger(__name__)


class LostClaimError(CustomerImportError):
    """Another holder took the tenant over; nothing was recorded."""


class Ledger:
    """Claims and records for one holder; use it as an async context manager.

    Args:
        engine: The import's database.
        instance: Which instance; its links are those of the organisation that it is bound to.
        holder: Who writes.
        now: UTC clock; the database's when left out.
        gather_s: Seconds between two commits.
    """

    def __init__(
        self,
        engine: Engine,
        instance: str,
        holder: Holder,
        now: Callable[[], datetime] | None = None,
        gather_s: float = GATHER_S,
    ) -> None:
        self.now = now or clock(engine)
        self.holder = holder
        self._engine = durable(engine)
        self._instance = instance
        self._organisation = organisation_of(engine, instance)
        self._committer: GroupCommitter[Entry, Answer] = GroupCommitter(self._commit, gather_s)
        self._renewal: asyncio.Task[None] | None = None
        self._sent: set[str] = set()

    async def __aenter__(self) -> Self:
        """Begin to renew leases."""
        self._renewal = asyncio.create_task(self._renew_forever())
        return self

    async def __aexit__(self, kind: object = None, *exc_info: object) -> None:
        """Make everything durable and let go of what is still held; steps stay as they are.

        Of tenants whose write broke off nothing is believed: another holder may have written before. An error that
        ends the work is not hidden by a database that is away; leases then end by themselves.
        """
        if self._renewal is not None:
            self._renewal.cancel()
        await self._committer.__aexit__(kind, *exc_info)
        try:
            await asyncio.to_thread(self._let_go)
        except (SQLAlchemyError, DatabaseError) as error:
            if kind is None:
                raise
            log.warning("The customers could not be let go of: %s", error)

    async def claim(self, request: ClaimRequest) -> Claim:
        """Ask for a tenant; makes its link when there is none.

        Raises:
            SupersededError: A later attempt of this task is at work.
        """
        claim = await self._committer.submit(request)
        if not isinstance(claim, Claim):
            message = "a claim was answered by something else"
            raise TypeError(message)
        self._end_when_superseded(claim.link)
        return claim

    async def read(self, tenant_id: str) -> Link | None:
        """Return the link of a tenant as it is now, whoever holds it; ``None`` when somebody deleted it.

        Raises:
            SupersededError: A later attempt of this task holds it.
        """
        link = await asyncio.to_thread(self._read, tenant_id)
        if link is not None:
            self._end_when_superseded(link)
        return link

    async def save(self, link: Link, before: Before = (None, None)) -> Link:
        """Record the state of a held link and keep holding it.

        Args:
            link: Its new state.
            before: BSS values of account and contact that an update is about to change, as JSON.

        Raises:
            LostClaimError: Another holder took it over.
            LinkedElsewhereError: Its account is another tenant's.
        """
        await self._save(Save(link, before=before))
        return link

    async def confirm(self, tenant_id: str) -> None:
        """Make sure that a tenant is still held, as something is sent: whoever stood still may have lost it.

        Raises:
            LostClaimError: Another holder took it over.
        """
        if not await self._committer.submit(Fence(tenant_id)):
            raise LostClaimError(_taken_over(tenant_id))
        self._sent.add(tenant_id)

    async def distrust(self, tenant_id: str) -> None:
        """Forget what a link says of the BSS: a write may have come after the one that it speaks of."""
        await asyncio.to_thread(self._distrust, [tenant_id])
        self._sent.discard(tenant_id)

    async def finish(self, link: Link, result: Result) -> None:
        """Record the last state of a held link with the tenant's result, and let go of it.

        Raises:
            LostClaimError: Another holder took it over; the result was not recorded either.
            LinkedElsewhereError: As for ``save``; the same.
        """
        await self._save(Save(replace(link, holder=None, lease_until=None), result))
        self._sent.discard(link.tenant_id)

    async def record(self, results: Iterable[Result], confirmed: Iterable[str] = ()) -> None:
        """Record results of tenants that this holder does not hold.

        Args:
            results: One of each tenant.
            confirmed: Tenants of which the run read what the BSS holds already.
        """
        await self._committer.submit(Note(tuple(results), tuple(confirmed)))

    async def keep_before(
        self, tenant_id: str, account: bytes | None, contact: bytes | None
    ) -> None:
        """Record the BSS values that an update is about to change, as JSON."""
        await self._committer.submit(Note(tenant_id=tenant_id, before=(account, contact)))

    async def _save(self, entry: Save) -> None:
        answer = await self._committer.submit(entry)
        if isinstance(answer, LinkedElsewhereError):
            raise answer
        if not answer:
            raise LostClaimError(_taken_over(entry.link.tenant_id))

    def _end_when_superseded(self, link: Link) -> None:
        if link.holder is None:
            return
        other = Holder.parse(link.holder)
        if other.is_after(self.holder):
            message = f"attempt {self.holder.attempt} was replaced by attempt {other.attempt}"
            raise SupersededError(message)

    def _read(self, tenant_id: str) -> Link | None:
        with reading(self._engine) as connection:
            row = connection.execute(
                select(*LINK_COLUMNS).where(
                    tenant_links.c.organisation == self._organisation,
                    tenant_links.c.tenant_id == tenant_id,
                )
            ).one_or_none()
        return None if row is None else read_link(row)

    def _commit(self, entries: Sequence[Entry]) -> list[Answer]:
        now = self.now()
        requests = {entry.tenant_id: entry for entry in entries if isinstance(entry, ClaimRequest)}
        tenants = [*requests, *chain.from_iterable(map(tenants_of, entries))]
        with self._engine.begin() as connection:
            self._insert_links(connection, requests, now)
            found = self._lock_links(connection, tenants)
            owners = self._owners(connection, entries, found)
            answers = [self._answer(entry, found, owners, now) for entry in entries]
            if written := list(links_to_write(entries, answers, now)):
                connection.execute(WRITE_LINK, [link_row(link, now) for link in written])
            results = list(results_to_write(entries, answers))
            if results:
                record_results(connection, results, replaces=Replaces.FAILED)
                reached("before_results_commit")
            for entry, answer in zip(entries, answers, strict=True):
                if isinstance(entry, Note) and entry.tenant_id:
                    self._write_before(connection, entry.tenant_id, entry.before)
                elif isinstance(entry, Save) and answer is True:
                    self._write_before(connection, entry.link.tenant_id, entry.before)
                elif isinstance(entry, Note) and entry.confirmed:
                    self._confirm(connection, entry.confirmed)
        return answers

    def _owners(
        self, connection: Connection, entries: Sequence[Entry], found: Mapping[str, Link]
    ) -> dict[int, str]:
        """Return whose the accounts are that links are about to get."""
        new = [
            entry.link.account_id
            for entry in entries
            if isinstance(entry, Save) and is_new_account(entry.link, found)
        ]
        if not new:
            return {}
        statement = select(tenant_links.c.account_id, tenant_links.c.tenant_id).where(
            tenant_links.c.organisation == self._organisation, tenant_links.c.account_id.in_(new)
        )
        return {row.account_id: row.tenant_id for row in connection.execute(statement)}

    def _answer(
        self, entry: Entry, found: Mapping[str, Link], owners: dict[int, str], now: datetime
    ) -> Answer:
        if isinstance(entry, ClaimRequest):
            link = found[entry.tenant_id]
            return decide(link, entry, self.holder, now, instance=self._instance)
        return answer_to(entry, found, owners, self.holder)

    def _insert_links(
        self, connection: Connection, requests: dict[str, ClaimRequest], now: datetime
    ) -> None:
        # Sorted, so that two holders that insert the same tenants never wait for each other.
        rows = [
            {
                "organisation": self._organisation,
                "instance": self._instance,
                "tenant_id": tenant_id,
                "import_type": requests[tenant_id].import_type,
                "created_at": now,
                "updated_at": now,
            }
            for tenant_id in sorted(requests)
        ]
        insert_missing(connection, tenant_links, rows)

    def _lock_links(self, connection: Connection, tenants: list[str]) -> dict[str, Link]:
        if not tenants:
            return {}
        statement = (
            select(*LINK_COLUMNS)
            .where(
                tenant_links.c.organisation == self._organisation,
                tenant_links.c.tenant_id.in_(tenants),
            )
            .order_by(tenant_links.c.id)
            .with_for_update()
        )
        return {row.tenant_id: read_link(row) for row in connection.execute(statement)}

    def _write_before(self, connection: Connection, tenant_id: str, before: Before) -> None:
        for table, values in zip((staged_accounts, staged_contacts), before, strict=True):
            if values is not None:
                connection.execute(
                    update(table)
                    .where(table.c.run_id == self.holder.run_key, table.c.tenant_id == tenant_id)
                    .values(bss_before=values)
                )

    def _confirm(self, connection: Connection, tenants: Sequence[str]) -> None:
        connection.execute(confirm_links(self._organisation, self.holder.run_key, tenants))

    def _let_go(self) -> None:
        if self._sent:
            self._distrust(sorted(self._sent))
        self._set_lease(is_held=False)

    def _distrust(self, tenants: list[str]) -> None:
        with self._engine.begin() as connection:
            links = self._lock_links(connection, tenants).values()
            if rows := [content_row(link, opened(link.content_hash)) for link in links]:
                connection.execute(WRITE_CONTENT, rows)

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            try:
                await asyncio.to_thread(self._set_lease, is_held=True)
            except (SQLAlchemyError, DatabaseError) as error:
                # The next time, before the lease ends.
                log.warning("The leases could not be renewed: %s", error)

    def _set_lease(self, *, is_held: bool) -> None:
        lease = {"lease_until": self.now() + LEASE} if is_held else {"holder": None}
        held = (
            tenant_links.c.organisation == self._organisation,
            tenant_links.c.holder == str(self.holder),
        )
        with self._engine.begin() as connection:
            # In the order of _lock_links, so that nobody waits for each other.
            in_order = select(tenant_links.c.id).where(*held).order_by(tenant_links.c.id)
            connection.execute(in_order.with_for_update())
            connection.execute(update(tenant_links).where(*held).values(**lease))


def _taken_over(tenant_id: str) -> str:
    return f"tenant {tenant_id} was taken over by another load"
