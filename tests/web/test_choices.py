"""The dialog that starts an import: what it offers for new records, and what a customer's page says was sent."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml
from sqlalchemy import insert

from customer_import.config.paths import instances_path
from customer_import.database.tables import reference_data
from tests.web.conftest import PREFIX
from tests.web.data import add_results, add_run, add_sent, add_staged, tenant_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

DIRECT = "import_direct_customers"
PAGE = f"{PREFIX}/tenants?dag_id={DIRECT}"
CHOICES = {
    "users": [{"id": 1, "name": "import@bss.example"}, {"id": 2, "name": "<i>sales</i>"}],
    "permission_rules": [{"id": 21, "name": "All users"}],
    "payment_methods": [],
}


def keep(database: Engine, run_key: int, name: str, body: object) -> None:
    with database.begin() as connection:
        connection.execute(insert(reference_data).values(run_id=run_key, name=name, body=body))


@pytest.fixture
def takes_owners(database_url: str) -> None:
    path = Path(instances_path())
    raw = yaml.safe_load(path.read_text())
    raw["instances"]["sandbox"]["bss"] |= {
        "accepts_responsible_user": True,
        "accepts_permission_rule": True,
        "ordering_options": "standard",
    }
    path.write_text(yaml.safe_dump(raw))


def field(page: str, name: str) -> str:
    """The part of the dialog for one parameter."""
    pattern = rf'<select[^>]*name="{name}".*?</select>|<input[^>]*name="{name}"[^>]*>'
    found = re.search(pattern, page, re.DOTALL)
    return found.group(0) if found else ""


def test_the_dialog_offers_what_the_organisation_had_when_it_was_last_read(
    admin: TestClient, database: Engine, takes_owners: None
):
    keep(database, add_run(database, airflow_run_id="old"), "choices", {})
    keep(database, add_run(database, airflow_run_id="new"), "choices", CHOICES)
    other = add_run(database, airflow_run_id="other", instance="sandbox_reseller")
    keep(database, other, "choices", {"users": [{"name": "stranger"}]})

    page = admin.get(PAGE).text

    assert '<option value="no_ordering">Imported for billing only' in page
    assert "As configured: standard" in field(page, "ordering_options")
    users = field(page, "responsible_user")
    assert '<option value="import@bss.example">' in users
    assert "&lt;i&gt;sales&lt;/i&gt;" in users
    assert "stranger" not in page
    assert '<option value="All users">' in field(page, "permission_rule")
    assert 'type="checkbox" id="start-require_approval"' in page


def test_a_name_is_entered_freely_before_the_organisation_was_read(
    admin: TestClient, database: Engine, takes_owners: None
):
    page = admin.get(PAGE).text
    assert field(page, "responsible_user").startswith("<input")
    assert field(page, "permission_rule").startswith("<input")


def test_what_the_api_does_not_take_is_not_offered(admin: TestClient, database: Engine):
    page = admin.get(PAGE).text
    assert field(page, "responsible_user") == field(page, "permission_rule") == ""
    assert field(page, "ordering_options").startswith("<select")


def test_who_may_start_nothing_is_offered_nothing(
    log_in: Callable[[str], TestClient], database: Engine, takes_owners: None
):
    keep(database, add_run(database), "choices", CHOICES)
    page = log_in("viewer").get(PAGE).text
    assert "import@bss.example" not in page
    assert "start-options" not in page


@pytest.mark.parametrize(("outcome", "is_shown"), [("created", True), ("updated", False)])
def test_a_new_account_shows_the_ordering_options_that_it_was_given(
    admin: TestClient, database: Engine, outcome: str, is_shown: bool
):
    key = add_run(database, airflow_run_id="r")
    fates: dict[str, Any] = {"outcome": outcome, "fields": None}
    add_results(database, key, fates)
    add_staged(database, key, {"source": orjson.dumps({})})
    add_sent(database, key, 0, before={})
    options = {"taxable": True, "paymentMethod": "Bank transfer"}
    keep(database, key, "ordering", {"profile": "standard", "options": options})

    url = f"{PREFIX}/customer?dag_id={DIRECT}&run_id=r&tenant_id={tenant_id(0)}"
    page = admin.get(url).text

    assert ("profile standard" in page) == ("Bank transfer" in page) == is_shown
