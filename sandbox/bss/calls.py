"""What every BSS call has in common: version header, token, JSON body."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from sandbox.bss import errors
from sandbox.bss.organisation import Organisation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.tokens import TokenIssuer

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"

_VERSIONS = frozenset({"3", "3.0", "latest"})
_ORGANISATION = web.RequestKey("organisation", Organisation)


class Gate:
    """Lets a call in and tells whose it is."""

    def __init__(self, organisations: Mapping[str, Organisation], issuer: TokenIssuer) -> None:
        """Take the organisations by key and the issuer of their tokens."""
        self._organisations = organisations
        self._issuer = issuer

    def enter(self, request: web.Request) -> Organisation:
        """Check version and token.

        Raises:
            WireError: 404 without a supported version, 401 without a good token.
        """
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        claims = self._issuer.read(token) if scheme == "Bearer" else None
        organisation = self._organisations.get(claims.subject) if claims else None
        if organisation is not None:
            request[_ORGANISATION] = organisation
        if request.headers.get("X-Api-Version") not in _VERSIONS:
            text = "X-Api-Version is missing or not supported."
            raise errors.refused(404, "InvalidApiVersionError", text, is_violation=True)
        if organisation is None or claims is None or not self._issuer.is_live(claims):
            error = errors.unauthorized()
            error.is_violation = not token
            raise error
        return organisation


def organisation_of(request: web.Request) -> Organisation | None:
    """The organisation that a call came in for, if it got that far."""
    return request.get(_ORGANISATION)


async def json_body(request: web.Request, content_type: str, error: str) -> object:
    """Read the body.

    Raises:
        WireError: 415 for another content type, 400 when it is no JSON.
    """
    if request.content_type != content_type:
        text = f"The content type must be {content_type}."
        raise errors.refused(415, "UnsupportedMediaTypeError", text, is_violation=True)
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError as cause:
        raise errors.invalid(error, "body", "The body is no JSON.") from cause


def number(request: web.Request, name: str, entity: str) -> int:
    """Read an id from the path.

    Raises:
        WireError: 404 when it is no number.
    """
    text = request.match_info[name]
    if not (text.isascii() and text.isdigit()):
        raise errors.not_found(entity, text)
    return int(text)
