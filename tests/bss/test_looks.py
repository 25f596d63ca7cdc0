"""What a person sets up in the BSS, each thing looked at, and the place in the BSS that is named for mending it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from customer_import.bss.check import check_bss
from customer_import.bss.looks import Needed
from customer_import.config.instances import BssConfig
from sandbox import SandboxConfig, SandboxServer
from tests.tasks.load.scene import connection_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from customer_import.http.finding import Finding

OPTIONS = ("Domain prefix", "Reseller (MPN ID)")
TAKES_OWNERS: dict[str, Any] = {"accepts_responsible_user": True, "accepts_permission_rule": True}


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(customers=5, resellers=2, existing_accounts=1)) as running:
        yield running


@pytest.fixture(autouse=True)
def connected(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BSS_DEFAULT", connection_json(server))


def looked(payment_method: str | None = None, **config: Any) -> dict[str, Finding]:
    findings = check_bss(BssConfig(**config), needed=Needed(OPTIONS, payment_method))
    return {finding.subject: finding for finding in findings}


def set_up(server: SandboxServer, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Change how the organisation is set up, while the test runs."""
    organisation = server.state.organisations["provider"]
    monkeypatch.setattr(organisation, "setup", replace(organisation.setup, **changes))


def test_all_that_is_set_up_is_looked_at() -> None:
    found = looked()
    assert all(one.is_right and not one.is_warning for one in found.values())
    assert "has Domain prefix and Reseller (MPN ID)" in found["sync options"].message
    assert "'Use of API Options' of the BSS's Setup" in found["users"].message
    assert "System Options > Payment Methods" in found["payment methods"].message


def test_an_organisation_without_countries_rejects_everybody(
    server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(server, monkeypatch, countries=())
    found = looked()["countries"]
    assert not found.is_right
    assert "Hint: activate the customers' countries in the BSS's setup" in found.message


def test_a_sync_option_that_is_not_there_is_a_warning(
    server: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = server.state.organisations["provider"].setup
    systems = [
        replace(one, options=tuple(o for o in one.options if "MPN" not in o.name))
        for one in setup.systems
    ]
    set_up(server, monkeypatch, systems=tuple(systems))
    found = looked()["sync options"]
    assert (found.is_right, found.is_warning) == (True, True)
    assert "has no option Reseller (MPN ID); it will be left out" in found.message
    assert "Applications Setup > Microsoft Cloud Services" in found.message


def test_a_system_that_is_not_there_is_a_warning_with_its_place() -> None:
    found = looked(sync_system="Google Workspace")["sync options"]
    assert (found.is_right, found.is_warning) == (True, True)
    assert "Hint: set it up in BSS > Setup > Administration > System Options" in found.message


def test_without_an_account_the_options_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    with SandboxServer(SandboxConfig(customers=1, resellers=2)) as empty:
        monkeypatch.setenv("AIRFLOW_CONN_BSS_DEFAULT", connection_json(empty))
        found = looked()["sync options"]
    assert not found.is_warning
    assert "which options it has is seen as soon as there is an account" in found.message


def test_owners_are_looked_up(server: SandboxServer) -> None:
    setup = server.state.organisations["provider"].setup
    unnamed = looked(**TAKES_OWNERS)
    assert "the instance names none" in unnamed["users"].message
    assert "none is named" in unnamed["permission rules"].message
    user = setup.users[1]
    named = looked(**TAKES_OWNERS, responsible_user=user.username)
    assert "the instance's responsible user among them" in named["users"].message
    rule = f"new records get rule {user.default_permission_rule_id}"
    assert rule in named["permission rules"].message
    assert user.username not in json.dumps([one.message for one in named.values()])


def test_the_payment_method_of_the_ordering_options_is_looked_up() -> None:
    known = looked("bank transfer")["payment methods"]
    unknown = looked("Barter")["payment methods"]
    assert (known.is_right, unknown.is_right) == (True, False)
    assert "there is no payment method 'Barter'" in unknown.message
    assert (
        "or make it in BSS > Setup > Administration > System Options > Payment" in unknown.message
    )
