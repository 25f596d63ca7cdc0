"""What a person sees who is not logged in, or whose address is wrong; a program gets JSON as before."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.web.conftest import PREFIX
from tests.web.data import add_run
from tests.web.markup import Markup

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

PERSON = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
LOGIN = "/api/v2/auth/login"


@pytest.mark.parametrize("path", ["/", "/drift/customer?tenant_id=a&q=K%C3%B6ln", "/overview"])
@pytest.mark.parametrize("root", ["", "/company/airflow"])
def test_who_is_not_logged_in_is_led_to_the_login_and_back(
    airflow_app: FastAPI,
    stranger_to_airflow: TestClient,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    root: str,
) -> None:
    monkeypatch.setattr(airflow_app, "root_path", root)  # what [api] base_url does
    asked = f"{root}{PREFIX}{path}"
    answer = stranger_to_airflow.get(asked, headers=PERSON, follow_redirects=False)
    assert answer.status_code == 302
    place = urlsplit(answer.headers["location"])
    assert (place.scheme, place.netloc, place.path) == ("", "", root + LOGIN)
    assert parse_qs(place.query) == {"next": [asked]}
    # Airflow itself takes it from there, and knows the way back as one of its own.
    onward = stranger_to_airflow.get(answer.headers["location"], follow_redirects=False)
    assert onward.status_code == 307
    assert parse_qs(urlsplit(onward.headers["location"]).query)["next"] == [asked]


def test_a_program_that_is_not_logged_in_gets_json(stranger_to_airflow: TestClient) -> None:
    for headers in ({}, {"Accept": "application/json"}):
        answer = stranger_to_airflow.get(f"{PREFIX}/overview", headers=headers)
        assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})
    posted = stranger_to_airflow.post(f"{PREFIX}/decisions", headers=PERSON, json={})
    assert posted.status_code == 401


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/?outcome=nonsense", 422, "outcome"),
        ("/?run_key=secret", 422, "run_key"),
        ("/tenants?first=-1", 422, "first"),
        ("/?cursor=nonsense", 400, "begin again"),
        ("/no-such-page", 404, "Not Found"),
    ],
)
def test_a_wrong_address_is_said_in_a_page(
    admin: TestClient, database: Engine, path: str, status: int, said: str
) -> None:
    add_run(database)
    answer = admin.get(PREFIX + path, headers=PERSON)
    assert (answer.status_code, answer.headers["content-type"]) == (
        status,
        "text/html; charset=utf-8",
    )
    assert said in answer.text
    assert "secret" not in answer.text
    assert Markup(answer.text).forbidden == []
    assert "detail" in admin.get(PREFIX + path).json()
