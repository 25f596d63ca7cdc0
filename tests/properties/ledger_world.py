"""Time, workers that stop before every step, and a BSS whose POSTs are on their way for a while.

A worker goes on only when it is told to, with the fate of what it does. What it sent and got no answer to may still
arrive, whatever became of the worker, until the sender's time-out and the server's settle delay are over.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from customer_import.bss.models import Account, Contact, SyncOption
from customer_import.errors import AmbiguousWriteError, RejectedRequestError, RetriableError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from customer_import.bss.client import OnTurn
    from customer_import.bss.patch import Difference
    from customer_import.config.instances import BssConfig
    from customer_import.http.session import Settle

MARKER = 5
SESSION_TRIES = 3
FATES = ("ok", "answer lost", "lost", "late", "refused", "throttled")
"""What becomes of a request. ``late``: no answer, and the request arrives after that or never."""

_worker: ContextVar[Worker] = ContextVar("worker")


class Worker:
    """A coroutine that stops before each step; ``at`` says before which one."""

    def __init__(self, tenant: str, work: Coroutine[Any, Any, Any]) -> None:
        self.tenant = tenant
        self.at = "start"
        self.wakes_at = 0.0
        self.is_hurried = False
        self._work = work
        self._stopped = asyncio.Event()
        self._gate: asyncio.Future[str] | None = None
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> object:
        _worker.set(self)
        try:
            return await self._work
        finally:
            self.at = "end"
            self._stopped.set()

    async def pause(self, step: str, wakes_at: float = 0.0) -> str:
        """Wait before a step; return its fate."""
        if self.is_hurried:
            return FATES[0]
        self.at, self.wakes_at = step, wakes_at
        self._gate = asyncio.get_running_loop().create_future()
        self._stopped.set()
        return await self._gate

    def go(self, fate: str) -> None:
        self._stopped.clear()
        if self._gate is not None:
            self._gate.set_result(fate)

    async def stopped(self) -> None:
        await self._stopped.wait()

    @property
    def is_done(self) -> bool:
        return self.task.done()


async def pause(step: str, wakes_at: float = 0.0) -> str:
    """Stop the worker that runs before a step."""
    return await _worker.get().pause(step, wakes_at)


@dataclass
class Post:
    """A POST that left and of which the server has not told what became of it."""

    kind: str
    tenant: str
    body: dict[str, Any]
    ends_at: float
    number: int | None = None
    is_lost: bool = False

    @property
    def is_under_way(self) -> bool:
        return self.number is None and not self.is_lost


@dataclass
class World:
    """The true time in seconds, the clock that everybody reads, and what the BSS holds."""

    config: BssConfig
    may_leave: Callable[[str, str], None]
    now_s: float = 0.0
    clock_ahead: timedelta = timedelta()
    posts: list[Post] = field(default_factory=list)
    accounts: dict[int, dict[str, Any]] = field(default_factory=dict)
    contacts_by_id: dict[int, dict[str, Any]] = field(default_factory=dict)
    options: dict[int, dict[str, str]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(100))

    def clock(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.now_s) + self.clock_ahead

    async def sleep(self, seconds: float) -> None:
        wakes_at = self.now_s + seconds
        await pause("sleep", wakes_at)
        self.pass_until(wakes_at)

    def pass_until(self, moment_s: float) -> None:
        """Let time pass; who is still on the way then arrives at its last moment."""
        self.now_s = max(self.now_s, moment_s)
        for post in self.under_way():
            if post.ends_at <= self.now_s:
                self.arrive(post)

    def under_way(self, kind: str = "", tenant: str = "") -> list[Post]:
        return [
            post
            for post in self.posts
            if post.is_under_way and kind in {"", post.kind} and tenant in {"", post.tenant}
        ]

    def arrive(self, post: Post) -> int:
        if post.number is None:
            post.number = next(self.numbers)
            store = self.accounts if post.kind == "account" else self.contacts_by_id
            store[post.number] = {**post.body, "id": post.number}
        return post.number

    def marked(self, tenant: str) -> list[int]:
        return [
            number
            for number, body in self.accounts.items()
            if body["customFields"][0]["value"] == tenant
        ]

    # What the loader calls.

    async def create_account(
        self, body: dict[str, Any], on_turn: OnTurn, settle: Settle[int]
    ) -> int:
        return await self._create("account", body, on_turn, settle)

    async def create_contact(
        self, body: dict[str, Any], on_turn: OnTurn, settle: Settle[int]
    ) -> int:
        return await self._create("contact", body, on_turn, settle)

    async def _create(
        self, kind: str, body: dict[str, Any], on_turn: OnTurn, settle: Settle[int]
    ) -> int:
        """Create as a session does: what became of a lost try is found out before the next one."""
        for left in reversed(range(SESSION_TRIES)):
            await pause(f"wait to send the {kind}")
            await on_turn()
            try:
                return await self._send(kind, body)
            except RetriableError:
                if not left:
                    raise
            except AmbiguousWriteError as error:
                if (found := await settle(error)) is not None:
                    return found
                if not left:
                    raise
        raise AssertionError

    async def _send(self, kind: str, body: dict[str, Any]) -> int:
        tenant = _worker.get().tenant
        self.may_leave(kind, tenant)
        lasts_s = self.config.request_timeout_s + self.config.settle_delay_s
        post = Post(kind, tenant, body, self.now_s + lasts_s)
        self.posts.append(post)
        fate = await pause(f"{kind} is on its way")
        where: dict[str, Any] = {"service": "BSS", "endpoint": "POST"}
        if fate == "ok" and not post.is_lost:
            return self.arrive(post)
        if fate == "answer lost" and not post.is_lost:
            self.arrive(post)
        if post.is_under_way and fate != "late":
            post.is_lost = True
            if fate == "refused":
                raise RejectedRequestError(fate, status=400, **where)
            if fate == "throttled":
                raise RetriableError(fate, is_sent=False, **where)
        raise AmbiguousWriteError(fate, **where)

    async def update_account(self, number: int, change: Difference, on_turn: OnTurn) -> None:
        await pause("wait to patch the account")
        await on_turn()
        for operation in change.operations:
            self.accounts[number][operation.path.removeprefix("/")] = operation.value
        await self._answer("PATCH")

    async def accounts_named(self, name: str) -> list[Account]:
        await self._answer("GET")
        return [_account(body) for body in self.accounts.values() if body["name"] == name]

    async def account(self, number: int) -> Account | None:
        await self._answer("GET")
        found = self.accounts.get(number)
        return _account(found) if found else None

    async def contacts(self, account_id: int) -> list[Contact]:
        await self._answer("GET")
        return [
            Contact(body["id"], account_id, body["isPrimary"], body["isBillTo"], body)
            for body in self.contacts_by_id.values()
            if body["accountId"] == account_id
        ]

    async def sync_options(self, account_id: int, _: int) -> list[SyncOption]:
        value = self.options.get(account_id, {}).get("prefix")
        return [SyncOption("prefix", "Domain prefix", value)]

    async def set_sync_options(
        self, account_id: int, _: int, values: dict[str, str], on_turn: OnTurn
    ) -> None:
        await pause("wait to set the options")
        await on_turn()
        self.options.setdefault(account_id, {}).update(values)
        await self._answer("POST")

    async def _answer(self, verb: str) -> None:
        fate = await pause(f"{verb} is answered")
        if fate not in {"ok", "late"}:
            raise RetriableError(fate, service="BSS", endpoint=verb)


def _account(body: dict[str, Any]) -> Account:
    fields = [
        {"id": item["id"], "values": [{"value": item["value"]}]} for item in body["customFields"]
    ]
    return Account(body["id"], body["name"], {**body, "customFields": [{"groupFields": fields}]})
