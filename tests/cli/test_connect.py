"""``customer-import connect`` against a sandbox: what the right turn stores, and what each wrong turn says."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.testing import CliRunner

from customer_import.cli.main import app
from customer_import.database.engine import open_engine
from customer_import.notices.store import last_sign_in
from sandbox import FaultKind, FaultRule, SandboxConfig, SandboxServer
from sandbox.clouds import Cloud
from sandbox.demo.settings import REFRESH_TOKEN_VARIABLE
from sandbox.device_code import Person, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.conftest import Airflow, Call, Called

VARIABLE = f"AIRFLOW_VAR_{REFRESH_TOKEN_VARIABLE.upper()}"
OLD_TOKEN = "the-token-that-was-there"


@pytest.fixture(scope="module")
def stored_variables(airflow_database: None) -> Iterator[Callable[[], dict[str, str]]]:
    """What Airflow's own database holds."""
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import delete, select

    def stored() -> dict[str, str]:
        with create_session() as session:
            return {one.key: one.get_val() for one in session.scalars(select(Variable))}

    yield stored
    with create_session() as session:
        session.execute(delete(Variable))


@pytest.fixture
def connect(
    call: Call,
    airflow: Airflow,
    stored_variables: Callable[[], dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[..., Called]]:
    """Connect an instance, whose Variable holds an old token; nothing secret is said."""
    from airflow.models.variable import Variable

    monkeypatch.delenv(VARIABLE)
    Variable.set(REFRESH_TOKEN_VARIABLE, OLD_TOKEN)

    def connect(instance: str = "sandbox") -> Called:
        said = call("connect", instance)
        token = stored_variables()[REFRESH_TOKEN_VARIABLE]
        secrets = {*airflow.secrets, token, OLD_TOKEN}
        assert not [one for one in secrets if one in said.out + said.err]
        assert not re.search(r"eyJ|ey[A-Za-z0-9_-]{30}", said.out + said.err)
        return said

    yield connect
    airflow.sandbox.state.entra.codes.person = Person()


def person(**changes: Any) -> Callable[[Airflow], None]:
    def decide(airflow: Airflow) -> None:
        airflow.sandbox.state.entra.codes.person = Person(**({"after_polls": 0} | changes))

    return decide


def connection(end: str = "partner_center", **changes: Any) -> Callable[[Airflow], None]:
    return lambda airflow: airflow.connect(end, **changes)


def fault(**values: Any) -> Callable[[Airflow], None]:
    return lambda airflow: airflow.sandbox.faults.replace([FaultRule(**values)])


def entra_error(code: int) -> Callable[[Airflow], None]:
    return fault(endpoint="entra.token", kind=FaultKind.ENTRA_ERROR, code=code)


def in_environment(airflow: Airflow) -> None:
    airflow.monkeypatch.setenv(VARIABLE, "elsewhere")


WRONG_TURNS: list[tuple[str, Callable[[Airflow], None], str, bool]] = [
    # what is wrong, how it comes about, what is said, whether a person was asked to sign in
    ("expired code", person(reply=Reply.NOTHING, code_ttl_s=1),
     "Partner Center, consent: Partner Center: the sign-in was refused: the code expired before anybody", True),
    ("consent refused", person(reply=Reply.DECLINE),
     "Partner Center, consent: Partner Center: the sign-in was refused: the person at the browser refused", True),
    ("no agent role", person(has_role=False),
     "the signed-in user lacks a role; make it an Admin, Sales or Helpdesk agent in Partner Center", True),
    ("no MFA", person(has_mfa=False),
     "Partner Center, MFA: the token shows that the sign-in behind the refresh token had no multi-factor", True),
    ("no MFA, and the token does not show it", person(has_mfa=False, shows_methods=False),
     "Partner Center, MFA: the token is not compliant: the sign-in behind the refresh token had no", True),
    ("Conditional Access", entra_error(53003),
     "Conditional Access blocks the sign-in; an administrator must allow this application", False),
    ("wrong cloud by tenant", connection(extra={"tenant_id": "11111111-2222-3333-4444-555555555555"}),
     "the sign-in service does not know this tenant; check tenant_id and authority, or cloud", False),
    ("wrong cloud by application", entra_error(900382),
     "the application is of another cloud; check cloud in the connection's extra", False),
    ("wrong cloud by address", connection(extra={"cloud": "china", "authority": "https://login.microsoftonline.com"}),
     "extra.authority: the address is that of the cloud global, and the connection says china", False),
    ("wrong client id", connection(login="11111111-2222-3333-4444-555555555555"),
     "the tenant has no such application; check the connection's login and tenant_id", False),
    ("wrong client secret", connection(password="wrong-and-secret"),
     "the client secret is wrong; the connection needs its value, not its id", False),
    ("expired client secret", entra_error(7000222), "the client secret has expired; put a new one into", False),
    ("Variable in the environment", in_environment,
     f"variable {REFRESH_TOKEN_VARIABLE}: Airflow reads it from the environment variable {VARIABLE}, where no", False),
    ("BSS key wrong", connection("bss", extra={"client_key": "wrong"}),
     "check BSS > Setup > Administration > System Options > API Credentials and client_key", False),
    ("BSS marker missing", lambda airflow: airflow.configure(tenant_marker_field="Nowhere"),
     "Hint: create it in BSS > Setup > Office > Accounts > Custom Fields", False),
    ("BSS user unknown", lambda airflow: airflow.configure(responsible_user="nobody"),
     "BSS, users: BSS organisation at users: the responsible user does not exist", False),
    ("BSS rule unknown", lambda airflow: airflow.configure(permission_rule="No such rule"),
     "or make it in BSS > Setup > Administration > Personal Setup > Permission Rules", False),
    ("a call refused", fault(endpoint="partner_center.customers.subscriptions", kind=FaultKind.STATUS, status=403),
     "WRONG  Partner Center, one customer: Partner Center GET /v1/customers/{id}/subscriptions", True),
]  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "words", "is_asked"),
    [turn[1:] for turn in WRONG_TURNS],
    ids=[turn[0] for turn in WRONG_TURNS],
)
def test_a_wrong_turn_is_told_and_nothing_is_stored(
    connect: Callable[..., Called],
    airflow: Airflow,
    stored_variables: Callable[[], dict[str, str]],
    spoil: Callable[[Airflow], None],
    words: str,
    is_asked: bool,
) -> None:
    person()(airflow)
    spoil(airflow)
    said = connect()
    assert said.code == 1
    assert words in next(line for line in said.out.splitlines() if line.startswith("WRONG"))
    assert "Nothing was stored" in said.err
    assert "wrong-and-secret" not in said.out
    assert ("enter the code" in said.out) is is_asked
    assert stored_variables()[REFRESH_TOKEN_VARIABLE] == OLD_TOKEN


