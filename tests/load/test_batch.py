"""A batch against the sandbox BSS: what it creates, changes, leaves alone and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.load.scene import customers

if TYPE_CHECKING:
    from tests.load.scene import Scene


def test_new_customers_get_account_contact_and_sync_options(scene: Scene):
    staged = customers(12)
    run = scene.run(staged)
    assert scene.outcomes(run) == ["created"] * 12
    assert len(scene.accounts) == 12
    assert scene.faults() == {}
    account = scene.account_of(staged[0])
    assert account.values["orderingEnabled"] is True
    assert scene.options_of(account) == {"domainprefix": staged[0].tenant_id[:8]}
    row = scene.results(run)[staged[0].tenant_id]
    assert row.account_id == account.id
    assert row.contact_id == scene.records.contacts_of(account.id)[0].id


def test_second_run_writes_nothing_and_asks_nothing(scene: Scene):
    staged = customers(12)
    scene.run(staged)
    run = scene.begin()
    asked = scene.requests()
    scene.stage(run, staged)
    summary = scene.load(run)
    assert summary.requests == 0
    assert dict(summary.outcomes) == {"unchanged": 12}
    assert scene.requests() == asked > 0


def test_changed_customer_is_patched_with_only_what_changed(scene: Scene):
    staged = customers(3)
    scene.run(staged)
    moved = staged[0].having(city="Volos")
    run = scene.run([moved, *staged[1:]])
    assert scene.outcomes(run) == ["unchanged", "unchanged", "updated"]
    result = scene.results(run)[moved.tenant_id]
    assert result.reason == "Changed: billingAddress.city."
    assert scene.account_of(moved).values["billingAddress"]["city"] == "Volos"
    assert scene.faults() == {}
