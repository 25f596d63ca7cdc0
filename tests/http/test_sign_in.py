"""Both sign-ins against servers that lead elsewhere, are out of order, or are not there."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest
import trustme
from airflow.sdk import Connection

from customer_import.bss import requests_session
from customer_import.bss.hook import KIND
from customer_import.bss.token import BssCredentials, fetch_token
from customer_import.errors import (
    AuthenticationError,
    ConfigurationError,
    CustomerImportError,
    RetriableError,
)
from customer_import.http.connection import check_connection
from customer_import.http.sign_in import SignInSession, lifetime_s
from customer_import.partner_center.auth import PartnerCenterAuth
from customer_import.partner_center.entra import Credentials, Flow
from tests.bss.recorder import Arrival, Recorder, recorder

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = ("client-secret-value", "refresh-token-value", "user-password-value", "key-secret-value")
REDIRECTS = [300, 301, 302, 303, 304, 305, 307, 308, 399]
Body = tuple[int, Mapping[str, str], bytes]
Answer = Callable[[Arrival, Recorder], Body]
SignIn = Callable[[Answer], CustomerImportError]


@pytest.fixture
def authority(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    """Server settings for 127.0.0.1, and the file of who signed them."""
    ca, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(tls)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tls, str(tmp_path / "ca.pem")


def entra(url: str, ca_file: str, flow: Flow = Flow.APP_USER) -> None:
    given = Credentials(url, "contoso", "client", SECRETS[0], flow, "https://api.example", ca_file)
    auth = PartnerCenterAuth(
        given, refresh_token=SECRETS[1], save_refresh_token=lambda _: None, mask=lambda _: None
    )
    asyncio.run(auth.fetch())


def bss(url: str, ca_file: str) -> None:
    given = BssCredentials("user", SECRETS[2], "key", SECRETS[3])
    tls = ssl.create_default_context(cafile=ca_file)
    asyncio.run(fetch_token(url, given, tls, lambda _: None))


def bss_of_own_dags(url: str, ca_file: str) -> None:
    given = BssCredentials("user", SECRETS[2], "key", SECRETS[3])
    requests_session.fetch_token(url, given, ca_file, lambda _: None)


@pytest.fixture(params=[entra, bss, bss_of_own_dags])
def sign_in(
    request: pytest.FixtureRequest,
    authority: tuple[ssl.SSLContext, str],
    monkeypatch: pytest.MonkeyPatch,
) -> SignIn:
    """Sign in where a server answers as told; return the error, which shows no secret."""
    monkeypatch.setattr(
        requests_session, "RETRIES", requests_session.RETRIES.new(total=0)
    )  # waits between tries are tested elsewhere

    def sign_in(answer: Answer) -> CustomerImportError:
        with (
            recorder(lambda arrival: answer(arrival, record), authority[0]) as record,
            pytest.raises(CustomerImportError) as caught,
        ):
            request.param(record.url, authority[1])
        assert not [secret for secret in SECRETS if secret in f"{caught.value} {caught.value!r}"]
        return caught.value

    return sign_in


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy"])
@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("socks5://127.0.0.1:1080", "a proxy that speaks socks5 cannot be used"),
        ("http://me:se#cret@proxy:3128", "it is not the address of a proxy"),
    ],
)
@pytest.mark.parametrize("ask", [entra, bss, bss_of_own_dags])
def test_no_sign_in_takes_a_proxy_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch,
    authority: tuple[ssl.SSLContext, str],
    ask: Callable[[str, str], None],
    named: str,
    words: str,
    name: str,
) -> None:
    monkeypatch.setenv(name, named)
    with pytest.raises(ConfigurationError, match=words) as caught:
        ask("https://login.invalid", authority[1])
    assert "cret" not in str(caught.value)
    assert caught.value.source == f"environment variable {name.lower()}"


@pytest.mark.parametrize("name", ["http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("ask", [bss, bss_of_own_dags])
def test_a_sign_in_takes_a_proxy_as_curl_takes_it(
    monkeypatch: pytest.MonkeyPatch,
    authority: tuple[ssl.SSLContext, str],
    ask: Callable[[str, str], None],
    name: str,
) -> None:
    with recorder(lambda _: (200, {}, b'{"access_token": "t"}')) as proxy:
        monkeypatch.setenv(name, f" me:secret@127.0.0.1:{proxy.port}")
        ask("http://login.invalid", authority[1])
    [arrival] = proxy.arrivals
    assert arrival.path == "http://login.invalid/oauth/token"
    assert arrival.headers["Proxy-Authorization"] == "Basic bWU6c2VjcmV0"


def metadata(record: Recorder, **changes: str) -> Body:
    base = f"{record.url}/contoso/oauth2/v2.0"
    told = {
        "issuer": f"{record.url}/contoso/v2.0",
        "authorization_endpoint": f"{base}/authorize",
        "token_endpoint": f"{base}/token",
    }
    return 200, {"Content-Type": "application/json"}, json.dumps(told | changes).encode()


def at_the_token(answer: Body) -> Answer:
    """Entra ID's metadata is right; the token endpoint answers so."""

    def reply(arrival: Arrival, record: Recorder) -> Body:
        return metadata(record) if arrival.method == "GET" else answer

    return reply


