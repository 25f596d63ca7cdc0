"""Import Results as people use it, inside Airflow's UI."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.browser.conftest import DIRECT, HOSTILE, PASSWORD, USER, World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    OpenPage = Callable[..., Page]

pytestmark = pytest.mark.timeout(1200)  # the first one starts Airflow and waits for two runs


def frame(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")


def direct(world: World, query: str = "") -> str:
    """Return the address of the run of all customers; other tests start runs after it."""
    run_id = quote(world.runs[DIRECT], safe="")
    return world.pages(f"?dag_id={DIRECT}&run_id={run_id}{query}")


def test_after_login_the_results_are_in_the_navigation(browser: Browser, world: World) -> None:
    page = browser.new_page()
    page.goto(world.url)
    page.fill("input[name=username]", USER)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.get_by_role("button", name="Browse").click()
    page.get_by_role("menuitem", name="Import Results").click()
    expect(frame(page).get_by_role("heading", name="Import Results")).to_be_visible()
    frame(page).get_by_role("link", name="Indirect").click()
    expect(frame(page).get_by_role("link", name="Indirect")).to_have_attribute(
        "aria-current", "page"
    )
    expect(page).to_have_url(re.compile("import_indirect_customers"))
    page.reload()
    expect(frame(page).get_by_role("link", name="Indirect")).to_have_attribute(
        "aria-current", "page"
    )


def test_a_dag_has_a_tab_with_its_results(open_page: OpenPage, world: World) -> None:
    page = open_page(f"{world.url}/dags/{DIRECT}")
    page.locator("a", has_text="Import Results").first.click()
    expect(frame(page).get_by_text("of instance sandbox")).to_be_visible()


def test_a_run_has_a_tab_that_opens_that_run(open_page: OpenPage, world: World) -> None:
    page = open_page(f"{world.url}/dags/{DIRECT}/runs/{world.runs[DIRECT]}")
    page.locator("a", has_text="Import Results").first.click()
    own = frame(page).get_by_role("link", name="Open the DAG run")
    expect(own).to_have_attribute("href", re.compile(re.escape(quote(world.runs[DIRECT], safe=""))))


def test_a_log_link_leads_out_of_the_frame_to_the_task_log(
    open_page: OpenPage, world: World
) -> None:
    page = open_page(f"{world.url}/plugin/import-results/customer-import/?dag_id={DIRECT}")
    frame(page).get_by_role("link", name=re.compile("^Task log of")).first.click()
    expect(page).to_have_url(re.compile(r"/dags/import_direct_customers/runs/.+/tasks/.+"))
    line = re.compile("tenants done|Batch 0|listed")
    expect(page.get_by_text(line).first).to_be_visible()


def test_the_tabs_show_each_import(open_page: OpenPage, world: World) -> None:
    page = open_page(direct(world))
    for name in ("Indirect", "Tenant Reseller", "Direct"):
        page.get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("link", name=name, exact=True)).to_have_attribute(
            "aria-current", "page"
        )


def test_a_counter_filters_and_the_address_keeps_it(open_page: OpenPage, world: World) -> None:
    page = open_page(direct(world))
    page.locator("#count-failed").click()
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("tbody .badge.failed")).to_have_count(3)
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(3)


def test_a_search_finds_by_part_of_the_name(open_page: OpenPage, world: World) -> None:
    page = open_page(direct(world))
    page.get_by_label("Name, domain or tenant id").fill("söhne")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Clear").click()
    page.get_by_label("Name, domain or tenant id").fill("nobody is called so")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="Nothing matches")).to_be_visible()


def test_sorting_and_paging_show_every_customer_once(open_page: OpenPage, world: World) -> None:
    page = open_page(direct(world))
    total = int(page.locator("#count-all b").inner_text())
    page.get_by_role("link", name="Tenant name").click()
    expect(page.get_by_role("columnheader", name="Tenant name")).to_have_attribute(
        "aria-sort", "ascending"
    )
    seen = []
    while True:
        seen += [button.get_attribute("id") for button in page.locator("tbody button.link").all()]
        following = page.get_by_role("link", name="Next")
        if not following.count():
            break
        following.click()
    assert len(seen) == len(set(seen)) == total > 50
    page.get_by_role("link", name="Previous").click()
    expect(page.locator("tbody tr")).to_have_count(50)


def test_the_download_holds_exactly_the_filtered_rows(
    open_page: OpenPage, world: World, tmp_path: Path
) -> None:
    page = open_page(direct(world, "&outcome=failed"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["outcome"] for row in rows] == ["failed"] * 3
    assert download.value.suggested_filename.endswith("-failed.csv")


def test_a_customer_shows_what_was_sent_and_its_history(open_page: OpenPage, world: World) -> None:
    page = open_page(direct(world, "&outcome=created"))
    page.locator("tbody button.link").first.click()
    details = page.get_by_role("dialog")
    expect(details.get_by_role("heading", name="What this run sent")).to_be_visible()
    expect(details.get_by_role("rowheader", name="billingAddress.city")).to_be_visible()
    expect(details.get_by_text("billingProfile.defaultAddress.city")).to_be_visible()
    expect(details.get_by_role("heading", name="History")).to_be_visible()
    page.keyboard.press("Escape")
    expect(details).to_be_hidden()


def test_hostile_company_names_are_text(open_page: OpenPage, world: World) -> None:
    page = open_page(direct(world, "&q=ltd"))
    for name in HOSTILE:
        page.goto(direct(world, f"&q={name[1:6].strip()}"))
        expect(page.locator("tbody bdi", has_text=name).first).to_be_visible()
        page.locator("tbody tr", has_text=name).get_by_role("button").first.click()
        expect(page.get_by_role("dialog").get_by_role("heading", name=name)).to_be_visible()
    assert page.locator("main img, dialog img").count() == 0
    assert page.title() == "Import Results"


def test_the_keyboard_alone_filters_and_opens_details(open_page: OpenPage, world: World) -> None:
    page = open_page(direct(world))
    tab_to(page, "count-failed")
    page.keyboard.press("Enter")
    expect(page.locator("tbody tr")).to_have_count(3)
    first = page.locator("tbody button.link").first
    tab_to(page, first.get_attribute("id") or "")
    page.keyboard.press("Enter")
    expect(page.locator("#details-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(first).to_be_focused()


def tab_to(page: Page, element_id: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == element_id:
            return
    message = f"{element_id} cannot be reached with the Tab key"
    raise AssertionError(message)


def test_a_phone_shows_everything_without_scrolling_the_page_sideways(
    open_page: OpenPage, world: World
) -> None:
    page = open_page(direct(world), width=360, height=740)
    for path in (direct(world), world.pages("tenants"), world.pages(f"tenants?dag_id={DIRECT}")):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_page_follows_airflows_theme(open_page: OpenPage, world: World) -> None:
    page = open_page(f"{world.url}/plugin/import-results")
    expect(frame(page).get_by_role("heading", name="Import Results")).to_be_visible()
    body = frame(page).locator("body")
    light = body.evaluate("body => getComputedStyle(body).backgroundColor")
    page.evaluate("document.documentElement.classList.replace('light', 'dark')")
    expect(frame(page).locator("html.dark")).to_have_count(1)
    assert body.evaluate("body => getComputedStyle(body).backgroundColor") != light


def test_retry_failed_imports_the_failed_customers_again(open_page: OpenPage, world: World) -> None:
    page = open_page(direct(world, f"&run_id={world.runs[DIRECT].replace('+', '%2B')}"))
    page.get_by_role("button", name="Retry failed").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Import 3 failed customers?")).to_be_visible()
    dialog.get_by_role("button", name="Import", exact=True).click()
    dialog.get_by_role("link", name="Import Results").click()
    expect(page.locator("#run .badge")).to_have_text("Success", timeout=200_000)
    expect(page.locator("#count-created b")).to_have_text("3")
