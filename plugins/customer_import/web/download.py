"""Sends long answers to readers of any speed: few at a time, and none that stands still.

A reader is waited for without a database connection. What it costs is a place here: who finds none free is told at once
when to come back.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import Depends, HTTPException, status
from fastapi.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Message, Send

MOST_DOWNLOADS = 8
"""At once, in one process of the API server."""
COME_BACK_S = 30
STANDSTILL_S = 60.0
"""A reader that takes nothing for so long is left."""

_taken = [0]  # changed by the event loop's thread only


async def download_place() -> AsyncIterator[None]:
    """Hold a place until the answer is sent.

    Raises:
        HTTPException: 503 with ``Retry-After``, all are taken.
    """
    if _taken[0] >= MOST_DOWNLOADS:
        raise HTTPException(
            status.HTTP_503_SERVICE_UNAVAILABLE,
            f"{MOST_DOWNLOADS} downloads are under way. Try again in {COME_BACK_S} seconds.",
            headers={"Retry-After": str(COME_BACK_S)},
        )
    _taken[0] += 1
    try:
        yield
    finally:
        _taken[0] -= 1


DownloadPlace = Depends(download_place, scope="request")


class Download(StreamingResponse):
    """An answer in pieces that is given up when its reader stands still."""

    async def stream_response(self, send: Send) -> None:
        """Send the pieces.

        Raises:
            TimeoutError: The reader stood still.
        """

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(STANDSTILL_S):
                await send(message)

        await super().stream_response(send_in_time)
