"""Whole imports and their BSS organisation: which one it is, and what it gets later."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from customer_import.errors import ConfigurationError
from customer_import.vocabulary import ImportType
from tests.imports.scene import on

if TYPE_CHECKING:
    from tests.imports.scene import Scene

DIRECT = ImportType.DIRECT


@on("sqlite")
def test_run_whose_connection_leads_elsewhere_stops_before_it_reads_anything(scene: Scene):
    scene.sell(DIRECT, 2)
    scene.run(DIRECT)
    scene.configure(bss={"conn_id": "sandbox_bss_reseller"})
    scene.sandbox.requests.clear()
    with pytest.raises(ConfigurationError, match="another BSS organisation") as caught:
        scene.stage(DIRECT)
    assert "accept_organisation" in str(caught.value)
    assert "client key" in str(caught.value)
    assert scene.sandbox.info.tenant_reseller.client_key not in str(caught.value)
    asked = {entry.endpoint for entry in scene.sandbox.requests.entries}
    assert not any(name.startswith("bss.") for name in asked)
    assert scene.writes() == []


@on("sqlite", "postgres")
@pytest.mark.parametrize("is_one_gone", [False, True])
def test_sync_option_that_comes_later_is_written_by_a_run_that_reads_what_changed(
    scene: Scene, *, is_one_gone: bool
):
    bss = scene.bss(DIRECT)
    setup = bss.setup
    own = setup.microsoft
    without = replace(own, options=tuple(o for o in own.options if o.alias != "domainprefix"))
    systems = tuple(without if system is own else system for system in setup.systems)
    bss.setup = replace(setup, systems=systems)
    customers = scene.sell(DIRECT, 3)
    scene.run(DIRECT)
    bss.setup = setup
    if is_one_gone:
        newest = max(bss.accounts)
        gone = next(c for c in customers if scene.account_of(DIRECT, c).id == newest)
        customers.remove(gone)
        del bss.accounts[newest]
        scene.expect([gone], "failed")
    report = scene.run(DIRECT, scope="changed", max_failed_percent=100)
    assert report.counts() == {"updated": len(customers)} | ({"failed": 1} if is_one_gone else {})
    for customer in customers:
        options = bss.sync_options[scene.account_of(DIRECT, customer).id, own.id]
        assert options["domainprefix"]
        assert not any("sync option" in text for text in report.of(customer).warnings or ())
