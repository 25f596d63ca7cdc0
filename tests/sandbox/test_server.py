from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import SandboxConfig, SandboxInfo, SandboxServer
from sandbox.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def serve(tmp_path):
    """Run the command line in a process of its own."""
    running: list[subprocess.Popen[str]] = []

    def run(*arguments):
        info_file = tmp_path / f"info-{len(running)}.json"
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox", "serve", "--info-file", info_file, *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        deadline = time.monotonic() + 20
        while not info_file.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return process, SandboxInfo.read(info_file)

    yield run
    for process in running:
        process.kill()
        process.communicate()


class Running:
    """Stands in for a server in this process."""

    def __init__(self, info):
        self.info = info


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_cleanly(serve, number):
    process, info = serve("--customers", "3")
    process.send_signal(number)
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert output.startswith("sandbox ready: 3 customers")
    assert len(output.splitlines()) == 1
    assert info.client_secret not in output


def test_state_survives_sigkill(serve, bss, partner_center, control, tmp_path):
    arguments = ("--customers", "5", "--data-dir", tmp_path / "data", "--existing-accounts", "1")
    process, info = serve(*arguments)
    api = bss(Running(info))
    account_id = api.create_account(customFields=[{"id": api.marker_id, "value": "T"}])["id"]
    person = {"accountId": account_id, "firstName": "A", "isPrimary": True}
    api.call("POST", "/api/contacts", person)
    system = api.organisation.sync_system_id
    options = f"/api/accounts/{account_id}/syncoptions/{system}"
    api.call("POST", options, [{"alias": "domainprefix", "value": "x"}])
    api.call("GET", "/api/nothing")
    call = control(Running(info))
    customers = call("GET", "/customers").json()
    edited, removed = customers[0]["tenant_id"], customers[1]["tenant_id"]
    change = {"document": {"companyProfile": {"companyName": "Renamed"}}}
    assert call("PATCH", f"/customers/{edited}", change).status_code == 200
    assert call("DELETE", f"/customers/{removed}").status_code == 200
    added = call("POST", "/customers", {"class": "direct"}).json()["tenant_id"]
    before = api.read("/api/accounts", include="customFields")["data"]
    contacts = api.read("/api/contacts")["data"]
    process.kill()
    process.wait()

    _, again = serve(*arguments)
    api = bss(Running(again))
    assert api.read("/api/accounts", include="customFields")["data"] == before
    assert api.read("/api/contacts")["data"] == contacts
    assert api.read(options)["systems"][0]["options"][1]["value"] == "x"
    source = partner_center(Running(again))
    assert source.read(f"/customers/{edited}")["companyProfile"]["companyName"] == "Renamed"
    assert source.get(f"/customers/{removed}").status_code == 404
    assert source.get(f"/customers/{added}").status_code == 200
    operations = [r["operationType"] for r in source.read("/auditrecords")["items"]]
    assert operations == ["update_customer_billing_profile", "add_customer"]
    call = control(Running(again))
    assert call("GET", "/check").json()["figures"]["total"]["contract_violations"] == 1
    assert Path(info.ca_file).read_bytes() == Path(again.ca_file).read_bytes()
    same = ("partner_tenant_id", "client_secret", "provider", "tenant_reseller_mpn_id")
    assert [getattr(info, name) for name in same] == [getattr(again, name) for name in same]


def test_half_written_line_of_the_journal_is_dropped(start, bss, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "state.jsonl").write_bytes(b'{"kind":"begun"}\n{"kind":"account","organ')
    sandbox = start(data_dir=folder)
    bss(sandbox).create_account()
    lines = (folder / "state.jsonl").read_bytes().splitlines()
    assert [line[:16] for line in lines] == [b'{"kind":"begun"}', b'{"kind":"account']


def test_reset_empties_the_bss_and_the_counters(sandbox, bss, control):
    api = bss(sandbox)
    api.create_account()
    api.call("GET", "/api/nothing")
    assert control(sandbox)("POST", "/reset").json() == {"reset": True}
    assert sandbox.bss.accounts("provider") == ()
    assert sandbox.state.check()["total"].is_clean
    assert sandbox.requests.by_endpoint() == {}
    assert api.create_account()["id"] > api.organisation.sync_system_id


def test_requests_are_kept_when_asked(sandbox, bss, control):
    api, call = bss(sandbox), control(sandbox)
    call("PUT", "/requests", {"keeps_entries": True})
    api.create_account()
    report = call("GET", "/requests?full=1").json()
    assert report["endpoints"]["bss.accounts.create"] == {"201": 1}
    (entry,) = report["entries"]
    assert (entry["endpoint"], entry["status"]) == ("bss.accounts.create", 201)


def test_check_command_tells_figures_and_fails_when_one_is_not_zero(sandbox, bss, capsys):
    arguments = ["check", "--url", sandbox.info.control_url]
    assert main(arguments) == 0
    bss(sandbox).create_account()
    assert main(arguments) == 1
    assert "total accounts_without_contact 1" in capsys.readouterr().out.splitlines()


def test_check_command_takes_the_address_from_what_the_sandbox_wrote(sandbox, tmp_path, capsys):
    sandbox.info.write(tmp_path / "info.json")
    assert main(["check", "--info-file", str(tmp_path / "info.json")]) == 0
    assert "total duplicate_accounts 0" in capsys.readouterr().out.splitlines()


def test_start_on_a_port_in_use_fails_with_its_cause(sandbox, start):
    port = int(sandbox.info.bss_url.rpartition(":")[2])
    with pytest.raises(RuntimeError, match="did not start") as failure:
        start(bss_port=port)
    assert isinstance(failure.value.__cause__, OSError)


def test_secrets_stay_out_of_the_announcements_repr(sandbox):
    info = sandbox.info
    secrets = (info.client_secret, info.refresh_token, info.provider.password)
    assert not [secret for secret in secrets if secret in repr(info)]


def test_exchanges_are_kept_as_they_were_on_the_wire_only_when_asked_for(session):
    for is_kept in (False, True):
        with SandboxServer(SandboxConfig(customers=0, keeps_exchanges=is_kept)) as sandbox:
            url = f"{sandbox.info.bss_url}/api/accounts?$filter=name%20eq%20'A%26B'"
            answer = session.post(url, data=b"{}", headers={"X-Api-Version": "3"})
            exchanges = list(sandbox.exchanges)
        assert len(exchanges) == is_kept
    (kept,) = exchanges
    assert (kept.service, kept.endpoint, kept.method) == ("bss", "accounts.create", "POST")
    assert kept.url == url
    assert (kept.body, kept.headers["X-Api-Version"]) == (b"{}", "3")
    assert (kept.status, kept.answer) == (401, answer.content)
    assert "Bearer" not in repr(kept)
