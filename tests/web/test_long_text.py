"""No text that a service made up can make a page long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from customer_import.vocabulary import ImportType
from customer_import.web.rendering import MOST_SHOWN, shortened
from tests.web.conftest import PREFIX
from tests.web.data import add_link, add_results, add_run, add_sent, add_staged, tenant_id

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

DIRECT = ImportType.DIRECT.dag_id
LONG = "x" * 5_000_000


@pytest.fixture
def long(database: Engine) -> Engine:
    """Every text of a run, a customer and the list of tenants is of 5 MB."""
    key = add_run(database, state="failed", mode="discover", error=LONG)
    words = {"tenant_name": LONG, "domain": LONG, "reseller_name": LONG}
    add_results(database, key, words | {"reason": LONG, "warnings": [LONG, LONG]})
    add_staged(database, key, words | {"source": b"{}"})
    add_sent(database, key, 0, before={"name": LONG})
    add_link(database, 0)
    return database


@pytest.mark.parametrize(
    "page",
    ["", "rows", "live", "tenants", "tenants-live", f"customer?tenant_id={tenant_id(0)}"],
)
def test_a_page_shows_the_beginning_of_a_long_text(
    admin: TestClient, long: Engine, page: str
) -> None:
    joint = "&" if "?" in page else "?"
    started = time.monotonic()
    answer = admin.get(f"{PREFIX}/{page}{joint}dag_id={DIRECT}")
    assert answer.status_code == 200
    assert len(answer.content) < 100_000
    assert time.monotonic() - started < 10
    if page != "tenants-live":
        assert "… (shortened; 5,000,000 characters)" in answer.text


def test_what_fits_is_shown_whole() -> None:
    text = "x" * MOST_SHOWN
    assert shortened(text) == text
    assert shortened(7) == 7
