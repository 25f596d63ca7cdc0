"""The BSS connection against the sandbox: signing in, and what is refused in words."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from airflow import models
from airflow.sdk import Connection
from airflow.sdk._shared.secrets_masker import redact

from customer_import.bss.check import check_bss
from customer_import.bss.client import BssClient
from customer_import.bss.hook import KIND, BssHook
from customer_import.bss.models import Choices
from customer_import.bss.organisation import read_organisation
from customer_import.config.instances import BssConfig
from customer_import.errors import AuthenticationError, ConfigurationError, RejectedRequestError
from customer_import.http.connection import check_connection
from sandbox import FaultKind, FaultRule, SandboxConfig, SandboxServer
from tests.tasks.load.scene import connection_json

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = BssConfig()


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(customers=5, resellers=2)) as running:
        yield running


@pytest.fixture
def sandbox(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    server.faults.replace([])
    monkeypatch.setenv("AIRFLOW_CONN_BSS_DEFAULT", connection_json(server))
    return server


def connect(
    monkeypatch: pytest.MonkeyPatch,
    sandbox: SandboxServer,
    extra: dict[str, Any] | None = None,
    **changes: Any,
) -> None:
    """Change the connection; a key of the extra that is ``None`` is as the form leaves an empty field."""
    values = {**json.loads(connection_json(sandbox)), **changes}
    values["extra"] |= extra or {}
    monkeypatch.setenv("AIRFLOW_CONN_BSS_DEFAULT", json.dumps(values))


async def organisation(config: BssConfig = CONFIG, **owners: str) -> Any:
    async with BssHook().session(config) as session:
        return await read_organisation(BssClient(session), config, **owners)


async def test_organisation_is_read(sandbox: SandboxServer):
    setup = sandbox.state.organisations["provider"].setup
    found = await organisation()
    assert found.tenant_marker_field_id == setup.tenant_marker.id
    assert found.sync_system_id == setup.microsoft.id
    assert len(found.countries) == len(setup.countries)
    assert found.responsible_user_id is None
    assert sandbox.bss is not None


async def test_owners_are_found_by_name_and_by_the_users_default(sandbox: SandboxServer):
    config = BssConfig(accepts_responsible_user=True, accepts_permission_rule=True)
    setup = sandbox.state.organisations["provider"].setup
    sales, rules = setup.users[1], setup.permission_rules
    by_default = await organisation(config, responsible_user=sales.username.upper())
    assert by_default.responsible_user_id == sales.id
    assert by_default.permission_rule_id == sales.default_permission_rule_id
    named = await organisation(config, permission_rule=rules[0].name)
    assert named.permission_rule_id == rules[0].id
    with pytest.raises(ConfigurationError, match="responsible user does not exist"):
        await organisation(config, responsible_user="nobody")


async def test_a_permission_rule_that_does_not_exist_is_told_with_those_that_do(
    sandbox: SandboxServer,
):
    first, *others = sandbox.state.organisations["provider"].setup.permission_rules
    config = BssConfig(accepts_permission_rule=True, permission_rule=others[-1].name)
    assert (await organisation(config)).permission_rule_id == others[-1].id
    with pytest.raises(ConfigurationError, match="no permission rule 'Nobody'") as caught:
        await organisation(config, permission_rule="Nobody")
    assert first.name in str(caught.value.hint)


async def test_a_payment_method_that_does_not_exist_is_told_with_those_that_do(
    sandbox: SandboxServer,
):
    assert (await organisation(payment_method="credit CARD")).choices.payment_methods
    with pytest.raises(ConfigurationError, match="no payment method 'Barter'") as caught:
        await organisation(payment_method="Barter")
    assert str(caught.value.hint).startswith(
        "choose one of: Bank transfer, Credit card; or make it"
    )


async def test_what_there_is_to_choose_from_is_read_where_the_api_takes_it(sandbox: SandboxServer):
    setup = sandbox.state.organisations["provider"].setup
    assert (await organisation()).choices == Choices()
    takes_all = BssConfig(accepts_responsible_user=True, accepts_permission_rule=True)
    found = (await organisation(takes_all)).choices
    assert [(one.id, one.name) for one in found.users] == [(u.id, u.username) for u in setup.users]
    rules = [(rule.id, rule.name) for rule in setup.permission_rules]
    assert [(one.id, one.name) for one in found.permission_rules] == rules


async def test_a_list_that_is_only_to_choose_from_may_be_refused(sandbox: SandboxServer):
    takes_all = BssConfig(accepts_responsible_user=True, accepts_permission_rule=True)
    rule = FaultRule(endpoint="bss.organization.users", kind=FaultKind.QUOTE, status=404)
    sandbox.faults.replace([rule])
    found = await organisation(takes_all)
    assert (found.choices.users, found.responsible_user_id) == ((), None)
    assert found.choices.permission_rules
    with pytest.raises(RejectedRequestError):
        await organisation(takes_all, responsible_user="anybody")


@pytest.mark.parametrize(
    ("field", "words"), [("Nothing", "Custom Fields"), ("Risk Class", "read-only")]
)
async def test_unusable_tenant_marker_stops_with_the_mend(
    sandbox: SandboxServer, field: str, words: str
):
    with pytest.raises(ConfigurationError, match=words):
        await organisation(BssConfig(tenant_marker_field=field))


async def test_absent_sync_system_is_a_warning(
    sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
):
    found = await organisation(BssConfig(sync_system="Google Workspace"))
    assert found.sync_system_id is None
    assert "sync options are left out" in caplog.text


def test_check_finds_everything_in_order(sandbox: SandboxServer):
    findings = check_bss(CONFIG)
    subjects = ["sign-in", "countries", "tenant marker", "sync options", "accounts"]
    assert [finding.subject for finding in findings] == subjects
    assert all(finding.is_right for finding in findings)


def test_check_goes_on_after_something_that_is_wrong(sandbox: SandboxServer):
    findings = check_bss(BssConfig(tenant_marker_field="Nothing"))
    assert [finding.is_right for finding in findings] == [True, True, False, True, True]
    assert "Custom Fields" in findings[2].message


def test_check_counts_the_accounts_and_takes_an_organisation_without_sync_options(
    sandbox: SandboxServer,
):
    records = sandbox.state.organisations["provider"]
    for name in ("One", "Two"):
        records.create_account({"name": name}, {}, existing_kind="test")
    findings = {one.subject: one for one in check_bss(BssConfig(sync_system="Google Workspace"))}
    records.clear()
    assert all(finding.is_right for finding in findings.values())
    assert findings["accounts"].message == "can be listed (2 on the first page)"
    assert "no active system 'Google Workspace'" in findings["sync options"].message


def test_check_of_a_connection_that_does_not_exist_is_a_finding_and_no_crash():
    (finding,) = check_bss(BssConfig(conn_id="nowhere"))
    assert isinstance(finding.error, ConfigurationError)
    assert "connection nowhere" in finding.message


def test_check_ends_with_a_sign_in_that_is_refused(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    connect(monkeypatch, sandbox, password="wrong-password")
    (finding,) = check_bss(CONFIG)
    assert isinstance(finding.error, AuthenticationError)
    assert "password" in finding.message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"password": "wrong-password"}, "password"),
        ({"extra": {"client_key": "x"}}, "client key or the client secret"),
        ({"extra": {"client_secret": "wrong-password"}}, "client key or the client secret"),
    ],
)
async def test_refused_sign_in_says_what_to_mend(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
):
    connect(monkeypatch, sandbox, **changes)
    with pytest.raises(AuthenticationError, match=words) as caught:
        await organisation()
    assert "wrong-password" not in str(caught.value)


async def test_sign_in_that_hits_the_rate_limit_waits_and_is_not_a_refusal(sandbox: SandboxServer):
    limited = FaultRule(
        endpoint="bss.token", kind=FaultKind.RATE_LIMIT_403, calls=(1,), retry_after_s=1
    )
    sandbox.faults.replace([limited])
    before = sandbox.requests.count("bss.token", 403)
    assert (await organisation()).countries
    assert sandbox.requests.count("bss.token", 403) == before + 1


async def test_expired_token_is_renewed_once(sandbox: SandboxServer):
    rule = FaultRule(endpoint="bss.organization.*", kind=FaultKind.UNAUTHORIZED, calls=(1,))
    sandbox.faults.replace([rule])
    assert (await organisation()).countries


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"login": " "}, "at login: the login is missing.* 'Application user'"),
        ({"password": ""}, "at password: the password is missing"),
        ({"host": ""}, "at host: the host is missing.* 'BSS host'"),
        ({"extra": {"client_kee": "hidden"}}, r"extra\.client_kee: .*did you mean 'client_key'"),
        ({"extra": {"client_secrets": "hidden"}}, "did you mean 'client_secret'"),
        ({"extra": {"colour": "hidden"}}, "known keys: allow_plain_http, ca_file, client_key"),
        ({"extra": {"client_key": None}}, r"extra\.client_key: it is missing.* 'Client key'"),
        ({"extra": {"client_secret": ""}}, r"extra\.client_secret: it is missing"),
        ({"extra": {"client_secret": {"a": "hidden"}}}, r"extra\.client_secret: must be text"),
        ({"password": "hid\nhidden"}, "at password: there is a line break or another control"),
        ({"extra": {"client_secret": "hid\thidden"}}, r"extra\.client_secret: there is a line"),
        ({"extra": {"client_secret_variable": "some"}}, "remove client_secret_variable"),
        ({"extra": {"ca_file": "/none"}}, "certificate authority"),
        ({"extra": {"allow_plain_http": "hidden"}}, r"allow_plain_http: must be true or false"),
        ({"host": "bss.example.com"}, "allow_plain_http"),
        ({"host": "bss.example.com/api", "schema": ""}, "at host: a path"),
        ({"conn_type": "https"}, "at schema: it says http, but conn_type says https"),
        ({"conn_type": "partner_center"}, "make its type 'interworks_bss'"),
        ({"conn_type": "sqlite"}, "does not lead to interworks.cloud BSS"),
    ],
)
def test_wrong_connection_is_refused_in_words(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
):
    connect(monkeypatch, sandbox, **changes)
    with pytest.raises(ConfigurationError, match=words) as caught:
        BssHook().session(CONFIG)
    assert caught.value.source == "connection bss_default"
    assert caught.value.hint
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("extra", ["[1]", "no JSON"])
def test_an_extra_that_is_no_object_is_refused_in_words(extra: str):
    connection = Connection(
        conn_id="c", conn_type="http", host="h", login="u", password="p", extra=extra
    )
    with pytest.raises(ConfigurationError, match="at extra: it is not a JSON object"):
        check_connection(connection, "c", KIND)


def test_a_connection_that_does_not_exist_is_named():
    with pytest.raises(ConfigurationError, match="connection nowhere: the connection does not"):
        BssHook("nowhere").session(CONFIG)


async def test_the_connection_of_the_version_before_still_works(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    former = {"client_secret": None, "client_secret_variable": "bss_client_secret"}
    connect(monkeypatch, sandbox, conn_type="http", extra=former)
    with pytest.raises(ConfigurationError, match="'bss_client_secret' does not exist"):
        BssHook().session(CONFIG)
    secret = f"{sandbox.info.provider.client_secret}\n"
    monkeypatch.setenv("AIRFLOW_VAR_BSS_CLIENT_SECRET", secret)
    assert (await organisation()).countries


async def test_pasted_blanks_around_every_value_do_no_harm(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    own = sandbox.info.provider
    padded = {"client_key": f" {own.client_key}\n", "client_secret": f"\u200b{own.client_secret} "}
    parts = json.loads(connection_json(sandbox))
    connect(
        monkeypatch,
        sandbox,
        extra=padded | {"ca_file": None, "allow_plain_http": None},
        host=f" {parts['host']} ",
        login=f"{own.username}\n",
        password=f"{own.password}\r\n",
    )
    assert (await organisation()).countries


def test_a_key_of_digits_only_may_be_written_as_a_number(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    connect(monkeypatch, sandbox, extra={"client_key": 12345})
    assert BssHook().connection.extra.client_key == "12345"


@pytest.mark.parametrize(
    ("uri", "base_url"),
    [
        ("https://user:pw@bss.example.com/?client_key=k&client_secret=s", ""),
        ("http://user:pw@bss.example.com:443/https?client_key=k&client_secret=s", ""),
        ("interworks-bss://user:pw@bss.example.com:8443/?client_key=k&client_secret=s", ":8443"),
        ("interworks-bss://https://user:pw@bss.example.com/?client_key=k&client_secret=s", ""),
    ],
)
def test_a_connection_given_as_a_uri_means_https(
    monkeypatch: pytest.MonkeyPatch, uri: str, base_url: str
):
    monkeypatch.setenv("AIRFLOW_CONN_BSS_DEFAULT", uri)
    hook = BssHook()
    assert hook.session(CONFIG).base_url == f"https://bss.example.com{base_url}"
    assert "client_secret" not in repr(hook.connection)


def test_connection_button_signs_in_and_reports_in_words(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    assert BssHook().test_connection()[0] is True
    connect(monkeypatch, sandbox, login="nobody")
    is_ok, message = BssHook().test_connection()
    assert is_ok is False
    assert "password" in message
    connect(monkeypatch, sandbox, host="bss.example.com/api", schema="")
    is_ok, message = BssHook().test_connection()
    assert is_ok is False
    assert message.startswith("this connection at host: a path does not belong here")


def test_connection_button_works_with_the_uri_that_airflow_makes_of_the_form(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    form = json.loads(connection_json(sandbox))
    form["extra"] = json.dumps(form["extra"] | {"ca_file": None, "allow_plain_http": True})
    monkeypatch.setenv("AIRFLOW_CONN_ABC123", models.Connection(**form).get_uri())
    assert BssHook("abc123").test_connection() == (
        True,
        "Signed in; the organisation has 2 external systems",
    )


def test_connection_button_does_not_wait_for_a_service_that_is_away(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    sandbox.faults.replace([FaultRule(endpoint="bss.organization.*", kind=FaultKind.STATUS)])
    before = sandbox.requests.count("bss.organization.external_systems", 503)
    is_ok, message = BssHook().test_connection()
    assert is_ok is False
    assert "503" in message
    assert sandbox.requests.count("bss.organization.external_systems", 503) <= before + 1


async def test_logs_hold_no_secret(sandbox: SandboxServer, caplog: pytest.LogCaptureFixture):
    limit = FaultRule(endpoint="bss.organization.*", kind=FaultKind.RATE_LIMIT_403, calls=(1,))
    sandbox.faults.replace([limit])
    caplog.set_level(logging.DEBUG)
    await organisation()
    provider = sandbox.info.provider
    assert "is throttled" in caplog.text
    for secret in (provider.password, provider.client_secret, "Bearer"):
        assert secret not in caplog.text


@pytest.mark.parametrize("place", ["extra", "variable"])
def test_the_masker_knows_every_secret_as_it_is_sent(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch, place: str
):
    """Airflow masks what stands in the connection; sent is what is left without the blanks around it."""
    own = sandbox.info.provider
    secret = f" {own.client_secret}\n"
    monkeypatch.setenv("AIRFLOW_VAR_BSS_CLIENT_SECRET", secret)
    former = {"client_secret": None, "client_secret_variable": "bss_client_secret"}
    extra = {"client_secret": secret} if place == "extra" else former
    connect(monkeypatch, sandbox, extra=extra, password=f" {own.password}\n")
    hook = BssHook()
    hook.run("/api/organization/countries")
    token = hook._bearer()._value.removeprefix("Bearer ")
    for sent in (own.password, own.client_secret, token):
        assert redact(f"it is {sent}") == "it is ***"


async def test_accounts_are_listed_over_pages_without_repeats(sandbox: SandboxServer):
    records = sandbox.state.organisations["provider"]
    for number in range(1203):
        records.create_account({"name": f"Page Company {number}"}, {}, existing_kind="test")
    async with BssHook().session(CONFIG) as session:
        pages = [page async for page in BssClient(session).accounts()]
        named = await BssClient(session).accounts_named("Page Company 7")
    records.clear()
    assert [len(page) for page in pages] == [500, 500, 203]
    assert len({account.id for page in pages for account in page}) == 1203
    assert [account.name for account in named] == ["Page Company 7"]
    assert not records.counters.violations


@pytest.mark.usefixtures("sandbox")
def test_whose_limits_are_shared_is_told_without_the_key() -> None:
    organisation = BssHook().organisation
    assert organisation == BssHook().organisation
    assert BssHook().connection.extra.client_key not in organisation
