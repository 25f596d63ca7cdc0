"""The scope ``verify``: what ``unchanged`` means there is proven, not remembered."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.tasks.load.scene import customers
from tests.tasks.load.test_links import city

if TYPE_CHECKING:
    from tests.tasks.load.scene import Scene

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def test_every_linked_account_is_compared_though_the_content_is_the_same(scene: Scene):
    staged = customers(3)
    scene.run(staged)
    account = scene.account_of(staged[0])
    address = {**account.values["billingAddress"], "city": "Volos"}  # edited, or restored
    scene.records.update_account(
        account, {**account.values, "billingAddress": address}, account.custom_fields
    )
    assert scene.outcomes(scene.run(staged)) == ["unchanged"] * 3
    writes = scene.writes
    run = scene.run(staged, scope="verify")
    assert scene.outcomes(run) == ["unchanged", "unchanged", "updated"]
    assert scene.results(run)[staged[0].tenant_id].reason == "Changed: billingAddress.city."
    assert city(scene.account_of(staged[0])) == staged[0].city
    assert scene.writes == writes + 1
    again = scene.run(staged, scope="verify")
    assert {row.reason for row in scene.results(again).values()} == {"Nothing to change."}


def test_account_that_was_deleted_and_a_second_one_are_found(scene: Scene):
    gone, twice = customers(2)
    scene.run([gone, twice])
    del scene.records.accounts[scene.account_of(gone).id]
    twin = scene.existing("Made by hand", twice.tenant_id)
    run = scene.run([gone, twice], scope="verify")
    results = scene.results(run)
    assert "no longer exists" in results[gone.tenant_id].reason
    assert str(twin.id) in results[twice.tenant_id].warnings[0]


def test_run_that_leaves_existing_customers_alone_verifies_nobody(scene: Scene):
    staged = customers(2)
    scene.run(staged)
    asked = scene.requests("accounts.get")
    run = scene.run(staged, scope="verify", on_existing="skip")
    assert scene.outcomes(run) == ["unchanged"] * 2
    assert scene.requests("accounts.get") == asked


def test_marker_of_another_customer_is_found(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    (account,) = scene.accounts
    fields = {scene.records.setup.tenant_marker.id: "11111111-2222-3333-4444-555555555555"}
    scene.records.accounts[account.id] = replace(account, custom_fields=fields)
    result = scene.results(scene.run([customer], scope="verify"))[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("ambiguous", "other_marker")
