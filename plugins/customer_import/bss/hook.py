"""The BSS connection of Airflow, and the sessions made from it.

Built on the HTTP provider's hook, of which it keeps ``run`` and its arguments. Signing in, address, redirects, retries
and errors are the import's.

Why: docs/decisions/0005-own-transport.md.
"""

from __future__ import annotations

import asyncio
import logging
from hashlib import blake2b
from typing import TYPE_CHECKING, Annotated, Any

from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk.log import mask_secret
from pydantic import AfterValidator, Field
from yarl import URL

from customer_import.bss import requests_session
from customer_import.bss.client import BssClient
from customer_import.bss.error_body import read_detail
from customer_import.bss.requests_session import BearerAuth, BssSession
from customer_import.bss.token import SERVICE, BssCredentials, fetch_token
from customer_import.config.instances import BssConfig
from customer_import.config.messages import WrongValueError
from customer_import.connection_types import INTERWORKS_BSS
from customer_import.errors import AuthenticationError, ConfigurationError
from customer_import.http.body import MEGABYTE
from customer_import.http.breaker import RetrySettings
from customer_import.http.classify import classify
from customer_import.http.connection import (
    CheckedConnection,
    ConnectionExtra,
    ConnectionKind,
    check_connection,
    get_connection,
    read_secret_variable,
    tls_context,
    try_connection,
)
from customer_import.http.limiter import WindowLimiter, budget_of
from customer_import.http.redaction import request_texts
from customer_import.http.session import ApiSession
from customer_import.http.token import AccessToken, TokenSource

if TYPE_CHECKING:
    import requests

_PROBE = "/api/organization/externalSystems?pageIndex=1&pageSize=1"
"""Concerns no customer."""
VERSION_HEADER = "X-Api-Version"
_UNAUTHORIZED = 401


def _check_client_key(text: str) -> str:
    if ":" in text:
        message = "a client key has no colon"
        raise WrongValueError(message, "enter the key alone, and the secret in its own field")
    return text


class BssExtra(ConnectionExtra):
    """The extra of a BSS connection."""

    client_key: Annotated[str, AfterValidator(_check_client_key)]
    client_secret: str | None = Field(default=None, repr=False)
    client_secret_variable: str | None = None
    """Name of the Airflow Variable that holds the client secret: where it stood before the form had a field for it."""


KIND = ConnectionKind(INTERWORKS_BSS, BssExtra)


