"""``BssHook(...).run`` and ``get_conn``, as whoever writes a DAG of their own calls them."""

from __future__ import annotations

import base64
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import certifi
import pytest
import requests
from urllib3 import HTTPResponse
from urllib3.util import Retry

from customer_import.bss.hook import BssHook
from customer_import.bss.requests_session import RETRIES, BearerAuth, BssSession, fetch_token
from customer_import.bss.token import BssCredentials
from customer_import.errors import (
    AuthenticationError,
    ConfigurationError,
    RejectedRequestError,
    RetriableError,
)
from customer_import.http.token import AccessToken
from sandbox import FaultKind, FaultRule, SandboxConfig, SandboxServer
from tests.bss.recorder import Arrival, closed_port, connect_to, recorder
from tests.tasks.load.scene import connection_json

if TYPE_CHECKING:
    from collections.abc import Iterator

SYSTEMS = "/api/organization/externalSystems"
TOKEN = b'{"access_token": "token-of-the-bss", "expires_in": 3600}'


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(customers=5, resellers=2)) as running:
        yield running


@pytest.fixture
def sandbox(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxServer:
    server.faults.replace([])
    monkeypatch.setenv("AIRFLOW_CONN_BSS_DEFAULT", connection_json(server))
    return server


def signed_in(url: str) -> BssSession:
    auth = BearerAuth(url, lambda: AccessToken("t", 600))
    return BssSession(url, auth, {}, ca_file=None)


def sign_ins(sandbox: SandboxServer) -> int:
    return sandbox.requests.count("bss.token", 200)


def creates(sandbox: SandboxServer) -> int:
    return sum(sandbox.requests.by_endpoint().get("bss.accounts.create", {}).values())


def test_run_signs_in_once_and_reads(sandbox: SandboxServer):
    before = sign_ins(sandbox)
    hook = BssHook("bss_default")
    names = [country["name"] for country in hook.run("/api/organization/countries").json()["data"]]
    assert names
    found = hook.run("api/accounts", data={"$filter": "name eq 'Nobody'"}).json()
    assert found["data"] == []
    assert sign_ins(sandbox) == before + 1


def test_run_writes_json(sandbox: SandboxServer):
    records = sandbox.state.organisations["provider"]
    answer = BssHook("bss_default", method="POST").run(
        "/api/accounts", json={"name": "Company of a DAG"}
    )
    assert answer.status_code < 300
    assert [account.name for account in records.accounts.values()] == ["Company of a DAG"]
    records.clear()


def test_the_session_takes_paths(sandbox: SandboxServer):
    with BssHook().get_conn() as session:
        assert session.get(SYSTEMS).json()["data"]


def test_only_the_token_and_what_is_meant_are_sent(monkeypatch: pytest.MonkeyPatch):
    with recorder(lambda _: (200, {}, TOKEN)) as bss:
        connect_to(monkeypatch, bss.url)
        BssHook(api_version="4").run(SYSTEMS, headers={"X-Mine": "1"})
    token, call = bss.arrivals
    basic = base64.b64encode(b"some-client-key:some-client-secret").decode()
    assert (token.method, token.path) == ("POST", "/oauth/token")
    assert token.headers["Authorization"] == f"Basic {basic}"
    assert b"some-client" not in token.body
    assert call.headers["Authorization"] == "Bearer token-of-the-bss"
    assert (call.headers["X-Api-Version"], call.headers["X-Mine"]) == ("4", "1")
    sent = " ".join((*call.headers, *call.headers.values(), call.path))
    for value in ("client_key", "some-client", "Basic", "users-password"):
        assert value not in sent


def test_a_netrc_file_does_not_decide(monkeypatch: pytest.MonkeyPatch, tmp_path: Any):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with recorder(lambda _: (200, {}, TOKEN)) as bss:
        connect_to(monkeypatch, bss.url)
        BssHook().run(SYSTEMS)
    other = base64.b64encode(b"other:other").decode()
    assert all(other not in str(arrival.headers) for arrival in bss.arrivals)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_redirect_is_followed(monkeypatch: pytest.MonkeyPatch, method: str):
    with recorder(lambda _: (200, {}, b"{}")) as stranger:

        def answer(arrival: Arrival) -> tuple[int, dict[str, str], bytes]:
            if arrival.path == "/oauth/token":
                return 200, {}, TOKEN
            return 307, {"Location": f"{stranger.url}/taken"}, b""

        with recorder(answer) as bss:
            connect_to(monkeypatch, bss.url)
            with pytest.raises(RetriableError, match="status 307"):
                BssHook(method=method).run("/api/accounts")
            assert BssHook().get_conn().get("/api/accounts").status_code == 307
    assert stranger.arrivals == []


def test_no_redirect_of_the_sign_in_is_followed(monkeypatch: pytest.MonkeyPatch):
    with (
        recorder(lambda _: (200, {}, TOKEN)) as stranger,
        recorder(lambda _: (308, {"Location": stranger.url}, b"")) as bss,
    ):
        connect_to(monkeypatch, bss.url)
        with pytest.raises(AuthenticationError, match="HTTP 308"):
            BssHook().run(SYSTEMS)
    assert stranger.arrivals == []


@pytest.mark.parametrize("endpoint", ["https://elsewhere.example/x", "//elsewhere.example/x"])
def test_the_token_goes_to_no_other_host(sandbox: SandboxServer, endpoint: str):
    before = sign_ins(sandbox)
    with pytest.raises(ConfigurationError, match="another host"):
        BssHook().get_conn().get(endpoint)
    assert sign_ins(sandbox) == before


def test_a_token_that_has_ended_is_renewed_once(sandbox: SandboxServer):
    hook = BssHook()
    hook.run(SYSTEMS)
    before = sign_ins(sandbox)
    ended = FaultRule(endpoint="bss.organization.*", kind=FaultKind.UNAUTHORIZED, limit=1)
    sandbox.faults.replace([ended])
    assert hook.run(SYSTEMS).ok
    assert sign_ins(sandbox) == before + 1
    sandbox.faults.replace([FaultRule(endpoint="bss.*", kind=FaultKind.UNAUTHORIZED, limit=2)])
    with pytest.raises(AuthenticationError):
        hook.run(SYSTEMS)


def test_a_write_is_sent_again_with_a_new_token(sandbox: SandboxServer):
    records = sandbox.state.organisations["provider"]
    ended = FaultRule(endpoint="bss.accounts.create", kind=FaultKind.UNAUTHORIZED, limit=1)
    sandbox.faults.replace([ended])
    assert BssHook(method="POST").run("/api/accounts", json={"name": "Once"}).ok
    assert [account.name for account in records.accounts.values()] == ["Once"]
    records.clear()


def test_a_token_is_renewed_before_it_ends():
    now = [0.0]
    tokens = iter(["first", "second"])
    auth = BearerAuth("http://bss", lambda: AccessToken(next(tokens), 600), lambda: now[0])

    def signed() -> str:
        return str(requests.Request("GET", "http://bss/x", auth=auth).prepare().headers)

    assert "first" in signed()
    now[0] = 539
    assert "first" in signed()
    now[0] = 540
    assert "second" in signed()


@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.RESET_AFTER, FaultKind.THROTTLE])
def test_a_read_is_tried_again_and_waits_as_asked(sandbox: SandboxServer, kind: FaultKind):
    sandbox.faults.replace(
        [FaultRule(endpoint="bss.organization.*", kind=kind, limit=1, retry_after_s=1)]
    )
    begun = time.monotonic()
    assert BssHook().run(SYSTEMS).ok
    assert kind is FaultKind.RESET_AFTER or time.monotonic() - begun >= 1


