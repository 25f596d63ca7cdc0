"""``customer-import check`` against a sandbox: all right, one thing wrong at a time, and what it never shows."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from sandbox import FaultKind, FaultRule, SandboxConfig, SandboxServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Airflow, Call, Called

FILES = ["instance", "mapping files"]
PARTNER_CENTER = [
    f"Partner Center, {what}" for what in ("sign-in", "customers", "resellers", "MFA")
]
BSS = [
    f"BSS, {what}" for what in ("sign-in", "countries", "tenant marker", "sync options", "accounts")
]


@pytest.fixture
def check(call: Call, airflow: Airflow) -> Call:
    """Check an instance for programs, and again for people: both say the same, and nothing secret."""

    def check(instance: str = "sandbox") -> Called:
        said = call("check", instance, "--json")
        for_people = call("check", instance)
        assert for_people.code == said.code == (0 if all(right(said).values()) else 1)
        assert for_people.out.splitlines() == [
            f"{'ok   ' if one['is_right'] else 'WRONG'}  {one['subject']}: {one['message']}"
            for one in said.records
        ]
        assert said.err == for_people.err == ""
        assert not [secret for secret in airflow.secrets if secret in said.out]
        return said

    return check


def right(said: Called) -> dict[str, bool]:
    for record in said.records:
        assert record.keys() == {"subject", "is_right", "message"}
        assert isinstance(record["is_right"], bool)
    return {record["subject"]: record["is_right"] for record in said.records}


def wrong(said: Called) -> dict[str, str]:
    return {one["subject"]: one["message"] for one in said.records if not one["is_right"]}


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_all_is_right(check: Call) -> None:
    assert right(check()) == dict.fromkeys([*FILES, *PARTNER_CENTER, *BSS], True)


def test_a_refresh_token_that_cannot_be_renewed_where_it_is_is_told_with_its_end(
    check: Call, airflow: Airflow
) -> None:
    messages = {one["subject"]: one["message"] for one in check().records}
    end = datetime.now(UTC).date() + timedelta(days=90)
    said = messages[PARTNER_CENTER[0]]
    assert "cannot be renewed where it is: Airflow reads the Variable" in said
    assert "from the environment variable AIRFLOW_VAR_" in said
    assert f"on {end} at the latest" in said


def test_a_tenant_resellers_instance_needs_no_resellers(check: Call) -> None:
    subjects = [*FILES, *PARTNER_CENTER[:2], PARTNER_CENTER[3], *BSS]
    assert right(check("sandbox_reseller")) == dict.fromkeys(subjects, True)


def test_multi_factor_authentication_that_is_missing_is_told_with_its_mend(
    call: Call, airflow: Airflow
) -> None:
    with SandboxServer(SandboxConfig(customers=1, resellers=3, has_mfa=False)) as sandbox:
        replace(airflow, sandbox=sandbox)
        accepted = call("check", "sandbox")
        rule = FaultRule(endpoint="partner_center.*", kind=FaultKind.MFA_REQUIRED)
        sandbox.faults.replace([rule])
        refused = call("check", "sandbox")
    assert accepted.code == 0
    assert "warn   Partner Center, MFA: the token is not compliant" in accepted.out
    assert refused.code == 1
    assert "WRONG  Partner Center, customers" in refused.out
    for said in (accepted, refused):
        assert "sign in with MFA, consent again and store the new refresh token" in said.out


def test_a_wrong_bss_password_is_told_beside_what_is_right(check: Call, airflow: Airflow) -> None:
    airflow.connect("bss", password="wrong-and-secret")

    said = check()

    assert right(said) == {**dict.fromkeys([*FILES, *PARTNER_CENTER], True), BSS[0]: False}
    assert "password" in wrong(said)[BSS[0]]
    assert "wrong-and-secret" not in said.out


def test_the_bss_is_looked_at_although_partner_center_is_down(
    check: Call, airflow: Airflow, closed_port: int
) -> None:
    airflow.connect("partner_center", port=closed_port)

    said = check()

    assert right(said).keys() == {*FILES, *PARTNER_CENTER[:3], *BSS}
    assert wrong(said).keys() == set(PARTNER_CENTER[1:3])
    assert "cannot connect" in wrong(said)[PARTNER_CENTER[1]]


def test_the_bss_is_looked_at_although_nobody_can_sign_in_at_partner_center(
    check: Call, airflow: Airflow, closed_port: int
) -> None:
    extra = {"authority": f"https://127.0.0.1:{closed_port}"}
    airflow.connect("partner_center", extra=extra)

    said = check()

    assert wrong(said).keys() == {PARTNER_CENTER[0]}
    assert [subject for subject in right(said) if subject.startswith("BSS")] == BSS


def test_a_missing_connection_is_told(
    check: Call, airflow: Airflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(airflow.connection("partner_center"))

    said = check()

    assert wrong(said).keys() == {PARTNER_CENTER[0]}
    assert "the connection does not exist" in said.out


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"ca_file": "/nowhere.pem"}, "extra.ca_file: the file holds no certificate authority"),
        ({"flow": "appuser"}, "extra.flow: must be one of app_only, app_user. Hint: did you mean"),
        ({"tenant": "x"}, "extra.tenant: the key is not known. Hint: did you mean 'tenant_id'?"),
    ],
)
def test_a_wrong_part_of_a_connection_is_told_and_the_other_end_is_looked_at(
    check: Call, airflow: Airflow, extra: dict[str, str], words: str
) -> None:
    airflow.connect("partner_center", extra=extra)

    said = check()

    assert wrong(said).keys() == {PARTNER_CENTER[0]}
    assert words in said.out
    assert [subject for subject in right(said) if subject.startswith("BSS")] == BSS


def test_a_missing_tenant_marker_is_told_and_the_rest_is_looked_at(
    check: Call, airflow: Airflow
) -> None:
    airflow.configure(tenant_marker_field="Nowhere")

    said = check()

    assert right(said).keys() == {*FILES, *PARTNER_CENTER, *BSS}
    assert wrong(said).keys() == {"BSS, tenant marker"}
    assert "no account custom field 'Nowhere'" in said.out
    assert "Hint: create it in BSS > Setup" in said.out


def test_both_ends_are_looked_at_although_a_mapping_file_is_wrong(
    check: Call, airflow: Airflow
) -> None:
    airflow.configure(ordering_options="standrd")

    said = check()

    assert wrong(said).keys() == {"mapping files"}
    assert "did you mean 'standard'?" in said.out
    assert right(said).keys() == {*FILES, *PARTNER_CENTER, *BSS}


def test_an_unknown_instance_is_told_with_the_nearest_name(check: Call) -> None:
    assert wrong(check("sandbx")) == {
        "instance": "instances.yaml: there is no instance 'sandbx'. Hint: did you mean 'sandbox'?"
    }


def test_an_instance_like_no_other_is_told_with_all_names(check: Call) -> None:
    assert "choose one of: sandbox, sandbox_reseller" in wrong(check("xyz"))["instance"]


def test_a_broken_instances_file_is_told_with_its_line(check: Call, airflow: Airflow) -> None:
    airflow.configure(concurrency="many")

    said = check()

    assert right(said) == {"instance": False}
    assert "instances.yaml at instances.sandbox.bss.concurrency (line " in said.out
    assert "must be a whole number greater than 0 and at most 256, is 'many'" in said.out


def test_a_missing_instances_file_is_told_with_the_variable(check: Call, airflow: Airflow) -> None:
    airflow.instances.unlink()

    said = check()

    assert right(said) == {"instance": False}
    assert f"{airflow.instances}: the file cannot be read" in said.out
    assert "CUSTOMER_IMPORT_INSTANCES leads there" in said.out


@pytest.mark.parametrize("arguments", [("check",), ("check", ""), ("check", "--json")])
def test_without_an_instance_the_known_ones_are_told(
    call: Call, airflow: Airflow, arguments: tuple[str, ...]
) -> None:
    said = call(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "Which instance? Known: sandbox, sandbox_reseller. Hint: customer-import check sandbox\n"
    )


def in_a_process() -> tuple[list[dict[str, Any]], str]:
    """Check an instance as a program does; return what it gets and what a person sees beside."""
    called = subprocess.run(
        [sys.executable, "-m", "customer_import.cli", "check", "sandbox", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    return [orjson.loads(line) for line in called.stdout.splitlines()], called.stderr


def test_log_lines_do_not_get_between_the_answers(airflow: Airflow) -> None:
    throttled = FaultRule(endpoint="partner_center.*", kind=FaultKind.THROTTLE, calls=(1,))
    airflow.sandbox.faults.replace([throttled])
    records, beside = in_a_process()
    assert all(record["is_right"] for record in records)
    assert "Partner Center GET /v1/customers is throttled" in beside


def test_tracebacks_of_airflows_own_are_not_shown(airflow: Airflow) -> None:
    """There is no database of Airflow's here, and it logs that when a Variable is nowhere else."""
    airflow.connect("partner_center", extra={"refresh_token_variable": "nowhere"})
    records, beside = in_a_process()
    (told,) = [record["message"] for record in records if not record["is_right"]]
    assert told.startswith("variable nowhere: there is no refresh token")
    assert beside == ""


def test_without_an_instance_a_broken_file_is_told(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "instances.yaml"
    path.write_text("version: 1\n")
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(path))
    said = call("check")
    assert (said.code, said.out) == (1, "")
    assert "the key 'instances' is missing" in said.err


def test_a_clock_an_hour_off_is_a_warning(call: Call, airflow: Airflow) -> None:
    with SandboxServer(SandboxConfig(customers=1, resellers=3, clock_offset_s=-3600)) as sandbox:
        replace(airflow, sandbox=sandbox)
        said = call("check", "sandbox")
    assert said.code == 0
    assert "warn   Partner Center, clock: this machine's clock is 60 minutes ahead of" in said.out
