"""The BSS connection of Airflow, and a session made from it.

Built on the HTTP provider's hook for its connection type and base URL only. That hook would send unknown extra keys as
headers, login and password as Basic credentials to every endpoint, and a failed request again whatever its method; so
requests go through ``customer_import.http``, and the inherited ways of sending one refuse in words.
"""

from __future__ import annotations

import asyncio
import difflib
import ssl
from typing import TYPE_CHECKING, NoReturn

from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk import Variable
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowRuntimeError
from airflow.sdk.log import mask_secret

from customer_import.bss.client import BssClient
from customer_import.bss.error_body import read_detail
from customer_import.bss.token import SERVICE, BssCredentials, fetch_token
from customer_import.config.instances import BssConfig
from customer_import.errors import ConfigurationError, CustomerImportError
from customer_import.http.limiter import WindowLimiter
from customer_import.http.session import ApiSession, RetrySettings
from customer_import.http.token import AccessToken, TokenSource

if TYPE_CHECKING:
    from airflow.sdk import Connection

VERSION_HEADER = "X-Api-Version"
_EXTRA_KEYS = ("ca_file", "client_key", "client_secret_variable")
_SECRET_WORDS = ("secret", "password", "token", "api_key", "apikey", "private")


class BssHook(HttpHook):
    """Signs in at the interworks.cloud BSS.

    The connection: host, schema, port; login and password of the application user; extra ``client_key``,
    ``client_secret_variable`` (name of the Airflow Variable that holds the client secret) and, for a private authority,
    ``ca_file``.

    Args:
        http_conn_id: The Airflow connection.
    """

    default_conn_name = "bss_default"
    hook_name = "interworks.cloud BSS"

    def __init__(self, http_conn_id: str = default_conn_name) -> None:
        super().__init__(method="GET", http_conn_id=http_conn_id)

    def session(self, config: BssConfig) -> ApiSession:
        """Return a session to the BSS; the connection is resolved now, the token is fetched with the first request.

        Raises:
            ConfigurationError: The connection or the Variable that it names is missing or wrong.
        """
        connection = self._connection()
        extra = self._extra(connection)
        credentials = self._credentials(connection, extra)
        self._set_base_url(connection)
        tls = self._tls(extra.get("ca_file"))

        async def fetch() -> AccessToken:
            return await fetch_token(self.base_url, credentials, tls, mask_secret)

        return ApiSession(
            service=SERVICE,
            base_url=self.base_url,
            tokens=TokenSource(fetch),
            read_detail=read_detail,
            headers={VERSION_HEADER: config.api_version, "Accept": "application/json"},
            concurrency=config.concurrency,
            timeout_s=config.request_timeout_s,
            retry=RetrySettings(max_attempts=config.max_attempts),
            tls=tls,
        )

    def get_conn(self, *_args: object, **_kwargs: object) -> NoReturn:
        """Refuse: a plain session would send the application user's password to every endpoint."""
        message = "the BSS hook has no plain HTTP session"
        raise ConfigurationError(
            message, source=f"connection {self.http_conn_id}", hint="use BssHook().session(config)"
        )

    def run(self, *_args: object, **_kwargs: object) -> NoReturn:
        """Refuse, for the reason given at ``get_conn``."""
        self.get_conn()

    def test_connection(self) -> tuple[bool, str]:
        """Sign in and read one list; the Test button of Airflow's connection form calls this."""
        try:
            return True, asyncio.run(self._sign_in())
        except CustomerImportError as error:
            return False, str(error)

    async def _sign_in(self) -> str:
        config = BssConfig(conn_id=self.http_conn_id)
        async with self.session(config) as session:
            systems = await BssClient(session).external_systems()
        return f"Signed in; the organisation has {len(systems)} external systems"

    def _connection(self) -> Connection:
        try:
            return self.get_connection(self.http_conn_id)
        except (AirflowNotFoundException, AirflowRuntimeError) as error:
            message = "the connection does not exist"
            raise self._fault(message, "create it, type HTTP, as the README describes") from error

    def _extra(self, connection: Connection) -> dict[str, str]:
        extra = connection.extra_dejson
        for key in extra:
            if key in _EXTRA_KEYS:
                continue
            if any(word in key.lower() for word in _SECRET_WORDS):
                message = "a secret must not stand in a connection's extra"
                hint = "remove it; keep the client secret in an Airflow Variable that client_secret_variable names"
                raise self._fault(message, hint, f"extra.{key}")
            close = difflib.get_close_matches(key, _EXTRA_KEYS, n=1)
            hint = (
                f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(_EXTRA_KEYS)}"
            )
            message = f"the key {key!r} is not known"
            raise self._fault(message, hint, f"extra.{key}")
        return {key: str(value) for key, value in extra.items()}

    def _credentials(self, connection: Connection, extra: dict[str, str]) -> BssCredentials:
        for path, value, hint in (
            ("host", connection.host, "enter the BSS host"),
            ("login", connection.login, "enter the application user"),
            ("password", connection.password, "enter the application user's password"),
            (
                "extra.client_key",
                extra.get("client_key"),
                "enter the client key of the API credentials",
            ),
            (
                "extra.client_secret_variable",
                extra.get("client_secret_variable"),
                "name the Airflow Variable that holds the client secret",
            ),
        ):
            if not value:
                message = "it is empty"
                raise self._fault(message, hint, path)
        name = extra["client_secret_variable"]
        try:
            secret = Variable.get(name)
        except (AirflowException, AirflowRuntimeError, KeyError) as error:
            message = f"the Airflow Variable {name!r} does not exist"
            hint = "create it with the client secret as its value"
            raise self._fault(message, hint, "extra.client_secret_variable") from error
        mask_secret(secret)
        mask_secret(connection.password)
        return BssCredentials(
            username=str(connection.login),
            password=str(connection.password),
            client_key=extra["client_key"],
            client_secret=str(secret),
        )

    def _tls(self, ca_file: str | None) -> ssl.SSLContext | None:
        if not ca_file:
            return None
        try:
            return ssl.create_default_context(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            message = "the file holds no certificate authority that can be read"
            hint = "name a PEM file that every worker can read"
            raise self._fault(message, hint, "extra.ca_file") from error

    def _fault(self, message: str, hint: str, path: str | None = None) -> ConfigurationError:
        source = f"connection {self.http_conn_id}"
        return ConfigurationError(message, source=source, path=path, hint=hint)


def open_client(session: ApiSession, config: BssConfig) -> BssClient:
    """Return the typed calls over an open session, limited to the instance's ``requests_per_second``."""
    rate = config.requests_per_second
    if rate is None:
        return BssClient(session)
    budget = max(1, int(rate))
    return BssClient(session, WindowLimiter(budget, budget / rate, guard_s=0.0))
