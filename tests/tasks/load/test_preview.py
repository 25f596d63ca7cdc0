"""A preview and an import decide by one plan: what the preview says is what the import does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from customer_import.vocabulary import ImportType
from tests.tasks.load.scene import MPN, Customer, customers

if TYPE_CHECKING:
    from tests.tasks.load.scene import Scene

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@only_sqlite
def test_a_preview_tells_of_a_lost_tenant_id_a_missing_contact_and_a_move(scene: Scene):
    unmarked, alone = customers(2)
    moving = Customer("Moving Company", reseller=MPN)
    scene.run([unmarked, alone])
    scene.run([moving], ImportType.INDIRECT)
    records = scene.records
    account = scene.account_of(unmarked)
    records.update_account(account, account.values, {records.setup.tenant_marker.id: ""})
    (contact,) = records.contacts_of(scene.account_of(alone).id)
    records._contacts_of[contact.values["accountId"]].remove(contact.id)
    staged, writes = [unmarked, alone, moving.having(reseller=None)], scene.writes

    preview = scene.results(scene.run(staged, mode="preview", scope="verify"))
    assert scene.writes == writes
    done = scene.results(scene.run(staged, scope="verify"))

    outcomes = {"updated": "would_update"}
    for one in staged:
        said, did = preview[one.tenant_id], done[one.tenant_id]
        assert said.outcome == outcomes.get(did.outcome, did.outcome)
        assert said.fields == did.fields
    assert preview[unmarked.tenant_id].fields == {"tenant id": "changed"}
    assert preview[unmarked.tenant_id].reason.endswith("would be updated. Would change: tenant id.")
    assert preview[alone.tenant_id].fields == {"contact": "changed"}
    moved = "it now belongs to the direct import"
    assert any(moved in text for text in preview[moving.tenant_id].warnings or ())
