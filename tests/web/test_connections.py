"""What Airflow's own API shows of the two connections: every secret masked, in the answer and in the log."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI
    from fastapi.testclient import TestClient

CONNECTIONS = "/api/v2/connections"
PARTNER_CENTER = {
    "connection_id": "test_partner_center",
    "conn_type": "partner_center",
    "host": "api.partnercenter.microsoft.com",
    "login": "11111111-1111-4111-8111-111111111111",
    "password": "partner-password-value",
    "extra": json.dumps({"tenant_id": "contoso.example", "flow": "app_only"}),
}
BSS = {
    "connection_id": "test_bss",
    "conn_type": "interworks_bss",
    "host": "bss.example.com",
    "login": "application-user",
    "password": "user-password-value",
    "extra": json.dumps({"client_key": "shown-key", "client_secret": "client-secret-value"}),
}
SECRETS = ("partner-password-value", "user-password-value", "client-secret-value")


@pytest.fixture
def encrypted(airflow_app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Airflow has a key, as every deployment should."""
    from airflow.models.crypto import get_fernet
    from cryptography.fernet import Fernet

    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    get_fernet.cache_clear()
    yield
    get_fernet.cache_clear()


@pytest.fixture
def connections(encrypted: None, admin: TestClient) -> Iterator[TestClient]:
    for body in (PARTNER_CENTER, BSS):
        answer = admin.post(CONNECTIONS, json=body)
        assert answer.status_code == 201, answer.text
        assert_masked(answer.text)
    yield admin
    for body in (PARTNER_CENTER, BSS):
        admin.delete(f"{CONNECTIONS}/{body['connection_id']}")


def assert_masked(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


def read(client: TestClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(f"{CONNECTIONS}/{body['connection_id']}")
    assert answer.status_code == 200
    assert_masked(answer.text)
    return dict(answer.json())


def test_the_api_masks_password_and_client_secret(connections: TestClient):
    bss = read(connections, BSS)
    assert bss["password"] == "***"
    assert json.loads(bss["extra"]) == {"client_key": "shown-key", "client_secret": "***"}
    partner_center = read(connections, PARTNER_CENTER)
    assert partner_center["password"] == "***"
    assert json.loads(partner_center["extra"])["tenant_id"] == "contoso.example"
    assert_masked(connections.get(CONNECTIONS).text)


def test_a_form_that_is_saved_with_its_masks_keeps_the_secrets(connections: TestClient):
    shown = read(connections, BSS)
    changed = {key: shown[key] for key in ("connection_id", "conn_type", "login", "password")}
    changed |= {"host": "other.example.com", "extra": shown["extra"]}
    answer = connections.patch(f"{CONNECTIONS}/{BSS['connection_id']}", json=changed)
    assert answer.status_code == 200, answer.text
    kept = stored(str(BSS["connection_id"]))
    assert (kept.host, kept.password) == ("other.example.com", BSS["password"])
    assert json.loads(kept.extra) == json.loads(str(BSS["extra"]))


def test_the_database_holds_neither_in_clear_text_and_the_log_not_at_all(
    connections: TestClient, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    read(connections, BSS)
    read(connections, PARTNER_CENTER)
    assert_masked(caplog.text)
    row = stored(str(BSS["connection_id"]))
    assert row.is_encrypted
    assert row.is_extra_encrypted
    assert_masked(f"{row._password} {row._extra}")


def stored(conn_id: str) -> Any:
    from airflow.models import Connection
    from airflow.utils.session import create_session

    with create_session() as session:
        found = session.query(Connection).filter_by(conn_id=conn_id).one()
        session.expunge(found)
    return found
