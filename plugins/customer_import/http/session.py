"""One keep-alive HTTP session to one service: bearer token, limits, classification, retries.

Reads are repeated freely. A write is repeated only when it certainly did not arrive; otherwise the
session raises ``AmbiguousWriteError`` and leaves it to the caller to find out. Nothing of a request
or answer is ever logged but its endpoint, status and timing.

Why: docs/decisions/0005-own-transport.md.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Self, TypeVar

import orjson

from customer_import.errors import (
    AmbiguousWriteError,
    ApiError,
    AuthenticationError,
    RejectedRequestError,
    RetriableError,
    ThrottledError,
)
from customer_import.http.body import (
    MAX_BODY,
    Turn,
    parse_body,
)
from customer_import.http.breaker import Again, Breaker, RetrySettings
from customer_import.http.classify import DetailReader, classify, is_transient
from customer_import.http.limiter import Limiter, Unlimited
from customer_import.http.redaction import request_texts
from customer_import.http.transport import Answer, Request, Transport
from customer_import.http.usage import Held, use_of
from customer_import.telemetry import Metric, count, record_seconds

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from customer_import.http.token import TokenSource

log = logging.getLogger(__name__)

Value = TypeVar("Value")

Settle = Callable[[AmbiguousWriteError], Awaitable[Value | None]]
"""Finds out what became of a write whose outcome is unknown."""

MAX_RENEWALS = 3
"""Tokens that a request asks for in a row, each because the one before was refused, while nothing else is accepted."""


class ApiSession:
    """A session to one service; use it as an async context manager.

    Args:
        service: Name for messages, ``Partner Center`` or ``BSS``.
        base_url: Scheme, host and port.
        tokens: Where bearer tokens come from.
        read_detail: The service's reader of error bodies.
        token_refusals: Codes of a 401 that no new token would change, to what to do about it.
        headers: Sent with every request.
        concurrency: Most requests under way at once; also the size of the connection pool.
        timeout_s: Bound on one request, from its start to the last byte.
        max_body: Bytes of a decompressed answer; a larger one is malformed.
        retry: How long a request is tried.
        probe: Path of something that concerns no customer, asked to see whether the service answers at all; without
            one it is taken to.
        tls: TLS settings; ``None`` for the system's.
        sleep: Waits that many seconds.
        jitter: Number between 0 and 1.
    """

    def __init__(
        self,
        *,
        service: str,
        base_url: str,
        tokens: TokenSource,
        read_detail: DetailReader,
        token_refusals: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        concurrency: int = 16,
        timeout_s: float = 60.0,
        max_body: int = MAX_BODY,
        retry: RetrySettings | None = None,
        probe: str | None = None,
        tls: ssl.SSLContext | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.service = service
        self._use = use_of(service)
        self._tokens = tokens
        self._read_detail = read_detail
        self._token_refusals = token_refusals or {}
        self._headers = dict(headers or {})
        self._transport = Transport(
            service=service,
            base_url=base_url,
            concurrency=concurrency,
            timeout_s=timeout_s,
            max_body=max_body,
            tls=tls,
            sleep=sleep,
        )
        self._retry = retry or RetrySettings()
        self._probe = probe
        self._is_away_until = 0.0
        self._breaker = Breaker(
            service, self._retry, self._is_up, concurrency, sleep=sleep, jitter=jitter
        )
        self._sleep = sleep
        self._jitter = jitter
        self._accepted = 0
        self._unlimited = Unlimited(sleep=sleep)

    @property
    def base_url(self) -> str:
        """Scheme, host and port."""
        return self._transport.base_url

    @property
    def requests(self) -> int:
        """Requests sent so far, repeated ones included."""
        return self._transport.requests

    async def __aenter__(self) -> Self:
        """Open the connection pool."""
        await self._transport.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the connection pool."""
        await self._transport.__aexit__(*exc_info)

    async def set_concurrency(self, most: int) -> None:
        """Let at most that many requests be under way at once; returns when no more are."""
        await self._transport.set_concurrency(most)

    async def sign_in(self) -> None:
        """Fetch the token that the next request takes along; raises what ``read`` raises of tokens."""
        await self._repeat("sign-in", self._tokens.get)

    async def read(
        self,
        path: str,
        *,
        endpoint: str,
        parse: Callable[[bytes], Value],
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        limiter: Limiter | None = None,
        on_headers: Callable[[Mapping[str, str]], None] | None = None,
    ) -> Value:
        """GET and parse; tried again on whatever may pass, a body that does not parse included.

        Args:
            path: Path and query, from the root of the service.
            endpoint: Path template for messages, such as ``/v1/customers/{id}``.
            parse: Reads the body's bytes; raises ``ValueError`` when they are malformed.
            params: Query parameters.
            headers: Extra headers; the same for every try.
            limiter: The resource's rate limiter.
            on_headers: Told the headers of the answer that is returned.

        Raises:
            AuthenticationError: The token was refused, also after it was renewed.
            OutageError: The service has answered nobody for the whole budget.
            RetriableError: Still no usable answer after the last try, though others are answered.
            RejectedRequestError: Any other 4xx.
        """
        name = f"GET {endpoint}"

        async def attempt() -> tuple[Value, Mapping[str, str]]:
            with self._transport.turn() as turn:
                exchange = self._exchange(
                    "GET", path, name, limiter, params=params, headers=headers, turn=turn
                )
                answer = await exchange
                return await self._parse(answer, name, parse), answer.headers

        value, answered_headers = await self._repeat(name, attempt, again=attempt)
        if on_headers is not None:
            on_headers(answered_headers)
        return value

    async def write(
        self,
        method: str,
        path: str,
        *,
        endpoint: str,
        json: object,
        parse: Callable[[bytes], Value],
        is_idempotent: bool = False,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        limiter: Limiter | None = None,
        on_turn: Callable[[], Awaitable[None]] | None = None,
        settle: Settle[Value] | None = None,
    ) -> Value:
        """Send a body; tried again only when sending it once more does no harm.

        Args:
            method: ``POST``, ``PUT`` or ``PATCH``.
            path: Path and query.
            endpoint: Path template for messages.
            json: The body.
            parse: As for ``read``; what does not parse has an unknown outcome.
            is_idempotent: Whether sending it twice does the same as once.
            content_type: Of the body.
            headers: Extra headers.
            limiter: The resource's rate limiter.
            on_turn: Awaited before every try, when it has its place and leaves next; what it raises
                keeps it from leaving.
            settle: Finds out what became of a write that was sent and whose outcome is unknown; returns what it
                made, or ``None`` when it certainly made nothing and may be sent again.

        Raises:
            AmbiguousWriteError: The write was sent and its outcome is unknown (only when not idempotent): there is no
                ``settle``, or this was the last try.
            AuthenticationError: As for ``read``.
            OutageError: As for ``read``; the outcome of the last try may be unknown.
            RetriableError: It certainly was not carried out, also at the last try.
            RejectedRequestError: Any other 4xx.
        """
        name = f"{method} {endpoint}"
        data = orjson.dumps(json)
        sent_headers = {**(headers or {}), "Content-Type": content_type}

        async def exchange(turn: Turn) -> Answer:
            try:
                return await self._exchange(
                    method,
                    path,
                    name,
                    limiter,
                    headers=sent_headers,
                    data=data,
                    on_turn=on_turn,
                    turn=turn,
                )
            except RejectedRequestError as error:
                if is_idempotent or error.status is None or error.status < 500:  # noqa: PLR2004
                    raise
                # Its outcome is unknown, whatever it says of retries: docs/decisions/0001-exactly-once.md.
                raise RetriableError(
                    error.reason,
                    service=self.service,
                    endpoint=name,
                    status=error.status,
                    code=error.code,
                ) from error

        async def attempt() -> Value:
            with self._transport.turn() as turn:
                return await self._parse(await exchange(turn), name, parse)

        return await self._repeat(name, attempt, is_harmless=is_idempotent, settle=settle)

    async def _repeat(
        self,
        endpoint: str,
        attempt: Callable[[], Awaitable[Value]],
        *,
        is_harmless: bool = True,
        settle: Settle[Value] | None = None,
        again: Again | None = None,
    ) -> Value:
        """Try until there is an answer; ``is_harmless`` says that it may have been carried out before."""
        with self._breaker.trial(endpoint) as trial:
            while True:
                await trial.turn()
                try:
                    value = await attempt()
                except RetriableError as error:
                    error.__traceback__ = None  # its frames hold the answer, however long the pause
                    await trial.failed(error)
                    final: ApiError = error
                    if error.is_sent and not is_harmless:
                        final = ambiguous = AmbiguousWriteError.of(error)
                        if settle is None:
                            raise ambiguous from error
                        if (found := await settle(ambiguous)) is not None:
                            return found
                    if trial.is_over:
                        raise final from error.__cause__
                    await trial.pause()
                except ApiError:
                    trial.answered()
                    raise
                else:
                    trial.answered(again)
                    return value

    async def _parse(self, answer: Answer, endpoint: str, parse: Callable[[bytes], Value]) -> Value:
        try:
            return await parse_body(parse, answer.body)
        except ValueError as error:
            why = str(error)
        # Outside of the handler, and without the answer: who keeps an error keeps all that its frames hold.
        status = answer.status
        del answer
        message = "the answer is malformed"
        raise RetriableError(
            message, service=self.service, endpoint=endpoint, status=status
        ) from ValueError(why)

    async def _is_up(self) -> bool:
        """Whether the service answers a request that concerns no customer; a refusal is an answer, too.

        Who is given no token, whatever the sign-in answers, is answered nothing.
        """
        if self._probe is None:
            return True
        if time.monotonic() < self._is_away_until:
            return False
        is_signed_in = False
        try:
            await self._tokens.get()
            is_signed_in = True
            await self._exchange("GET", self._probe, f"GET {self._probe.partition('?')[0]}", None)
        except RetriableError as error:
            self._is_away_until = time.monotonic() + (error.retry_after or 0)
            return is_signed_in and error.status is not None and not is_transient(error.status)
        except ApiError:
            pass
        return True

    async def _exchange(
        self,
        method: str,
        path: str,
        endpoint: str,
        limiter: Limiter | None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        on_turn: Callable[[], Awaitable[None]] | None = None,
        turn: Turn | None = None,
    ) -> Answer:
        """One request, sent again with a new token when the token has ended.

        A service may end a user's token when the same user signs in elsewhere, such as another load task: then a new
        one is asked for after a pause, as long as the session gets anywhere.
        """
        limiter = limiter or self._unlimited
        rejected: str | None = None
        refusals, accepted = 0, self._accepted
        while True:
            token = await self._tokens.get(rejected)
            all_headers = {**self._headers, **(headers or {}), "Authorization": f"Bearer {token}"}
            asked = time.perf_counter()
            async with Held(limiter, self._use), self._transport.slot(limiter):
                waited_s = time.perf_counter() - asked
                record_seconds(Metric.REQUEST_WAIT, waited_s, service=self.service)
                if on_turn is not None:
                    await on_turn()
                self._use.requests += 1
                request = Request(method, path, endpoint, params, all_headers, data)
                answer = await self._transport.send(request, turn)
            self._accepted += answer.status != 401  # noqa: PLR2004
            error = await self._classify(answer, endpoint, all_headers, data)
            if error is None:
                return answer
            if self._may_have_ended(error):
                refusals += 1
                if refusals <= MAX_RENEWALS or self._accepted != accepted:
                    await self._pause_before_renewal(refusals)
                    rejected, accepted = token, self._accepted
                    continue
            self._raise(error, limiter)

    async def _pause_before_renewal(self, refusals: int) -> None:
        """Wait, but not for the first renewal; by chance, so that two who end each other's token fall apart."""
        if refusals > 1:
            await self._sleep(self._jitter() * min(2.0 ** (refusals - 2), self._retry.max_wait_s))

    def _may_have_ended(self, error: ApiError) -> bool:
        """Whether a refusal may be of this token alone, so that a new one may be accepted."""
        return error.status == 401 and error.code not in self._token_refusals  # noqa: PLR2004

    async def _classify(
        self, answer: Answer, endpoint: str, headers: Mapping[str, str], data: bytes | None
    ) -> ApiError | None:
        if answer.is_success:
            return None
        return await parse_body(
            lambda body: classify(
                service=self.service,
                endpoint=endpoint,
                status=answer.status,
                headers=answer.headers,
                body=body,
                read_detail=lambda body: self._read_detail(body, request_texts(headers, data)),
            ),
            answer.body,
        )

    def _raise(self, error: ApiError, limiter: Limiter) -> None:
        if error.status == 401:  # noqa: PLR2004
            hint = self._token_refusals.get(error.code or "")
            message = (
                f"{error.endpoint}: {hint}"
                if hint
                else f"{error.endpoint} refused a token that was just issued; check the connection's "
                "credentials and audience"
            )
            raise AuthenticationError(message, service=self.service, code=error.code) from error
        if isinstance(error, ThrottledError):
            self._use.throttled += 1
            wait = error.retry_after
            if wait is None:  # then the server's window has to pass
                wait = max(limiter.window_s, self._retry.base_s)
            limiter.throttled(wait)
            count(Metric.THROTTLES, service=self.service, endpoint=error.endpoint)
            log.warning("%s %s is throttled; waiting %.1f s", self.service, error.endpoint, wait)
        raise error
