"""What a run that imports nothing has seen, the next import does not deny."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from customer_import.vocabulary import Outcome
from tests.imports.scene import on
from tests.support.library_run import finish
from tests.tasks.changed_scope.looks import DIRECT, changed, imported, reads, unverified

if TYPE_CHECKING:
    from sandbox.population.models import Customer
    from tests.imports.scene import Scene


def edit_unseen(scene: Scene, customer: Customer, **document: Any) -> None:
    """Change a customer so that neither the list nor an audit record shows it."""
    scene.sandbox.source.edit(customer.tenant_id, {"document": document}, is_audited=False)


def test_what_a_preview_finds_the_next_import_of_changes_does(scene: Scene) -> None:
    customers = imported(scene, 3)
    edit_unseen(scene, customers[1], billingProfile={"defaultAddress": {"city": "Sparta"}})
    preview = unverified(scene, DIRECT, mode="preview", scope="full")
    assert preview.counts() == {"would_update": 1, "unchanged": 2}

    report = changed(scene)

    assert reads(scene) == {customers[1].tenant_id}
    assert report.counts() == {"updated": 1, "unchanged": 2}
    changed(scene)
    assert reads(scene) == set()


@on("sqlite")
def test_whom_a_preview_would_reject_the_next_import_reads(scene: Scene) -> None:
    customers = imported(scene, 3)
    names = {"firstName": None, "lastName": None}
    edit_unseen(scene, customers[2], billingProfile={**names, "defaultAddress": names})
    preview = unverified(scene, DIRECT, mode="preview", scope="full")
    assert preview.of(customers[2]).outcome == Outcome.REJECTED

    assert unverified(scene, DIRECT).of(customers[2]).outcome == Outcome.REJECTED


@on("sqlite")
def test_whom_a_hierarchy_shows_elsewhere_the_next_import_reads(scene: Scene) -> None:
    customers = imported(scene, 3)
    moved = scene.resubscribe(customers[0], scene.resellers[0].mpn_id)
    scene.sandbox.source.audit.clear()
    finish(scene.engine, scene.stage(DIRECT, mode="discover"))

    unverified(scene, DIRECT)

    assert reads(scene) == {moved.tenant_id}


@on("sqlite")
def test_a_preview_that_saw_nothing_else_costs_no_request(scene: Scene) -> None:
    imported(scene, 3)
    unverified(scene, DIRECT, mode="preview", scope="full")
    finish(scene.engine, scene.stage(DIRECT, mode="discover"))
    changed(scene)
    assert reads(scene) == set()
