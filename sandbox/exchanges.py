"""Requests and answers as they were on the wire, for whoever compares them with a description.

Kept in memory and only when asked for: they hold tokens and everything that a client sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.wire import SENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer.

    Attributes:
        service: ``entra``, ``partner_center`` or ``bss``.
        endpoint: Name of the route, such as ``accounts.create``; ``unknown`` when no route took it.
        method: HTTP method.
        url: Where it was sent, with its query as sent.
        headers: As sent.
        body: As sent.
        status: HTTP status answered.
        answer_headers: As answered.
        answer: The body answered.
    """

    service: str
    endpoint: str
    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int
    answer_headers: Mapping[str, str] = field(repr=False)
    answer: bytes = field(repr=False)

    @classmethod
    def of(cls, service: str, request: web.Request, response: web.Response) -> Exchange:
        """Take both ends of a request that was answered whole."""
        body = response.body
        return cls(
            service=service,
            endpoint=request.match_info.route.name or "unknown",
            method=request.method,
            url=str(request.url.with_query(None)) + _query(request),
            headers=dict(request.headers),
            body=request[SENT],
            status=response.status,
            answer_headers=dict(response.headers),
            answer=bytes(body) if isinstance(body, bytes | bytearray) else b"",
        )


def _query(request: web.Request) -> str:
    query = request.rel_url.raw_query_string
    return f"?{query}" if query else ""
