"""Asks Microsoft Entra ID through ``msal``: one HTTP client, one reading of what it refuses.

Every refusal becomes one sentence that says what a person has to do. Entra's own error text is not repeated: it names
the person who signed in. Which grant is asked for is the callers' business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msal
import orjson
import requests
from msal.authority import WELL_KNOWN_AUTHORITY_HOSTS

from customer_import.errors import AuthenticationError, RetriableError
from customer_import.http.body import MAX_ERROR_BODY, OversizedBodyError, read_response
from customer_import.http.classify import asked_wait_s, is_transient
from customer_import.http.clock import clock_offset_s
from customer_import.http.exchange import exchange
from customer_import.http.reader import read_json
from customer_import.http.redaction import code_of
from customer_import.http.sign_in import (
    SignInSession,
    elsewhere,
    is_redirect,
    lifetime_s,
    not_had,
    out_of_order,
    redirected,
    unanswered,
)
from customer_import.partner_center.error_body import CONSENT_AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

SERVICE = "Partner Center"
ENDPOINT = "POST /oauth2/v2.0/token"
_TIMEOUT_S = (10, 30)
_WHOLE_TIMEOUT_S = 60.0
_MICROSOFT_HOSTS = WELL_KNOWN_AUTHORITY_HOSTS | {"login.partner.microsoftonline.cn"}
_TRANSIENT_ERRORS = frozenset({"temporarily_unavailable", "server_error"})
_TRANSIENT_CODES = frozenset({"90033", "90006", "90012", "90024", "90055"})
"""Away, asked to come again, timed out, and the two of a limit; the status is that of a refusal."""
_MOST_INTERVAL_S = 60

_CODE_EXPIRED = "the code expired before anybody had signed in with it; run the command again, and enter its new code"
_REFUSED = "the person at the browser refused the consent; run the command again when the service account may consent"
_HINTS: dict[str, str] = {
    "700082": f"the refresh token has expired; {CONSENT_AGAIN}",
    "70008": f"the refresh token has expired; {CONSENT_AGAIN}",
    "50173": f"the refresh token was revoked; {CONSENT_AGAIN}",
    "50076": f"multi-factor authentication is needed; {CONSENT_AGAIN}",
    "50078": f"the multi-factor authentication is too old; {CONSENT_AGAIN}",
    "50079": f"the person must enrol in multi-factor authentication; {CONSENT_AGAIN}",
    "65001": "nobody has consented to the application; give consent in the partner's tenant",
    "7000215": "the client secret is wrong; the connection needs its value, not its id",
    "7000222": "the client secret has expired; put a new one into the connection's password",
    "700007": "the refresh token was issued to another application; use that one's client id",
    "700016": "the tenant has no such application; check the connection's login and tenant_id",
    "90002": "the cloud has no such tenant; check tenant_id and cloud in the connection's extra",
    "500011": "the tenant does not know the API; check scope_base in the connection's extra",
    "53003": "Conditional Access blocks the sign-in; an administrator must allow this application. Where it forbids "
    "device codes, run 'customer-import connect' with --by-address",
    "70000": f"the refresh token is not valid; {CONSENT_AGAIN}",
    "900382": "the application is of another cloud; check cloud in the connection's extra",
    "7000218": "the client secret did not arrive; put it into the connection's password",
    "700025": "the application is a public client, which takes no secret; in its registration switch 'Allow public "
    "client flows' off",
    "70019": _CODE_EXPIRED,
    "expired_token": _CODE_EXPIRED,
    "70018": "the code was not the one that was shown; run the command again, and enter its new code",
    "authorization_declined": _REFUSED,
    "access_denied": _REFUSED,
}


class Flow(StrEnum):
    """Whose rights the token carries."""

    APP_ONLY = "app_only"
    APP_USER = "app_user"


@dataclass(frozen=True)
class Credentials:
    """What the sign-in needs.

    Attributes:
        authority: Base URL of the sign-in service, without the tenant.
        tenant_id: The partner's tenant.
        client_id: The application.
        client_secret: Its secret.
        flow: Whose rights the token carries.
        resource: The API that the token is for.
        ca_file: Authorities to trust instead of the system's.
    """

    authority: str
    tenant_id: str
    client_id: str
    client_secret: str = field(repr=False)
    flow: Flow
    resource: str
    ca_file: str | None = None


@dataclass(frozen=True)
class EntraAnswer:
    """What Entra ID answered to a grant.

    Attributes:
        fields: Of a token, never of a refusal.
        clock_offset_s: By how many seconds this machine's clock is ahead of Microsoft's; ``None`` when it was not told.
    """

    fields: Mapping[str, Any] = field(repr=False)
    clock_offset_s: float | None


def ask_entra(
    given: Credentials,
    ask: Callable[[msal.ConfidentialClientApplication], Mapping[str, Any] | None],
    sent: Collection[str],
) -> EntraAnswer:
    """Ask for a token, with a new application each time: an old one would answer from its caches.

    Args:
        given: What the sign-in needs.
        ask: Asks the application; blocks.
        sent: The secrets, the longest first; an error that repeats one is cut.

    Raises:
        AuthenticationError: Entra ID refused; says what to do.
        RetriableError: Entra ID could not be reached or is not able to answer now.
    """
    try:
        with _HttpClient(given.authority, given.ca_file, sent) as http:
            app = msal.ConfidentialClientApplication(
                given.client_id,
                client_credential=given.client_secret,
                authority=f"{given.authority}/{given.tenant_id}",
                # Another cloud's network need not reach login.microsoftonline.com, and nothing depends on it.
                instance_discovery=False,
                http_client=http,
            )
            answer = dict(ask(app) or {})
    except requests.RequestException as error:
        raise unanswered(SERVICE, ENDPOINT, error, given.authority) from None
    except (LookupError, TypeError, AttributeError):  # JSON, but not msal's
        raise out_of_order(SERVICE, ENDPOINT, given.authority, status=200) from None
    except ValueError:
        message = (
            "the sign-in service does not know this tenant; check tenant_id and authority, or cloud, in "
            "the connection's extra"
        )
        raise AuthenticationError(message, service=SERVICE) from None
    if answer.get("access_token") is None and "error" in answer:
        raise _refusal(answer, sent)
    return EntraAnswer(answer, http.clock_offset_s)


class _HttpClient(SignInSession):
    """The HTTP client of msal: with time-outs, our CA file beats the environment's, secrets go to one host only."""

    def __init__(self, authority: str, ca_file: str | None, sent: Collection[str]) -> None:
        super().__init__()
        self._sent = sent
        self._authority = authority
        self._ca_file = ca_file
        self.clock_offset_s: float | None = None

    def request(  # type: ignore[override]  # msal calls it with keywords only
        self,
        method: str,
        url: str,
        **options: Any,  # noqa: ANN401 - passed on
    ) -> requests.Response:
        if method == "POST" and not _is_of(self._authority, url):
            raise elsewhere(SERVICE, self._authority, url, self._sent)
        options.setdefault("timeout", _TIMEOUT_S)
        if self._ca_file:
            # REQUESTS_CA_BUNDLE beats the session's attribute, but not the call's argument.
            options["verify"] = self._ca_file
        options["stream"] = True
        with exchange(_WHOLE_TIMEOUT_S):
            return self._ask(method, url, options)

    def _ask(self, method: str, url: str, options: dict[str, Any]) -> requests.Response:
        response = super().request(method, url, **options)
        self.clock_offset_s = clock_offset_s(response.headers.get("Date"), datetime.now(UTC))
        if is_redirect(response.status_code):
            response.close()
            location = response.headers.get("Location")
            raise redirected(SERVICE, url, response.status_code, location, self._sent)
        try:
            response._content = read_response(response, MAX_ERROR_BODY)
        except OversizedBodyError as error:
            raise requests.RequestException(response=response) from error
        answer = _answer(response)
        if answer is None:
            # Left to msal, it would come out as a wrong tenant or as an error of msal's own.
            wait = asked_wait_s(response.headers, datetime.now(UTC), response.content)
            raise out_of_order(SERVICE, ENDPOINT, url, response.status_code, wait)
        response._content, response.encoding = orjson.dumps(answer), "utf-8"
        return response


