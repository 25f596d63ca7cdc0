"""Answers as they go over the wire: JSON with or without BOM, and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BOM = b"\xef\xbb\xbf"
JSON_TYPE = "application/json; charset=utf-8"
SENT = web.RequestKey("sent", bytes)
"""The body of a request, as read by the outer layer."""


class WireError(Exception):
    """A request that a service refuses, with the answer that it gets.

    Attributes:
        status: HTTP status of the answer.
        body: Body of the answer, as sent.
        headers: Extra headers of the answer.
        reason: Short name of the refusal, for the counters; never holds what a client sent.
        is_violation: True when no correct client would have sent the request.
    """

    def __init__(
        self,
        status: int,
        body: bytes,
        *,
        reason: str,
        headers: Mapping[str, str] | None = None,
        is_violation: bool = False,
    ) -> None:
        """Keep what the answer is made of."""
        super().__init__(reason)
        self.status = status
        self.body = body
        self.headers = dict(headers or {})
        self.reason = reason
        self.is_violation = is_violation

    def response(self) -> web.Response:
        """Make the answer."""
        headers = dict(self.headers)
        if self.body:
            headers.setdefault("Content-Type", JSON_TYPE)
        return web.Response(status=self.status, body=self.body, headers=headers)


def json_response(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer with a value as JSON."""
    return raw_response(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS), status, headers)


def raw_response(
    body: bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Answer with a body that is JSON already."""
    response = web.Response(status=status, body=body)
    response.headers["Content-Type"] = JSON_TYPE
    if headers:
        response.headers.update(headers)
    return response


def quotation(request: web.Request) -> str:
    """Say in one sentence all that a request carried, as careless servers do in their error texts."""
    said = [request.headers.get("Authorization", ""), *request.query.values()]
    try:
        said += _texts(orjson.loads(request[SENT] or b"null"))
    except orjson.JSONDecodeError:
        said += [value for _, value in parse_qsl(request[SENT].decode(errors="replace"))]
    return f"{' '.join(filter(None, said))} was not accepted."


def _texts(value: object) -> Iterator[str]:
    """Yield the values of a JSON body, not its names."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None:
        yield str(value)
