"""The calls of the library that meet the hostile server, each reduced to a plain value that a case can name."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

from customer_import.bss import requests_session
from customer_import.bss import token as bss_token
from customer_import.bss.client import BssClient
from customer_import.bss.error_body import read_detail as read_bss_detail
from customer_import.bss.hook import BssHook
from customer_import.bss.patch import Difference, PatchOperation
from customer_import.bss.token import BssCredentials
from customer_import.config.instances import PartnerCenterConfig
from customer_import.errors import ApiError
from customer_import.http.breaker import RetrySettings
from customer_import.http.limiter import Unlimited, WindowLimiter
from customer_import.http.session import ApiSession
from customer_import.http.token import AccessToken, TokenSource
from customer_import.partner_center import entra
from customer_import.partner_center.auth import PartnerCenterAuth
from customer_import.partner_center.client import PartnerCenterClient
from customer_import.partner_center.entra import Credentials, Flow
from customer_import.partner_center.error_body import read_detail as read_partner_center_detail
from customer_import.partner_center.limits import Limits
from tests.hostile.script import PERSON, SECRETS, TENANT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from tests.hostile.script import Case
    from tests.hostile.server import RunningServer

    Call = Callable[[RunningServer, Case], Awaitable[Any]]

CONTACT = {
    "accountId": 7,
    "firstName": PERSON.first_name,
    "lastName": PERSON.last_name,
    "email": PERSON.email,
    "phone": PERSON.phone,
}
PATHS = ("companyProfile.companyName", "billingProfile.email", "billingProfile.firstName")
RETRY = RetrySettings(max_attempts=2, base_s=0.01, budget_s=2.0)
CREDENTIALS = BssCredentials("user", SECRETS.user_password, "key", SECRETS.key_secret)
SIGN_IN_TIMEOUT_S = 0.5
_DIFFERENCE = Difference((PatchOperation("replace", "/email", PERSON.email),), {})
CONNECTION = "AIRFLOW_CONN_HOSTILE_BSS"


@contextmanager
def short_waits() -> Iterator[None]:
    """Wait for sign-ins and for sessions of own DAGs as briefly as a case can afford; otherwise they are as always."""
    changes = [
        (entra, "_TIMEOUT_S", (SIGN_IN_TIMEOUT_S, SIGN_IN_TIMEOUT_S)),
        (bss_token, "TOKEN_TIMEOUT_S", SIGN_IN_TIMEOUT_S),
        (requests_session, "TIMEOUT_S", (SIGN_IN_TIMEOUT_S, SIGN_IN_TIMEOUT_S)),
        (requests_session, "LONGEST_S", 1.5 * SIGN_IN_TIMEOUT_S),
        (entra, "_WHOLE_TIMEOUT_S", 1.5 * SIGN_IN_TIMEOUT_S),
        (requests_session, "RETRIES", requests_session.RETRIES.new(total=0)),
    ]
    before = [(module, name, getattr(module, name)) for module, name, _ in changes]
    try:
        for module, name, value in changes:
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in before:
            setattr(module, name, value)


def _session(server: RunningServer, case: Case, service: str, read_detail: Any) -> ApiSession:
    async def fetch() -> AccessToken:
        return AccessToken(SECRETS.access_token, 3600)

    return ApiSession(
        service=service,
        base_url=server.plain,
        tokens=TokenSource(fetch),
        read_detail=read_detail,
        timeout_s=case.timeout_s,
        concurrency=PartnerCenterConfig().concurrency,
        retry=RETRY,
    )


async def _partner_center(
    ask: Callable[[PartnerCenterClient], Awaitable[Any]], server: RunningServer, case: Case
) -> Any:
    session = _session(server, case, "Partner Center", read_partner_center_detail)
    limits = Limits(WindowLimiter(10_000, 0.1), WindowLimiter(10_000, 0.1))
    async with session:
        return await ask(PartnerCenterClient(session, PartnerCenterConfig(), limits))


async def _bss(
    ask: Callable[[BssClient], Awaitable[Any]], server: RunningServer, case: Case
) -> Any:
    async with _session(server, case, "BSS", read_bss_detail) as session:
        return await ask(BssClient(session, Unlimited()))


async def _tenants(client: PartnerCenterClient) -> list[list[str | None]]:
    return [[one.tenant_id, one.name] async for page in client.tenants() for one in page]


async def _resellers(client: PartnerCenterClient) -> list[list[str]]:
    return [[one.tenant_id, one.mpn_id] for one in await client.resellers()]


async def _customer(client: PartnerCenterClient) -> dict[str, object]:
    return dict((await client.customer(TENANT, PATHS)).source)


async def _many_customers(client: PartnerCenterClient) -> int:
    """Ask for as many at once as the default settings do; return how many were had."""
    asked = (client.customer(TENANT, PATHS) for _ in range(PartnerCenterConfig().concurrency))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, ApiError):
            raise answer
    return sum(not isinstance(answer, BaseException) for answer in answers)


async def _subscriptions(client: PartnerCenterClient) -> list[list[str | None]]:
    return [[one.id, one.status, one.partner_id] for one in await client.subscriptions(TENANT)]


async def _rules(client: PartnerCenterClient) -> str:
    return (await client.country_rules("DE")).iso2_code


async def _audit(client: PartnerCenterClient) -> list[str]:
    day = date(2026, 11, 1)
    return [one.tenant_id async for page in client.audit_records(day, day) for one in page]


async def _accounts(client: BssClient) -> list[list[object]]:
    return [[one.id, one.name] async for page in client.accounts() for one in page]


async def _account(client: BssClient) -> list[object] | None:
    found = await client.account(7)
    return None if found is None else [found.id, found.name, found.custom_field(3)]


async def _countries(client: BssClient) -> list[list[object]]:
    return [[one.id, one.code, len(one.states)] for one in await client.countries()]


async def _contacts(client: BssClient) -> list[list[object]]:
    return [[one.id, one.account_id, one.is_primary] for one in await client.contacts(7)]


async def _options(client: BssClient) -> list[list[object]]:
    return [[one.alias, one.value] for one in await client.sync_options(7, 1)]


async def _entra(flow: Flow, server: RunningServer, _: Case) -> list[object]:
    return await _sign_in(server.secure, flow, server)


async def _sign_in(authority: str, flow: Flow, server: RunningServer) -> list[object]:
    saved: list[str] = []
    credentials = Credentials(
        authority=authority,
        tenant_id="contoso",
        client_id="client",
        client_secret=SECRETS.client_secret,
        flow=flow,
        resource="https://api.example",
        ca_file=server.ca_file,
    )
    signer = PartnerCenterAuth(
        credentials,
        refresh_token=SECRETS.refresh_token,
        save_refresh_token=saved.append,
        mask=lambda _: None,
    )
    token = await signer.fetch()
    return [token.value, token.lifetime_s, *saved]


async def _entra_at_a_handshake(server: RunningServer, _: Case) -> list[object]:
    return await _sign_in(server.dripping, Flow.APP_USER, server)


async def _grant(server: RunningServer, _: Case, *, is_dripping: bool = False) -> list[object]:
    base_url = server.dripping if is_dripping else server.plain
    token = await bss_token.fetch_token(base_url, CREDENTIALS, None, lambda _: None)
    return [token.value, token.lifetime_s]


async def _own_grant(server: RunningServer, _: Case, *, is_dripping: bool = False) -> list[object]:
    base_url = server.dripping if is_dripping else server.plain

    def fetch() -> AccessToken:
        return requests_session.fetch_token(base_url, CREDENTIALS, None, lambda _: None)

    token = await asyncio.to_thread(fetch)
    return [token.value, token.lifetime_s]


async def _own(method: str, server: RunningServer, _: Case) -> Any:
    os.environ[CONNECTION] = json.dumps(
        {
            "conn_type": "interworks_bss",
            "host": server.plain,
            "login": CREDENTIALS.username,
            "password": CREDENTIALS.password,
            "extra": {"client_key": CREDENTIALS.client_key, "client_secret": SECRETS.key_secret},
        }
    )

    def ask() -> Any:
        hook = BssHook("hostile_bss", method=method)
        given = {"json": CONTACT} if method == "POST" else {}
        answer = hook.run("/api/contacts", **given)
        return [answer.status_code, len(answer.content)]

    return await asyncio.to_thread(ask)


def _read_partner_center(ask: Callable[[PartnerCenterClient], Awaitable[Any]]) -> Call:
    return partial(_partner_center, ask)


def _ask_bss(ask: Callable[[BssClient], Awaitable[Any]]) -> Call:
    return partial(_bss, ask)


CALLS: dict[str, Call] = {
    "tenants": _read_partner_center(_tenants),
    "resellers": _read_partner_center(_resellers),
    "customer": _read_partner_center(_customer),
    "subscriptions": _read_partner_center(_subscriptions),
    "country rules": _read_partner_center(_rules),
    "audit": _read_partner_center(_audit),
    "accounts": _ask_bss(_accounts),
    "account": _ask_bss(_account),
    "countries": _ask_bss(_countries),
    "contacts": _ask_bss(_contacts),
    "sync options": _ask_bss(_options),
    "create account": _ask_bss(lambda client: client.create_account({"name": "Bakery"})),
    "create contact": _ask_bss(lambda client: client.create_contact(CONTACT)),
    "update account": _ask_bss(lambda client: client.update_account(7, _DIFFERENCE)),
    "set options": _ask_bss(lambda client: client.set_sync_options(7, 1, {"mpn": "4711"})),
    "own read": partial(_own, "GET"),
    "own write": partial(_own, "POST"),
    "entra app": partial(_entra, Flow.APP_ONLY),
    "entra user": partial(_entra, Flow.APP_USER),
    "grant": _grant,
    "own grant": _own_grant,
    "entra at a handshake": _entra_at_a_handshake,
    "grant at a handshake": partial(_grant, is_dripping=True),
    "own grant at a handshake": partial(_own_grant, is_dripping=True),
    "many customers": _read_partner_center(_many_customers),
}
