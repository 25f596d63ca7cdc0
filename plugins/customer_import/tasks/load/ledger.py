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
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import select, update
from sqlalchemy.exc import SQLAlchemyError

from customer_import.database.engine import clock, durable, insert_missing, reading
from customer_import.database.tables import (
    staged_accounts,
    staged_contacts,
    tenant_links,
)
from customer_import.errors import CustomerImportError, SupersededError
from customer_import.failpoints import reached
from customer_import.runs.organisations import organisation_of
from customer_import.runs.results import Replaces, record_results
from customer_import.tasks.load.claims import (
    LEASE,
    RENEW_EVERY_S,
    Claim,
    ClaimRequest,
    ClaimState,
    Holder,
    Link,
    Step,
    claim_state,
    opened,
)
from customer_import.tasks.load.committer import GATHER_S, GroupCommitter
from customer_import.tasks.load.statements import (
    LINK_COLUMNS,
    WRITE_LINK,
    confirm_links,
    link_row,
    read_link,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Engine, Row

    from customer_import.runs.results import Result


log = logging.getLogger(__name__)

Before = tuple[bytes | None, bytes | None]
"""BSS values of account and contact as JSON; ``None`` where nothing is to be kept."""


class LostClaimError(CustomerImportError):
    """Another holder took the tenant over; nothing was recorded."""


class LinkedElsewhereError(CustomerImportError):
    """The account of a link belongs to another tenant already; nothing was recorded.

    Attributes:
        account_id: The account.
        tenant_id: Whose it is.
    """

    def __init__(self, account_id: int, tenant_id: str) -> None:
        self.account_id = account_id
        self.tenant_id = tenant_id
        super().__init__(f"BSS account {account_id} is linked to tenant {tenant_id}")


@dataclass(frozen=True)
class _Save:
    """The new state of a held link, and the tenant's result when that is the end of its work."""

    link: Link
    result: Result | None = None
    before: Before = (None, None)


@dataclass(frozen=True)
class _Fence:
    """The question whether a tenant is still held."""

    tenant_id: str


@dataclass(frozen=True)
class _Note:
    """Results of tenants that need no link, or BSS values as they were before an update.

    Of those that are ``confirmed``, the reading is as good as the one that was written.
    """

    results: tuple[Result, ...] = ()
    confirmed: tuple[str, ...] = ()
    tenant_id: str = ""
    before: Before = (None, None)


_Entry = ClaimRequest | _Save | _Fence | _Note
_Answer = Claim | LinkedElsewhereError | bool


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
        self._committer: GroupCommitter[_Entry, _Answer] = GroupCommitter(self._commit, gather_s)
        self._renewal: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to renew leases."""
        self._renewal = asyncio.create_task(self._renew_forever())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Make everything durable and let go of what is still held; steps stay as they are."""
        if self._renewal is not None:
            self._renewal.cancel()
        await self._committer.__aexit__(*exc_info)
        await asyncio.to_thread(self._set_lease, is_held=False)

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
        await self._save(_Save(link, before=before))
        return link

    async def confirm(self, tenant_id: str) -> None:
        """Make sure that a tenant is still held: whoever stood still may have lost it.

        Raises:
            LostClaimError: Another holder took it over.
        """
        if not await self._committer.submit(_Fence(tenant_id)):
            raise LostClaimError(_taken_over(tenant_id))

    async def distrust(self, tenant_id: str) -> None:
        """Forget what a link says of the BSS: a write may have come after the one that it speaks of."""
        await asyncio.to_thread(self._distrust, tenant_id)

    async def finish(self, link: Link, result: Result) -> None:
        """Record the last state of a held link with the tenant's result, and let go of it.

        Raises:
            LostClaimError: Another holder took it over; the result was not recorded either.
            LinkedElsewhereError: As for ``save``; the same.
        """
        await self._save(_Save(replace(link, holder=None, lease_until=None), result))

    async def record(self, results: Iterable[Result], confirmed: Iterable[str] = ()) -> None:
        """Record results of tenants that this holder does not hold.

        Args:
            results: One of each tenant.
            confirmed: Tenants of which the run read what the BSS holds already.
        """
        await self._committer.submit(_Note(tuple(results), tuple(confirmed)))

    async def keep_before(
        self, tenant_id: str, account: bytes | None, contact: bytes | None
    ) -> None:
        """Record the BSS values that an update is about to change, as JSON."""
        await self._committer.submit(_Note(tenant_id=tenant_id, before=(account, contact)))

    async def _save(self, entry: _Save) -> None:
        answer = await self._committer.submit(entry)
        if isinstance(answer, LinkedElsewhereError):
            raise answer
        if not answer:
            raise LostClaimError(_taken_over(entry.link.tenant_id))

    def _end_when_superseded(self, link: Link) -> None:
        if link.holder is None:
            return
        other = Holder.parse(link.holder)
        if other.is_same_task(self.holder) and other.attempt > self.holder.attempt:
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

    def _commit(self, entries: Sequence[_Entry]) -> list[_Answer]:
        now = self.now()
        requests = {entry.tenant_id: entry for entry in entries if isinstance(entry, ClaimRequest)}
        tenants = [*requests, *chain.from_iterable(map(_tenants, entries))]
        with self._engine.begin() as connection:
            self._insert_links(connection, requests, now)
            found = self._lock_links(connection, tenants)
            owners = self._owners(connection, entries, found)
            answers = [self._answer(entry, found, owners, now) for entry in entries]
            written = list(_links_to_write(entries, answers))
            if written:
                connection.execute(
                    WRITE_LINK, [link_row(_renewed(link, now), now) for link in written]
                )
            results = list(_results_to_write(entries, answers))
            if results:
                record_results(connection, results, replaces=Replaces.FAILED)
                reached("before_results_commit")
            for entry, answer in zip(entries, answers, strict=True):
                if isinstance(entry, _Note) and entry.tenant_id:
                    self._write_before(connection, entry.tenant_id, entry.before)
                elif isinstance(entry, _Save) and answer is True:
                    self._write_before(connection, entry.link.tenant_id, entry.before)
                elif isinstance(entry, _Note) and entry.confirmed:
                    self._confirm(connection, entry.confirmed)
        return answers

    def _owners(
        self, connection: Connection, entries: Sequence[_Entry], found: Mapping[str, Row[Any]]
    ) -> dict[int, str]:
        """Return whose the accounts are that links are about to get."""
        new = [
            entry.link.account_id
            for entry in entries
            if isinstance(entry, _Save) and _is_new_account(entry.link, found)
        ]
        if not new:
            return {}
        statement = select(tenant_links.c.account_id, tenant_links.c.tenant_id).where(
            tenant_links.c.organisation == self._organisation, tenant_links.c.account_id.in_(new)
        )
        return {row.account_id: row.tenant_id for row in connection.execute(statement)}

    def _answer(
        self,
        entry: _Entry,
        found: Mapping[str, Row[Any]],
        owners: dict[int, str],
        now: datetime,
    ) -> _Answer:
        match entry:
            case ClaimRequest():
                return self._decide(read_link(found[entry.tenant_id]), entry, now)
            case _Save():
                link = entry.link
                held = found.get(link.tenant_id)
                if held is None or held.holder != str(self.holder):
                    return False
                if link.account_id is not None and _is_new_account(link, found):
                    owner = owners.setdefault(link.account_id, link.tenant_id)
                    if owner != link.tenant_id:
                        return LinkedElsewhereError(link.account_id, owner)
                return True
            case _Fence():
                held = found.get(entry.tenant_id)
                return held is not None and held.holder == str(self.holder)
            case _:
                return True

    def _decide(self, link: Link, request: ClaimRequest, now: datetime) -> Claim:
        state = claim_state(link, request, self.holder, now)
        if state is not ClaimState.GRANTED:
            return Claim(state, link)
        has_intent = request.creates and link.account_id is None and link.account_step is Step.NONE
        held = replace(
            link,
            holder=str(self.holder),
            lease_until=now + LEASE,
            instance=self._instance,
            # Whose it was is forgotten only when what the move changes is written.
            import_type=request.import_type if link.account_id is None else link.import_type,
            attempts=link.attempts + 1,
        )
        if has_intent:
            run_key = self.holder.run_key
            held = replace(
                held,
                account_step=Step.INTENT,
                intent_at=now,
                created_by_run=run_key,
                read_at=request.read_at,
                written_by_run=run_key,
            )
        return Claim(state, held, has_intent)

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

    def _lock_links(self, connection: Connection, tenants: list[str]) -> dict[str, Row[Any]]:
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
        return {row.tenant_id: row for row in connection.execute(statement)}

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

    def _distrust(self, tenant_id: str) -> None:
        with self._engine.begin() as connection:
            link = self._lock_links(connection, [tenant_id]).get(tenant_id)
            if link is not None:
                connection.execute(
                    update(tenant_links)
                    .where(tenant_links.c.id == link.id)
                    .values(content_hash=opened(link.content_hash))
                )

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            try:
                await asyncio.to_thread(self._set_lease, is_held=True)
            except SQLAlchemyError:  # the next time, before the lease ends
                log.warning("The leases could not be renewed.", exc_info=True)

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


def _tenants(entry: _Entry) -> tuple[str, ...]:
    """Return the tenants whose links an entry beside a claim needs."""
    match entry:
        case _Save():
            return (entry.link.tenant_id,)
        case _Fence():
            return (entry.tenant_id,)
        case _Note():
            return entry.confirmed
        case _:
            return ()


def _renewed(link: Link, now: datetime) -> Link:
    """Return a link whose lease, if it is held, counts from now: a save never shortens what a renewal gave."""
    return link if link.holder is None else replace(link, lease_until=now + LEASE)


def _is_new_account(link: Link, found: Mapping[str, Row[Any]]) -> bool:
    held = found.get(link.tenant_id)
    return link.account_id is not None and held is not None and held.account_id != link.account_id


def _links_to_write(entries: Sequence[_Entry], answers: Sequence[_Answer]) -> Iterable[Link]:
    for entry, answer in zip(entries, answers, strict=True):
        if isinstance(answer, Claim) and answer.state is ClaimState.GRANTED:
            yield answer.link
        elif isinstance(entry, _Save) and answer is True:
            yield entry.link


def _results_to_write(entries: Sequence[_Entry], answers: Sequence[_Answer]) -> Iterable[Result]:
    for entry, answer in zip(entries, answers, strict=True):
        if isinstance(entry, _Note):
            yield from entry.results
        elif isinstance(entry, _Save) and answer is True and entry.result is not None:
            yield entry.result
