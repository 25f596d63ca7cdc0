"""What a run was asked for says nothing of the tenants that it left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from customer_import.vocabulary import DecisionKind, ImportType, Outcome
from tests.imports.scene import on
from tests.imports.test_decided import settle
from tests.tasks.changed_scope.looks import changed, endings, reads, unverified

if TYPE_CHECKING:
    from sandbox.population.models import Customer
    from tests.imports.scene import Report, Scene

INDIRECT = ImportType.INDIRECT


def of_two_resellers(scene: Scene) -> tuple[list[Customer], list[Customer], str]:
    """Imported customers of one reseller, those of another, and the MPN ID of the first."""
    mine, others = scene.resellers[1:3]
    customers = scene.sell(INDIRECT, 4)
    for customer, reseller in zip(customers, (mine, mine, others, others), strict=True):
        scene.resubscribe(customer, reseller.mpn_id)
    scene.sandbox.source.audit.clear()
    return customers[:2], customers[2:], mine.mpn_id


def selective(scene: Scene, mpn_id: str, others: list[Customer], **params: Any) -> Report:
    scene.expect(others, None)
    report = scene.run(INDIRECT, reseller_mpn_ids=[mpn_id], **params)
    scene.expected.clear()
    return report


def test_what_a_run_for_one_reseller_left_out_is_there_in_the_next(scene: Scene) -> None:
    _, others, mpn_id = of_two_resellers(scene)
    full = scene.run(INDIRECT)
    assert selective(scene, mpn_id, others).counts() == {"unchanged": 2}
    report = changed(scene, INDIRECT)
    assert reads(scene) == set()
    assert report.counts() == {"unchanged": 4}
    assert report.results.keys() == full.results.keys()


@on("sqlite")
def test_a_new_customer_that_a_run_for_another_reseller_read_is_new_to_the_next(
    scene: Scene,
) -> None:
    _, others, mpn_id = of_two_resellers(scene)
    scene.run(INDIRECT)
    (new,) = scene.sell(INDIRECT)
    scene.resubscribe(new, scene.resellers[2].mpn_id)
    scene.sandbox.source.audit.clear()
    selective(scene, mpn_id, [*others, new])
    report = changed(scene, INDIRECT)
    assert reads(scene) == {new.tenant_id}
    assert report.of(new).outcome == Outcome.CREATED


def test_a_run_for_one_reseller_carries_only_its_customers(scene: Scene) -> None:
    mine, others, mpn_id = of_two_resellers(scene)
    full = scene.run(INDIRECT)
    scene.sandbox.requests.clear()
    report = selective(scene, mpn_id, others, scope="changed")
    assert reads(scene) == set()
    assert report.summary.scope == "changed"
    assert report.results.keys() == {customer.tenant_id for customer in mine}
    again = scene.run(INDIRECT)
    assert endings(again).keys() == full.results.keys()


@on("sqlite")
def test_a_move_that_only_a_run_for_another_reseller_saw_is_read_again(scene: Scene) -> None:
    """Nothing else shows it: neither the list nor an audit record."""
    mine, _, mpn_id = of_two_resellers(scene)
    scene.run(INDIRECT)
    scene.resubscribe(mine[0], scene.resellers[2].mpn_id)
    scene.sandbox.source.audit.clear()
    unverified(scene, INDIRECT, scope="full", reseller_mpn_ids=[mpn_id])
    report = unverified(scene, INDIRECT)
    assert report.of(mine[0]).reseller_mpn_id == scene.resellers[2].mpn_id
    assert reads(scene) == {mine[0].tenant_id}


@on("sqlite")
def test_who_is_left_out_of_the_import_is_reported_under_each_of_its_resellers(
    scene: Scene,
) -> None:
    mine, others, mpn_id = of_two_resellers(scene)
    scene.resubscribe(others[0], mpn_id, scene.resellers[2].mpn_id)
    scene.resubscribe(others[1], "9990001", "9990002")
    scene.sandbox.source.audit.clear()
    for each in others:
        settle(scene, each, DecisionKind.EXCLUDE)
    scene.expect(others, "skipped")
    scene.run(INDIRECT)
    for selected, wanted in (
        (mpn_id, [*mine, others[0]]),
        (scene.resellers[2].mpn_id, [others[0]]),
    ):
        full = unverified(scene, INDIRECT, reseller_mpn_ids=[selected], scope="full")
        found = unverified(scene, INDIRECT, reseller_mpn_ids=[selected])
        assert found.summary.scope == "changed"
        assert endings(found).keys() == endings(full).keys()
        assert full.results.keys() == {each.tenant_id for each in wanted}
