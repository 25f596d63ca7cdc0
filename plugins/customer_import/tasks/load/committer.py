"""Commits what many coroutines want to record in few transactions.

What arrives during a commit, or in the short pause after it, goes into the next one. So a lone entry
is committed at once and a crowd shares its commits. A coroutine goes on only when its own entry is durable.

Why: docs/decisions/0001-exactly-once.md.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Entry = TypeVar("Entry")
Answer = TypeVar("Answer")

MAX_GROUP = 256
GATHER_S = 0.01
"""Pause between two commits."""


class GroupCommitter(Generic[Entry, Answer]):
    """Hands entries to a function that commits them together; use it as an async context manager.

    Args:
        commit: Writes entries in one transaction and returns an answer for each; runs in a thread
            of its own, never twice at once.
        gather_s: Seconds between two commits.
    """

    def __init__(
        self, commit: Callable[[Sequence[Entry]], Sequence[Answer]], gather_s: float = GATHER_S
    ) -> None:
        self._commit = commit
        self._gather_s = gather_s
        self._resumes_at = 0.0
        self._waiting: list[tuple[Entry, asyncio.Future[Answer]]] = []
        self._drain: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    async def __aenter__(self) -> Self:
        """Nothing to open."""
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Wait until everything handed in is durable."""
        if self._drain is not None:
            await self._drain
        self._thread.shutdown()

    async def submit(self, entry: Entry) -> Answer:
        """Record an entry; returns when it is durable.

        Raises:
            Exception: What the commit function raised; every entry of the group gets it.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((entry, answer))
        if self._drain is None or self._drain.done():
            self._drain = loop.create_task(self._commit_all())
        return await answer

    async def _commit_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if (pause := self._resumes_at - loop.time()) > 0:
                await asyncio.sleep(pause)
            group, self._waiting = self._waiting[:MAX_GROUP], self._waiting[MAX_GROUP:]
            try:
                answers = await loop.run_in_executor(
                    self._thread, self._commit, [entry for entry, _ in group]
                )
            except Exception as error:  # noqa: BLE001 - handed to every waiter, which raises it
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
                continue
            finally:
                self._resumes_at = loop.time() + self._gather_s
            for (_, future), answer in zip(group, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
