"""What a preview shows: values and rules field by field, totals, and the import that is started from it."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import orjson
import pytest
from sqlalchemy import insert

from customer_import.database.tables import reference_data
from tests.web.conftest import PREFIX
from tests.web.data import add_results, add_run, add_sent, add_staged, tenant_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

DIRECT = "import_direct_customers"
FATES = {
    "name": "changed",
    "billingAddress.countryId": "changed",
    "phone": "emptied",
    "email": "fill",
    "contact.firstName": "changed",
}
BEFORE = {"name": None, "billingAddress.countryId": 30, "phone": "+30 2310 555010"}


@pytest.fixture
def preview(database: Engine) -> int:
    """A finished preview with one customer that would be updated and one that would be created."""
    summary = {
        "outcomes": {"would_create": 1, "would_update": 1, "unchanged": 3},
        "fields": {"changed": {"name": 1}, "emptied": {"phone": 1}, "left_alone": {}},
    }
    params = {"instance": "sandbox", "mode": "preview", "tenants": ["a"], "scope": "verify"}
    key = add_run(database, mode="preview", params=params, summary=summary, airflow_run_id="p")
    update = {"outcome": "would_update", "fields": FATES}
    add_results(database, key, update, {"outcome": "would_create", "account_id": None})
    add_staged(database, key, {"source": orjson.dumps({})}, {"source": orjson.dumps({})})
    add_sent(database, key, 0, before=BEFORE)
    countries = [
        {"id": 30, "name": "Greece", "code": "GR"},
        {"id": 1020, "name": "Germany", "code": "DE"},
    ]
    body = {"countries": countries, "tenant_marker_field_id": 1}
    with database.begin() as connection:
        connection.execute(
            insert(reference_data).values(run_id=key, name="organisation", body=body)
        )
    return key


def test_the_api_gives_each_change_with_values_names_and_rule(admin: TestClient, preview: int):
    url = f"{PREFIX}/api/runs/{preview}/results?outcome=would_update"
    (row,) = admin.get(url).json()["items"]
    assert row["fields"] == FATES
    changes = {change.pop("field"): change for change in row["changes"]}
    assert changes["billingAddress.countryId"] == {
        "before": "30",
        "after": "1020",
        "before_name": "Greece",
        "after_name": "Germany",
        "rule": "overwrite",
    }
    assert (changes["name"]["before"], changes["name"]["after"]) == (None, "New name")
    assert (changes["phone"]["after"], changes["phone"]["rule"]) == (None, "clear")
    assert changes.keys() == FATES.keys() - {"email"}


def test_the_spreadsheet_has_the_same_in_one_cell(admin: TestClient, preview: int):
    text = admin.get(f"{PREFIX}/results.csv?dag_id={DIRECT}&run_id=p&sort=oldest").text
    update, creation = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert update["changes"].split(" | ") == [
        "name: (was empty) → New name [overwrite]",
        "billingAddress.countryId: 30 (Greece) → 1020 (Germany) [overwrite]",
        "phone: '+30 2310 555010 → (emptied) [clear]",
        "contact.firstName: (was empty) → Ada [overwrite]",
    ]
    assert creation["changes"] == ""


def test_a_customers_page_tells_equal_empty_emptied_and_left_alone_apart(
    admin: TestClient, preview: int
):
    url = f"{PREFIX}/customer?dag_id={DIRECT}&run_id=p&tenant_id={tenant_id(0)}"
    page = admin.get(url).text
    assert "<h3>Preview: what an import would send</h3>" in page
    assert "What this run sent" not in page
    found = re.findall(r"<th scope=\"row\">([^<]*)</th>(.*?)</tr>", page)
    rows = dict(reversed(found))  # the account's before the contact's
    assert "was empty" in rows["name"]
    assert re.search(
        r"1020</bdi>.*Germany.*overwrite.*30</bdi>.*Greece", rows["billingAddress.countryId"]
    )
    assert "would be emptied" in rows["phone"]
    assert ">equal<" in rows["billingAddress.city"]
    assert page.count("left alone: fill, and the BSS has a value") == 1


def test_totals_and_the_button_are_on_the_page_of_who_may_start(
    admin: TestClient, preview: int, log_in: Callable[[str], TestClient]
):
    url = f"{PREFIX}/?dag_id={DIRECT}&run_id=p"
    page = admin.get(url).text
    assert "An import would create 1, update 1 and leave alone 3 customers." in page
    assert "Would empty: phone 1" in page
    button = f'data-start="api/runs/{preview}/import-previewed"'
    assert button in page
    assert button not in log_in("viewer").get(url).text


def test_import_exactly_these_names_the_preview_and_keeps_its_other_parameters(
    admin: TestClient, preview: int, database: Engine
):
    request = admin.get(f"{PREFIX}/api/runs/{preview}/import-previewed").json()
    assert request == {
        "dag_id": DIRECT,
        "count": 2,
        "is_cut": False,
        "conf": {"instance": "sandbox", "mode": "import", "scope": "verify", "previewed_run": "p"},
    }
    imported = add_run(database)
    assert admin.get(f"{PREFIX}/api/runs/{imported}/import-previewed").status_code == 404


def test_an_import_from_a_preview_says_how_far_it_did_as_that_said(
    admin: TestClient, database: Engine
):
    previewed = {"run": "p", "customers": 60, "as_previewed": 58, "otherwise": 2}
    add_run(database, summary={"outcomes": {"updated": 58, "skipped": 2}, "preview": previewed})
    assert "<dt>As previewed</dt><dd>58 of 60</dd>" in admin.get(f"{PREFIX}/?dag_id={DIRECT}").text
    assert admin.get(f"{PREFIX}/api/runs").json()["items"][0]["previewed"] == previewed
