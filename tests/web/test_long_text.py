"""No text that a service made up can make a page long."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from customer_import.decisions.rules import Proposal
from customer_import.decisions.store import Author, decide
from customer_import.vocabulary import DecisionKind, ImportType
from customer_import.web.rendering import MOST_SHOWN, shortened
from tests.web.conftest import PREFIX
from tests.web.data import (
    add_drift,
    add_link,
    add_results,
    add_run,
    add_sent,
    add_staged,
    tenant_id,
)
from tests.web.test_drift import add_check

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


def test_every_other_page_is_short_too(admin: TestClient, database: Engine) -> None:
    text = LONG[:200_000]
    names = {"tenant_name": text, "domain": text}
    candidates = [{"account_id": 4711, "name": text, "signs": ["core_name"]}] * 3
    waits = {"outcome": "ambiguous", "reason_code": "lookalike", "candidates": candidates}
    key = add_run(database, state="failed", error=text)
    add_staged(database, key, names | {"source": b"{}"})
    add_results(database, key, names | waits | {"reason": text, "warnings": [text, text]})
    proposal = Proposal(
        instance="sandbox", subject=tenant_id(1), kind=DecisionKind.EXCLUDE, reason=text
    )
    decide(database, [proposal], Author(text))
    check = add_check(database)
    add_drift(database, check, names | {"detail": text})
    place = f"&dag_id={DIRECT}&instance=sandbox"
    for page in (
        "search?q=xxx",
        f"tenant?tenant_id={tenant_id(0)}",
        "queue?",
        f"decisions?tenant_id={tenant_id(1)}",
        "drift?run_id=c",
        f"drift/customer?run_id=c&tenant_id={tenant_id(0)}",
    ):
        answer = admin.get(f"{PREFIX}/{page}{place}")
        assert answer.status_code == 200, page
        assert "(shortened; 200,000 characters)" in answer.text, page
        assert len(answer.content) < 100_000, page


def test_what_fits_is_shown_whole() -> None:
    text = "x" * MOST_SHOWN
    assert shortened(text) == text
    assert shortened(7) == 7
