"""Walks a person through Microsoft's consent (docs/api/partner-center.md section 3.5).

The person signs in at Microsoft's own page, on any machine with a browser, with MFA: with a device code, or by pasting
the address at which the browser ended. Nothing is stored here.
"""

from __future__ import annotations

import base64
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import requests

from customer_import.errors import AuthenticationError, RetriableError
from customer_import.http.reader import read_json
from customer_import.http.sign_in import out_of_order
from customer_import.http.token import is_token
from customer_import.partner_center.entra import ENDPOINT, SERVICE, ask_entra
from customer_import.text import trim

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import msal

    from customer_import.partner_center.entra import Credentials

REDIRECT_URI = "http://localhost:8400"
"""Nothing listens there; only the address counts at which the browser ends."""
_WAITING = frozenset({"authorization_pending", "slow_down"})
_SCOPES = ("openid", "profile", "offline_access")
_CODE = re.compile(r"[A-Za-z0-9-]{4,32}")
_URL = re.compile(r"https://[A-Za-z0-9.-]+(?::\d+)?/[A-Za-z0-9/_-]*")
_MINUTE_S = 60


@dataclass(frozen=True)
class UserCode:
    """What a person needs to sign in.

    Attributes:
        code: To be entered there.
        url: Microsoft's page.
        minutes: How long the code is good.
    """

    code: str
    url: str
    minutes: int


@dataclass(frozen=True)
class Consent:
    """What a person consented to.

    Attributes:
        refresh_token: The first one.
        has_mfa: Whether the sign-in had multi-factor authentication; ``None`` when the token does not show it.
    """

    refresh_token: str = field(repr=False)
    has_mfa: bool | None


def try_application(credentials: Credentials, mask: Callable[[str], None]) -> float | None:
    """Sign in as the application alone, before a person is asked: tenant, client id and secret are right.

    Returns:
        By how many seconds this machine's clock is ahead of Microsoft's; ``None`` when that was not told.

    Raises:
        AuthenticationError: Entra ID refused; says what to do.
        RetriableError: Entra ID could not be reached or is not able to answer now.
    """

    def ask(app: msal.ConfidentialClientApplication) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = app.acquire_token_for_client(
            [f"{credentials.resource}/.default"]
        )
        return found

    answer = ask_entra(credentials, ask, (credentials.client_secret,))
    if isinstance(token := answer.fields.get("access_token"), str):
        mask(token)
    return answer.clock_offset_s


def sign_in(
    credentials: Credentials,
    show: Callable[[UserCode], None],
    mask: Callable[[str], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Consent:
    """Show a code, and wait until a person has signed in with it.

    Args:
        credentials: Of the application.
        show: Tells the person.
        mask: Told every token, so that no log shows it.
        sleep: Waits that many seconds.
        clock: Monotonic seconds.

    Raises:
        AuthenticationError: The person refused or came too late, or Entra ID refused; says what to do.
        RetriableError: Entra ID could not be reached or is not able to answer now.
    """

    def ask(app: msal.ConfidentialClientApplication) -> Mapping[str, Any]:
        _check_offered(app)
        scopes = [f"{credentials.resource}/user_impersonation", *_SCOPES]
        flow: dict[str, Any] = app.client.initiate_device_flow(scope=scopes)
        if "error" in flow:
            return flow
        mask(flow["device_code"])
        show(_user_code(flow, credentials.authority))
        ends_at = clock() + flow["expires_in"]
        while True:
            answer = _poll(app, flow)
            if answer.get("error") not in _WAITING:
                return answer
            if clock() >= ends_at:
                return {"error": "expired_token"}
            sleep(flow["interval"])

    return _consent(credentials, ask, mask)


def sign_in_by_address(
    credentials: Credentials, ask_address: Callable[[str], str], mask: Callable[[str], None]
) -> Consent:
    """Have a person sign in in a browser and paste where it ended, where a tenant forbids device codes.

    Args:
        credentials: Of the application; ``REDIRECT_URI`` is registered with it.
        ask_address: Shows an address to open, and returns the one at which the browser ended.
        mask: Told every token, so that no log shows it.

    Raises:
        AuthenticationError: The person refused or pasted another address, or Entra ID refused; says what to do.
        RetriableError: Entra ID could not be reached or is not able to answer now.
    """

    def ask(app: msal.ConfidentialClientApplication) -> Mapping[str, Any]:
        scopes = [f"{credentials.resource}/user_impersonation"]
        flow: dict[str, Any] = app.initiate_auth_code_flow(
            scopes, redirect_uri=REDIRECT_URI, prompt="login"
        )
        pasted = trim(ask_address(flow["auth_uri"]))
        told = dict(parse_qsl(urlsplit(pasted).query))
        if told.get("state") != flow["state"]:
            message = (
                f"what was pasted is not the address at which the browser ended: it begins with {REDIRECT_URI} and "
                "belongs to the address above. Run the command again, and copy all of it"
            )
            raise AuthenticationError(message, service=SERVICE)
        mask(told.get("code", ""))
        answer: Mapping[str, Any] = app.acquire_token_by_auth_code_flow(flow, told)
        return answer

    return _consent(credentials, ask, mask)


def _consent(
    credentials: Credentials,
    ask: Callable[[msal.ConfidentialClientApplication], Mapping[str, Any]],
    mask: Callable[[str], None],
) -> Consent:
    fields = ask_entra(credentials, ask, (credentials.client_secret,)).fields
    access_token, refresh_token = fields.get("access_token"), fields.get("refresh_token")
    if not is_token(access_token) or not is_token(refresh_token):
        raise out_of_order(SERVICE, ENDPOINT, credentials.authority, status=200)
    for token in (access_token, refresh_token):
        mask(token)
    return Consent(refresh_token, proves_mfa(access_token))


def proves_mfa(access_token: str) -> bool | None:
    """Return whether a token's claim ``amr`` names MFA; ``None`` when there is no such claim to be read.

    The claim is only looked at; whether the token is genuine is for Partner Center to say.
    """
    payload = access_token.split(".")[1:2]
    try:
        padded = "".join(payload) + "=" * (-len("".join(payload)) % 4)
        claims = read_json(base64.urlsafe_b64decode(padded))
    except ValueError:
        return None
    methods = claims.get("amr") if isinstance(claims, dict) else None
    return "mfa" in methods if isinstance(methods, list) else None


def _check_offered(app: msal.ConfidentialClientApplication) -> None:
    if not app.client.configuration.get("device_authorization_endpoint"):
        message = (
            "the sign-in service offers no device codes; check authority in the connection's extra"
        )
        raise AuthenticationError(message, service=SERVICE)


def _poll(app: msal.ConfidentialClientApplication, flow: dict[str, Any]) -> Mapping[str, Any]:
    """Ask once whether the person has signed in; no answer is as good as not yet."""
    try:
        answer: Mapping[str, Any] = app.client.obtain_token_by_device_flow(
            flow, exit_condition=lambda _: True
        )
    except (requests.RequestException, RetriableError):
        return {"error": "authorization_pending"}
    return answer


def _user_code(flow: Mapping[str, Any], authority: str) -> UserCode:
    """Return what is shown, if it looks like it: a person will open the address."""
    code, url = flow["user_code"], flow["verification_uri"]
    if not _CODE.fullmatch(code) or not _URL.fullmatch(url):
        raise out_of_order(SERVICE, ENDPOINT, authority, status=200)
    return UserCode(code, url, max(1, round(flow["expires_in"] / _MINUTE_S)))
