"""Decisions made in the browser, and runs that obey them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import INDIRECT, RESELLER, VIEWER, World
from tests.browser.test_accessibility import serious
from tests.browser.test_layout import CUT_CELLS, WIDTHS

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenPage = Callable[..., Page]

pytestmark = pytest.mark.timeout(1200)  # the first one starts Airflow and waits for two runs


@pytest.fixture
def rows(open_page: OpenPage, world: World) -> Page:
    """The end customers of the first reseller."""
    page = open_page(world.pages(f"tenants?dag_id={INDIRECT}"))
    page.get_by_role("link", name=re.compile(r"^View\(\d+\)$")).first.click()
    expect(page.locator("tbody tr").first).to_be_visible()
    return page


def open_decisions(page: Page, row: int) -> tuple[str, Locator]:
    button = page.locator("tbody tr").nth(row).get_by_role("button", name="Decide about")
    tenant_id = (button.get_attribute("id") or "").removeprefix("decisions-")
    button.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name=re.compile("^Decisions"))).to_be_focused()
    return tenant_id, dialog


def outcome_of(page: Page, world: World, tenant_id: str, **params: object) -> Locator:
    run_id = world.run_to_end(
        INDIRECT, {"instance": "sandbox", "tenants": [tenant_id], "mode": "preview", **params}
    )
    page.goto(world.pages(f"?dag_id={INDIRECT}&run_id={quote(run_id)}"))
    return page.locator("#rows tbody tr").first


def test_an_excluded_customer_is_skipped_and_comes_back_when_that_is_revoked(
    rows: Page, world: World
) -> None:
    tenant_id, dialog = open_decisions(rows, 0)
    dialog.get_by_label("Exclude: it is not imported").check()
    dialog.get_by_label("Reason").fill("Our own test tenant")
    dialog.get_by_label("Until").fill("2099-12-31")
    dialog.get_by_role("button", name="Decide", exact=True).click()
    expect(dialog.get_by_text("This customer is excluded")).to_be_visible()
    assert serious(rows) == []

    row = outcome_of(rows, world, tenant_id)
    expect(row.locator(".badge")).to_have_text("Skipped")
    expect(row.locator(".reason")).to_contain_text("Our own test tenant")
    expect(row.locator(".reason")).to_contain_text("admin decided so on")

    row.locator("button.link").click()
    dialog = rows.get_by_role("dialog")
    dialog.get_by_role("button", name="Revoke: is excluded").click()
    expect(dialog.get_by_text("Nothing is decided.")).to_be_visible()
    dialog.get_by_text("History (2)").click()
    expect(dialog.get_by_text("Revoked: is excluded")).to_be_visible()
    assert serious(rows) == []
    rows.goto("about:blank")
    badge = outcome_of(rows, world, tenant_id).locator(".badge")
    expect(badge).not_to_have_text("Skipped")


def test_a_customer_is_the_account_that_a_person_says(rows: Page, world: World) -> None:
    account = world.create_account("Entered by hand years ago")
    tenant_id, dialog = open_decisions(rows, 6)
    dialog.get_by_label("Link: it is a BSS account that exists").check()
    dialog.get_by_label("BSS account (number)").fill(str(account))
    dialog.get_by_role("button", name="Decide", exact=True).click()
    expect(dialog.get_by_text(f"This customer is BSS account {account}")).to_be_visible()
    assert serious(rows) == []
    rows.reload()
    expect(rows.locator(".badge.decided")).to_have_text(re.compile(str(account)))
    assert rows.evaluate(CUT_CELLS, WIDTHS[0]) == []

    row = outcome_of(rows, world, tenant_id)
    expect(row.locator(".badge")).to_have_text("Would update")
    expect(row.locator(".reason")).to_contain_text(f"is BSS account {account}; admin decided so on")
    row.locator("button.link").click()
    rows.get_by_role("dialog").get_by_role("button", name="Revoke: ").click()
    expect(rows.get_by_role("dialog").get_by_text("Nothing is decided.")).to_be_visible()


def test_several_are_decided_about_at_once(rows: Page, world: World) -> None:
    boxes = rows.locator("input.select")
    boxes.nth(1).check()
    boxes.nth(2).check()
    rows.get_by_role("button", name="Decide", exact=True).click()
    dialog = rows.get_by_role("dialog")
    dialog.get_by_label("Create: it is none").check()
    dialog.get_by_role("button", name="Decide", exact=True).click()
    badges = rows.locator(".badge.decided", has_text="To be created")
    expect(badges).to_have_count(2)
    boxes.nth(1).check()
    boxes.nth(2).check()
    rows.get_by_role("button", name="Decide", exact=True).click()
    dialog.get_by_label("or revoke").select_option("create")
    dialog.get_by_role("button", name="Revoke").click()
    expect(badges).to_have_count(0)


def test_the_second_of_two_people_is_told(rows: Page) -> None:
    other = rows.context.new_page()
    other.goto(rows.url)
    tenant_id, dialog = open_decisions(rows, 3)
    same_id, others = open_decisions(other, 3)
    assert tenant_id == same_id
    for each in (dialog, others):
        each.get_by_label("Assign to reseller").check()
        each.get_by_label("MPN ID").fill("4000001")
        each.get_by_role("button", name="Decide", exact=True).click()
        if each is dialog:
            expect(dialog.get_by_text("This customer belongs to reseller 4000001")).to_be_visible()
    expect(others.get_by_role("alert")).to_contain_text("meanwhile admin decided")
    dialog.get_by_role("button", name="Revoke: ").click()
    expect(dialog.get_by_text("Nothing is decided.")).to_be_visible()


def test_a_phone_and_the_dark_show_the_form(rows: Page, open_page: OpenPage) -> None:
    for width, scheme in ((360, "light"), (1280, "dark")):
        page = open_page(rows.url, width=width, scheme=scheme)
        _, dialog = open_decisions(page, 4)
        dialog.get_by_label("Assign to reseller").check()
        expect(dialog.get_by_label("MPN ID")).to_be_visible()
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        assert serious(page) == []


def test_the_keyboard_alone_decides(rows: Page) -> None:
    _, dialog = open_decisions(rows, 5)
    dialog.get_by_label("Exclude: it is not imported").focus()
    for key in ("ArrowDown", "ArrowDown"):  # to Create
        rows.keyboard.press(key)
    expect(dialog.get_by_label("Create: it is none")).to_be_checked()
    rows.keyboard.press("Tab")
    rows.keyboard.type("By keyboard")
    rows.keyboard.press("Enter")
    expect(dialog.get_by_text("This customer is none of the BSS accounts")).to_be_visible()
    dialog.get_by_role("button", name="Revoke: ").press("Enter")
    expect(dialog.get_by_text("Nothing is decided.")).to_be_visible()


def test_who_may_not_start_the_imports_sees_no_button(open_page: OpenPage, world: World) -> None:
    page = open_page(world.pages(f"tenants?dag_id={INDIRECT}"))
    world.log_in(page.context, VIEWER)
    page.reload()
    page.get_by_role("link", name=re.compile(r"^View\(\d+\)$")).first.click()
    page.get_by_role("button", name="See about").first.click()
    expect(page.get_by_role("dialog").get_by_role("heading", name="Decisions")).to_be_visible()
    assert page.locator("#decide-selected, #decide, [data-revoke]").count() == 0


def test_a_form_of_another_site_decides_nothing(browser: object, world: World) -> None:
    from playwright.sync_api import Browser

    assert isinstance(browser, Browser)
    context = browser.new_context()
    world.log_in(context, "admin")
    page = context.new_page()
    target = world.pages(f"decisions?dag_id={RESELLER}&instance=sandbox_reseller")
    body = '{"decision":"empty","import_type":"tenant_reseller","seen":0}'
    page.goto("data:text/html,<h1>elsewhere</h1>")
    answers = page.evaluate(
        """async ([target, body]) => {
          const sent = [];
          for (const type of ["text/plain", "application/json"]) {
            const options = { method: "POST", mode: type === "text/plain" ? "no-cors" : "cors",
              credentials: "include", headers: { "Content-Type": type }, body };
            sent.push(await fetch(target, options).then((one) => one.status, () => "refused"));
          }
          return sent;
        }""",
        [target, body],
    )
    assert answers in ([0, "refused"], ["refused", "refused"])
    page.goto(world.pages(f"decisions?dag_id={RESELLER}&instance=sandbox_reseller&about=import"))
    expect(page.get_by_text("Nothing is decided.")).to_be_visible()
    context.close()
