"""Reads Partner Center's error bodies, and tells which refusals concern the whole run.

Codes: docs/api/partner-center.md section 10. Knows nothing of success bodies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.errors import AuthenticationError, ConfigurationError, RejectedRequestError
from customer_import.http.classify import ErrorDetail
from customer_import.http.reader import read_json
from customer_import.http.redaction import code_of, reason_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from customer_import.errors import CustomerImportError

_MAX_MESSAGE_LENGTH = 200

CONSENT_AGAIN = (
    "a person must sign in with MFA, consent again and store the new refresh token, as 'customer-import connect' "
    "does"
)
NO_MFA = f"the sign-in behind the refresh token had no multi-factor authentication (MFA); {CONSENT_AGAIN}"
TOKEN_REFUSALS = {
    "900420": "the token is for another audience; remove scope_base from the connection's extra, or correct it",
    "900421": NO_MFA,
}
"""Codes of a 401 that no new token would change, to what to do about it."""

_NEEDS_APP_USER = (
    "this call needs App+User; set flow to app_user in the extra and give a refresh token"
)
_NEEDS_ROLE = (
    "the signed-in user lacks a role; make it an Admin, Sales or Helpdesk agent in Partner Center"
)
_BLOCKED = "Conditional Access or Entra ID refused the call; an administrator must allow it"
_RUN_ENDING = {
    "900329": _NEEDS_APP_USER,
    "2032": _NEEDS_ROLE,
    "900150": _NEEDS_ROLE,
    "900308": _NEEDS_ROLE,
    "900309": _BLOCKED,
    "90000": _BLOCKED,
}
_NOT_A_PROVIDER = "1002"
_NO_RELATIONSHIP = frozenset({"20002"})
_NO_CUSTOMER = frozenset({"1000", "3000", "60003"})


def read_detail(body: bytes, request_texts: Collection[str] = ()) -> ErrorDetail:
    """Read an error body of Partner Center, or of the gateway in front of it; never fails.

    Args:
        body: With or without byte order mark, empty, or not JSON at all.
        request_texts: What the request carried; removed from the message.
    """
    try:
        parsed = read_json(body)
    except ValueError:
        return ErrorDetail(is_legible=False)
    if not isinstance(parsed, dict):
        return ErrorDetail(is_legible=False)
    code = parsed.get("code", parsed.get("statusCode"))
    message = parsed.get("description") or parsed.get("message") or ""
    return ErrorDetail(
        code=code_of(code, request_texts),
        message=reason_of(message, request_texts, _MAX_MESSAGE_LENGTH),
    )


def run_ending_error(error: RejectedRequestError) -> CustomerImportError | None:
    """Return the error in words when a refusal is about token or role, so about every request."""
    if error.status != 403:  # noqa: PLR2004
        return None
    hint = _RUN_ENDING.get(error.code or "")
    if hint is None and "does not have the rights" in error.reason:
        hint = _NEEDS_ROLE
    if hint is None:
        return None
    return AuthenticationError(f"{error.endpoint}: {hint}", service=error.service, code=error.code)


def tells_that_customer_left(error: RejectedRequestError) -> bool:
    """Whether a refusal says that this partner has no relationship with this one customer any more.

    Other refusals with status 403 speak of permissions, so perhaps of every customer.
    """
    return error.status == 403 and error.code in _NO_RELATIONSHIP  # noqa: PLR2004


def tells_that_customer_is_gone(error: RejectedRequestError) -> bool:
    """Whether a refusal says that Partner Center does not have this one customer any more."""
    return error.status == 404 and error.code in _NO_CUSTOMER  # noqa: PLR2004


def not_a_provider(error: RejectedRequestError) -> ConfigurationError | None:
    """Return the error in words when resellers are refused to a partner that is no provider."""
    if error.status != 403 or error.code != _NOT_A_PROVIDER:  # noqa: PLR2004
        return None
    message = "Partner Center does not list resellers: this partner is not an indirect provider"
    return ConfigurationError(
        message,
        source="instance",
        path="import_types",
        hint="take indirect out of the instance's import_types, or use the provider's connection",
    )
