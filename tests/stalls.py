"""Measures for how long an event loop stood still: the longest time in which nothing else could run.

A machine with other work on it also stops a process; so only time counts in which this process was at work.
"""

from __future__ import annotations

import asyncio
import time
from typing import Self

TICK_S = 0.002
LONGEST_STALL_S = 0.25
"""A test fails beyond this: what is hostile stalls for seconds. The aim, 0.05 s, is for a quiet machine to measure."""


class StallWatch:
    """Watches the running loop while it is open; ``longest_s`` is the longest stall so far, in seconds."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await asyncio.sleep(2 * TICK_S)  # a stall just before the end counts
        assert self._task is not None
        self._task.cancel()

    async def _watch(self) -> None:
        while True:
            wall, work = time.perf_counter(), time.process_time()
            await asyncio.sleep(TICK_S)
            stood = min(time.perf_counter() - wall, time.process_time() - work)
            self.longest_s = max(self.longest_s, stood)
