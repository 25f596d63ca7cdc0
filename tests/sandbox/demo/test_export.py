"""The export gives an Airflow elsewhere all that it needs of a sandbox, readable by its owner only."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest

from customer_import.config.instances import load_instances
from customer_import.vocabulary import ImportType
from sandbox import OrganisationInfo, SandboxInfo
from sandbox.demo.export import main

if TYPE_CHECKING:
    from pathlib import Path

ORGANISATION = OrganisationInfo(
    name="Provider",
    username="api.user",
    password="organisation password",
    client_key="key",
    client_secret="organisation secret",
    tenant_marker_field="Microsoft Tenant ID",
    sync_system_id=7,
    sync_system_name="Microsoft Cloud Services",
    has_mpn_option=True,
)
INFO = SandboxInfo(
    entra_url="https://127.0.0.1:1001",
    partner_center_url="http://127.0.0.1:1002",
    bss_url="http://bss.example:1003",
    control_url="http://127.0.0.1:1004",
    ca_file="/etc/sandbox/ca.pem",
    partner_tenant_id="11111111-1111-4111-8111-111111111111",
    client_id="22222222-2222-4222-8222-222222222222",
    client_secret="application secret",
    refresh_token="refresh token",
    tenant_reseller_mpn_id="4847383",
    tenant_reseller_tenant_id="33333333-3333-4333-8333-333333333333",
    provider=ORGANISATION,
    tenant_reseller=replace(ORGANISATION, client_secret="other secret"),
)


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    INFO.write(tmp_path / "sandbox.json")
    assert main(["--info-file", str(tmp_path / "sandbox.json"), "--folder", str(tmp_path)]) == 0
    return tmp_path


def test_connections_come_by_name_as_airflow_imports_them(exported: Path):
    connections = orjson.loads((exported / "connections.json").read_bytes())
    assert connections.keys() == {"partner_center_default", "bss_default", "bss_tenant_reseller"}
    bss = connections["bss_default"]
    assert (bss["conn_type"], bss["schema"], bss["host"], bss["port"]) == (
        "http",
        "http",
        "bss.example",
        1003,
    )
    assert bss["login"] == "api.user"
    extra = orjson.loads(connections["partner_center_default"]["extra"])
    assert extra["authority"] == "https://127.0.0.1:1001"
    assert "connection_id" not in bss


def test_secrets_stand_in_password_fields_and_variables_only(exported: Path):
    connections = orjson.loads((exported / "connections.json").read_bytes())
    assert "secret" not in orjson.loads(connections["bss_default"]["extra"]).values()
    assert not any("organisation secret" in c["extra"] for c in connections.values())
    variables = orjson.loads((exported / "variables.json").read_bytes())
    assert variables == {
        "partner_center_refresh_token": "refresh token",
        "bss_default_client_secret": "organisation secret",
        "bss_tenant_reseller_client_secret": "other secret",
    }
    for name in ("connections.json", "variables.json"):
        assert stat.S_IMODE((exported / name).stat().st_mode) == 0o600


def test_the_instances_file_is_one_that_the_import_takes(exported: Path):
    instances = load_instances(exported / "instances.yaml")
    assert instances["sandbox"].import_types == (ImportType.DIRECT, ImportType.INDIRECT)
    assert instances["sandbox_reseller"].reseller_mpn_id == "4847383"
    assert instances["sandbox_reseller"].bss.conn_id == "bss_tenant_reseller"
