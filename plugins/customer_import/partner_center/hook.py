"""The Airflow connection to Partner Center: read once, checked, and turned into a session.

Not derived from the HTTP provider's hook. Why: docs/decisions/0005-own-transport.md.
"""

from __future__ import annotations

import asyncio
import logging
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret
from pydantic import AfterValidator

from customer_import.config.instances import PartnerCenterConfig
from customer_import.connection_types import AUTHORITY, PARTNER_CENTER
from customer_import.errors import ConfigurationError
from customer_import.http.address import Address, parse_address
from customer_import.http.body import MEGABYTE
from customer_import.http.breaker import RetrySettings
from customer_import.http.connection import (
    ConnectionExtra,
    ConnectionKind,
    check_connection,
    get_connection,
    tls_context,
    try_connection,
)
from customer_import.http.session import ApiSession
from customer_import.http.token import TokenSource
from customer_import.partner_center.auth import PartnerCenterAuth
from customer_import.partner_center.client import PartnerCenterClient
from customer_import.partner_center.clouds import Cloud, check_addresses, clouds_of
from customer_import.partner_center.entra import SERVICE, Credentials, Flow
from customer_import.partner_center.error_body import NO_MFA, TOKEN_REFUSALS, read_detail
from customer_import.partner_center.refresh_token import RefreshTokenVariable

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Connection

APPLICATION = "customer-import"
_PROBE = "/v1/countryvalidationrules/US"
"""Concerns no customer, and takes nothing from the limits of customers and subscriptions."""
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*")
_CHATTY_LOGGERS = ("aiohttp", "asyncio", "msal", "urllib3")


def _check_tenant(text: str) -> str:
    if not _TENANT.fullmatch(text):
        message = "a tenant is a GUID or a domain name"
        raise ValueError(message)
    return text


class PartnerCenterExtra(ConnectionExtra):
    """The extra of a Partner Center connection."""

    tenant_id: Annotated[str, AfterValidator(_check_tenant)]
    flow: Flow = Flow.APP_ONLY
    refresh_token_variable: str | None = None
    cloud: Cloud | None = None
    authority: str | None = None

    def cloud_with(self, host: str = "") -> Cloud:
        """Return the cloud that is named, else the one that an address is known to be of, else the global one."""
        known = clouds_of(self.authority or "") or clouds_of(f"https://{host}")
        return self.cloud or (next(iter(known)) if len(known) == 1 else Cloud.GLOBAL)

    scope_base: str | None = None


_WRONG_PLACE = "put the client secret into the connection's password"
KIND = ConnectionKind(
    PARTNER_CENTER,
    PartnerCenterExtra,
    default_host=lambda extra: extra.cloud_with().place.api_host,
    misplaced={
        "client_secret": _WRONG_PLACE,
        "password": _WRONG_PLACE,
        "client_id": "put it into the connection's login",
        "refresh_token": (
            "put the token into an Airflow Variable and its name into refresh_token_variable"
        ),
    },
)


@dataclass(frozen=True)
class ConnectionSettings:
    """A connection as checked.

    Attributes:
        base_url: Scheme, host and port of the API.
        credentials: For the sign-in.
        refresh_token_variable: Name of the Airflow Variable with the refresh token; App+User only.
        cloud: Which of Microsoft's clouds the partner tenant is in.
    """

    base_url: str
    credentials: Credentials
    refresh_token_variable: str | None
    cloud: Cloud = Cloud.GLOBAL

    @property
    def is_app_user(self) -> bool:
        """Whether calls are made with the rights of a person, who then must have signed in with MFA."""
        return self.credentials.flow is Flow.APP_USER

    @property
    def partner(self) -> str:
        """Whose requests the API counts together: its address and the partner tenant."""
        return f"{self.base_url} {self.credentials.tenant_id.lower()}"


