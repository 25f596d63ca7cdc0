"""The export gives an Airflow elsewhere all that it needs of a sandbox, readable by its owner only."""

from __future__ import annotations

import stat
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest

from customer_import.bss.hook import BssHook
from customer_import.config.instances import BssConfig, load_instances
from customer_import.partner_center.hook import PartnerCenterHook
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
    assert connections.keys() == {
        "sandbox_partner_center",
        "sandbox_bss",
        "sandbox_bss_reseller",
    }
    bss = connections["sandbox_bss"]
    assert (bss["conn_type"], bss["schema"], bss["host"], bss["port"]) == (
        "interworks_bss",
        "http",
        "bss.example",
        1003,
    )
    assert bss["login"] == "api.user"
    extra = orjson.loads(connections["sandbox_partner_center"]["extra"])
    assert extra["authority"] == "https://127.0.0.1:1001"
    assert "connection_id" not in bss


def test_nothing_has_a_name_of_the_real_services_connections(exported: Path):
    for name in ("connections.json", "variables.json"):
        assert all(
            key.startswith("sandbox_") for key in orjson.loads((exported / name).read_bytes())
        )


def test_secrets_stand_where_airflow_masks_them(exported: Path):
    connections = orjson.loads((exported / "connections.json").read_bytes())
    assert connections["sandbox_partner_center"]["password"] == "application secret"
    extras = {name: orjson.loads(each["extra"]) for name, each in connections.items()}
    assert extras["sandbox_bss"]["client_secret"] == "organisation secret"
    assert extras["sandbox_bss_reseller"]["client_secret"] == "other secret"
    variables = orjson.loads((exported / "variables.json").read_bytes())
    assert variables == {"sandbox_partner_center_refresh_token": "refresh token"}
    for name in ("connections.json", "variables.json"):
        assert stat.S_IMODE((exported / name).stat().st_mode) == 0o600


def test_the_hooks_take_the_connections(exported: Path, monkeypatch: pytest.MonkeyPatch):
    for name, each in orjson.loads((exported / "connections.json").read_bytes()).items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", orjson.dumps(each).decode())
    hook = PartnerCenterHook("sandbox_partner_center")
    assert hook.settings.base_url == INFO.partner_center_url
    for name in ("sandbox_bss", "sandbox_bss_reseller"):
        assert BssHook(name).session(BssConfig()).base_url == INFO.bss_url


def test_the_instances_file_is_one_that_the_import_takes(exported: Path):
    instances = load_instances(exported / "instances.yaml")
    assert instances["sandbox"].import_types == (ImportType.DIRECT, ImportType.INDIRECT)
    assert instances["sandbox_reseller"].reseller_mpn_id == "4847383"
    assert instances["sandbox_reseller"].bss.conn_id == "sandbox_bss_reseller"


def existing(folder: Path, name: str, host: str | None) -> str:
    """Write what Airflow exports: a connection of that name, and one of a real service."""
    path = folder / "existing.json"
    other = {"conn_type": "partner_center", "host": "api.partnercenter.microsoft.com"}
    path.write_bytes(orjson.dumps({"partner_center_default": other, name: {"host": host}}))
    return str(path)


def test_a_name_that_leads_elsewhere_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    info, folder = tmp_path / "sandbox.json", tmp_path / "out"
    INFO.write(info)
    folder.mkdir()
    arguments = ["--info-file", str(info), "--folder", str(folder), "--existing"]
    for host in ("bss.partner.example", None):
        assert main([*arguments, existing(tmp_path, "sandbox_bss", host)]) == 1
        said = capsys.readouterr().err
        assert f"a connection sandbox_bss to {host or 'no host'}" in said
        assert "this sandbox is at bss.example" in said
        assert "Nothing was changed" in said
        assert list(folder.iterdir()) == []
    assert main([*arguments, existing(tmp_path, "sandbox_bss", "bss.example")]) == 0
    assert main([*arguments, existing(tmp_path, "bss_default", "bss.partner.example")]) == 0
