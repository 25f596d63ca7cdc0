"""Pictures of every page and tab, light and dark, wide and narrow; ``make screenshots`` keeps them for the README."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import DIRECT, INDIRECT, RESELLER, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.timeout(1200)  # the first one starts Airflow and waits for two runs

FOLDER_VARIABLE = "CUSTOMER_IMPORT_SCREENSHOTS"
SIZES = {"1280": (1280, 800), "360": (360, 740)}
PAGES = {
    "results-direct": f"?dag_id={DIRECT}",
    "results-indirect": f"?dag_id={INDIRECT}",
    "results-tenant-reseller": f"?dag_id={RESELLER}",
    "tenants-direct": f"tenants?dag_id={DIRECT}",
    "tenants-indirect": f"tenants?dag_id={INDIRECT}",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", list(SIZES))
def test_every_page_fits_its_window(
    scheme: str, size: str, open_page: Callable[..., Page], world: World, tmp_path: Path
) -> None:
    folder = Path(os.environ.get(FOLDER_VARIABLE) or tmp_path)
    width, height = SIZES[size]
    page = open_page(world.pages(), width=width, height=height, scheme=scheme)
    for name, path in PAGES.items():
        page.goto(world.pages(path))
        page.screenshot(path=folder / f"{name}-{scheme}-{size}.png")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    page.goto(world.pages(f"{PAGES['results-direct']}&outcome=created"))
    page.locator("tbody button.link").first.click()
    page.locator("#details-title").wait_for()
    page.screenshot(path=folder / f"customer-{scheme}-{size}.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_stands_in_airflows_ui(
    scheme: str, open_page: Callable[..., Page], world: World, tmp_path: Path
) -> None:
    folder = Path(os.environ.get(FOLDER_VARIABLE) or tmp_path)
    page = open_page(world.url)
    page.evaluate("theme => localStorage.setItem('theme', theme)", scheme)
    page.goto(f"{world.url}/plugin/import-results/customer-import/?dag_id={DIRECT}")
    page.locator(f"html.{scheme}").wait_for()
    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name="Import Results").wait_for()
    if scheme == "dark":
        frame.locator("html.dark").wait_for()
    page.screenshot(path=folder / f"airflow-{scheme}.png")