def _is_of(authority: str, url: str) -> bool:
    """Whether secrets for an authority may go to a URL that it named itself: its own host, or Microsoft's others."""
    own, told = urlsplit(authority), urlsplit(url)
    if (told.scheme, told.netloc) == (own.scheme, own.netloc):
        return True
    is_microsoft = {own.hostname, told.hostname} <= _MICROSOFT_HOSTS
    return is_microsoft and told.scheme == "https" and told.netloc == told.hostname


def _answer(response: requests.Response) -> dict[str, object] | None:
    """Return what Entra ID answers, refusals included; ``None`` when it is the trouble of something before it.

    Only texts, error codes and a legible lifetime are left in it: msal takes for granted that they are in order.
    """
    if is_transient(response.status_code):
        return None
    try:
        answer = read_json(response.content)
    except ValueError:
        return None
    if not isinstance(answer, dict):
        return None
    known: dict[str, object] = {
        name: value
        for name, value in answer.items()
        if isinstance(value, str) and name not in {"expires_in", "id_token", "client_info"}
    }
    if response.status_code >= 400:  # noqa: PLR2004 - HTTP's classes of errors
        known.setdefault("error", f"HTTP {response.status_code}")
    if isinstance(codes := answer.get("error_codes"), list):
        known["error_codes"] = codes
    if "expires_in" in answer:
        known["expires_in"] = int(lifetime_s(answer["expires_in"]))
    if isinstance(interval := answer.get("interval"), int):
        known["interval"] = min(max(interval, 1), _MOST_INTERVAL_S)
    return known


def _refusal(answer: dict[str, Any], sent: Collection[str]) -> AuthenticationError | RetriableError:
    codes = answer.get("error_codes")
    code = (code_of(codes[0], sent) if isinstance(codes, list) and codes else None) or ""
    error = code_of(answer.get("error"), sent) or "no token in the answer"
    if error in _TRANSIENT_ERRORS or code in _TRANSIENT_CODES:
        message = "the sign-in service is not able to answer now"
        return not_had(SERVICE, ENDPOINT, message, code=code or error)
    unknown = "look the code up in Microsoft's list of sign-in errors"
    hint = _HINTS.get(code) or _HINTS.get(error) or unknown
    message = f"the sign-in was refused: {hint}"
    return AuthenticationError(message, service=SERVICE, code=f"AADSTS{code}" if code else error)
