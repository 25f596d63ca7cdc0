"""The pictures in docs/images, all of them made anew: `make pictures`.

Not among the tests by its name; it shows a larger sandbox in the browser tests' Airflow. A picture
is a row of PICTURES; a file in the folder that no row makes is deleted.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import DIRECT, INDIRECT, REFUSAL, World, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Page

pytestmark = pytest.mark.timeout(1800)

FOLDER = Path(__file__).parents[2] / "docs" / "images"
CUSTOMERS = 600
NOT_IMPORTED = ("Indigo Linden Ltd", "Juniper Amber GmbH", "Keystone Fjord Ltd")
HEIGHTS = {1280: 800, 360: 1180}


def as_opened(page: Page) -> None:
    """Leave the page as it is."""


def in_airflow(page: Page) -> None:
    page.locator("a", has_text="Import Results").first.click()
    page.frame_locator("iframe").locator("tbody tr").first.wait_for()


def first_customer(page: Page) -> None:
    page.locator("tbody button.link").first.click()
    page.locator("#details-title").wait_for()


def first_reseller(page: Page) -> None:
    page.locator("tbody a", has_text="View").first.click()
    page.get_by_role("link", name="All resellers").wait_for()


def import_dialog(page: Page) -> None:
    page.get_by_role("button", name="Select all that match").click()
    page.get_by_role("button", name="Import selected").click()
    page.get_by_role("dialog").wait_for()


@dataclass(frozen=True)
class Picture:
    """One file: its page, theme and width, and what is done before it is taken."""

    name: str
    path: str
    theme: str = "light"
    width: int = 1280
    prepare: Callable[[Page], None] = as_opened

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.name}-{self.theme}-{self.width}.png"


OURS = "/customer-import/"
RESULTS, TENANTS = f"{OURS}?dag_id={DIRECT}", f"{OURS}tenants?dag_id={DIRECT}"
CREATED = f"{RESULTS}&outcome=created&q=GbR"
"""Customers whose letters every machine has a font for."""
RESELLERS = f"{OURS}tenants?dag_id={INDIRECT}"
DAG_RUN = f"/dags/{DIRECT}/runs/{{run}}"
PICTURES = (
    Picture("results-direct", RESULTS + "&run_id={run}"),
    Picture("results-direct", RESULTS + "&run_id={run}", theme="dark"),
    Picture("results-direct", RESULTS + "&run_id={run}", width=360),
    Picture("results-indirect", f"{OURS}?dag_id={INDIRECT}"),
    Picture("customer", CREATED + "&run_id={run}", prepare=first_customer),
    Picture("customer", CREATED + "&run_id={run}", theme="dark", width=360, prepare=first_customer),
    Picture("tenants-direct", TENANTS),
    Picture("tenants-direct", TENANTS, width=360),
    Picture("tenants-indirect-customers", RESELLERS, theme="dark", prepare=first_reseller),
    Picture("confirm", TENANTS + "&status=not_imported", prepare=import_dialog),
    Picture("airflow", DAG_RUN, prepare=in_airflow),
)


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with started(CUSTOMERS) as world:
        world.set_faults(REFUSAL)
        world.runs[DIRECT] = world.run_to_end(DIRECT, {"instance": "sandbox"})
        world.set_faults()
        world.runs[INDIRECT] = world.run_to_end(INDIRECT, {"instance": "sandbox"})
        for name in NOT_IMPORTED:
            world.add_customer(name)
        for dag_id in (DIRECT, INDIRECT):
            world.run_to_end(dag_id, {"instance": "sandbox", "mode": "discover"})
        yield world


def test_make_the_pictures(open_page: Callable[..., Page], world: World) -> None:
    for picture in PICTURES:
        take(picture, open_page, world)
    made = {picture.file for picture in PICTURES}
    for left_over in set(FOLDER.glob("*.png")) - made:
        left_over.unlink()


def take(picture: Picture, open_page: Callable[..., Page], world: World) -> None:
    run = world.runs[DIRECT].replace("+", "%2B")
    address = world.url + picture.path.format(run=run)
    page = open_page(address, picture.width, HEIGHTS[picture.width], picture.theme)
    page.wait_for_load_state("networkidle")
    picture.prepare(page)
    page.screenshot(path=picture.file, animations="disabled")
    page.context.close()
