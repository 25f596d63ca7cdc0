"""Each reason is explained, in the pages and in the documentation, with the same words."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from customer_import.reasons import REASONS, find_meaning
from customer_import.vocabulary import ReasonCode
from tests.support.reasons_page import PAGE, reasons_page
from tests.web.conftest import PREFIX
from tests.web.data import add_results, add_run, add_staged, tenant_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine


def test_the_documentation_has_each_reason_with_what_it_means_and_what_to_do() -> None:
    assert REASONS.keys() == set(ReasonCode)
    assert PAGE.read_text(encoding="utf-8") == reasons_page()
    sections = dict(
        re.findall(r"^## (\w+)\n(.*?)(?=\n## |\Z)", reasons_page(), re.DOTALL | re.MULTILINE)
    )
    assert sections.keys() == set(ReasonCode)
    for body in sections.values():
        assert "**What it means:** " in body
        assert "**What to do:** " in body


def test_who_has_to_do_something_is_told_so_also_in_logs() -> None:
    for code, reason in REASONS.items():
        assert bool(reason.mend) is not reason.to_do.startswith("Nothing"), code
    assert find_meaning("of_another_version") is find_meaning(None) is None


def test_the_pages_say_what_each_reason_means(
    admin: TestClient, database: Engine, log_in: Callable[[str], TestClient]
) -> None:
    page = admin.get(f"{PREFIX}/reasons").text
    for code, reason in REASONS.items():
        assert f'id="{code}"' in page
        assert reason.meaning in unescape(page)
        assert reason.to_do in unescape(page)
    assert log_in("stranger").get(f"{PREFIX}/reasons").status_code == 403


CUSTOMER = f"tenant_id={tenant_id(0)}"


@pytest.mark.parametrize(
    "path",
    [
        "",
        f"customer?dag_id=import_direct_customers&{CUSTOMER}",
        f"tenant?instance=sandbox&{CUSTOMER}",
        "tenants",
    ],
)
def test_each_reason_leads_there(admin: TestClient, database: Engine, path: str) -> None:
    key = add_run(database)
    add_staged(database, key, {})
    add_results(
        database, key, {"outcome": "ambiguous", "reason_code": "same_name", "reason": "Why not."}
    )
    page = admin.get(f"{PREFIX}/{path}").text
    assert "Why not." in page
    assert 'href="reasons#same_name"' in page
