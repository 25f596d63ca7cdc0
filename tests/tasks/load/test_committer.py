"""The group committer: who waits learns what became of its own entry, and one group's trouble is not the next one's."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from customer_import.tasks.load.committer import MAX_GROUP, GroupCommitter

if TYPE_CHECKING:
    from collections.abc import Sequence


class Book:
    """Notes what is committed; breaks at the groups that a test names."""

    def __init__(self, *breaks_at: int) -> None:
        self.groups: list[list[int]] = []
        self.threads: set[str] = set()
        self._breaks_at = breaks_at

    def commit(self, entries: Sequence[int]) -> list[str]:
        self.groups.append(list(entries))
        self.threads.add(threading.current_thread().name)
        if len(self.groups) in self._breaks_at:
            message = "the disk is full"
            raise OSError(message)
        return [f"answer {entry}" for entry in entries]


async def test_entries_that_come_together_share_a_commit_and_get_their_own_answers() -> None:
    book = Book()
    async with GroupCommitter(book.commit, gather_s=0.0) as committer:
        answers = await asyncio.gather(*(committer.submit(n) for n in range(MAX_GROUP + 1)))
    assert answers == [f"answer {n}" for n in range(MAX_GROUP + 1)]
    assert [len(group) for group in book.groups] == [MAX_GROUP, 1]
    assert len(book.threads) == 1


async def test_a_group_that_cannot_be_committed_fails_for_all_its_waiters_and_the_next_goes_on() -> (
    None
):
    book = Book(1)
    async with GroupCommitter(book.commit, gather_s=0.0) as committer:
        waiting = [committer.submit(n) for n in range(MAX_GROUP + 2)]
        answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(answer, OSError) for answer in answers[:MAX_GROUP])
    assert answers[MAX_GROUP:] == [f"answer {n}" for n in (MAX_GROUP, MAX_GROUP + 1)]


@pytest.mark.parametrize("breaks_at", [(), (1,)], ids=["works", "breaks"])
async def test_a_waiter_that_gave_up_does_not_disturb_the_others(
    breaks_at: tuple[int, ...],
) -> None:
    book = Book(*breaks_at)
    async with GroupCommitter(book.commit, gather_s=0.0) as committer:
        impatient, patient = (asyncio.ensure_future(committer.submit(n)) for n in (1, 2))
        await asyncio.sleep(0)
        impatient.cancel()
        async with asyncio.timeout(10):
            (answer,) = await asyncio.gather(patient, return_exceptions=True)
            assert await committer.submit(3) == "answer 3"
    assert impatient.cancelled()
    assert isinstance(answer, OSError) if breaks_at else answer == "answer 2"


async def test_a_committer_that_got_nothing_ends_at_once() -> None:
    book = Book()
    async with GroupCommitter(book.commit):
        pass
    assert book.groups == []
