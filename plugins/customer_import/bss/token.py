"""Gets the BSS's access token: OAuth 2.0 password grant (docs/api/bss.md section 2.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp

from customer_import.bss.error_body import read_detail
from customer_import.errors import AuthenticationError
from customer_import.http.body import MAX_ERROR_BODY, OversizedBodyError, client_options, read_body
from customer_import.http.classify import asked_wait_s, is_transient
from customer_import.http.proxy import environment_proxy
from customer_import.http.reader import read_json
from customer_import.http.redaction import code_of
from customer_import.http.sign_in import (
    is_redirect,
    lifetime_s,
    not_had,
    out_of_order,
    redirected,
    unanswered,
)
from customer_import.http.token import AccessToken, is_token

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Collection, Mapping

SERVICE = "BSS"
TOKEN_TIMEOUT_S = 30.0
TOKEN_PATH = "/oauth/token"  # noqa: S105 - a path, not a secret
ENDPOINT = f"POST {TOKEN_PATH}"
_HINTS = {
    "invalid_client": "the client key or the client secret is wrong; check BSS > Setup > Administration > System "
    "Options > API Credentials and client_key and client_secret of the connection",
    "invalid_grant": "the application user or its password is wrong; check login and password of the connection",
    "unauthorized_client": "this client may not use the password grant; allow it in BSS > Setup > Administration > "
    "System Options > API Credentials",
    "unsupported_grant_type": "the BSS does not take the password grant; check the connection's host",
}


@dataclass(frozen=True)
class BssCredentials:
    """What the token endpoint asks for; nothing of it is shown in a ``repr``."""

    username: str = field(repr=False)
    password: str = field(repr=False)
    client_key: str = field(repr=False)
    client_secret: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of the Basic header."""
        return aiohttp.encode_basic_auth(self.client_key, self.client_secret)

    @property
    def sent_texts(self) -> tuple[str, ...]:
        """What a sign-in carries, which an answer may repeat; the longest first."""
        basic = self.basic.rpartition(" ")[2]
        sent = (self.username, self.password, self.client_key, self.client_secret, basic)
        return tuple(sorted(sent, key=len, reverse=True))


async def fetch_token(
    base_url: str,
    credentials: BssCredentials,
    tls: ssl.SSLContext | None,
    mask: Callable[[str], None],
) -> AccessToken:
    """Ask for a token. Client key and secret go only into the Basic header; in the body they would be refused.

    Args:
        base_url: Scheme, host and port.
        credentials: Of the application user and the client.
        tls: TLS settings; ``None`` for the system's.
        mask: Told the token, so that no log shows it.

    Raises:
        AuthenticationError: The credentials were refused; says in words which.
        ConfigurationError: The proxy of the environment cannot be used.
        RetriableError: The endpoint could not be reached or is out of order. No API request was sent.
    """
    url = base_url + TOKEN_PATH
    timeout = aiohttp.ClientTimeout(total=TOKEN_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(
                timeout=timeout, proxy=environment_proxy(base_url), **client_options(tls)
            ) as client,
            client.post(
                url,
                data=password_grant(credentials),
                headers={"Authorization": credentials.basic},
                allow_redirects=False,
            ) as response,
        ):
            status, headers = response.status, response.headers
            body = await read_body(response, MAX_ERROR_BODY)
    except (aiohttp.ClientError, TimeoutError, ConnectionError, OversizedBodyError) as error:
        raise unanswered(SERVICE, ENDPOINT, error, url) from None
    return read_token(url, status, headers, body, mask, credentials.sent_texts)


def password_grant(credentials: BssCredentials) -> dict[str, str]:
    """Return the form that asks for a token; client key and secret go only into the Basic header."""
    return {
        "grant_type": "password",
        "username": credentials.username,
        "password": credentials.password,
    }


def read_token(
    url: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    mask: Callable[[str], None],
    sent: Collection[str],
) -> AccessToken:
    """Read what the token endpoint answered; errors as for ``fetch_token``.

    Args:
        url: Where it was asked.
        status: HTTP status.
        headers: As answered; ``Retry-After`` and ``Location`` are read, whatever their case.
        body: As answered.
        mask: Told the token.
        sent: What the sign-in carried; removed from whatever is shown.
    """
    if is_redirect(status):
        raise redirected(SERVICE, url, status, headers.get("Location"), sent)
    try:
        answer = read_json(body)
    except ValueError:
        answer = None
    fields = answer if isinstance(answer, dict) else {}
    is_limit = status >= 300 and read_detail(body).is_rate_limit  # noqa: PLR2004 - whatever is not a success
    if is_transient(status) or is_limit:
        wait = asked_wait_s(headers, datetime.now(UTC), body)
        raise out_of_order(SERVICE, ENDPOINT, url, status, wait)
    if status >= 300:  # noqa: PLR2004 - whatever is not a success
        code = code_of(fields.get("error"), sent) or f"HTTP {status}"
        message = _HINTS.get(
            code,
            "the sign-in was refused; check the connection's host, user, client key and secret",
        )
        raise AuthenticationError(message, service=SERVICE, code=code)
    token = fields.get("access_token")
    if not is_token(token):
        message = "the sign-in answered without a token"
        raise not_had(SERVICE, ENDPOINT, message, status=status)
    mask(token)
    return AccessToken(token, lifetime_s(fields.get("expires_in")))