class PartnerCenterHook(BaseHook):
    """Opens sessions to Partner Center with the credentials of one Airflow connection.

    The connection's host, schema and port are the API; its login is the application (client) id, its password the
    client secret; the rest stands in its extra.

    Args:
        partner_center_conn_id: The connection.
        save_refresh_token: Keeps a rotated refresh token; by default in the Airflow Variable that
            it came from.
        refresh_token: To begin with, instead of the Variable's.
    """

    conn_name_attr = "partner_center_conn_id"
    default_conn_name = "partner_center_default"
    conn_type = PARTNER_CENTER
    hook_name = str(KIND.form["hook-name"])

    def __init__(
        self,
        partner_center_conn_id: str = default_conn_name,
        *,
        save_refresh_token: Callable[[str], None] | None = None,
        refresh_token: str | None = None,
    ) -> None:
        super().__init__()
        self._given_token = refresh_token
        self.partner_center_conn_id = partner_center_conn_id
        self._save = save_refresh_token
        self._variable: RefreshTokenVariable | None = None
        self._settings: ConnectionSettings | None = None
        self._auth: PartnerCenterAuth | None = None

    @property
    def settings(self) -> ConnectionSettings:
        """The connection, looked up at the first use only.

        Raises:
            ConfigurationError: The connection is missing, incomplete or wrong.
        """
        if self._settings is None:
            conn_id = self.partner_center_conn_id
            self._settings = read_connection(get_connection(conn_id), conn_id)
        return self._settings

    def prepare(self) -> PartnerCenterAuth:
        """Look up connection and refresh token; call it before an event loop runs, for it blocks.

        Raises:
            ConfigurationError: As for ``settings``, or the Variable with the refresh token is
                missing.
        """
        if self._auth is None:
            settings, token = self.settings, self._given_token
            if settings.refresh_token_variable is not None and token is None:
                self._variable = RefreshTokenVariable(settings.refresh_token_variable)
                token = self._variable.read()
            self._auth = PartnerCenterAuth(
                settings.credentials,
                refresh_token=token,
                save_refresh_token=self._save_token,
                mask=mask_secret,
            )
        return self._auth

    @property
    def has_renewed(self) -> bool:
        """Whether a sign-in has stored a renewed refresh token in the Variable."""
        return self._variable is not None and self._variable.is_renewed

    @property
    def renewal_trouble(self) -> str | None:
        """Why the refresh token cannot be renewed where it is, in words; known after a sign-in that stores it."""
        return self._variable.trouble if self._variable else None

    def session(
        self, config: PartnerCenterConfig | None = None, *, waits_for_outages: bool = True
    ) -> ApiSession:
        """Return a session; its calls share one correlation id (docs/api/partner-center.md section 4).

        Args:
            config: Concurrency, time-out and attempts of the instance.
            waits_for_outages: Whether a service that answers nobody is waited for; a person is not made to.

        Raises:
            ConfigurationError: As for ``prepare``.
        """
        tokens = TokenSource(self.prepare().fetch)
        config = config or PartnerCenterConfig()
        source = f"connection {self.partner_center_conn_id}"
        for name in _CHATTY_LOGGERS:
            logging.getLogger(name).setLevel(logging.WARNING)
        return ApiSession(
            service=SERVICE,
            base_url=self.settings.base_url,
            tokens=tokens,
            read_detail=read_detail,
            token_refusals=TOKEN_REFUSALS,
            headers={
                "Accept": "application/json",
                "MS-Contract-Version": "v1",
                "MS-CorrelationId": str(uuid.uuid4()),
                "MS-PartnerCenter-Application": APPLICATION,
            },
            concurrency=config.concurrency,
            timeout_s=config.request_timeout_s,
            max_body=config.max_answer_mb * MEGABYTE,
            retry=RetrySettings(config.max_attempts, config.retry_budget_s),
            probe=_PROBE if waits_for_outages else None,
            tls=tls_context(self.settings.credentials.ca_file, source),
        )

    def test_connection(self) -> tuple[bool, str]:
        """Sign in and read one list; the Test button of Airflow's connection form calls this."""
        return try_connection(self.partner_center_conn_id, self._sign_in)

    def _sign_in(self) -> str:
        # Only a task can store a Variable; Microsoft leaves the refresh token that was used valid.
        hook = PartnerCenterHook(self.partner_center_conn_id, save_refresh_token=forget_token)
        config = PartnerCenterConfig(max_attempts=1, request_timeout_s=20)
        session = hook.session(config, waits_for_outages=False)

        async def read() -> str:
            async with session:
                client = PartnerCenterClient(session, config)
                peek = await client.peek(validates_mfa=hook.settings.is_app_user)
            found = "customers can be read" if peek.has_tenants else "there are no customers"
            said = f"Signed in (flow {hook.settings.credentials.flow}); {found}"
            return f"{said}; but {NO_MFA}" if peek.is_mfa_compliant is False else said

        return asyncio.run(read())

    def _save_token(self, token: str) -> None:
        if self._save is not None:
            self._save(token)
        elif self._variable is not None:
            self._variable.save(token)


def read_connection(connection: Connection, conn_id: str) -> ConnectionSettings:
    """Check a connection and return what it says.

    Args:
        connection: As Airflow gives it.
        conn_id: For messages.

    Raises:
        ConfigurationError: A part is missing, unknown or cannot be meant; names the part, never its value.
    """
    checked = check_connection(connection, conn_id, KIND)
    extra, source = checked.extra, checked.source
    if extra.flow is Flow.APP_USER and not extra.refresh_token_variable:
        message = (
            "the flow app_user needs the name of the Airflow Variable that holds the refresh token"
        )
        path = "extra.refresh_token_variable"
        hint = KIND.fill("refresh_token_variable")
        raise ConfigurationError(message, source=source, path=path, hint=hint)
    cloud = extra.cloud_with(checked.address.host)
    authority = _parse_https(
        extra.authority or cloud.place.authority,
        source,
        "authority",
        "the tenant stands in tenant_id",
    )
    check_addresses(cloud, {"host": checked.address, "extra.authority": authority}, source)
    resource = checked.address
    if extra.scope_base:
        resource = _parse_https(extra.scope_base, source, "scope_base", "enter the address alone")
    return ConnectionSettings(
        base_url=checked.address.base_url,
        credentials=Credentials(
            authority=authority.base_url,
            tenant_id=extra.tenant_id,
            client_id=checked.login,
            client_secret=checked.password,
            flow=extra.flow,
            resource=resource.audience,
            ca_file=extra.ca_file,
        ),
        refresh_token_variable=(
            extra.refresh_token_variable if extra.flow is Flow.APP_USER else None
        ),
        cloud=cloud,
    )


def _parse_https(text: str, source: str, key: str, path_hint: str) -> Address:
    path = f"extra.{key}"
    address = parse_address(
        text, source=source, path=path, path_hint=path_hint, allow_plain_http=True
    )
    if address.scheme != "https":
        message = "it must be an https address"
        raise ConfigurationError(message, source=source, path=path, hint=f"such as {AUTHORITY}")
    return address


def forget_token(_token: str) -> None:
    """Keep no rotated token."""