class BssHook(HttpHook):
    """Signs in at the interworks.cloud BSS.

    ``get_conn`` and ``run`` are for DAGs of your own; they repeat what failed on its way only where that does no harm:

        countries = BssHook("bss_default").run("/api/organization/countries").json()

    Args:
        bss_conn_id: The Airflow connection.
        method: HTTP method of ``run``.
        api_version: Version of the BSS API.
    """

    conn_name_attr = "bss_conn_id"
    default_conn_name = "bss_default"
    conn_type = INTERWORKS_BSS
    hook_name = str(KIND.form["hook-name"])

    def __init__(
        self,
        bss_conn_id: str = default_conn_name,
        *,
        method: str = "GET",
        api_version: str = BssConfig().api_version,
    ) -> None:
        super().__init__(method=method, http_conn_id=bss_conn_id, tcp_keep_alive=False)
        self.bss_conn_id = bss_conn_id
        self._api_version = api_version
        self._checked: CheckedConnection[BssExtra] | None = None
        self._auth: BearerAuth | None = None

    @property
    def connection(self) -> CheckedConnection[BssExtra]:
        """The connection, looked up at the first use only.

        Raises:
            ConfigurationError: It is missing or wrong.
        """
        if self._checked is None:
            self._checked = check_connection(
                get_connection(self.bss_conn_id), self.bss_conn_id, KIND
            )
        return self._checked

    @property
    def organisation(self) -> str:
        """Whose limits the requests share: the BSS's address and a digest of the organisation's client key.

        Raises:
            ConfigurationError: As for ``connection``.
        """
        client = blake2b(self.connection.extra.client_key.encode(), digest_size=16).hexdigest()
        return f"{self.connection.address.base_url} {client}"

    def session(self, config: BssConfig, *, waits_for_outages: bool = True) -> ApiSession:
        """Return the import's session; the connection is resolved now, the token is fetched with the first request.

        Args:
            config: Version, concurrency, time-out and attempts of the instance.
            waits_for_outages: Whether a BSS that answers nobody is waited for; a person is not made to.

        Raises:
            ConfigurationError: The connection or the Variable that it names is missing or wrong.
        """
        base_url, credentials = self.connection.address.base_url, self._credentials()
        tls = tls_context(self.connection.extra.ca_file, self.connection.source)

        async def fetch() -> AccessToken:
            return await fetch_token(base_url, credentials, tls, mask_secret)

        return ApiSession(
            service=SERVICE,
            base_url=base_url,
            tokens=TokenSource(fetch),
            read_detail=read_detail,
            headers=_headers(config.api_version),
            concurrency=config.slots,
            timeout_s=config.request_timeout_s,
            max_body=config.max_answer_mb * MEGABYTE,
            retry=RetrySettings(config.max_attempts, config.retry_budget_s),
            probe=_PROBE if waits_for_outages else None,
            tls=tls,
        )

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> BssSession:
        """Return a ``requests`` session that signs in with the first request; sessions of a hook share the token.

        Args:
            headers: Sent with every request.
            extra_options: Of ``run``: ``timeout`` and ``check_response``.

        Raises:
            ConfigurationError: The connection or the Variable that it names is missing or wrong.
        """
        self._set_base_url()
        self.merged_extra = extra_options or {}
        # It logs the query of a request that is tried again: docs/decisions/0005-own-transport.md.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        return BssSession(
            self.base_url,
            self._bearer(),
            _headers(self._api_version) | (headers or {}),
            self.connection.extra.ca_file,
        )

    def check_response(self, response: requests.Response) -> None:
        """Raise the import's error for whatever is not a success; its words hold nothing that was sent.

        Raises:
            ApiError: The BSS refused the request, or is out of order.
            AuthenticationError: It refused a token that was just issued.
        """
        request = response.request
        error = classify(
            service=SERVICE,
            endpoint=f"{request.method} {URL(request.url or '').path}",
            status=response.status_code,
            headers=response.headers,
            body=response.content,
            read_detail=lambda body: read_detail(body, _sent_texts(request)),
        )
        if error is None:
            return
        if error.status == _UNAUTHORIZED:
            message = f"{error.endpoint} refused a token that was just issued"
            raise AuthenticationError(message, service=SERVICE, code=error.code) from error
        raise error

    def test_connection(self) -> tuple[bool, str]:
        """Sign in and read one list; the Test button of Airflow's connection form calls this."""
        return try_connection(self.bss_conn_id, self._sign_in)

    def _sign_in(self) -> str:
        config = BssConfig(max_attempts=1, request_timeout_s=20)
        session = self.session(config, waits_for_outages=False)

        async def read() -> str:
            async with session:
                systems = await BssClient(session).external_systems()
            return f"Signed in; the organisation has {len(systems)} external systems"

        return asyncio.run(read())

    def _set_base_url(self, connection: object = None) -> None:  # noqa: ARG002 - as the base class
        self.base_url = self.connection.address.base_url
        self._base_url_initialized = True

    def _bearer(self) -> BearerAuth:
        if self._auth is None:
            base_url, credentials = self.base_url, self._credentials()
            source, ca_file = self.connection.source, self.connection.extra.ca_file
            tls_context(ca_file, source)  # says in words when the file is of no use

            def fetch() -> AccessToken:
                return requests_session.fetch_token(base_url, credentials, ca_file, mask_secret)

            self._auth = BearerAuth(base_url, fetch)
        return self._auth

    def _credentials(self) -> BssCredentials:
        checked = self.connection
        return BssCredentials(
            username=checked.login,
            password=checked.password,
            client_key=checked.extra.client_key,
            client_secret=_client_secret(checked),
        )


def rate_limiter(config: BssConfig) -> WindowLimiter | None:
    """Return a limiter of the instance's ``requests_per_second``, if there is one."""
    rate = config.requests_per_second
    return None if rate is None else WindowLimiter(*budget_of(rate), guard_s=0.0)


def open_client(session: ApiSession, config: BssConfig) -> BssClient:
    """Return the typed calls over an open session, limited to the instance's ``requests_per_second``."""
    return BssClient(session, rate_limiter(config))


def _client_secret(checked: CheckedConnection[BssExtra]) -> str:
    secret, variable = checked.extra.client_secret, checked.extra.client_secret_variable

    def fault(message: str, hint: str, key: str) -> ConfigurationError:
        return ConfigurationError(message, source=checked.source, path=f"extra.{key}", hint=hint)

    if secret and variable:
        message = "the client secret stands in the connection, and a Variable is named for it"
        raise fault(message, "remove client_secret_variable", "client_secret_variable")
    if secret:
        mask_secret(secret)
        return secret
    if not variable:
        message = "it is missing"
        raise fault(message, KIND.fill("client_secret"), "client_secret")
    if (value := read_secret_variable(variable)) is None:
        message = f"the Airflow Variable {variable!r} does not exist or is empty"
        hint = "move the client secret into the connection's field client_secret"
        raise fault(message, hint, "client_secret_variable")
    return value


def _headers(api_version: str) -> dict[str, str]:
    return {VERSION_HEADER: api_version, "Accept": "application/json"}


def _sent_texts(request: requests.PreparedRequest) -> tuple[str, ...]:
    """Return what a JSON request carried; of another body its parts are not known."""
    headers = {name: str(value) for name, value in request.headers.items()}
    body = request.body.encode() if isinstance(request.body, str) else request.body
    try:
        return request_texts(headers, body)
    except ValueError:
        return request_texts(headers, None)
