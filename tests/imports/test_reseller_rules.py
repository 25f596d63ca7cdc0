"""Whose customer a tenant is, and what becomes of it when that changes."""

from __future__ import annotations

import pytest

from customer_import.vocabulary import ImportType
from sandbox import FaultKind
from tests.imports.scene import Scene, on

DIRECT, INDIRECT, TENANT_RESELLER = (
    ImportType.DIRECT,
    ImportType.INDIRECT,
    ImportType.TENANT_RESELLER,
)
pytestmark = on("sqlite")


def mpn_option(scene: Scene, tenant_id: str) -> str | None:
    option: str | None = scene.content(INDIRECT)[tenant_id][2].get("resellermpnid")
    return option


@pytest.fixture
def by_reseller(scene: Scene) -> dict[str, list]:
    """Two customers of each of two indirect resellers, by MPN ID."""
    customers = {}
    for reseller in scene.resellers[1:]:
        sold = scene.sell(INDIRECT, 2)
        customers[reseller.mpn_id] = [scene.resubscribe(c, reseller.mpn_id) for c in sold]
    return customers


def test_customers_of_a_reseller_that_the_instance_leaves_out_are_not_found(
    scene: Scene, by_reseller: dict[str, list]
):
    (out, left_out), (_, imported) = by_reseller.items()
    scene.configure(exclude_reseller_mpn_ids=[out])
    scene.expect(left_out, None)

    report = scene.run(INDIRECT)

    assert report.results.keys() == {customer.tenant_id for customer in imported}


def test_a_run_for_some_resellers_imports_their_customers_only(
    scene: Scene, by_reseller: dict[str, list]
):
    (_, others), (wanted, imported) = by_reseller.items()
    scene.expect(others, None)

    report = scene.run(INDIRECT, reseller_mpn_ids=[f" {wanted} "])

    assert report.results.keys() == {customer.tenant_id for customer in imported}
    assert {row.reseller_mpn_id for row in report.results.values()} == {wanted}


def test_a_tenant_under_two_resellers_is_left_to_a_person(scene: Scene):
    (customer,) = scene.sell(INDIRECT)
    _, first, second = scene.resellers
    scene.resubscribe(customer, first.mpn_id, second.mpn_id)

    result = scene.run(INDIRECT).of(customer)

    assert (result.outcome, result.reason_code) == ("ambiguous", "several_resellers")
    assert all(f"{r.name} (MPN ID {r.mpn_id})" in result.reason for r in (first, second))
    assert scene.writes() == []

    scene.resubscribe(customer, second.mpn_id)
    assert scene.run(INDIRECT).counts() == {"created": 1}
    assert mpn_option(scene, customer.tenant_id) == second.mpn_id


VALIDATE = "partner_center.partners.validate_resellers"


def test_what_microsoft_says_of_unknown_resellers_is_in_the_reason_and_asked_once(scene: Scene):
    elsewhere, nobody, _ = customers = scene.sell(INDIRECT, 3)
    scene.sandbox.source.other_locations.add("7654321")
    for customer, mpn_id in zip(customers, ("7654321", "1234567", "1234567"), strict=True):
        scene.resubscribe(customer, mpn_id)
    scene.expect(customers, "skipped")

    report = scene.run(INDIRECT)

    assert {row.reason_code for row in report.results.values()} == {"unknown_reseller"}
    assert "Microsoft confirms 7654321 as an authorised reseller's" in report.of(elsewhere).reason
    assert "Microsoft does not confirm 1234567" in report.of(nobody).reason
    assert scene.sandbox.requests.count(VALIDATE) <= 2


