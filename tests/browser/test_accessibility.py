"""axe-core finds nothing serious on any page, in light and in dark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import DIRECT, INDIRECT, RESELLER, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.timeout(1200)  # the first one starts Airflow and waits for two runs

PAGES = (
    f"?dag_id={DIRECT}",
    "overview",
    f"?dag_id={DIRECT}&outcome=failed&q=zzz",
    f"?dag_id={INDIRECT}",
    f"tenants?dag_id={DIRECT}",
    f"tenants?dag_id={INDIRECT}",
    f"tenants?dag_id={RESELLER}",
    f"drift?dag_id={DIRECT}",
    f"drift?dag_id={RESELLER}",
    f"queue?dag_id={DIRECT}",
    "search?q=a",
    "reasons",
)


def serious(page: Page) -> list[tuple[str, Any]]:
    found = Axe().run(page).response["violations"]
    return [
        (violation["id"], [node["html"][:200] for node in violation["nodes"]])
        for violation in found
        if violation["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_serious_accessibility_violation(
    scheme: str, open_page: Callable[..., Page], world: World
) -> None:
    page = open_page(world.pages(PAGES[0]), scheme=scheme)
    found = {}
    for path in PAGES:
        page.goto(world.pages(path))
        found[path] = serious(page)
    page.goto(world.pages(PAGES[0]))
    page.locator("tbody button.link").first.click()
    page.locator("#details-title").wait_for()
    found["details"] = serious(page)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Retry failed").click()
    page.locator("#start-title").wait_for()
    found["dialog"] = serious(page)
    page.goto(world.pages(f"tenants?dag_id={INDIRECT}&status=not_imported"))
    page.locator("input.select").first.check()
    page.get_by_role("button", name="Import selected").click()
    page.get_by_label("Ordering options").wait_for()
    found["choices"] = serious(page)
    page.goto(world.pages(PAGES[0]))
    page.get_by_role("link", name="Validation").click()
    page.get_by_role("heading", name="Validation").wait_for()
    found["validation"] = serious(page)
    page.locator("td.number a").first.click()
    page.get_by_role("link", name="All expectations").wait_for()
    found["findings"] = serious(page)
    assert {path: violations for path, violations in found.items() if violations} == {}
