"""The part of Entra ID that msal calls: metadata, the token endpoint and the consent of a person.

Takes client credentials, refresh tokens, device codes and authorisation codes. Every refresh gives a new refresh token
with the same claims and leaves the old one good, as Microsoft documents. There is no sign-in page:
a first refresh token is handed out with the sandbox's announcement, and a device code is answered
as `DeviceCodes` was told.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from sandbox.browser_code import REDIRECT_URI, BrowserCodes
from sandbox.clouds import DEVICE_LOGIN, HOSTS, SIGN_IN_HOSTS, Cloud
from sandbox.device_code import GRANT_TYPE, CodeState, DeviceCodes
from sandbox.edge import Service
from sandbox.faults import FaultKind, FaultRule
from sandbox.tokens import Claims, TokenIssuer, TokenKind
from sandbox.wire import WireError, json_response, quotation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.credentials import PartnerCredentials

REFRESH_TOKEN_TTL_S = 90 * 24 * 3600.0

_MFA_NEEDED = "You must use multi-factor authentication to access the resource."
_WRONG_CLIENT = "Invalid client secret provided. Ensure the secret being sent is the secret value."
_ERRORS: dict[int, tuple[int, str, str]] = {
    50011: (400, "invalid_request", "The redirect URI does not match the registered ones."),
    50076: (400, "invalid_grant", f"Due to a configuration change, {_MFA_NEEDED}"),
    50078: (400, "invalid_grant", f"Presented multi-factor authentication expired. {_MFA_NEEDED}"),
    50079: (400, "invalid_grant", "You must enroll in multi-factor authentication."),
    53003: (400, "invalid_grant", "Access has been blocked by Conditional Access policies."),
    65001: (
        400,
        "invalid_grant",
        "The user or administrator has not consented to the application.",
    ),
    70000: (400, "invalid_grant", "The provided value for the input parameter is not valid."),
    70003: (400, "unsupported_grant_type", "The app requested an unsupported grant type."),
    70011: (400, "invalid_scope", "The value for the input parameter 'scope' is not valid."),
    90002: (400, "invalid_tenant", "Tenant not found. Check that the tenant ID is correct."),
    90033: (503, "temporarily_unavailable", "A transient error has occurred. Please try again."),
    70016: (
        400,
        "authorization_pending",
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    ),
    70018: (400, "bad_verification_code", "Invalid verification code."),
    70019: (400, "expired_token", "Verification code expired."),
    900382: (
        400,
        "invalid_request",
        "Confidential Client is not supported in Cross Cloud request.",
    ),
    700007: (400, "invalid_grant", "The grant was issued for a different client id."),
    700016: (400, "unauthorized_client", "Application was not found in the directory."),
    700082: (400, "invalid_grant", "The refresh token has expired due to inactivity."),
    900144: (400, "invalid_request", "The request body must contain a required parameter."),
    7000215: (401, "invalid_client", _WRONG_CLIENT),
    7000222: (401, "invalid_client", "The provided client secret keys are expired."),
}
_SUBERRORS = {
    50076: "basic_action",
    50079: "basic_action",
    53003: "message_only",
    65001: "consent_required",
}


_CODE_ERRORS = {
    CodeState.PENDING: 70016,
    CodeState.EXPIRED: 70019,
    CodeState.UNKNOWN: 70018,
}


class Entra:
    """Entra ID for one partner tenant."""

    def __init__(
        self,
        credentials: PartnerCredentials,
        issuer: TokenIssuer,
        token_ttl_s: float,
        codes: DeviceCodes,
        cloud: Cloud = Cloud.GLOBAL,
    ) -> None:
        """Take the tenant's credentials, the token issuer, the access tokens' lifetime and the device codes."""
        self._credentials = credentials
        self._issuer = issuer
        self._token_ttl_s = token_ttl_s
        self._cloud = cloud
        self.codes = codes
        self._browser_codes = BrowserCodes()
        self.service = Service(
            "entra",
            unknown_path=lambda _: aadsts(90002),
            faulty=_faulty,
            refused=lambda *_: None,
        )

    def routes(self) -> list[web.RouteDef]:
        """The endpoints, named."""
        return [
            web.get(
                "/{tenant}/v2.0/.well-known/openid-configuration", self.metadata, name="metadata"
            ),
            web.post("/{tenant}/oauth2/v2.0/token", self.token, name="token"),
            web.post("/{tenant}/oauth2/v2.0/devicecode", self.device_code, name="device_code"),
            web.get("/{tenant}/oauth2/v2.0/authorize", self.authorize, name="authorize"),
        ]

    def refresh_token(self, like: Claims | None = None) -> str:
        """Issue a refresh token of the partner's service account, with the claims of an older one if there is one."""
        account = like or self.codes.person
        return self._issuer.issue(
            TokenKind.REFRESH,
            self._credentials.tenant_id,
            REFRESH_TOKEN_TTL_S,
            has_mfa=account.has_mfa,
            has_role=account.has_role,
            shows_methods=account.shows_methods,
        )

    async def metadata(self, request: web.Request) -> web.Response:
        """Answer the OpenID configuration of the tenant."""
        base = f"https://{request.host}/{self._tenant(request)}"
        document = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
            "response_types_supported": ["code", "id_token", "code id_token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "subject_types_supported": ["pairwise"],
            "tenant_region_scope": "EU",
        }
        return json_response(document)

    async def token(self, request: web.Request) -> web.Response:
        """Answer a token for client credentials or for a refresh token."""
        self._tenant(request)
        form = {name: str(value) for name, value in (await request.post()).items()}
        self._check_client(form)
        scope = form.get("scope", "")
        match form.get("grant_type"):
            case "client_credentials":
                return self._app_only(scope)
            case "refresh_token":
                return self._app_user(form.get("refresh_token", ""), scope)
            case str(grant) if grant == GRANT_TYPE:
                return self._by_device_code(form.get("device_code", ""))
            case "authorization_code":
                return self._by_browser_code(form)
            case None:
                raise aadsts(900144)
            case _:
                raise aadsts(70003)

    async def device_code(self, request: web.Request) -> web.Response:
        """Answer a code for a person to enter elsewhere."""
        self._tenant(request)
        form = {name: str(value) for name, value in (await request.post()).items()}
        self._check_application(form)
        scopes = form.get("scope", "").split()
        resource = _user_scope(form.get("scope", ""))
        if not resource or "offline_access" not in scopes:
            raise aadsts(70011)
        begun = self.codes.begin(_resource(resource))
        url = DEVICE_LOGIN[self._cloud]
        message = (
            f"To sign in, use a web browser to open the page {url} and enter the code "
            f"{begun['user_code']} to authenticate."
        )
        return json_response(begun | {"verification_uri": url, "message": message})

    async def authorize(self, request: web.Request) -> web.Response:
        """Lead a browser through the sign-in to where the application wants it."""
        self._tenant(request)
        self._check_application(request.query)
        if request.query.get("redirect_uri") != REDIRECT_URI:
            raise aadsts(50011)
        resource = _resource(_user_scope(request.query.get("scope", "")))
        where = self._browser_codes.lead(request.query, resource, self.codes.person)
        return web.Response(status=302, headers={"Location": where})

    def _tenant(self, request: web.Request) -> str:
        tenant = request.match_info["tenant"].lower()
        host = request.url.host
        is_elsewhere = host in SIGN_IN_HOSTS and host != HOSTS[self._cloud].sign_in
        if tenant != self._credentials.tenant_id or is_elsewhere:
            raise aadsts(90002)
        return tenant

    def _check_application(self, form: Mapping[str, str]) -> None:
        if form.get("client_id", "").lower() != self._credentials.client_id:
            raise aadsts(700016)

    def _check_client(self, form: Mapping[str, str]) -> None:
        self._check_application(form)
        if form.get("client_secret") != self._credentials.client_secret:
            raise aadsts(7000215)

    def _app_only(self, scope: str) -> web.Response:
        if not scope.endswith("/.default"):
            raise aadsts(70011)
        token = self._issuer.issue(
            TokenKind.APP_ONLY,
            self._credentials.tenant_id,
            self._token_ttl_s,
            audience=_resource(scope),
        )
        return json_response(self._grant(token))

    def _app_user(self, refresh_token: str, scope: str) -> web.Response:
        claims = self._issuer.read(refresh_token)
        if claims is None or claims.kind is not TokenKind.REFRESH:
            raise aadsts(70000)
        if not self._issuer.is_live(claims):
            raise aadsts(700082)
        if not scope:
            raise aadsts(70011)
        return self._of_person(claims, _resource(_user_scope(scope) or scope))

    def _by_device_code(self, device_code: str) -> web.Response:
        state, resource = self.codes.poll(device_code)
        if state in _CODE_ERRORS:
            raise aadsts(_CODE_ERRORS[state])
        if state is not CodeState.GRANTED:  # Microsoft documents no number for these
            raise WireError(400, orjson.dumps({"error": state.value}), reason=state.value)
        return self._of_signed_in(resource)

    def _by_browser_code(self, form: Mapping[str, str]) -> web.Response:
        resource = self._browser_codes.redeem(form)
        if resource is None:
            raise aadsts(70000)
        return self._of_signed_in(resource)

    def _of_signed_in(self, resource: str) -> web.Response:
        person = self.codes.person
        claims = Claims(
            TokenKind.REFRESH,
            self._credentials.tenant_id,
            0.0,
            has_mfa=person.has_mfa,
            has_role=person.has_role,
            shows_methods=person.shows_methods,
        )
        return self._of_person(claims, resource)

    def _of_person(self, claims: Claims, resource: str) -> web.Response:
        token = self._issuer.issue(
            TokenKind.APP_USER,
            claims.subject,
            self._token_ttl_s,
            has_mfa=claims.has_mfa,
            has_role=claims.has_role,
            shows_methods=claims.shows_methods,
            audience=resource,
        )
        grant = self._grant(token) | {
            "scope": f"{resource}/user_impersonation",
            "refresh_token": self.refresh_token(claims),
        }
        return json_response(grant)

    def _grant(self, token: str) -> dict[str, object]:
        lifetime_s = int(self._token_ttl_s)
        return {
            "token_type": "Bearer",
            "expires_in": lifetime_s,
            "ext_expires_in": lifetime_s,
            "access_token": token,
        }


