"""Device codes of the sandbox's Entra ID, and the clouds that it plays."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from sandbox.clouds import Cloud
from sandbox.device_code import GRANT_TYPE, Person, Reply

SCOPE = "https://api.partnercenter.microsoft.com/user_impersonation offline_access openid profile"


class Device:
    """Asks for a code and then for the token, as a command does."""

    def __init__(self, sandbox, session):
        self.sandbox, self.session = sandbox, session
        session.verify = sandbox.info.ca_file
        self.code = self.post("devicecode", scope=SCOPE).json()

    def post(self, endpoint, **form):
        url = f"{self.sandbox.info.authority}/oauth2/v2.0/{endpoint}"
        form = {"client_id": self.sandbox.info.client_id} | form
        return self.session.post(url, data=form)

    def poll(self, **form):
        secret = self.sandbox.info.client_secret
        form = {"device_code": self.code["device_code"], "client_secret": secret} | form
        return self.post("token", grant_type=GRANT_TYPE, **form).json()


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@pytest.mark.parametrize("has_mfa", [True, False])
def test_a_person_who_consents_gives_a_token_of_the_sign_in_with_or_without_mfa(
    sandbox, session, partner_center, has_mfa
):
    sandbox.state.entra.codes.person = Person(after_polls=2, slow_downs=1, has_mfa=has_mfa)
    device = Device(sandbox, session)
    errors = [device.poll()["error"] for _ in range(3)]
    granted = device.poll()
    assert errors == ["slow_down", "authorization_pending", "authorization_pending"]
    assert ("mfa" in claims_of(granted["access_token"])["amr"]) is has_mfa
    again = device.post(
        "token",
        grant_type="refresh_token",
        refresh_token=granted["refresh_token"],
        client_secret=sandbox.info.client_secret,
        scope=SCOPE,
    ).json()
    assert ("mfa" in claims_of(again["access_token"])["amr"]) is has_mfa  # a refresh mends nothing
    assert device.poll()["error_codes"] == [70018]


@pytest.mark.parametrize(
    ("person", "error"),
    [
        (Person(reply=Reply.NOTHING), "authorization_pending"),
        (Person(reply=Reply.DECLINE, after_polls=0), "authorization_declined"),
        (Person(code_ttl_s=-1), "expired_token"),
    ],
)
def test_a_person_who_does_not_gives_none(sandbox, session, person, error):
    sandbox.state.entra.codes.person = person
    assert Device(sandbox, session).poll()["error"] == error


def test_application_and_secret_are_looked_at(sandbox, session):
    device = Device(sandbox, session)
    assert device.post("devicecode", client_id="x", scope=SCOPE).json()["error_codes"] == [700016]
    assert device.poll(client_secret="x")["error_codes"] == [7000215]


def test_an_account_without_a_role_is_refused_every_call(start, partner_center):
    answer = partner_center(start(has_role=False)).get("/customers")
    assert (answer.status_code, answer.json()["code"]) == (403, 2032)


def test_the_control_api_decides_what_the_person_does(sandbox, session, control):
    call = control(sandbox)
    assert call("PUT", "/person", {"reply": "decline", "after_polls": 0}).status_code == 200
    assert Device(sandbox, session).poll()["error"] == "authorization_declined"
    assert call("PUT", "/person", {"replies": "decline"}).status_code == 400


def test_a_cloud_speaks_with_its_hosts_names_and_knows_no_other_clouds(start, session):
    sandbox = start(cloud=Cloud.CHINA)
    session.verify = sandbox.info.ca_file
    session.proxies = {"https": sandbox.info.proxy_url}
    path = f"{sandbox.info.partner_tenant_id}/v2.0/.well-known/openid-configuration"
    own = session.get(f"https://login.partner.microsoftonline.cn/{path}")
    other = session.get(f"https://login.microsoftonline.com/{path}")
    assert own.json()["token_endpoint"].startswith("https://login.partner.microsoftonline.cn/")
    assert (other.status_code, other.json()["error_codes"]) == (400, [90002])


@pytest.mark.parametrize(("cloud", "status"), [(Cloud.CHINA, 404), (Cloud.US_GOVERNMENT, 200)])
def test_21vianets_cloud_has_no_audit_records(start, partner_center, cloud, status):
    api = partner_center(start(cloud=cloud))
    today = datetime.now(UTC).date()
    assert api.get(f"/auditrecords?startDate={today}").status_code == status


def test_the_clock_can_be_ahead(start, session):
    sandbox = start(clock_offset_s=3600)
    session.verify = sandbox.info.ca_file
    url = f"{sandbox.info.authority}/v2.0/.well-known/openid-configuration"
    told = parsedate_to_datetime(session.get(url).headers["Date"])
    assert 3500 < (told - datetime.now(UTC)).total_seconds() < 3700
