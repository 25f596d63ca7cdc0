"""Refusals of the BSS in the shape of its version 3 error model.

A violation is a request that no correct client sends; a refusal is a fair answer to honest data,
such as an e-mail address that the BSS does not take.
"""

from __future__ import annotations

import orjson

from sandbox.wire import WireError


def refused(
    status: int,
    kind: str,
    message: str,
    *,
    entity: str | None = None,
    prop: str | None = None,
    value: object = None,
    is_retriable: bool = False,
    is_violation: bool = False,
) -> WireError:
    """Make a refusal.

    Args:
        status: HTTP status.
        kind: Error type, such as ``AccountNotFoundError``.
        message: Text for developers; must not repeat personal data.
        entity: Entity that was not found.
        prop: Property that was wrong.
        value: Value that was not found, an id.
        is_retriable: What ``isRetriableError`` says.
        is_violation: Whether no correct client would have sent the request.
    """
    body: dict[str, object] = {
        "type": kind,
        "code": kind.removesuffix("Error"),
        "developerMessage": message,
        "isRetriableError": is_retriable,
    }
    if entity is not None:
        body["entity"] = entity
    if prop is not None:
        body["property"] = prop
    if value is not None:
        body["value"] = str(value)
    reason = f"{status}/{kind}" + (f"/{prop}" if prop else "")
    return WireError(status, orjson.dumps(body), reason=reason, is_violation=is_violation)


def bad_parameter(name: str) -> WireError:
    """Make the refusal of a query parameter, which has no body."""
    return WireError(400, b"", reason=f"400/{name}", is_violation=True)


def not_found(entity: str, value: object) -> WireError:
    """Make the refusal of an id that names nothing."""
    return refused(
        404,
        f"{entity}NotFoundError",
        f"{entity} was not found.",
        entity=entity,
        prop="id",
        value=value,
    )


def invalid(kind: str, prop: str, message: str, *, is_violation: bool = True) -> WireError:
    """Make the refusal of a body because of one property."""
    return refused(400, kind, message, prop=prop, is_violation=is_violation)


def unauthorized() -> WireError:
    """Make the refusal of a missing, foreign or expired token."""
    return refused(401, "UnauthorizedError", "The access token is missing, invalid or expired.")


def rate_limited() -> WireError:
    """Make the 403 that stands for a rate limit."""
    return refused(403, "RateLimitExceededError", "Too many requests.", is_retriable=True)


def read_only_field(field_id: object = None) -> WireError:
    """Make the 403 that stands for a custom field fed by another system."""
    return refused(
        403, "CustomFieldReadOnlyError", "The custom field is read-only.", prop="id", value=field_id
    )


def oauth(
    error: str, description: str, status: int = 400, *, is_violation: bool = False
) -> WireError:
    """Make a refusal of the token endpoint."""
    body = orjson.dumps({"error": error, "error_description": description})
    return WireError(status, body, reason=f"{status}/{error}", is_violation=is_violation)
