"""An import whose customers have all left; the last of the browser tests, as the others know no runs of its DAG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from playwright.sync_api import Page, expect

from tests.browser.conftest import RESELLER, World
from tests.browser.test_accessibility import serious

if TYPE_CHECKING:
    from collections.abc import Callable

    OpenPage = Callable[..., Page]

pytestmark = pytest.mark.timeout(1200)


def test_an_import_that_lost_all_its_customers_goes_on_when_that_is_right(
    open_page: OpenPage, world: World
) -> None:
    """The instance is set to a reseller that has no customers: the import stops, until a person says it is right."""
    instance = "sandbox_leaving"

    def run(mpn_id: str, mode: str = "import") -> str:
        document = yaml.safe_load(world.instances.read_text(encoding="utf-8"))
        own = document["instances"]["sandbox_reseller"] | {"reseller_mpn_id": mpn_id}
        document["instances"][instance] = own
        world.instances.write_text(yaml.safe_dump(document), encoding="utf-8")
        run_id = world.run_to_end(RESELLER, {"instance": instance, "mode": mode})
        return world.api.run_state(RESELLER, run_id)

    assert run(world.info.tenant_reseller_mpn_id) == "success"
    assert run("4999998") == "failed"
    run("4999998", "discover")
    page = open_page(world.pages(f"tenants?dag_id={RESELLER}&instance={instance}"))
    page.get_by_role("button", name="Is it right that there are no customers?").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("The contract ended")
    dialog.get_by_role("button", name="Zero customers is right").click()
    expect(dialog.get_by_text("This import has no customers")).to_be_visible()
    assert serious(page) == []
    assert run("4999998") == "success"
    page.reload()
    expect(
        page.get_by_text("It is decided that this import has no customers: admin")
    ).to_be_visible()
