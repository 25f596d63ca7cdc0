"""One customer's page: opened from a result, decided on there, and looked at on a phone and in the dark."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DIRECT, World
from tests.browser.test_accessibility import serious

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenPage = Callable[..., Page]

pytestmark = pytest.mark.timeout(1200)  # the first one starts Airflow and waits for two runs


def test_a_customer_is_opened_from_a_result_and_decided_about(
    open_page: OpenPage, world: World
) -> None:
    page = open_page(world.pages(f"?dag_id={DIRECT}&outcome=created"))
    first = page.locator("#rows button.link").first
    name = first.inner_text()
    first.click()
    page.get_by_role("link", name="Open this customer's page").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.get_by_role("region", name="Microsoft subscriptions")).to_be_visible()
    expect(page.get_by_role("region", name="Fields")).to_be_visible()

    page.get_by_label("Exclude: it is not imported").check()
    page.get_by_label("Reason").fill("Our own test tenant")
    page.get_by_role("button", name="Decide", exact=True).click()
    expect(page.get_by_text("This customer is excluded")).to_be_visible()
    assert serious(page) == []
    for width, scheme in ((360, "light"), (1280, "dark")):
        other = open_page(page.url, width=width, scheme=scheme)
        expect(other.get_by_text("This customer is excluded")).to_be_visible()
        assert not other.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        assert serious(other) == []
    page.get_by_role("button", name="Revoke: is excluded").click()
    expect(page.get_by_text("Nothing is decided.")).to_be_visible()

    page.get_by_role("button", name="Preview this one").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Nothing is written to the BSS.")).to_be_visible()
    dialog.get_by_role("button", name="Preview", exact=True).click()
    dialog.get_by_role("link", name="Import Results").click()
    expect(page.locator("#rows tbody .badge")).to_have_text("Unchanged", timeout=120_000)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)

    page.get_by_role("link", name="Find a customer").click()
    page.get_by_label("Name, domain, tenant id or BSS account").fill(name)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name=re.compile(re.escape(name)))).to_be_visible()
    assert serious(page) == []
