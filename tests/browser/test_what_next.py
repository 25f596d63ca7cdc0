"""What people do after a run: import one customer again, ask why, refresh one tenant of the list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DIRECT, World

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenPage = Callable[..., Page]

pytestmark = pytest.mark.timeout(1200)


def failed(world: World) -> str:
    run_id = quote(world.runs[DIRECT], safe="")
    return world.pages(f"?dag_id={DIRECT}&run_id={run_id}&outcome=failed")


def test_a_row_is_imported_again_after_a_question_and_leads_to_its_run(
    open_page: OpenPage, world: World
) -> None:
    page = open_page(failed(world))
    page.locator("tbody tr").first.get_by_role("button", name="Import again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Import 1 customer?")).to_be_visible()
    dialog.get_by_role("button", name="Import", exact=True).click()
    dialog.get_by_role("link", name="Import Results").click()
    expect(page.locator("#run .badge")).to_have_text("Success", timeout=200_000)
    expect(page.locator("tbody tr")).to_have_count(1)


def test_a_reason_leads_to_what_it_means(open_page: OpenPage, world: World) -> None:
    page = open_page(failed(world))
    page.locator("tbody tr").first.get_by_role("link", name="what it means").click()
    expect(page).to_have_url(re.compile(r"/reasons#\w+$"))
    expect(page.locator("section:target").get_by_text("What to do:")).to_be_in_viewport()


def test_the_hierarchy_of_one_tenant_keeps_the_list(open_page: OpenPage, world: World) -> None:
    address = world.pages(f"tenants?dag_id={DIRECT}")
    page = open_page(address)
    rows = page.locator("tbody tr")
    count = rows.count()
    tenant = page.locator("tbody td code").first.inner_text()
    for only, said in ((tenant, None), ("nobody.example", "not found: no customer")):
        page.get_by_label("Only this tenant").fill(only)
        page.get_by_role("button", name="Get hierarchy").click()
        expect(page.locator("#work .work")).to_have_count(1)
        expect(page.locator("#work .work")).to_have_count(0, timeout=200_000)
        expect(rows).to_have_count(count)
        if said:
            expect(page.locator("#work")).to_contain_text(said)


def test_the_trigger_form_opens_with_mode_and_instance(open_page: OpenPage, world: World) -> None:
    page = open_page(f"{world.url}/dags/{DIRECT}")
    page.get_by_role("button", name=re.compile("Trigger")).first.click()
    section = page.get_by_role("button", name="Run Parameters")
    expect(section).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_role("combobox", name="Mode")).to_be_visible()
    expect(page.get_by_text("Most failed customers, in percent")).to_be_hidden()
