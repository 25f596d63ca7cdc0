"""Refusals in Partner Center's two shapes: the service's own and the gateway's."""

from __future__ import annotations

import orjson

from sandbox.wire import WireError


def refused(
    status: int,
    code: int | str,
    description: str,
    *,
    headers: dict[str, str] | None = None,
    is_violation: bool = False,
) -> WireError:
    """Make a refusal of the service: ``code``, ``description``, ``data``, ``source``."""
    body: dict[str, object] = {
        "code": code,
        "description": description,
        "data": [],
        "source": "PartnerFD",
    }
    return WireError(
        status,
        orjson.dumps(body),
        reason=f"{status}/{code}",
        headers=headers,
        is_violation=is_violation,
    )


def throttled(wait_s: int, body: bytes | None = None) -> WireError:
    """Make the gateway's refusal, which has another shape and tells the wait twice."""
    text = f"Rate limit is exceeded. Try again in {wait_s} seconds."
    return WireError(
        429,
        body or orjson.dumps({"statusCode": 429, "message": text}),
        reason="429",
        headers={"Retry-After": str(wait_s)},
    )


def unauthorized(realm: str) -> WireError:
    """Make the refusal of a missing, foreign or expired token."""
    return refused(
        401,
        400,
        "Authentication failed. The token is missing, invalid or expired.",
        headers={"WWW-Authenticate": f"OAuth realm=urn:cpsvc:cpid:{{{realm}}}"},
    )


def mfa_needed() -> WireError:
    """Make the refusal of an App+User token without proof of multi-factor authentication."""
    return refused(401, 900421, "MFA is required for this request.")


def wrong_audience() -> WireError:
    """Make the refusal of a token that is for another API."""
    return refused(401, 900420, "The audience in the token is invalid.")


def role_needed() -> WireError:
    """Make the refusal of a person without an agent role."""
    return refused(403, 2032, "The supplied role does not have the rights to perform this action.")


def user_needed() -> WireError:
    """Make the refusal of an app-only token on an App+User call."""
    return refused(403, 900329, "The call needs App+User authentication.")


def not_a_provider() -> WireError:
    """Make the refusal of reseller calls by a partner that is no indirect provider."""
    return refused(403, 1002, "Authorization Failed")


def left() -> WireError:
    """Make the refusal for a customer whose relationship ended."""
    return refused(403, 20002, "No relationship between caller and account.")


def gone() -> WireError:
    """Make the refusal for a customer that does not exist."""
    return refused(404, 1000, "Customer could not be found.")


def bad_input(description: str) -> WireError:
    """Make the refusal of a request that breaks the contract."""
    return refused(400, 3000, description, is_violation=True)
