"""The common outer layer of the three services: latency, faults, refusals and counting.

A service hands in its name and how its own errors look; everything that goes wrong on purpose is
made here, so that the services contain honest behaviour only.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, cast

from aiohttp import web

from sandbox.exchanges import Exchange
from sandbox.faults import FaultKind, FaultRule, RetryAfterForm
from sandbox.request_log import RequestEntry, RequestLog
from sandbox.wire import JSON_TYPE, SENT, WireError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler, Middleware

    from sandbox.faults import FaultPlan

_CONNECTION_LOST = 0
_BODIES = {
    FaultKind.WRONG_JSON: b"<html><body>Service Unavailable</body></html>",
    FaultKind.EMPTY_BODY: b"",
}
_LATE = frozenset({FaultKind.DELAY, FaultKind.ANSWER_LATE})
_LINGER_NONE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Service:
    """What the outer layer must know of a service.

    Attributes:
        name: First part of its endpoint names.
        unknown_path: Makes the refusal of a request that no route takes.
        faulty: Makes the service's own error body for a fault (throttle, status, 401, 403...).
        refused: Told of every refusal, with the endpoint.
        echo: Headers to copy onto every answer, from the request.
    """

    name: str
    unknown_path: Callable[[web.Request], WireError]
    faulty: Callable[[FaultRule, web.Request], WireError]
    refused: Callable[[web.Request, str, WireError], None]
    echo: Callable[[web.Request], dict[str, str]] | None = None


@dataclass(slots=True)
class Edge:
    """Outer layer shared by the services.

    Attributes:
        log: Where requests are counted.
        faults: What goes wrong.
        latency_s: Time that every answer takes at least.
        clock_offset_s: By how many seconds the clock that answers tell of is ahead.
        exchanges: Where requests and answers are kept; None keeps none.
    """

    log: RequestLog
    faults: FaultPlan
    latency_s: float = 0.0
    clock_offset_s: float = 0.0
    exchanges: list[Exchange] | None = None

    def middleware(self, service: Service) -> Middleware:
        """Make the middleware of one service."""

        @web.middleware
        async def run(request: web.Request, handler: Handler) -> web.StreamResponse:
            started = time.time()
            endpoint = f"{service.name}.{request.match_info.route.name or 'unknown'}"
            # The body tells one POST from another; only its hash outlives the request.
            request[SENT] = await request.read() if request.can_read_body else b""
            body = hash(request[SENT])
            call = f"{service.name} {request.method} {request.rel_url.raw_path_qs} {body}"
            self.log.arrived(call)
            if self.latency_s:
                await asyncio.sleep(self.latency_s)

            async def answer() -> web.Response:
                return await _answer(service, endpoint, request, handler)

            rule = self.faults.pick(endpoint)
            if rule is None:
                response: web.StreamResponse | None = await answer()
            else:
                response = await _strike(rule, service, request, answer)
            status = response.status if response is not None else _CONNECTION_LOST
            self.log.tried(call, is_struck=rule is not None and rule.kind not in _LATE)
            if response is not None and self.clock_offset_s and not response.prepared:
                when = datetime.now(UTC) + timedelta(seconds=self.clock_offset_s)
                response.headers["Date"] = format_datetime(when, usegmt=True)
            self._note(request, endpoint, call, started, status, response)
            if self.exchanges is not None and isinstance(response, web.Response):
                self.exchanges.append(Exchange.of(service.name, request, response))
            return response if response is not None else web.Response()

        return run

    def _note(
        self,
        request: web.Request,
        endpoint: str,
        call: str,
        started: float,
        status: int,
        response: web.StreamResponse | None,
    ) -> None:
        if response is not None and status >= 400 and "Retry-After" in response.headers:
            self.log.told_to_wait(call, _wait_s(response.headers["Retry-After"]))
        entry = RequestEntry(
            at=started,
            endpoint=endpoint,
            method=request.method,
            path=request.path,
            status=status,
            duration_ms=(time.time() - started) * 1000,
            request_id=request.headers.get("MS-RequestId", ""),
        )
        self.log.answered(entry)


async def _answer(
    service: Service, endpoint: str, request: web.Request, handler: Handler
) -> web.Response:
    try:
        response = cast("web.Response", await handler(request))
    except web.HTTPException:
        response = _refuse(service, endpoint, request, service.unknown_path(request))
    except WireError as error:
        response = _refuse(service, endpoint, request, error)
    if service.echo is not None:
        response.headers.update(service.echo(request))
    return response


def _refuse(
    service: Service, endpoint: str, request: web.Request, error: WireError
) -> web.Response:
    service.refused(request, endpoint, error)
    return error.response()


async def _strike(
    rule: FaultRule,
    service: Service,
    request: web.Request,
    answer: Callable[[], Awaitable[web.Response]],
) -> web.StreamResponse | None:
    """Let a fault happen; None means that the connection was cut."""
    match rule.kind:
        case FaultKind.RESET_BEFORE:
            _cut(request)
        case FaultKind.RESET_AFTER:
            await answer()
            _cut(request)
        case FaultKind.TRUNCATE:
            await _send_half(request, await answer())
        case FaultKind.DELAY | FaultKind.ANSWER_LATE:
            return await _late(rule, answer)
        case FaultKind.WRONG_JSON | FaultKind.EMPTY_BODY:
            return _with_body(await answer(), _BODIES[rule.kind])
        case _:
            return _faulty(rule, service, request)
    return None


async def _late(rule: FaultRule, answer: Callable[[], Awaitable[web.Response]]) -> web.Response:
    if rule.kind is FaultKind.DELAY:
        await asyncio.sleep(rule.delay_s)
        return await answer()
    response = await answer()
    await asyncio.sleep(rule.delay_s)
    return response


def _faulty(rule: FaultRule, service: Service, request: web.Request) -> web.Response:
    response = service.faulty(rule, request).response()
    if rule.kind is FaultKind.THROTTLE or rule.retry_after_s:
        response.headers["Retry-After"] = _retry_after(rule)
    if service.echo is not None:
        response.headers.update(service.echo(request))
    return response


def _retry_after(rule: FaultRule) -> str:
    if rule.retry_after_form is RetryAfterForm.SECONDS:
        return str(rule.retry_after_s)
    when = datetime.now(UTC) + timedelta(seconds=rule.retry_after_s)
    return format_datetime(when, usegmt=True)


def _wait_s(header: str) -> float:
    if header.isdigit():
        return float(header)
    when = datetime.strptime(header, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


def _with_body(response: web.Response, body: bytes) -> web.Response:
    headers = {k: v for k, v in response.headers.items() if k.lower() != "content-length"}
    headers.setdefault("Content-Type", JSON_TYPE)
    return web.Response(status=response.status, body=body, headers=headers)


def _cut(request: web.Request) -> None:
    """Reset the connection: the client sees neither status nor a tidy end."""
    transport = request.transport
    if transport is None:
        return
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
    transport.abort()


async def _send_half(request: web.Request, response: web.Response) -> None:
    body = response.body
    whole = bytes(body) if isinstance(body, bytes | bytearray) else b""
    stream = web.StreamResponse(status=response.status, headers=response.headers)
    stream.content_length = len(whole) + 1
    await stream.prepare(request)
    await stream.write(whole[: len(whole) // 2 + 1])
    if request.transport is not None:
        request.transport.close()