def test_the_right_turn_stores_a_token_with_which_the_check_succeeds(
    connect: Callable[..., Called],
    call: Call,
    airflow: Airflow,
    stored_variables: Callable[[], dict[str, str]],
) -> None:
    before = call("check", "sandbox")
    person(after_polls=1, slow_downs=0)(airflow)
    said = connect()
    after = call("check", "sandbox")

    assert before.code == 1  # the old token is worth nothing
    assert "the refresh token is not valid" in before.out
    assert (said.code, said.err) == (0, "")
    assert re.search(
        r"^Open https://microsoft\.com/devicelogin in any browser, sign in as the service account, "
        r"and enter the code [A-Z0-9]{9}$",
        said.out,
        re.MULTILINE,
    )
    last_day = datetime.now(UTC).date() + timedelta(days=90)
    assert (
        f"stored in the Airflow Variable {REFRESH_TOKEN_VARIABLE}. It ends on {last_day}"
        in said.out
    )
    subjects = re.findall(r"^ok     (.*?): ", said.out, re.MULTILINE)
    assert subjects == [
        "instance",
        "mapping files",
        *[f"BSS, {what}" for what in ("sign-in", "countries", "tenant marker", "sync options")],
        *[f"BSS, {what}" for what in ("accounts", "users", "permission rules", "payment methods")],
        *[f"Partner Center, {what}" for what in ("refresh token", "application", "consent")],
        *[f"Partner Center, {what}" for what in ("sign-in", "customers", "resellers")],
        *[f"Partner Center, {what}" for what in ("one customer", "country rules")],
        *[f"Partner Center, {what}" for what in ("audit records", "MFA", "refresh token")],
    ]
    assert stored_variables()[REFRESH_TOKEN_VARIABLE] != OLD_TOKEN
    assert after.code == 0
    assert "cannot be renewed" not in after.out
    signed_in = last_sign_in(open_engine(), "sandbox")
    assert signed_in is not None
    assert datetime.now(UTC) - signed_in < timedelta(minutes=1)


