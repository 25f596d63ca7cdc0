from __future__ import annotations

import msal
import pytest
import requests

from sandbox import FaultKind, FaultRule

SCOPE = "https://api.partnercenter.microsoft.com"
USER_SCOPES = [f"{SCOPE}/user_impersonation"]


def application(info, **overrides):
    http = requests.Session()
    http.trust_env = False
    http.verify = info.ca_file
    values = {"client_id": info.client_id, "client_credential": info.client_secret}
    return msal.ConfidentialClientApplication(
        **(values | overrides),
        authority=info.authority,
        instance_discovery=False,
        http_client=http,
    )


def test_client_credentials_give_an_app_only_token(peopled, session):
    grant = application(peopled.info).acquire_token_for_client(scopes=[f"{SCOPE}/.default"])
    answer = session.get(
        f"{peopled.info.partner_center_url}/v1/profiles/organization",
        headers={"Authorization": f"Bearer {grant['access_token']}"},
    )
    assert (answer.status_code, answer.json()["code"]) == (403, 900329)


def test_refresh_rotates_the_token_and_leaves_the_old_one_good(peopled):
    app = application(peopled.info)
    first = app.acquire_token_by_refresh_token(peopled.info.refresh_token, scopes=USER_SCOPES)
    again = app.acquire_token_by_refresh_token(peopled.info.refresh_token, scopes=USER_SCOPES)
    rotated = app.acquire_token_by_refresh_token(first["refresh_token"], scopes=USER_SCOPES)
    tokens = {peopled.info.refresh_token, first["refresh_token"], again["refresh_token"]}
    assert len(tokens) == 3
    assert "access_token" in rotated


def test_wrong_secret_is_refused_as_entra_does(peopled):
    app = application(peopled.info, client_credential="wrong")
    answer = app.acquire_token_for_client(scopes=[f"{SCOPE}/.default"])
    assert answer["error"] == "invalid_client"
    assert answer["error_codes"] == [7000215]
    assert answer["error_description"].startswith("AADSTS7000215: ")


def test_foreign_refresh_token_is_an_invalid_grant(peopled):
    answer = application(peopled.info).acquire_token_by_refresh_token("x.y", scopes=USER_SCOPES)
    assert answer["error"] == "invalid_grant"


@pytest.mark.parametrize("code", [700082, 50076, 65001])
def test_sign_in_trouble_can_be_injected(start, code):
    rule = FaultRule(endpoint="entra.token", kind=FaultKind.ENTRA_ERROR, code=code)
    sandbox = start(faults=(rule,))
    app = application(sandbox.info)
    answer = app.acquire_token_by_refresh_token(sandbox.info.refresh_token, scopes=USER_SCOPES)
    assert answer["error"] == "invalid_grant"
    assert answer["error_codes"] == [code]


def test_expired_access_token_is_refused(start, partner_center):
    sandbox = start(token_ttl_s=-1)
    answer = partner_center(sandbox).get("/customers")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("OAuth realm=")