@pytest.mark.parametrize("status", REDIRECTS)
def test_no_sign_in_follows_a_redirect(sign_in: SignIn, status: int) -> None:
    with recorder(lambda _: (200, {}, b"{}")) as other:
        location = {"Location": f"{other.url}/oauth/token?x=secret", "Content-Type": "text/html"}
        error = sign_in(at_the_token((status, location, b"")))
    assert other.arrivals == []
    assert isinstance(error, AuthenticationError)
    assert "the sign-in at 127.0.0.1:" in str(error)
    assert "leads to http://127.0.0.1; nothing was sent there" in str(error)
    assert f"(HTTP {status})" in str(error)
    assert "x=secret" not in str(error)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("", "another address"),
        ("//other.example/x", "https://other.example"),
        ("/elsewhere", "https://127.0.0.1"),
        ("https://user:pw@other.example/", "https://other.example"),
        ("http://[::1", "another address"),
        ("javascript:alert(1)", "another address"),
        ("https://" + "a" * 5_000, "another address"),
    ],
)
def test_of_a_redirect_only_the_host_is_shown(sign_in: SignIn, location: str, shown: str) -> None:
    error = sign_in(at_the_token((307, {"Location": location}, b"{}")))
    assert f"leads to {shown};" in str(error)


def test_entra_ids_metadata_may_not_redirect_either(authority: tuple[ssl.SSLContext, str]) -> None:
    target = {"Location": "http://other.example/x"}
    with recorder(lambda _: (302, target, b""), authority[0]) as record:
        with pytest.raises(AuthenticationError, match=r"leads to http://other\.example"):
            entra(record.url, authority[1])
        assert [arrival.method for arrival in record.arrivals] == ["GET"]


@pytest.mark.parametrize("flow", list(Flow))
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_secrets_go_to_no_other_host_that_the_metadata_names(
    authority: tuple[ssl.SSLContext, str], flow: Flow, scheme: str
) -> None:
    with recorder(lambda _: (200, {}, b"{}")) as other:
        told = {"token_endpoint": f"{scheme}://127.0.0.1:{other.port}/contoso/oauth2/v2.0/token"}
        with (
            recorder(lambda _: metadata(record, **told), authority[0]) as record,
            pytest.raises(
                AuthenticationError,
                match=r"wants the secrets sent to|check tenant_id and authority",
            ),
        ):
            entra(record.url, authority[1], flow)
    assert other.arrivals == []


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599, 408, 429])
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"error": "x"}'])
def test_a_sign_in_that_answered_is_not_said_to_be_away(
    sign_in: SignIn, status: int, body: bytes
) -> None:
    error = sign_in(at_the_token((status, {"Retry-After": "7"}, body)))
    assert isinstance(error, RetriableError)
    assert "127.0.0.1" in str(error)
    assert f"answered, but is out of order (HTTP {status})" in str(error)
    assert (error.status, error.retry_after, error.is_sent) == (status, 7.0, False)


def test_a_sign_in_waits_as_it_is_told_in_words(sign_in: SignIn) -> None:
    body = b'{"statusCode":429,"message":"Rate limit is exceeded. Try again in 57 seconds."}'
    error = sign_in(at_the_token((429, {}, body)))
    assert isinstance(error, RetriableError)
    assert (error.status, error.retry_after) == (429, 57.0)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"null", b"7", b"{}", b'{"access_token": 7}'])
def test_an_answer_without_a_token_is_no_token(sign_in: SignIn, body: bytes) -> None:
    assert sign_in(at_the_token((200, {}, body)))


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"token_endpoint": 7}', b"<html>"])
def test_metadata_of_another_kind_is_said_in_words(
    authority: tuple[ssl.SSLContext, str], body: bytes
) -> None:
    with (
        recorder(lambda _: (200, {}, body), authority[0]) as record,
        pytest.raises(RetriableError, match="is out of order"),
    ):
        entra(record.url, authority[1])


@pytest.mark.parametrize("ask", [entra, bss, bss_of_own_dags])
def test_a_sign_in_that_is_away_names_the_host(
    ask: Callable[[str, str], None],
    authority: tuple[ssl.SSLContext, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(requests_session, "RETRIES", requests_session.RETRIES.new(total=0))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(
        RetriableError, match=f"cannot connect to 127.0.0.1:{port}: the connection was refused"
    ):
        ask(f"https://127.0.0.1:{port}", authority[1])


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (3599, 3599),
        ("3599", 3599),
        ("nan", 3600),
        (None, 3600),
        (-1, 3600),
        ("1e999", 86_400),
        (10**400, 3600),
    ],
)
def test_an_odd_lifetime_is_an_hour_and_none_is_longer_than_a_day(
    told: object, seconds: float
) -> None:
    assert lifetime_s(told) == seconds


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_file_of_authorities_that_is_not_there_is_told_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "/nowhere/ca.pem")
    with pytest.raises(ConfigurationError, match=f"environment variable {variable}: there is no"):
        entra("https://127.0.0.1:9", "")


def test_nobodys_credentials_from_netrc_go_along(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login joe password of-somebody-else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with recorder(lambda _: (200, {}, b"{}")) as record:
        SignInSession().post(f"{record.url}/token", data={"grant_type": "x"})
    assert "authorization" not in {name.lower() for name in record.arrivals[0].headers}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"client_key": "key:secret"}, "extra.client_key: a client key has no colon"),
        ({"client_key": "key", "client_secret": "a\ud800"}, "extra.client_secret: there is a line"),
    ],
)
def test_what_no_basic_header_can_hold_is_told_before_anything_is_sent(
    values: dict[str, str], said: str
) -> None:
    extra = json.dumps({"client_secret": "of-the-key"} | values)
    connection = Connection(
        conn_id="b",
        conn_type="interworks_bss",
        host="bss.example",
        login="u",
        password="p",
        extra=extra,
    )
    with pytest.raises(ConfigurationError, match=said) as caught:
        check_connection(connection, "b", KIND)
    assert "key:secret" not in str(caught.value)