def _user_scope(scope: str) -> str:
    """Return the scope with the rights of a person, of several; empty when there is none."""
    return next((one for one in scope.split() if one.endswith("/user_impersonation")), "")


def _resource(scope: str) -> str:
    """Return the API of a scope: what stands before its last part."""
    return scope.rpartition("/")[0]


def aadsts(code: int, said: str = "") -> WireError:
    """Make the refusal for an AADSTS number, in the form that Entra ID uses; ``said`` replaces its text."""
    status, error, text = _ERRORS.get(code, (400, "invalid_grant", "Request refused."))
    text = said or text
    trace, correlation = uuid.uuid4(), uuid.uuid4()
    stamp = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%SZ}"
    body = {
        "error": error,
        "error_description": (
            f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} "
            f"Timestamp: {stamp}"
        ),
        "error_codes": [code],
        "timestamp": stamp,
        "trace_id": str(trace),
        "correlation_id": str(correlation),
        "error_uri": f"https://login.microsoftonline.com/error?code={code}",
    }
    if code in _SUBERRORS:
        body["suberror"] = _SUBERRORS[code]
    return WireError(status, orjson.dumps(body), reason=f"AADSTS{code}")


def _faulty(rule: FaultRule, request: web.Request) -> WireError:
    if rule.kind is FaultKind.ENTRA_ERROR:
        return aadsts(rule.code)
    if rule.kind is FaultKind.QUOTE:
        return aadsts(rule.code, quotation(request))
    error = aadsts(90033)
    error.status = 429 if rule.kind is FaultKind.THROTTLE else rule.status
    return error
