"""Answers as they go over the wire: JSON with or without BOM, and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

BOM = b"\xef\xbb\xbf"
JSON_TYPE = "application/json; charset=utf-8"


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
