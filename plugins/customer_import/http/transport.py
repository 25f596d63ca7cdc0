"""Sends single requests to one service over a pool of connections, and takes their answers in within bounds.

Knows nothing of tokens, of tries, or of what an answer means.

Why: docs/decisions/0005-own-transport.md.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import aiohttp

from customer_import.errors import RetriableError
from customer_import.http.body import (
    MEGABYTE,
    OversizedBodyError,
    Turn,
    client_options,
    read_body,
)
from customer_import.http.no_answer import NoAnswer, why_no_answer
from customer_import.http.proxy import environment_proxy
from customer_import.telemetry import ObservedRequest

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping

    from customer_import.http.limiter import Limiter

CONNECT_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Request:
    """A request as it leaves.

    Attributes:
        method: HTTP method.
        path: Path and query, from the root of the service.
        endpoint: Method and path template for messages.
        params: Query parameters.
        headers: All of them.
        data: The body.
    """

    method: str
    path: str
    endpoint: str
    params: Mapping[str, str] | None = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    data: bytes | None = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """An answer: status, headers and the body as bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is of HTTP's class of success."""
        return 200 <= self.status < 300  # noqa: PLR2004


class Slot:
    """A place among the requests under way; one that comes free in a pause the server asked for is left to others.

    Args:
        slots: Those of the service.
        limiter: Of the request's resource: knows of pauses.
        sleep: Waits that many seconds.
    """

    __slots__ = ("_limiter", "_sleep", "_slots")

    def __init__(
        self,
        slots: asyncio.Semaphore,
        limiter: Limiter,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._slots, self._limiter, self._sleep = slots, limiter, sleep

    async def __aenter__(self) -> None:
        """Wait for the place."""
        while True:
            await self._slots.acquire()
            if (pause := self._limiter.pause_s) <= 0:
                return
            self._slots.release()
            await self._sleep(pause)

    async def __aexit__(self, *exc_info: object) -> None:
        """Give it to the next."""
        self._slots.release()


class Transport:
    """A pool of connections to one service; use it as an async context manager.

    Args:
        service: Name for messages.
        base_url: Scheme, host and port.
        concurrency: Most requests under way at once; also the size of the pool.
        timeout_s: Bound on one request, from its start to the last byte.
        max_body: Bytes of a decompressed answer; a larger one is malformed.
        tls: TLS settings; ``None`` for the system's.
        sleep: Waits that many seconds.
    """

    def __init__(
        self,
        *,
        service: str,
        base_url: str,
        concurrency: int,
        timeout_s: float,
        max_body: int,
        tls: ssl.SSLContext | None,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.requests = 0
        self._service = service
        self._concurrency = self._in_use = concurrency
        self._large = asyncio.Lock()
        self._slots = asyncio.Semaphore(concurrency)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        self._max_body = max_body
        self._tls = tls
        self._sleep = sleep
        self._client: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        self._client = aiohttp.ClientSession(
            timeout=self._timeout,
            proxy=environment_proxy(self.base_url),
            **client_options(self._tls, self._concurrency),
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connection pool."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def set_concurrency(self, most: int) -> None:
        """Let at most that many requests be under way at once; returns when no more are."""
        while self._in_use > most:
            await self._slots.acquire()
            self._in_use -= 1
        while self._in_use < most:
            self._slots.release()
            self._in_use += 1

    def slot(self, limiter: Limiter) -> Slot:
        """Return a slot to hold while a request of that resource is under way."""
        return Slot(self._slots, limiter, self._sleep)

    def turn(self) -> Turn:
        """Return a place among the answers that are large; they are taken in and parsed one after another."""
        return Turn(self._large)

    async def send(self, request: Request, turn: Turn | None) -> Answer:
        """Send a request.

        Raises:
            RetriableError: There was no answer, or one that is too large.
        """
        try:
            with ObservedRequest(self._service, request.endpoint) as observed:
                answer = await self._receive(request, turn)
                observed.status = answer.status
        except OversizedBodyError:
            message = f"the answer is larger than {self._max_body // MEGABYTE} MB"
            found = NoAnswer(message, is_sent=True)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            found = why_no_answer(error, self.base_url, self._timeout.total)
        else:
            return answer
        # Outside of the handler: aiohttp's words repeat what the server sent, and its frames hold it.
        raise RetriableError(
            found.message, service=self._service, endpoint=request.endpoint, is_sent=found.is_sent
        )

    async def _receive(self, request: Request, turn: Turn | None) -> Answer:
        if self._client is None:
            message = "the session is not open; use it as an async context manager"
            raise RuntimeError(message)
        self.requests += 1
        async with self._client.request(
            request.method,
            self.base_url + request.path,
            params=request.params,
            headers=request.headers,
            data=request.data,
            allow_redirects=False,
        ) as response:
            body = await read_body(response, self._max_body, turn)
            return Answer(response.status, response.headers, body)
