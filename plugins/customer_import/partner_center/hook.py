"""The Airflow connection to Partner Center: read once, checked, and turned into a session.

Not derived from the http provider's hook: that one sends unknown keys of the extra as headers and
the login as Basic authentication.
"""

from __future__ import annotations

import difflib
import logging
import re
import ssl
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from airflow.sdk import BaseHook, Variable
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret
from pydantic import Field, ValidationError

from customer_import.config.files import FrozenModel
from customer_import.config.instances import PartnerCenterConfig
from customer_import.errors import ConfigurationError
from customer_import.http.session import ApiSession, RetrySettings
from customer_import.http.token import TokenSource
from customer_import.partner_center.auth import SERVICE, Credentials, Flow, PartnerCenterAuth
from customer_import.partner_center.error_body import read_detail

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Connection

APPLICATION = "customer-import"
_SECRET_KEY = re.compile(r"secret|password|passwd|token|credential|api_?key", re.IGNORECASE)
_CHATTY_LOGGERS = ("aiohttp", "asyncio", "msal", "urllib3")


class _Extra(FrozenModel):
    """The extra of the connection."""

    tenant_id: Annotated[str, Field(min_length=1)]
    authority: Annotated[str, Field(pattern=r"^https://[^/]+")] = (
        "https://login.microsoftonline.com"
    )
    flow: Flow = Flow.APP_ONLY
    refresh_token_variable: str | None = None
    scope_base: str | None = None
    ca_file: str | None = None


@dataclass(frozen=True)
class ConnectionSettings:
    """A connection as checked.

    Attributes:
        base_url: Scheme, host and port of the API.
        credentials: For the sign-in.
        refresh_token_variable: Name of the Airflow Variable with the refresh token; App+User only.
    """

    base_url: str
    credentials: Credentials
    refresh_token_variable: str | None

    @property
    def partner(self) -> str:
        """Whose requests the API counts together: its address and the partner tenant."""
        return f"{self.base_url} {self.credentials.tenant_id.lower()}"