def test_the_last_day_of_the_client_secret_is_asked_for_where_people_want_to_be_told(
    connect: Callable[..., Called], airflow: Airflow
) -> None:
    person()(airflow)
    document = yaml.safe_load(airflow.instances.read_text())
    notifier = "airflow.providers.smtp.notifications.smtp.SmtpNotifier"
    document["instances"]["sandbox"]["notices"] = {"by": [{"notifier": notifier}]}
    airflow.instances.write_text(yaml.safe_dump(document))
    said = connect()
    assert said.code == 0
    assert "warn   Partner Center, last day: give the last day of the client secret" in said.out


def test_a_clock_an_hour_off_is_told(connect: Callable[..., Called], airflow: Airflow) -> None:
    with SandboxServer(SandboxConfig(customers=1, resellers=3, clock_offset_s=3600)) as sandbox:
        replace(airflow, sandbox=sandbox)
        airflow.monkeypatch.delenv(VARIABLE)
        said = connect()
    assert said.code == 1
    assert "this machine's clock is 60 minutes behind Microsoft's" in said.out
    assert "enter the code" not in said.out


def test_what_is_pasted_must_be_the_address_at_which_the_browser_ended(
    connect: Callable[..., Called], airflow: Airflow, stored_variables: Callable[[], dict[str, str]]
) -> None:
    given = "http://localhost:8400/?code=secret-code&state=another\n"
    result = CliRunner().invoke(app, ["connect", "sandbox", "--by-address"], input=given)
    assert result.exit_code == 1
    assert "/oauth2/v2.0/authorize?" in result.stdout
    assert "what was pasted is not the address at which the browser ended" in result.stdout
    assert "secret-code" not in result.output
    assert stored_variables()[REFRESH_TOKEN_VARIABLE] == OLD_TOKEN


def test_no_such_instance_and_none_at_all_are_told(
    connect: Callable[..., Called], call: Call
) -> None:
    said = connect("sandbx")
    assert (said.code, "did you mean 'sandbox'?" in said.out) == (1, True)
    assert call("connect").code == 2


def test_a_gap_in_the_network_while_a_person_signs_in_does_no_harm(
    connect: Callable[..., Called], airflow: Airflow
) -> None:
    person(after_polls=1)(airflow)
    # The application's own sign-in is the first call.
    rule = FaultRule(endpoint="entra.token", kind=FaultKind.RESET_BEFORE, calls=(2,))
    airflow.sandbox.faults.replace([rule])
    assert connect().code == 0


def test_an_instance_without_a_person_needs_no_code(
    connect: Callable[..., Called], airflow: Airflow, stored_variables: Callable[[], dict[str, str]]
) -> None:
    airflow.connect("partner_center", extra={"flow": "app_only"})
    said = connect("sandbox_reseller")
    assert (said.code, "enter the code" in said.out) == (0, False)
    assert stored_variables()[REFRESH_TOKEN_VARIABLE] == OLD_TOKEN


@pytest.mark.parametrize(
    ("cloud", "url", "records"),
    [
        (Cloud.GLOBAL, "https://microsoft.com/devicelogin", "can be read"),
        (Cloud.CHINA, "https://microsoft.com/deviceloginchina",
         "there are none in Microsoft's cloud operated by 21Vianet, so a run of the scope changed reads every"),
        (Cloud.US_GOVERNMENT, "https://microsoft.com/deviceloginus", "can be read"),
    ],
)  # fmt: skip
def test_each_cloud_is_connected_by_its_name_and_another_name_is_told(
    connect: Callable[..., Called], airflow: Airflow, cloud: Cloud, url: str, records: str
) -> None:
    other = next(one for one in Cloud if one is not cloud)
    nothing = {"host": None, "port": None, "schema": None}
    with SandboxServer(SandboxConfig(customers=8, resellers=2, cloud=cloud)) as sandbox:
        moved = replace(airflow, sandbox=sandbox)
        moved.monkeypatch.delenv(VARIABLE)
        moved.monkeypatch.setenv("HTTPS_PROXY", str(sandbox.info.proxy_url))
        person()(moved)
        moved.connect("partner_center", **nothing, extra={"authority": None, "cloud": cloud.value})
        said = connect()
        moved.connect("partner_center", extra={"cloud": other.value})
        wrong = connect()
    assert said.code == 0, said.out
    assert f"Open {url} in" in said.out
    assert f"Partner Center, audit records: {records}" in said.out
    assert wrong.code == 1
    assert "does not know this tenant; check tenant_id and authority, or cloud" in wrong.out