@pytest.mark.parametrize("kind", [FaultKind.STATUS, FaultKind.RESET_AFTER])
def test_a_create_is_never_sent_twice(sandbox: SandboxServer, kind: FaultKind):
    records = sandbox.state.organisations["provider"]
    sandbox.faults.replace([FaultRule(endpoint="bss.accounts.create", kind=kind)])
    before = creates(sandbox)
    with pytest.raises(RetriableError):
        BssHook(method="POST").run("/api/accounts", json={"name": "Company"})
    assert creates(sandbox) == before + 1
    records.clear()


def test_an_unreadable_retry_after_is_no_value(monkeypatch: pytest.MonkeyPatch):
    answers = iter([(200, {}, TOKEN), (503, {"Retry-After": "soon"}, b""), (200, {}, b"{}")])
    with recorder(lambda _: next(answers)) as bss:
        connect_to(monkeypatch, bss.url)
        assert BssHook().run(SYSTEMS).ok


def test_a_date_to_come_back_at_is_by_the_servers_clock():
    headers = {
        "Date": "Wed, 01 Jul 2026 12:00:00 GMT",
        "Retry-After": "Wed, 01 Jul 2026 12:00:30 GMT",
    }
    assert RETRIES.get_retry_after(HTTPResponse(headers=headers)) == pytest.approx(30.0)


