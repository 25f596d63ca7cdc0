"""A person's consent, by device code and by address: what is shown, how long is waited, what is read of the token."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
import requests

from customer_import.errors import AuthenticationError, RetriableError
from customer_import.partner_center.consent import (
    UserCode,
    proves_mfa,
    sign_in,
    sign_in_by_address,
)
from sandbox.device_code import Person, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from customer_import.partner_center.entra import Credentials
    from customer_import.partner_center.hook import PartnerCenterHook
    from sandbox import SandboxServer


@pytest.fixture
def credentials(make_hook: Callable[..., PartnerCenterHook]) -> Credentials:
    return make_hook().settings.credentials


@pytest.fixture
def person(sandbox: SandboxServer) -> Iterator[Callable[..., None]]:
    def decide(**changes: object) -> None:
        sandbox.state.entra.codes.person = Person(**changes)  # type: ignore[arg-type]  # test data

    yield decide
    decide()


def is_refresh_token(sandbox: SandboxServer, token: str) -> bool:
    claims = sandbox.state.entra._issuer.read(token)
    return claims is not None and claims.kind == "refresh"


def test_a_code_is_shown_and_waited_for_as_often_as_microsoft_asks(
    credentials: Credentials, person: Callable[..., None], sandbox: SandboxServer
) -> None:
    shown: list[UserCode] = []
    waits: list[float] = []
    masked: list[str] = []
    person(after_polls=2, slow_downs=1, interval_s=3)
    consent = sign_in(credentials, shown.append, masked.append, sleep=waits.append)
    (code,) = shown
    assert (code.url, code.minutes) == ("https://microsoft.com/devicelogin", 15)
    assert waits == [8, 8, 8]  # five seconds more after having been told to slow down
    assert consent.has_mfa is True
    assert is_refresh_token(sandbox, consent.refresh_token)
    assert consent.refresh_token in masked
    assert code.code not in masked
    assert consent.refresh_token not in repr(consent)


def test_nobody_is_waited_for_longer_than_a_code_is_good(
    credentials: Credentials, person: Callable[..., None]
) -> None:
    person(reply=Reply.NOTHING)
    now = iter([0.0, 100.0, 899.0, 901.0])
    waits: list[float] = []
    with pytest.raises(AuthenticationError, match="the code expired before anybody"):
        sign_in(
            credentials,
            lambda _: None,
            lambda _: None,
            sleep=waits.append,
            clock=lambda: next(now),
        )
    assert waits == [1, 1]


def browse(sandbox: SandboxServer) -> Callable[[str], str]:
    """Open an address as a person does, and return where the browser ended."""

    def open_address(url: str) -> str:
        answer = requests.get(url, verify=sandbox.info.ca_file, allow_redirects=False, timeout=10)
        return f" {answer.headers['Location']}\n"

    return open_address


def test_where_device_codes_are_forbidden_an_address_is_pasted(
    credentials: Credentials, sandbox: SandboxServer, person: Callable[..., None]
) -> None:
    person(has_mfa=False)
    masked: list[str] = []
    consent = sign_in_by_address(credentials, browse(sandbox), masked.append)
    assert is_refresh_token(sandbox, consent.refresh_token)
    assert (consent.has_mfa, len(masked)) == (False, 3)


def test_a_person_who_refuses_in_the_browser_is_told(
    credentials: Credentials, sandbox: SandboxServer, person: Callable[..., None]
) -> None:
    person(reply=Reply.DECLINE)
    with pytest.raises(AuthenticationError, match="the person at the browser refused") as caught:
        sign_in_by_address(credentials, browse(sandbox), lambda _: None)
    assert "User declined" not in str(caught.value)


@pytest.mark.parametrize("pasted", ["", "http://localhost:8400/?code=x", "nonsense"])
def test_another_address_is_refused(credentials: Credentials, pasted: str) -> None:
    with pytest.raises(AuthenticationError, match="what was pasted is not the address"):
        sign_in_by_address(credentials, lambda _: pasted, lambda _: None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("verification_uri", "http://microsoft.com/devicelogin"),
        ("verification_uri", "https://microsoft.com/devicelogin\x1b[2J"),
        ("user_code", "two words"),
        ("user_code", None),
    ],
)
def test_no_one_is_led_to_what_does_not_look_like_microsofts_page(
    credentials: Credentials,
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
    field: str,
    value: str | None,
) -> None:
    codes = sandbox.state.entra.codes
    begun = codes.begin("https://api.example") | {"verification_uri": "https://x/", field: value}
    monkeypatch.setattr(codes, "begin", lambda _: begun)
    if field == "verification_uri":
        monkeypatch.setattr("sandbox.entra.DEVICE_LOGIN", {"global": value})
    shown: list[UserCode] = []
    with pytest.raises(RetriableError):
        sign_in(credentials, shown.append, lambda _: None)
    assert shown == []


def token(claims: object) -> str:
    return f"x.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.y"


@pytest.mark.parametrize(
    ("access_token", "has_mfa"),
    [
        (token({"amr": ["pwd", "mfa"]}), True),
        (token({"amr": ["pwd"]}), False),
        (token({}), None),
        (token({"amr": "mfa"}), None),
        (token([1]), None),
        ("opaque", None),
        ("a.%%%.b", None),
    ],
)
def test_a_token_shows_whether_the_sign_in_had_mfa(access_token: str, has_mfa: bool | None) -> None:
    assert proves_mfa(access_token) is has_mfa
