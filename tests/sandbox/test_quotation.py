"""Refusals that repeat what was sent."""

from __future__ import annotations

import requests

from sandbox import FaultKind, FaultRule


def quoting(endpoint: str) -> FaultRule:
    return FaultRule(endpoint=endpoint, kind=FaultKind.QUOTE, status=400, code=70000)


def test_bss_quotes_token_and_values_and_stores_nothing(start, bss):
    sandbox = start(faults=(quoting("bss.accounts.create"),))
    api = bss(sandbox)
    body = {"name": "Contoso", "billingAddress": {"city": "Athens", "countryId": 7}}
    answer = api.call("POST", "/api/accounts", body)
    said = answer.json()["developerMessage"]
    assert (answer.status_code, answer.json()["isRetriableError"]) == (400, False)
    assert said == f"{api.http.headers['Authorization']} Contoso Athens 7 was not accepted."
    assert sandbox.bss.accounts("provider") == ()


def test_partner_center_quotes_the_token(start, partner_center):
    sandbox = start(customers=5, faults=(quoting("partner_center.customers.list"),))
    api = partner_center(sandbox)
    answer = api.get("/customers")
    assert answer.status_code == 400
    assert api.http.headers["Authorization"] in answer.json()["description"]


def test_bss_sign_in_quotes_the_password(start):
    info = start(faults=(quoting("bss.token"),)).info
    form = {"grant_type": "password", "username": "u", "password": "a b&c"}
    with requests.Session() as http:
        http.trust_env = False
        answer = http.post(f"{info.bss_url}/oauth/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert "u a b&c was not accepted." in answer.json()["error_description"]


def test_entra_id_quotes_the_client_secret(start):
    info = start(faults=(quoting("entra.token"),)).info
    form = {"grant_type": "client_credentials", "client_secret": info.client_secret}
    with requests.Session() as http:
        http.trust_env = False
        address = f"{info.authority}/oauth2/v2.0/token"
        answer = http.post(address, data=form, verify=info.ca_file)
    assert answer.json()["error_codes"] == [70000]
    assert info.client_secret in answer.json()["error_description"]
