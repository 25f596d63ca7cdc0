"""Signs in at Microsoft Entra ID with ``msal``: app-only and App+User.

The flows are those of docs/api/partner-center.md section 3. Every refusal becomes one sentence that says
what a person has to do. Entra's own error text is not repeated: it names the person who signed
in. Where the refresh token comes from and where its successor goes is the caller's business.
"""

from __future__ import annotations

import asyncio
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
from customer_import.http.classify import is_transient, retry_after_s
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
from customer_import.http.token import AccessToken, is_token
from customer_import.partner_center.error_body import CONSENT_AGAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

SERVICE = "Partner Center"
_ENDPOINT = "POST /oauth2/v2.0/token"
_TIMEOUT_S = (10, 30)
_WHOLE_TIMEOUT_S = 60.0
_MICROSOFT_HOSTS = WELL_KNOWN_AUTHORITY_HOSTS | {"login.partner.microsoftonline.cn"}
_TRANSIENT_ERRORS = frozenset({"temporarily_unavailable", "server_error"})
_TRANSIENT_CODES = frozenset({"90033", "90006", "90024"})

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
    "90002": "the tenant does not exist; check tenant_id in the connection's extra",
    "500011": "the tenant does not know the API; check scope_base in the connection's extra",
    "53003": "Conditional Access blocks the sign-in; an administrator must allow this application",
    "70000": f"the refresh token is not valid; {CONSENT_AGAIN}",
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


class PartnerCenterAuth:
    """Fetches access tokens; give its ``fetch`` to a ``TokenSource``.

    Args:
        credentials: What the sign-in needs.
        refresh_token: The current refresh token; only App+User has one.
        save_refresh_token: Keeps the token that replaces it; called in a thread, before the access
            token is used.
        mask: Told every token, so that no log shows it.
    """

    def __init__(
        self,
        credentials: Credentials,
        *,
        refresh_token: str | None = None,
        save_refresh_token: Callable[[str], None],
        mask: Callable[[str], None],
    ) -> None:
        self._credentials = credentials
        self._refresh_token = refresh_token
        self._save = save_refresh_token
        self._mask = mask

    async def fetch(self) -> AccessToken:
        """Ask for an access token.

        Raises:
            AuthenticationError: Entra ID refused; says what to do.
            RetriableError: Entra ID could not be reached or is not able to answer now.
        """
        return await asyncio.to_thread(self._fetch)

    def _fetch(self) -> AccessToken:
        authority = self._credentials.authority
        try:
            answer = self._acquire()
        except requests.RequestException as error:
            raise unanswered(SERVICE, _ENDPOINT, error, authority) from None
        except (LookupError, TypeError, AttributeError):  # JSON, but not msal's
            raise out_of_order(SERVICE, _ENDPOINT, authority, status=200) from None
        except ValueError:
            message = (
                "the sign-in service does not know this tenant; check tenant_id and authority in "
                "the connection's extra"
            )
            raise AuthenticationError(message, service=SERVICE) from None
        token = answer.get("access_token")
        if token is None and "error" in answer:
            raise _refusal(answer, self._sent_texts)
        if not is_token(token):
            raise out_of_order(SERVICE, _ENDPOINT, authority, status=200)
        self._mask(token)
        self._rotate(answer.get("refresh_token"))
        return AccessToken(token, lifetime_s(answer.get("expires_in")))

    @property
    def _sent_texts(self) -> tuple[str, ...]:
        sent = (self._credentials.client_secret, self._refresh_token or "")
        return tuple(sorted(filter(None, sent), key=len, reverse=True))

    def _acquire(self) -> dict[str, Any]:
        """Ask msal, with a new application each time: an old one would answer from its caches."""
        given = self._credentials
        is_microsoft = urlsplit(given.authority).hostname in _MICROSOFT_HOSTS
        with _HttpClient(given.authority, given.ca_file, self._sent_texts) as http:
            app = msal.ConfidentialClientApplication(
                given.client_id,
                client_credential=given.client_secret,
                authority=f"{given.authority}/{given.tenant_id}",
                instance_discovery=None if is_microsoft else False,
                http_client=http,
            )
            if given.flow is Flow.APP_ONLY:
                answer = app.acquire_token_for_client([f"{given.resource}/.default"])
            else:
                answer = app.acquire_token_by_refresh_token(
                    self._refresh_token, [f"{given.resource}/user_impersonation"]
                )
        return dict(answer or {})

    def _rotate(self, token: object) -> None:
        if self._credentials.flow is Flow.APP_ONLY or token == self._refresh_token:
            return
        if not is_token(token):
            return
        self._mask(token)
        self._refresh_token = token
        self._save(token)


class _HttpClient(SignInSession):
    """The HTTP client of msal: with time-outs, our CA file beats the environment's, secrets go to one host only."""

    def __init__(self, authority: str, ca_file: str | None, sent: Collection[str]) -> None:
        super().__init__()
        self._sent = sent
        self._authority = authority
        self._ca_file = ca_file

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
            wait = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
            raise out_of_order(SERVICE, _ENDPOINT, url, response.status_code, wait)
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
    return known


def _refusal(answer: dict[str, Any], sent: Collection[str]) -> AuthenticationError | RetriableError:
    codes = answer.get("error_codes")
    code = (code_of(codes[0], sent) if isinstance(codes, list) and codes else None) or ""
    error = code_of(answer.get("error"), sent) or "no token in the answer"
    if error in _TRANSIENT_ERRORS or code in _TRANSIENT_CODES:
        message = "the sign-in service is not able to answer now"
        return not_had(SERVICE, _ENDPOINT, message, code=code or error)
    hint = _HINTS.get(code, "look the code up in Microsoft's list of sign-in errors")
    message = f"the sign-in was refused: {hint}"
    return AuthenticationError(message, service=SERVICE, code=f"AADSTS{code}" if code else error)