@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 404}, {"status": 503}])
def test_a_partner_center_that_says_nothing_of_them_leaves_the_outcome_as_it_is(
    scene: Scene, fault: dict[str, int], caplog: pytest.LogCaptureFixture
):
    scene.configure(partner_center={"max_attempts": 1})
    customers = scene.sell(INDIRECT, 2)
    for number, customer in enumerate(customers):
        scene.resubscribe(customer, f"{number}1234567")
    scene.expect(customers, "skipped")
    scene.strike(VALIDATE, FaultKind.STATUS, **fault)

    reasons = [row.reason for row in scene.run(INDIRECT).results.values()]

    assert all(reason.endswith("then run the import again.") for reason in reasons)
    assert scene.sandbox.requests.count(VALIDATE) == 1
    assert "does not say whose MPN ids are unknown" in caplog.text


def test_no_reseller_is_validated_when_all_are_known(scene: Scene):
    scene.sell(INDIRECT, 2)
    assert scene.run(INDIRECT).counts() == {"created": 2}
    assert scene.sandbox.requests.count(VALIDATE) == 0


@pytest.mark.parametrize("order", [(DIRECT, INDIRECT), (INDIRECT, DIRECT)])
def test_a_tenant_of_both_lists_is_created_by_whichever_import_comes_first(
    scene: Scene, order: tuple[ImportType, ImportType]
):
    (customer,) = scene.sell(DIRECT)
    reseller = scene.resellers[1]
    scene.resubscribe(customer, None, reseller.mpn_id)

    first, second = (scene.run(import_type).of(customer) for import_type in order)

    assert first.outcome == "created"
    assert (second.outcome, second.reason_code) == ("skipped", "already_imported")
    assert second.account_id == first.account_id
    assert f"The {order[0]} import has already imported" in second.reason
    assert str(first.account_id) in second.reason
    expected = reseller.mpn_id if order[0] is INDIRECT else None
    assert mpn_option(scene, customer.tenant_id) == expected
    # In the other order from now on, it stays with the import that made it.
    again = [scene.run(import_type).of(customer).outcome for import_type in reversed(order)]
    assert again == ["skipped", "unchanged"]


def test_a_direct_customer_that_moves_to_a_reseller_keeps_its_account(scene: Scene):
    customer, staying = scene.sell(DIRECT, 2)
    created = scene.run(DIRECT).of(customer)
    reseller = scene.resellers[1]
    scene.resubscribe(customer, reseller.mpn_id)

    taken_over = scene.run(INDIRECT).of(customer)

    assert taken_over.outcome == "updated"
    assert taken_over.account_id == created.account_id
    assert any("direct import before" in warning for warning in taken_over.warnings)
    assert mpn_option(scene, customer.tenant_id) == reseller.mpn_id
    assert scene.run(DIRECT).results.keys() == {staying.tenant_id}
    assert scene.run(INDIRECT).counts() == {"unchanged": 1}


def test_a_customer_that_changes_its_reseller_gets_the_other_mpn_id(scene: Scene):
    (customer,) = scene.sell(INDIRECT)
    _, before, after = scene.resellers
    scene.resubscribe(customer, before.mpn_id)
    scene.run(INDIRECT)
    scene.resubscribe(customer, after.mpn_id)

    assert scene.run(INDIRECT).counts() == {"updated": 1}
    assert mpn_option(scene, customer.tenant_id) == after.mpn_id


def test_a_tenant_resellers_customer_goes_into_its_own_bss_as_well_as_the_providers(scene: Scene):
    (customer,) = scene.sell(TENANT_RESELLER)
    for import_type in (TENANT_RESELLER, INDIRECT):
        assert scene.run(import_type).counts() == {"created": 1}
    for import_type in (TENANT_RESELLER, INDIRECT):
        assert scene.account_of(import_type, customer)
        assert scene.run(import_type).counts() == {"unchanged": 1}


def test_nobody_is_imported_twice_when_the_imports_run_in_turns(scene: Scene):
    sold = {kind: scene.sell(kind, 2) for kind in ImportType}
    for import_type in [*ImportType, *reversed(ImportType)]:
        scene.run(import_type)
    assert len(scene.bss(DIRECT).accounts) == sum(map(len, sold.values()))
    assert len(scene.bss(TENANT_RESELLER).accounts) == 2
