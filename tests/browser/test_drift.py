"""A check started in the browser, what it found, and the import that mends it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DIRECT, RUN_TIMEOUT_S, World
from tests.browser.test_accessibility import serious
from tests.browser.test_layout import CUT_CELLS

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenPage = Callable[..., Page]

pytestmark = pytest.mark.timeout(1200)  # the first one starts Airflow and waits for two runs

WAIT_MS = RUN_TIMEOUT_S * 1_000
PICTURES = os.environ.get("DRIFT_PICTURES")


def picture(page: Page, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def look(page: Page, width: int, name: str) -> None:
    """Hold a view to what every view keeps."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT_CELLS, width) == []
    assert serious(page) == []
    picture(page, f"{name}-{width}")


def test_what_was_edited_in_the_bss_is_found_shown_and_mended(
    open_page: OpenPage, world: World
) -> None:
    created = f"?dag_id={DIRECT}&run_id={quote(world.runs[DIRECT])}&outcome=created&sort=name"
    page = open_page(world.pages(created))
    row = page.locator("#rows tbody tr").first
    name = row.locator("th button").inner_text()
    account = int(row.locator("[data-label='BSS account']").inner_text())
    world.edit_account(account, "/name", "Somebody else's <b> name")

    page.goto(world.pages(f"drift?dag_id={DIRECT}&instance=sandbox"))
    page.get_by_role("button", name="Check now").click()
    page.wait_for_url("**/drift?*run_id=*")
    expect(page.locator("#drift .state .badge")).to_have_text(
        "Success with problems", timeout=WAIT_MS
    )
    found = page.locator("tbody tr", has_text=name)
    expect(found.locator(".badge.drifted")).to_have_text("Fields edited")
    expect(found.locator(".reason")).to_have_text("Differs: name.")

    for width in (1280, 360):
        for scheme in ("light", "dark"):
            view = open_page(page.url, width=width, scheme=scheme)
            look(view, width, f"drift-{scheme}")
            view.locator("tbody tr", has_text=name).locator("th button").click()
            dialog = view.get_by_role("dialog")
            expect(dialog.get_by_text("Somebody else's <b> name")).to_be_visible()
            look(view, width, f"drift-customer-{scheme}")
            view.context.close()

    found.get_by_role("button", name="Import again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Import 1 customer?")).to_be_visible()
    dialog.get_by_role("button", name="Import", exact=True).click()
    dialog.get_by_role("link", name="Import Results").click()
    expect(page.locator("#run .state .badge")).to_have_text("Success", timeout=WAIT_MS)
    row = page.locator("#rows tbody tr").first
    expect(row.locator(".badge")).to_have_text("Updated")
    expect(row.locator(".reason")).to_contain_text("Changed: name.")
    run_id = parse_qs(urlsplit(page.url).query)["run_id"][0]
    assert run_id != world.runs[DIRECT]


def test_the_keyboard_alone_leads_to_a_decision(open_page: OpenPage, world: World) -> None:
    page = open_page(world.pages(f"drift?dag_id={DIRECT}&instance=sandbox"))
    page.locator("tbody th button").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#details-title")).to_be_focused()
    expect(page.get_by_label("Exclude: it is not imported")).not_to_be_checked()
    page.get_by_label("Exclude: it is not imported").focus()
    page.keyboard.press("Space")
    expect(page.get_by_label("Exclude: it is not imported")).to_be_checked()
    page.keyboard.press("Escape")
    expect(page.locator("#details")).to_be_hidden()