class PartnerCenterHook(BaseHook):
    """Opens sessions to Partner Center with the credentials of one Airflow connection.

    The connection's host, schema and port are the API; its login is the client id, its password the
    client secret. Its extra holds ``tenant_id`` and, when wanted, ``authority``, ``flow``
    (``app_only`` or ``app_user``), ``refresh_token_variable``, ``scope_base`` and ``ca_file``.

    Args:
        partner_center_conn_id: The connection.
        save_refresh_token: Keeps a rotated refresh token; by default in the Airflow Variable that
            it came from.
    """

    conn_name_attr = "partner_center_conn_id"
    default_conn_name = "partner_center_default"
    conn_type = "http"
    hook_name = "Partner Center"

    def __init__(
        self,
        partner_center_conn_id: str = default_conn_name,
        *,
        save_refresh_token: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self.partner_center_conn_id = partner_center_conn_id
        self._save = save_refresh_token or self._save_in_variable
        self._settings: ConnectionSettings | None = None
        self._auth: PartnerCenterAuth | None = None

    @property
    def settings(self) -> ConnectionSettings:
        """The connection, looked up at the first use only.

        Raises:
            ConfigurationError: The connection is missing, incomplete, or holds a secret in its
                extra.
        """
        if self._settings is None:
            self._settings = read_connection(self._connection(), self.partner_center_conn_id)
        return self._settings

    def prepare(self) -> PartnerCenterAuth:
        """Look up connection and refresh token; call it before an event loop runs, for it blocks.

        Raises:
            ConfigurationError: As for ``settings``, or the Variable with the refresh token is
                missing.
        """
        if self._auth is None:
            settings = self.settings
            self._auth = PartnerCenterAuth(
                settings.credentials,
                refresh_token=_read_refresh_token(settings.refresh_token_variable),
                save_refresh_token=self._save,
                mask=mask_secret,
            )
        return self._auth

    def session(self, config: PartnerCenterConfig | None = None) -> ApiSession:
        """Return a session; its calls share one correlation id (docs/partner-center.md section 4).

        Args:
            config: Concurrency, time-out and attempts of the instance.

        Raises:
            ConfigurationError: As for ``prepare``.
        """
        tokens = TokenSource(self.prepare().fetch)
        config = config or PartnerCenterConfig()
        ca_file = self.settings.credentials.ca_file
        for name in _CHATTY_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        return ApiSession(
            service=SERVICE,
            base_url=self.settings.base_url,
            tokens=tokens,
            read_detail=read_detail,
            headers={
                "Accept": "application/json",
                "MS-Contract-Version": "v1",
                "MS-CorrelationId": str(uuid.uuid4()),
                "MS-PartnerCenter-Application": APPLICATION,
            },
            concurrency=config.concurrency,
            timeout_s=config.request_timeout_s,
            retry=RetrySettings(max_attempts=config.max_attempts),
            tls=ssl.create_default_context(cafile=ca_file) if ca_file else None,
        )

    def _connection(self) -> Connection:
        try:
            return self.get_connection(self.partner_center_conn_id)
        except AirflowNotFoundException as error:
            message = "the connection does not exist"
            raise ConfigurationError(
                message,
                source=f"connection {self.partner_center_conn_id}",
                hint="create it under Admin > Connections",
            ) from error

    def _save_in_variable(self, token: str) -> None:
        variable = self.settings.refresh_token_variable
        if variable is not None:
            Variable.set(variable, token)


def read_connection(connection: Connection, conn_id: str) -> ConnectionSettings:
    """Check a connection and return what it says.

    Args:
        connection: As Airflow gives it.
        conn_id: For messages.

    Raises:
        ConfigurationError: A part is missing or unknown, or the extra holds a secret; names the
            part, never its value.
    """
    source = f"connection {conn_id}"
    for part, value in (
        ("host", connection.host),
        ("login", connection.login),
        ("password", connection.password),
    ):
        if not value:
            message = f"the {part} is missing"
            hint = "host is the API, login the client id, password the client secret"
            raise ConfigurationError(message, source=source, path=part, hint=hint)
    extra = _read_extra(connection.extra_dejson, source)
    mask_secret(connection.password)
    base_url = _base_url(connection)
    return ConnectionSettings(
        base_url=base_url,
        credentials=Credentials(
            authority=extra.authority.rstrip("/"),
            tenant_id=extra.tenant_id,
            client_id=str(connection.login),
            client_secret=str(connection.password),
            flow=extra.flow,
            resource=(extra.scope_base or base_url).rstrip("/"),
            ca_file=extra.ca_file,
        ),
        refresh_token_variable=(
            extra.refresh_token_variable if extra.flow is Flow.APP_USER else None
        ),
    )


def _read_refresh_token(variable: str | None) -> str | None:
    if variable is None:
        return None
    token: str | None = Variable.get(variable, default=None)
    if not token:
        message = "there is no refresh token"
        raise ConfigurationError(
            message,
            source=f"variable {variable}",
            hint="sign in once with MFA and store the refresh token in this Airflow Variable",
        )
    mask_secret(token)
    return token


def _base_url(connection: Connection) -> str:
    host = str(connection.host).rstrip("/")
    url = host if "://" in host else f"{connection.schema or 'https'}://{host}"
    return f"{url}:{connection.port}" if connection.port else url


def _read_extra(raw: dict[str, Any], source: str) -> _Extra:
    for key in raw:
        if key not in _Extra.model_fields:
            raise _unknown_key(key, source)
    try:
        extra = _Extra.model_validate(raw)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        raise ConfigurationError(
            fault["msg"],
            source=source,
            path=".".join(("extra", *map(str, fault["loc"]))),
            hint="correct the connection's extra",
        ) from None  # pydantic's own text repeats the input
    if extra.flow is Flow.APP_USER and not extra.refresh_token_variable:
        message = (
            "the flow app_user needs the name of the Airflow Variable that holds the refresh token"
        )
        raise ConfigurationError(
            message, source=source, path="extra.refresh_token_variable", hint="add the key"
        )
    return extra


def _unknown_key(key: str, source: str) -> ConfigurationError:
    known = sorted(_Extra.model_fields)
    close = difflib.get_close_matches(key, known, n=1)
    is_typing_error = bool(difflib.get_close_matches(key, known, n=1, cutoff=0.85))
    if _SECRET_KEY.search(key) and not is_typing_error:
        message = "a secret does not belong into the extra, which Airflow shows in clear text"
        hint = (
            "put the token into an Airflow Variable and its name into refresh_token_variable"
            if "token" in key.lower()
            else "put the client secret into the connection's password"
        )
    else:
        message = "the key is not known"
        hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}"
    return ConfigurationError(message, source=source, path=f"extra.{key}", hint=hint)