def test_a_refusal_speaks_without_what_was_sent(
    sandbox: SandboxServer, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    sandbox.faults.replace(
        [FaultRule(endpoint="bss.accounts.create", kind=FaultKind.QUOTE, status=400)]
    )
    hook = BssHook(method="POST")
    with pytest.raises(RejectedRequestError, match="POST /api/accounts") as caught:
        hook.run("/api/accounts", json={"name": "Eleni Private"})
    own = sandbox.info.provider
    token = hook._bearer()._value.removeprefix("Bearer ")
    for private in ("Eleni", token, own.client_secret, own.password):
        assert private not in f"{caught.value} {caplog.text}"


def test_an_answer_may_be_checked_by_the_caller(sandbox: SandboxServer):
    answer = BssHook().run("/api/nothing", extra_options={"check_response": False})
    assert answer.status_code == 404


@pytest.mark.parametrize("kind", [FaultKind.RESET_AFTER, FaultKind.RESET_BEFORE])
def test_the_log_of_a_retry_holds_no_query(
    sandbox: SandboxServer, caplog: pytest.LogCaptureFixture, kind: FaultKind
):
    caplog.set_level(logging.INFO)
    sandbox.faults.replace([FaultRule(endpoint="bss.accounts.*", kind=kind, limit=1)])
    hook = BssHook()
    assert hook.run("/api/accounts", data={"$filter": "name eq 'Eleni'"}).ok
    assert "Eleni" not in caplog.text


def test_a_service_that_is_away_is_told_without_the_query(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("customer_import.bss.requests_session.RETRIES", Retry(0))
    with closed_port() as url:
        session = signed_in(url)
        with pytest.raises(RetriableError, match="GET /api/accounts: cannot connect") as caught:
            session.get("/api/accounts", params={"$filter": "name eq 'Eleni'"})
    assert caught.value.is_sent is False
    assert caught.value.__cause__ is None
    assert "Eleni" not in str(caught.value)


def test_a_sign_in_that_is_away_is_trouble_that_may_pass(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("customer_import.bss.requests_session.RETRIES", Retry(0))
    with closed_port() as url:
        connect_to(monkeypatch, url)
        with pytest.raises(RetriableError, match="the connection was refused") as caught:
            BssHook(method="POST").run("/api/accounts", json={"name": "Eleni"})
    assert caught.value.is_sent is False
    assert "users-password" not in str(caught.value)


def test_a_proxy_that_cannot_be_used_is_refused_in_words(monkeypatch: pytest.MonkeyPatch):
    session = signed_in("https://bss.invalid")
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1080")
    with pytest.raises(ConfigurationError, match="a proxy that speaks socks5 cannot be used"):
        session.get("/api/accounts")
    monkeypatch.setenv("no_proxy", "bss.invalid:443")
    with pytest.raises(RetriableError, match="cannot be resolved"):
        session.get("/api/accounts")


def test_a_proxy_of_the_caller_is_taken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1080")
    with recorder(lambda _: (200, {}, b"{}")) as proxy:
        session = signed_in("http://bss.invalid")
        assert session.get("/api/accounts", proxies={"http": proxy.url}).ok
    assert [arrival.path for arrival in proxy.arrivals] == ["http://bss.invalid/api/accounts"]


def test_a_new_token_that_is_refused_too_is_said_to_be_new(sandbox: SandboxServer):
    sandbox.faults.replace([FaultRule(endpoint="bss.organization.*", kind=FaultKind.UNAUTHORIZED)])
    with pytest.raises(AuthenticationError, match="refused a token that was just issued"):
        BssHook().run(SYSTEMS)


def test_a_body_that_is_no_json_is_refused_in_the_same_words(sandbox: SandboxServer):
    hook = BssHook(method="POST")
    with pytest.raises(RejectedRequestError, match="POST /api/accounts"):
        hook.run("/api/accounts", data="name=Eleni", headers={"Content-Type": "application/json"})


def test_no_request_waits_without_end(monkeypatch: pytest.MonkeyPatch):
    def answer(arrival: Arrival) -> tuple[int, dict[str, str], bytes]:
        if arrival.path != "/oauth/token":
            time.sleep(1)
        return 200, {}, TOKEN

    monkeypatch.setattr("customer_import.bss.requests_session.TIMEOUT_S", (1.0, 0.1))
    with recorder(answer) as bss:
        connect_to(monkeypatch, bss.url)
        with pytest.raises(RetriableError, match="no answer in time"):
            BssHook(method="POST").run("/api/accounts", json={})


def test_wrong_credentials_are_told_in_words(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    connection = json.loads(connection_json(sandbox)) | {"password": "wrong-password"}
    monkeypatch.setenv("AIRFLOW_CONN_BSS_DEFAULT", json.dumps(connection))
    with pytest.raises(AuthenticationError, match="user or its password is wrong") as caught:
        BssHook().run(SYSTEMS)
    assert "wrong-password" not in str(caught.value)


def test_the_connections_ca_file_beats_the_one_of_the_environment(
    sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    ca_file = sandbox.info.ca_file
    connection = json.loads(connection_json(sandbox))
    connection["extra"]["ca_file"] = ca_file
    monkeypatch.setenv("AIRFLOW_CONN_BSS_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    session = BssHook().get_conn()
    settings = session.merge_environment_settings("https://bss", {}, None, None, None)
    assert settings["verify"] == ca_file
    credentials = BssCredentials("u", "p", "k", "s")
    # Entra ID speaks TLS with that authority: a refusal in words, where an unknown authority gives no answer at all.
    with pytest.raises(AuthenticationError):
        fetch_token(sandbox.info.entra_url, credentials, ca_file, mask=lambda _: None)
