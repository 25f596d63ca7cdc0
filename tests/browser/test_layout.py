"""Every page and tab fits its window, light and dark, wide and narrow, alone and within Airflow's UI."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DIRECT, INDIRECT, RESELLER, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.timeout(1200)  # the first one starts Airflow and waits for two runs

WIDTHS = (1280, 360)
PAGES = (
    f"?dag_id={DIRECT}",
    f"?dag_id={INDIRECT}",
    f"?dag_id={RESELLER}",
    f"tenants?dag_id={DIRECT}",
    f"tenants?dag_id={INDIRECT}",
    f"tenants?dag_id={INDIRECT}&status=not_imported",
    f"tenants?dag_id={RESELLER}",
    f"drift?dag_id={DIRECT}",
)
CUT_CELLS = """width => [...document.querySelectorAll("tbody :is(th, td)")]
    .filter(cell => cell.getBoundingClientRect().right > width || cell.scrollWidth > cell.clientWidth)
    .map(cell => cell.textContent.trim())"""


def created(world: World) -> str:
    """Return the address of the created customers of the run of all; other tests start runs after it."""
    run_id = quote(world.runs[DIRECT], safe="")
    return world.pages(f"?dag_id={DIRECT}&run_id={run_id}&outcome=created")


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_its_window(
    width: int, open_page: Callable[..., Page], world: World
) -> None:
    page = open_page(world.pages(), width=width, scheme="dark")
    for path in PAGES:
        page.goto(world.pages(path))
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(CUT_CELLS, width) == [], path
    page.goto(created(world))
    page.locator("tbody button.link").first.click()
    page.locator("#details-title").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT_CELLS, width) == []


def test_a_narrow_window_shows_a_result_as_a_list_of_named_values(
    open_page: Callable[..., Page], world: World
) -> None:
    page = open_page(created(world), width=360)
    row = page.locator("tbody tr").first
    reason = row.locator("[data-label=Reason]")
    label = reason.evaluate("cell => getComputedStyle(cell, '::before').content")
    assert label == '"Reason"'
    box = reason.bounding_box()
    assert box is not None
    assert box["width"] > 300
    page.get_by_role("link", name="Outcome").click()
    page.wait_for_url("**sort=outcome**")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_stands_in_airflows_ui_in_its_colours(
    scheme: str, open_page: Callable[..., Page], world: World
) -> None:
    page = open_page(world.url)
    page.evaluate("theme => localStorage.setItem('theme', theme)", scheme)
    page.goto(f"{world.url}/plugin/import-results/customer-import/?dag_id={DIRECT}")
    page.locator(f"html.{scheme}").wait_for()
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name="Import Results").wait_for()
    expect(frame.locator("html.dark")).to_have_count(1 if scheme == "dark" else 0)
