"""The connection and both sign-ins, against the sandbox's Entra ID."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import certifi
import pytest
from airflow.sdk import Connection

from customer_import.errors import AuthenticationError, ConfigurationError, RetriableError
from customer_import.partner_center.check import check_partner_center
from customer_import.partner_center.entra import Flow
from customer_import.partner_center.hook import PartnerCenterHook, read_connection
from customer_import.vocabulary import ImportType
from sandbox import SandboxConfig, SandboxServer
from sandbox.faults import FaultKind, FaultRule
from tests.partner_center.conftest import CONNECTION, VARIABLE, MakeRun, Saved, connection_json

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

MakeHook = Callable[..., PartnerCenterHook]


async def fetch(hook: PartnerCenterHook) -> str:
    return (await hook.prepare().fetch()).value


def connection(extra: Mapping[str, object], **parts: object) -> Connection:
    given: dict[str, Any] = {
        "host": "api.partnercenter.microsoft.com",
        "login": "client",
        "password": "hidden-value",
        "schema": "https",
    }
    whole = {"conn_id": "pc", "conn_type": "partner_center", "extra": json.dumps(extra)}
    return Connection(**(whole | given | parts))


async def test_app_only_keeps_no_refresh_token(make_hook: MakeHook, saved: Saved) -> None:
    token = await fetch(make_hook("app_only"))
    assert token.startswith("app.")
    assert saved == []


async def test_app_user_keeps_each_new_refresh_token_and_uses_it_next(
    make_hook: MakeHook, saved: Saved, sandbox: SandboxServer
) -> None:
    hook = make_hook("app_user")
    for _ in range(2):
        claims = sandbox.state.entra._issuer.read(await fetch(hook))
        assert claims is not None
        assert claims.kind == "user"
    assert len(saved) == len({sandbox.info.refresh_token, *saved}) - 1 == 2
    assert hook.prepare()._refresh_token == saved[-1]  # Entra ID takes an old one as well


async def test_the_new_refresh_token_is_kept_before_the_access_token_is_used(
    make_hook: MakeHook, sandbox: SandboxServer
) -> None:
    hook = make_hook("app_user")

    def fail(_: str) -> None:
        raise ConnectionAbortedError

    hook._save = fail
    with pytest.raises(ConnectionAbortedError):
        await fetch(hook)


async def test_a_bundle_named_by_the_environment_does_not_beat_the_connections(
    make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, certifi.where())
    assert await fetch(make_hook("app_only"))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (700082, "refresh token has expired"),
        (50076, "multi-factor authentication is needed"),
        (50078, "too old"),
        (50079, "enrol"),
        (65001, "give consent"),
        (7000215, "the client secret is wrong"),
        (7000222, "the client secret has expired"),
        (700007, "another application"),
        (53003, "Conditional Access"),
    ],
)
async def test_a_refused_sign_in_says_what_mends_it(
    make_hook: MakeHook, sandbox: SandboxServer, code: int, words: str
) -> None:
    sandbox.faults.replace(
        [FaultRule(endpoint="entra.token", kind=FaultKind.ENTRA_ERROR, code=code)]
    )
    with pytest.raises(AuthenticationError, match=words) as caught:
        await fetch(make_hook())
    assert caught.value.code == f"AADSTS{code}"


@pytest.mark.parametrize("code", [90006, 90012, 90024, 90055])
async def test_a_sign_in_service_that_says_it_is_out_of_order_is_trouble_that_may_pass(
    make_hook: MakeHook, sandbox: SandboxServer, code: int
) -> None:
    rule = FaultRule(endpoint="entra.token", kind=FaultKind.ENTRA_ERROR, code=code, limit=1)
    sandbox.faults.replace([rule])
    hook = make_hook("app_only")
    with pytest.raises(RetriableError, match="not able to answer now") as caught:
        await fetch(hook)
    assert (caught.value.code, caught.value.is_sent) == (str(code), False)
    assert await fetch(hook)


async def test_a_wrong_secret_is_not_shown(make_hook: MakeHook) -> None:
    with pytest.raises(AuthenticationError) as caught:
        await fetch(make_hook("app_only", password="wrong-and-secret"))
    assert "wrong-and-secret" not in f"{caught.value!r} {caught.value}"


async def test_an_unknown_tenant_is_told(make_hook: MakeHook, sandbox: SandboxServer) -> None:
    extra = json.loads(connection_json(sandbox.info, "app_only"))["extra"]
    with pytest.raises(AuthenticationError, match="tenant_id"):
        await fetch(make_hook("app_only", extra=extra | {"tenant_id": "elsewhere"}))


@pytest.mark.parametrize("endpoint", ["entra.token", "entra.metadata"])
@pytest.mark.parametrize(
    "fault",
    [
        {"kind": FaultKind.STATUS, "status": 503},
        {"kind": FaultKind.THROTTLE, "retry_after_s": 1},
        {"kind": FaultKind.RESET_BEFORE},
        {"kind": FaultKind.WRONG_JSON},
    ],
    ids=["503", "429", "reset", "html"],
)
async def test_trouble_at_the_sign_in_service_may_pass(
    make_hook: MakeHook, sandbox: SandboxServer, endpoint: str, fault: dict
) -> None:
    sandbox.faults.replace([FaultRule(endpoint=endpoint, limit=1, **fault)])
    hook = make_hook("app_only")
    with pytest.raises(RetriableError) as caught:
        await fetch(hook)
    assert caught.value.is_sent is False  # a write that waited for its token did not leave
    assert await fetch(hook)


def test_a_session_rides_over_a_short_trouble_at_the_sign_in_service(
    make_hook: MakeHook, make_run: MakeRun, sandbox: SandboxServer
) -> None:
    sandbox.faults.replace(
        [FaultRule(endpoint="entra.token", kind=FaultKind.STATUS, status=503, limit=1)]
    )
    config = make_run(ImportType.DIRECT).instance.partner_center
    findings = check_partner_center(config, ImportType.DIRECT, make_hook("app_only"))
    assert [finding.is_right for finding in findings] == [True, True]


def test_check_reads_what_the_import_will_read(make_hook: MakeHook, make_run: MakeRun) -> None:
    config = make_run(ImportType.INDIRECT).instance.partner_center
    findings = check_partner_center(config, ImportType.INDIRECT, make_hook())
    assert all(finding.is_right for finding in findings)
    subjects = [finding.subject for finding in findings]
    assert subjects == ["sign-in", "customers", "resellers", "MFA"]
    assert "8" in findings[2].message


def test_check_of_an_indirect_import_without_a_user_says_what_to_mend(
    make_hook: MakeHook, make_run: MakeRun
) -> None:
    config = make_run(ImportType.INDIRECT).instance.partner_center
    *others, resellers = check_partner_center(config, ImportType.INDIRECT, make_hook("app_only"))
    assert [finding.is_right for finding in others] == [True, True]
    assert isinstance(resellers.error, AuthenticationError)
    assert "set flow to app_user" in resellers.message


def test_check_goes_on_after_something_that_is_wrong(
    make_hook: MakeHook, make_run: MakeRun, sandbox: SandboxServer
) -> None:
    sandbox.faults.replace(
        [FaultRule(endpoint="partner_center.customers.*", kind=FaultKind.STATUS, status=400)]
    )
    config = make_run(ImportType.INDIRECT).instance.partner_center
    findings = check_partner_center(config, ImportType.INDIRECT, make_hook())
    assert [finding.is_right for finding in findings] == [True, False, True]


def test_check_asks_whether_the_token_proves_multi_factor_authentication(
    make_hook: MakeHook, make_run: MakeRun, sandbox: SandboxServer
) -> None:
    config = make_run(ImportType.DIRECT).instance.partner_center
    *_, mfa = check_partner_center(config, ImportType.DIRECT, make_hook())
    assert (mfa.subject, mfa.message) == ("MFA", "the token is compliant")
    assert sandbox.requests.count("partner_center.customers.list") == 1


def test_a_token_without_multi_factor_authentication_is_told_while_it_is_still_accepted(
    make_run: MakeRun, make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_run(ImportType.DIRECT).instance.partner_center
    with SandboxServer(SandboxConfig(customers=1, resellers=3, has_mfa=False)) as other:
        hook = connect(make_hook, other, monkeypatch)
        *others, mfa = check_partner_center(config, ImportType.DIRECT, hook)
        assert all(finding.is_right and not finding.is_warning for finding in others)
        assert (mfa.is_right, mfa.is_warning) == (True, True)
        assert "store the new refresh token" in mfa.message
        assert "900421" in mfa.message
        is_ok, said = hook.test_connection()
        assert (is_ok, "no multi-factor authentication" in said) == (True, True)


def connect(
    make_hook: MakeHook, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> PartnerCenterHook:
    """A hook to another sandbox than the shared one."""
    hook = make_hook()
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", connection_json(sandbox.info))
    monkeypatch.setenv(f"AIRFLOW_VAR_{VARIABLE.upper()}", sandbox.info.refresh_token)
    return hook


def test_a_call_refused_for_want_of_multi_factor_authentication_fails_at_once_with_its_mend(
    make_hook: MakeHook, make_run: MakeRun, sandbox: SandboxServer
) -> None:
    endpoint = "partner_center.customers.list"
    sandbox.faults.replace([FaultRule(endpoint=endpoint, kind=FaultKind.MFA_REQUIRED)])
    config = make_run(ImportType.DIRECT).instance.partner_center
    sign_in, customers = check_partner_center(config, ImportType.DIRECT, make_hook())
    assert sign_in.is_right
    assert isinstance(customers.error, AuthenticationError)
    assert customers.error.code == "900421"
    assert "a person must sign in with MFA, consent again" in customers.message
    assert sandbox.requests.count(endpoint) == 1
    assert sandbox.requests.count("entra.token") == 1


def test_calls_carry_the_documented_headers(
    make_hook: MakeHook, make_run: MakeRun, sandbox: SandboxServer
) -> None:
    sandbox.faults.replace(
        [FaultRule(endpoint="partner_center.*", kind=FaultKind.STATUS, status=503, calls=(1,))]
    )
    config = make_run(ImportType.INDIRECT).instance.partner_center
    check_partner_center(config, ImportType.INDIRECT, make_hook())
    entries = [one for one in sandbox.requests.entries if one.endpoint.startswith("partner_")]
    first, again, relationships = (entry.request_id for entry in entries)
    assert first == again != relationships


def test_a_connection_becomes_settings() -> None:
    settings = read_connection(
        connection(
            {"tenant_id": "t", "flow": "app_user", "refresh_token_variable": "rt"}, port=8443
        ),
        "pc",
    )
    assert settings.base_url == "https://api.partnercenter.microsoft.com:8443"
    assert settings.refresh_token_variable == "rt"
    credentials = settings.credentials
    assert credentials.flow is Flow.APP_USER
    assert credentials.resource == "https://api.partnercenter.microsoft.com"
    assert credentials.authority == "https://login.microsoftonline.com"
    assert "hidden-value" not in repr(settings)


@pytest.mark.parametrize(
    ("extra", "parts", "words"),
    [
        ({}, {}, "extra.tenant_id"),
        ({"tenant_id": "t"}, {"login": None}, "the login is missing"),
        ({"tenant_id": "t"}, {"password": None}, "the password is missing"),
        ({"tenant_id": "t"}, {"password": "hid\nhidden"}, "at password: there is a line break"),
        ({"tenant_id": "t"}, {"login": "hid\x00hidden"}, "at login: there is a line break"),
        ({"tenant_id": "t", "client_secret": "hidden"}, {}, "connection's password"),
        ({"tenant_id": "t", "refresh_token": "hidden"}, {}, "refresh_token_variable"),
        ({"tenant_id": "t", "password": "hidden"}, {}, "connection's password"),
        ({"tenent_id": "t"}, {}, "did you mean 'tenant_id'"),
        (
            {"tenant_id": "t", "refresh_token_varible": "x"},
            {},
            "did you mean 'refresh_token_variable'",
        ),
        ({"tenant_id": "t", "shade": "blue"}, {}, "known keys: allow_plain_http, authority"),
        ({"tenant_id": "t/hidden"}, {}, "extra.tenant_id: a tenant is a GUID or a domain name"),
        ({"tenant_id": "t", "flow": "magic"}, {}, "extra.flow"),
        ({"tenant_id": "t", "flow": "app_user"}, {}, "extra.refresh_token_variable"),
        ({"tenant_id": "t", "authority": "http://login.example"}, {}, "extra.authority: .*https"),
        ({"tenant_id": "t", "authority": "http://127.0.0.1"}, {}, "extra.authority: .*https"),
        (
            {"tenant_id": "t", "authority": "https://login.example/contoso"},
            {},
            "extra.authority: a path .*tenant_id",
        ),
        ({"tenant_id": "t", "scope_base": "https://api.example/.default"}, {}, "extra.scope_base"),
        ({"tenant_id": "t"}, {"host": "https://api.example/v1"}, "at host: a path"),
        ({"tenant_id": "t"}, {"schema": "http"}, "at schema: plain http"),
        ({"tenant_id": "t"}, {"schema": "v1"}, "at schema: the scheme is not known"),
        ({"tenant_id": "t"}, {"conn_type": "interworks_bss"}, "its type 'partner_center'"),
    ],
)
def test_a_wrong_connection_is_refused_with_the_mend(extra: dict, parts: dict, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_connection(connection(extra, **parts), "pc")
    assert "hidden" not in str(caught.value)
    assert "Hint:" in str(caught.value)


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"host": None},
        {"host": "HTTPS://API.PartnerCenter.microsoft.com:443/ "},
        {"port": 443},
        {"schema": "https://"},
        {"schema": "HTTPS"},
        {"schema": None, "conn_type": "http"},
        {"schema": None, "conn_type": "https"},
    ],
)
def test_the_token_is_for_scheme_and_host_alone(parts: dict) -> None:
    settings = read_connection(connection({"tenant_id": " t\n"}, **parts), "pc")
    host = "https://api.partnercenter.microsoft.com"
    assert (settings.base_url, settings.credentials.resource) == (host, host)
    assert settings.credentials.tenant_id == "t"


def test_authority_and_audience_are_read_like_addresses() -> None:
    extra: dict[str, object] = {
        "tenant_id": "t",
        "authority": " HTTPS://Login.Example:443/ ",
        "scope_base": "api.example:8443",
    }
    credentials = read_connection(connection(extra), "pc").credentials
    assert (credentials.authority, credentials.resource) == (
        "https://login.example",
        "https://api.example",
    )


@pytest.mark.parametrize("flow", ["app_only", "app_user"])
def test_pasted_blanks_do_no_harm(
    make_hook: MakeHook, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, flow: str
) -> None:
    info = sandbox.info
    hook = make_hook(flow, login=f" {info.client_id}\n", password=f"{info.client_secret}\r\n")
    monkeypatch.setenv(f"AIRFLOW_VAR_{VARIABLE.upper()}", f"{info.refresh_token}\n")
    assert hook.test_connection() == (True, f"Signed in (flow {flow}); customers can be read")


def test_the_test_button_says_what_is_wrong_and_stores_no_token(
    make_hook: MakeHook, saved: Saved, sandbox: SandboxServer
) -> None:
    assert make_hook().test_connection()[0] is True
    for changes, words in (
        ({"password": "not-the-secret"}, "the client secret is wrong"),
        ({"host": "https://api.example/v1"}, "a path does not belong here"),
    ):
        is_ok, message = make_hook(**changes).test_connection()
        assert is_ok is False
        assert words in message
        assert "not-the-secret" not in message
    sandbox.faults.replace([FaultRule(endpoint="partner_center.*", kind=FaultKind.STATUS)])
    is_ok, message = make_hook().test_connection()
    assert (is_ok, "503" in message) == (False, True)
    assert saved == []


def test_a_missing_connection_is_told() -> None:
    with pytest.raises(ConfigurationError, match="connection nowhere: the connection does not"):
        PartnerCenterHook("nowhere").prepare()


def test_a_refresh_token_of_two_lines_is_refused(
    make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = make_hook()
    monkeypatch.setenv(f"AIRFLOW_VAR_{VARIABLE.upper()}", "hidden\nhidden")
    with pytest.raises(ConfigurationError, match=f"variable {VARIABLE}: there is a line") as caught:
        hook.prepare()
    assert "hidden" not in str(caught.value)


def test_a_missing_refresh_token_is_told(
    make_hook: MakeHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = make_hook()
    monkeypatch.delenv(f"AIRFLOW_VAR_{VARIABLE.upper()}")
    with pytest.raises(ConfigurationError, match=f"variable {VARIABLE}"):
        hook.prepare()


@contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None = None
) -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
