"""A tenant marker is a key: however it is written, it means the same tenant; what means none is a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from customer_import.tasks.load.marker import is_tenant_id, marker_key
from tests.tasks.load.scene import customers

if TYPE_CHECKING:
    from tests.tasks.load.scene import Scene

TENANT = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
WRITTEN = {
    "capitals": TENANT.upper(),
    "braces": f"{{{TENANT}}}",
    "no hyphens": TENANT.replace("-", ""),
    "a byte order mark": f"\ufeff{TENANT}",
    "invisible characters inside": f"{TENANT[:9]}\u200b{TENANT[9:]}",
    "blanks": f" {TENANT}\u00a0",
    "long dashes": TENANT.replace("-", "\u2013"),
    "urn": f"urn:uuid:{TENANT}",
    "quotes": f'"{TENANT}"',
}


@pytest.mark.parametrize("marker", WRITTEN.values(), ids=WRITTEN)
def test_marker_means_the_same_tenant_however_it_is_written(marker: str):
    assert marker_key(marker) == TENANT


@pytest.mark.parametrize("marker", ["see CRM", "4711", TENANT[:-1], f"{TENANT}0", "\uff21" * 32])
def test_text_that_is_no_tenant_id_is_no_key(marker: str):
    key = marker_key(marker)
    assert key is not None
    assert is_tenant_id(key) is (marker == "\uff21" * 32)


@pytest.mark.parametrize("marker", [None, "", "  ", "\ufeff"])
def test_marker_that_shows_nothing_is_none(marker: str | None):
    assert marker_key(marker) is None


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_account_whose_marker_is_written_in_another_way_is_adopted(scene: Scene):
    staged = customers(3)
    ways = (lambda t: f"{{{t.upper()}}}", lambda t: f"\ufeff{t}", lambda t: t.replace("-", ""))
    for customer, way in zip(staged, ways, strict=True):
        scene.existing(customer.name, way(customer.tenant_id))
    run = scene.run(staged)
    assert {row.reason_code for row in scene.results(run).values()} == {"adopted"}
    assert len(scene.accounts) == 3


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_account_of_the_same_name_whose_marker_cannot_be_read_is_a_question(scene: Scene):
    customer = customers(1)[0]
    account = scene.existing(customer.name, "see CRM")
    result = scene.results(scene.run([customer]))[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("ambiguous", "same_name")
    assert f"without a tenant id that can be read: {account.id}" in result.reason
    assert scene.writes == 0
