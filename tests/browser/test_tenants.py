"""From the list of Microsoft tenants to an import, and to its results, all in the browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DIRECT, INDIRECT, RESELLER, USER, VIEWER, World

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenPage = Callable[..., Page]

pytestmark = pytest.mark.timeout(1200)  # the first one starts Airflow and waits for two runs

RUN_MS = 200_000

SEEN_MS = 10_000


def test_from_the_first_list_to_the_results_of_an_import(open_page: OpenPage, world: World) -> None:
    page = open_page(world.pages(f"?dag_id={RESELLER}"))
    expect(page.get_by_role("heading", name="No results yet")).to_be_visible()
    page.get_by_role("main").get_by_role("link", name="Microsoft Tenants").click()
    expect(page.get_by_role("heading", name="No list yet")).to_be_visible()

    page.get_by_role("button", name="Get hierarchy").click()
    expect(page.locator("#work .badge").first).to_be_visible()
    expect(page.locator("tbody tr").first).to_be_visible(timeout=RUN_MS)
    expect(page.locator("tbody .badge.completed")).to_have_count(0)

    boxes = page.locator("input.select")
    boxes.nth(0).check()
    boxes.nth(1).check()
    expect(page.locator("#selected")).to_have_text("2 selected")
    page.get_by_role("button", name="Import selected").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Import 2 customers?")).to_be_visible()
    dialog.get_by_label("Ordering options").select_option("no_ordering")
    dialog.get_by_label("Ask before writing").check()
    dialog.get_by_role("button", name="Import", exact=True).click()
    expect(dialog.get_by_role("heading", name="The import has started")).to_be_visible()
    expect(dialog.get_by_label("Ordering options")).to_be_hidden()
    dialog.get_by_role("link", name="Import Results").click()

    # The page moves by itself: a mark on the document shows that it was never loaded again.
    page.evaluate("document.body.dataset.mark = 'same document'")
    expect(page.locator("#run .badge")).to_have_text(re.compile("Queued|Running"))
    expect(page.locator("#run progress")).to_be_visible()
    answer = page.get_by_role("link", name="Answer in Airflow")
    expect(answer).to_be_visible(timeout=RUN_MS)
    expect(page.locator("#run .notice")).to_contain_text("To create 2 and update 0 customers")
    action = page.context.new_page()
    action.goto(world.pages(str(answer.get_attribute("href"))))
    # Airflow asks again when it is answered before its scheduler has seen the asking process end.
    action.wait_for_timeout(SEEN_MS)
    action.get_by_role("button", name="Approve").click()
    expect(page.locator("#run .badge")).to_have_text("Success", timeout=RUN_MS)
    expect(page.locator("#run .notice")).to_contain_text(f"Approved by {USER}")
    expect(page.locator("#count-created b")).to_have_text("2")
    expect(page.locator("#rows tbody tr")).to_have_count(2)
    assert page.evaluate("document.body.dataset.mark") == "same document"
    page.locator("#rows tbody tr").first.get_by_role("button").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("profile no_ordering")
    page.keyboard.press("Escape")

    page.get_by_role("link", name="Microsoft Tenants").click()
    expect(page.locator("tbody .badge.completed")).to_have_count(2)
    completed = page.locator("tbody tr", has=page.locator(".badge.completed"))
    expect(completed.locator("input.select")).to_have_count(0)
    links = completed.first.get_by_role("link")
    expect(links.last).to_have_attribute("href", re.compile("bss.example.com/accounts"))


def test_reseller_rows_have_no_check_box_and_lead_to_their_customers(
    open_page: OpenPage, world: World
) -> None:
    page = open_page(world.pages(f"tenants?dag_id={INDIRECT}"))
    expect(page.get_by_role("columnheader", name="Reseller name")).to_be_visible()
    assert page.locator("input.select").count() == 0
    link = page.get_by_role("link", name=re.compile(r"^View\(\d+\)$")).first
    number = int(link.inner_text()[5:-1])
    link.click()
    expect(page.locator("tbody tr")).to_have_count(number)
    page.get_by_role("link", name="All resellers").click()
    expect(page.get_by_role("columnheader", name="Reseller name")).to_be_visible()


def test_the_list_filters_by_name_and_status_and_selects_all_that_match(
    open_page: OpenPage, world: World
) -> None:
    page = open_page(world.pages(f"tenants?dag_id={INDIRECT}"))
    page.get_by_label("Status").select_option("not_imported")
    expect(page.locator("tbody .badge.not_imported").first).to_be_visible()
    page.get_by_role("button", name="Select all that match").click()
    expect(page.locator("#selected")).to_have_text(re.compile(r"^\d+ selected$"))
    expect(page.locator("input.select").first).to_be_checked()
    page.reload()
    expect(page.locator("#selected")).to_have_text(re.compile(r"^\d+ selected$"))
    page.get_by_role("button", name="Select none").click()
    expect(page.get_by_role("button", name="Import selected")).to_be_disabled()
    page.get_by_label("Name, domain or tenant id").fill("nobody is called so")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()


def test_when_airflow_refuses_to_start_a_run_the_page_says_so(
    open_page: OpenPage, world: World
) -> None:
    page = open_page(world.pages(f"tenants?dag_id={DIRECT}"))
    world.log_in(page.context, VIEWER)  # the page still shows what the administrator may do
    page.get_by_role("button", name="Get hierarchy").click()
    expect(page.get_by_role("alert")).to_have_text("Airflow does not allow you to do that.")
    page.reload()
    expect(page.get_by_role("button", name="Get hierarchy")).to_have_count(0)
