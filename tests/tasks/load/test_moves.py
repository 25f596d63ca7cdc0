"""A customer that moves to another reseller or import: what says whose it is follows, or is named until it is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete

from customer_import.database.tables import tenant_links
from customer_import.vocabulary import ImportType
from sandbox import FaultKind
from tests.tasks.load.scene import MPN, MPN_OPTION, Customer, customers, fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox import FaultRule
    from sandbox.bss.models import Account
    from tests.tasks.load.scene import Scene

OTHER_MPN = "5544332"
INDIRECT, DIRECT = ImportType.INDIRECT, ImportType.DIRECT

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def resellers(scene: Scene) -> tuple[Account, Account]:
    """The accounts of two resellers, configured as those that their customers are billed to."""
    found = (scene.existing("Reseller A", None), scene.existing("Reseller B", None))
    scene.configure(
        {MPN: found[0].id, OTHER_MPN: found[1].id},
        accepts_bill_to_account=True,
        accepts_responsible_user=True,
    )
    return found


def of_reseller(customer: Customer, mpn_id: str, account: Account) -> Customer:
    return customer.having(reseller=mpn_id, bill_to=account.id, options={MPN_OPTION: mpn_id})


def test_move_to_another_reseller_changes_mpn_id_and_bill_to_account(
    scene: Scene, resellers: tuple[Account, Account]
):
    a, b = resellers
    customer = customers(1)[0]
    scene.run([of_reseller(customer, MPN, a)], INDIRECT)
    moved = of_reseller(customer, OTHER_MPN, b)
    result = scene.results(scene.run([moved], INDIRECT))[customer.tenant_id]
    account = scene.account_of(customer)
    assert result.outcome == "updated"
    assert account.values["billToAccountId"] == b.id
    assert scene.options_of(account)["resellermpnid"] == OTHER_MPN
    assert result.warnings == [
        f"The customer was reseller {MPN}'s before; it now is {OTHER_MPN}'s."
    ]
    again = scene.results(scene.run([moved], INDIRECT))[customer.tenant_id]
    assert (again.outcome, again.warnings) == ("unchanged", None)


def test_move_whose_first_try_failed_is_still_a_move(
    scene: Scene, resellers: tuple[Account, Account]
):
    a, b = resellers
    customer = customers(1)[0]
    scene.run([of_reseller(customer, MPN, a)], INDIRECT)
    moved = of_reseller(customer, OTHER_MPN, b)
    scene.sandbox.faults.replace([fault("bss.accounts.patch", FaultKind.READ_ONLY_FIELD, (1,))])
    assert scene.outcomes(scene.run([moved], INDIRECT)) == ["failed"]
    result = scene.results(scene.run([moved], INDIRECT))[customer.tenant_id]
    assert f"reseller {MPN}'s before" in result.warnings[0]
    assert scene.account_of(customer).values["billToAccountId"] == b.id


def test_what_the_api_does_not_take_is_named_until_a_person_has_changed_it(
    scene: Scene, resellers: tuple[Account, Account]
):
    a, b = resellers
    customer = customers(1)[0]
    scene.run([of_reseller(customer, MPN, a)], INDIRECT)
    moved = customer.having(reseller=OTHER_MPN, options={MPN_OPTION: OTHER_MPN})
    for _ in range(2):
        result = scene.results(scene.run([moved], INDIRECT))[customer.tenant_id]
        assert f"bill-to account is still {a.id}; make it account {b.id}" in result.warnings[-1]
    account = scene.account_of(customer)
    scene.records.update_account(
        account, {**account.values, "billToAccountId": b.id}, account.custom_fields
    )
    assert scene.results(scene.run([moved], INDIRECT))[customer.tenant_id].warnings is None
    asked = scene.requests()
    run = scene.begin(INDIRECT)
    looked_up = scene.requests() - asked
    scene.stage(run, [moved])
    scene.load(run)
    assert scene.requests() == asked + looked_up + 1  # for second accounts


def test_customer_that_becomes_direct_is_told_what_is_still_its_resellers(
    scene: Scene, resellers: tuple[Account, Account]
):
    a, _ = resellers
    customer = customers(1)[0]
    scene.run([of_reseller(customer, MPN, a)], INDIRECT)
    first = scene.results(scene.run([customer], DIRECT))[customer.tenant_id]
    assert "imported by the indirect import before" in first.warnings[0]
    second = scene.results(scene.run([customer], DIRECT))[customer.tenant_id]
    for warnings in (first.warnings[1:], second.warnings):
        assert "carries a reseller's MPN ID as a sync option" in warnings[0]
        assert f"bill-to account is still {a.id}" in warnings[1]
    account = scene.account_of(customer)
    scene.records.set_sync_options(
        account.id, scene.records.setup.microsoft.id, {"resellermpnid": ""}
    )
    values = {name: value for name, value in account.values.items() if name != "billToAccountId"}
    scene.records.update_account(account, values, account.custom_fields)
    assert scene.results(scene.run([customer], DIRECT))[customer.tenant_id].warnings is None


def test_what_is_still_its_resellers_is_told_when_nobody_remembers_the_move(
    scene: Scene, resellers: tuple[Account, Account]
):
    a, _ = resellers
    customer = customers(1)[0]
    scene.run([of_reseller(customer, MPN, a)], INDIRECT)
    with scene.engine.begin() as database:
        database.execute(delete(tenant_links))  # as after a restore
    for _ in range(2):
        result = scene.results(scene.run([customer], DIRECT, scope="verify"))[customer.tenant_id]
        assert result.outcome == "unchanged"
        assert "carries a reseller's MPN ID as a sync option" in result.warnings[0]
        assert f"bill-to account is still {a.id}" in result.warnings[1]


def test_owner_follows_a_move_and_nothing_else(scene: Scene, resellers: tuple[Account, Account]):
    a, b = resellers
    first, second = (user.id for user in scene.records.setup.users)
    customer = of_reseller(customers(1)[0], MPN, a).having(owner=first)
    scene.run([customer], INDIRECT)
    scene.run([customer.having(owner=second, city="Volos")], INDIRECT)
    assert scene.account_of(customer).values["responsibleUserId"] == first
    scene.run([of_reseller(customer, OTHER_MPN, b).having(owner=second)], INDIRECT)
    assert scene.account_of(customer).values["responsibleUserId"] == second


def test_import_that_never_happened_is_no_import_of_before(scene: Scene):
    customer = customers(1)[0]
    scene.sandbox.faults.replace([fault("bss.accounts.create", FaultKind.READ_ONLY_FIELD, (1,))])
    assert scene.outcomes(scene.run([customer], DIRECT)) == ["failed"]
    moved = customer.having(reseller=MPN, options={MPN_OPTION: MPN})
    result = scene.results(scene.run([moved], INDIRECT))[customer.tenant_id]
    assert (result.outcome, result.warnings) == ("created", None)


def test_preview_of_a_move_to_another_reseller_says_what_the_import_does(
    scene: Scene, resellers: tuple[Account, Account]
):
    a, b = resellers
    customer = customers(1)[0]
    scene.run([of_reseller(customer, MPN, a)], INDIRECT)
    moved = of_reseller(customer, OTHER_MPN, b)
    said = scene.results(scene.run([moved], INDIRECT, mode="preview"))[customer.tenant_id]
    done = scene.results(scene.run([moved], INDIRECT))[customer.tenant_id]
    assert said.fields == done.fields
    assert said.fields["billToAccountId"] == "changed"
    assert said.warnings == done.warnings


def test_move_that_changes_nothing_but_what_is_written_once_is_a_move(
    scene: Scene, resellers: tuple[Account, Account]
):
    a, b = resellers
    customer = customers(1)[0]
    scene.run([customer.having(reseller=MPN, bill_to=a.id)], INDIRECT)
    moved = customer.having(reseller=OTHER_MPN, bill_to=b.id)
    assert scene.outcomes(scene.run([moved], INDIRECT)) == ["updated"]
    assert scene.account_of(customer).values["billToAccountId"] == b.id
    assert scene.outcomes(scene.run([moved], INDIRECT)) == ["unchanged"]


def lost_creation() -> list[FaultRule]:
    """The account is made, its answer lost, and what became of it cannot be looked up."""
    looks = fault("bss.accounts.list", FaultKind.QUOTE, tuple(range(3, 10)), status=400)
    return [fault("bss.accounts.create", FaultKind.RESET_AFTER, (1,)), looks]


def refused_contact() -> list[FaultRule]:
    return [fault("bss.contacts.create", FaultKind.READ_ONLY_FIELD)]


@pytest.mark.parametrize("befalls", [lost_creation, refused_contact])
@pytest.mark.parametrize("was_direct", [True, False])
def test_account_that_is_finished_after_a_move_is_whose_the_customer_is_by_then(
    scene: Scene,
    resellers: tuple[Account, Account],
    befalls: Callable[[], list[FaultRule]],
    *,
    was_direct: bool,
):
    a, b = resellers
    customer = customers(1)[0]
    scene.sandbox.faults.replace(befalls())
    if was_direct:
        scene.run([customer], DIRECT)
    else:
        scene.run([of_reseller(customer, MPN, a)], INDIRECT)
    scene.sandbox.faults.replace([])
    moved = of_reseller(customer, OTHER_MPN, b)
    assert scene.outcomes(scene.run([moved], INDIRECT)) == ["created"]
    account = scene.account_of(customer)
    assert account.values["billToAccountId"] == b.id
    assert scene.options_of(account)["resellermpnid"] == OTHER_MPN
    assert len(scene.records.contacts_of(account.id)) == 1


def test_account_that_is_finished_has_what_the_bss_takes_by_then(
    scene: Scene, resellers: tuple[Account, Account]
):
    a, _ = resellers
    customer = customers(1)[0]
    scene.configure({MPN: a.id}, accepts_bill_to_account=False)
    scene.sandbox.faults.replace(refused_contact())
    scene.run([of_reseller(customer, MPN, a).having(bill_to=None)], INDIRECT)
    scene.sandbox.faults.replace([])
    scene.configure({MPN: a.id}, accepts_bill_to_account=True)
    assert scene.outcomes(scene.run([of_reseller(customer, MPN, a)], INDIRECT)) == ["created"]
    assert scene.account_of(customer).values["billToAccountId"] == a.id


def test_customer_that_comes_back_before_its_move_was_written_whole_is_written_again(
    scene: Scene, resellers: tuple[Account, Account]
):
    a, b = resellers
    customer = of_reseller(customers(1)[0], MPN, a)
    scene.run([customer], INDIRECT)
    scene.sandbox.faults.replace([fault("bss.sync_options.post", FaultKind.READ_ONLY_FIELD)])
    assert scene.outcomes(scene.run([of_reseller(customer, OTHER_MPN, b)], INDIRECT)) == ["failed"]
    assert scene.account_of(customer).values["billToAccountId"] == b.id
    scene.sandbox.faults.replace([])
    result = scene.results(scene.run([customer], INDIRECT))[customer.tenant_id]
    assert result.outcome == "updated"
    assert "came back before the move was written" in result.warnings[0]
    assert scene.account_of(customer).values["billToAccountId"] == a.id
    again = scene.results(scene.run([customer], INDIRECT))[customer.tenant_id]
    assert (again.outcome, again.warnings) == ("unchanged", None)
