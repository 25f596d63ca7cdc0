"""What was left out is written as soon as it can be; until then its warning stays."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from customer_import import failpoints
from customer_import.vocabulary import ImportType
from sandbox.bss.setup import SyncOption
from tests.tasks.load.scene import MPN, MPN_OPTION, customers

if TYPE_CHECKING:
    from sandbox.bss.models import Account
    from sandbox.bss.setup import ExternalSystem
    from tests.tasks.load.scene import Customer, Scene

INN = "Organisation INN"
ABSENT = f"The BSS organisation has no sync option {INN!r}; it was left out."

pytestmark = pytest.mark.parametrize("engine", ["sqlite", "postgres"], indirect=True)


def add_option(scene: Scene) -> None:
    """Set up the option, as a person does in the BSS."""
    setup = scene.records.setup
    own = setup.microsoft
    grown = replace(own, options=(*own.options, SyncOption("inn", INN)))
    systems = tuple(grown if system is own else system for system in setup.systems)
    scene.records.setup = replace(setup, systems=systems)


def test_option_that_the_organisation_gets_later_is_written_by_the_next_run(scene: Scene):
    staged = [customer.having(options={INN: "77"}) for customer in customers(3)]
    scene.run(staged)
    asked = scene.requests("sync_options.get")
    unchanged = scene.run(staged)
    for customer in staged:
        row = scene.results(unchanged)[customer.tenant_id]
        assert (row.outcome, row.warnings) == ("unchanged", [ABSENT])
    assert scene.requests("sync_options.get") == asked + 1  # of all three together
    add_option(scene)
    run = scene.run(staged)
    for customer in staged:
        row = scene.results(run)[customer.tenant_id]
        assert (row.outcome, row.warnings) == ("updated", None)
        assert scene.options_of(scene.account_of(customer))["inn"] == "77"
    asked = scene.requests("sync_options.get")
    assert scene.outcomes(scene.run(staged)) == ["unchanged"] * 3
    assert scene.requests("sync_options.get") == asked


def test_options_of_a_system_that_the_organisation_gets_later_are_written(scene: Scene):
    scene.configure(sync_system="Google Workspace")
    customer = customers(1)[0]
    scene.run([customer])
    result = scene.results(scene.run([customer]))[customer.tenant_id]
    assert result.outcome == "unchanged"
    assert "has no sync option 'Domain prefix'" in result.warnings[0]
    scene.configure()
    assert scene.outcomes(scene.run([customer])) == ["updated"]
    assert scene.faults() == {}


class OddSystem:
    """An external system that says once that it has no options."""

    def __init__(self, system: ExternalSystem) -> None:
        self._system = system
        self._has_said_none = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._system, name)

    @property
    def options(self) -> tuple[SyncOption, ...]:
        had, self._has_said_none = self._has_said_none, True
        return self._system.options if had else ()


def test_one_empty_answer_about_the_options_is_not_believed(scene: Scene):
    setup = scene.records.setup
    odd = OddSystem(setup.microsoft)
    scene.records.setup = replace(setup, systems=(odd, setup.systems[1]))  # type: ignore[arg-type]
    assert scene.outcomes(scene.run(customers(3))) == ["created"] * 3
    assert scene.faults() == {}


def drop_options(scene: Scene) -> None:
    """Remove the options of the system, as a person does in the BSS."""
    setup = scene.records.setup
    own = setup.microsoft
    systems = tuple(replace(own, options=()) if one is own else one for one in setup.systems)
    scene.records.setup = replace(setup, systems=systems)


@pytest.mark.parametrize("is_new", [True, False])
def test_option_that_goes_while_it_is_written_is_left_out_and_no_customer_is_blamed(
    scene: Scene, *, is_new: bool
):
    def drop(failpoint: str) -> None:
        if failpoint == "before_sync_options_post":
            failpoints.watch(None)
            drop_options(scene)

    staged = customers(2)
    if not is_new:
        scene.run(staged)
        staged = [customer.having(options={MPN_OPTION: MPN}) for customer in staged]
    run = scene.begin()
    scene.stage(run, staged)
    failpoints.watch(drop)
    scene.load(run)
    failpoints.watch(None)
    assert scene.outcomes(run) == ["created" if is_new else "unchanged"] * 2
    for row in scene.results(run).values():
        assert "has no sync option 'Domain prefix'" in row.warnings[0]
    assert len(scene.accounts) == 2


def test_account_that_is_gone_is_said_of_its_customer_and_of_nobody_else(scene: Scene):
    staged = [customer.having(options={INN: "77"}) for customer in customers(3)]
    scene.run(staged)
    first = min(staged, key=lambda customer: customer.tenant_id)
    del scene.records.accounts[scene.account_of(first).id]
    run = scene.run(staged)
    assert scene.outcomes(run) == ["failed", "unchanged", "unchanged"]
    assert "no longer exists" in scene.results(run)[first.tenant_id].reason


REFUSED = "The BSS's API does not take the {} (bss.{} of the instance); it was left out."
USER_REFUSED = REFUSED.format("responsible user", "accepts_responsible_user")
RULE_REFUSED = REFUSED.format("permission rule", "accepts_permission_rule")
BILL_TO_REFUSED = REFUSED.format("bill-to account", "accepts_bill_to_account")
OCCUPIED = "The responsible user of the {} stays as it is in the BSS"


class Owned:
    """A scene whose instance names an owner that the API does not take at first."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.user, self.other = scene.records.setup.users
        self.refuse()

    def refuse(self) -> None:
        self.scene.configure(responsible_user=self.user.username)

    def accept(self) -> None:
        self.scene.configure(responsible_user=self.user.username, accepts_responsible_user=True)

    def taken(self, customer: Customer) -> Customer:
        """As the transform stages it once the API takes an owner."""
        return customer.having(owner=self.user.id)

    def give(self, account: Account, owner: int) -> None:
        """Enter an owner, as a person does in the BSS."""
        values = {**account.values, "responsibleUserId": owner}
        self.scene.records.update_account(account, values, account.custom_fields)


@pytest.fixture
def owned(scene: Scene) -> Owned:
    return Owned(scene)


def test_owner_that_the_api_takes_later_is_written_to_accounts_that_exist(owned: Owned):
    scene, staged = owned.scene, customers(3)
    created = scene.results(scene.run(staged))
    assert {tuple(row.warnings) for row in created.values()} == {(USER_REFUSED,)}
    run = scene.begin()
    before = scene.requests()
    scene.stage(run, staged)
    scene.load(run)
    assert scene.requests() == before + 1  # for second accounts
    for row in scene.results(run).values():
        assert (row.outcome, row.warnings) == ("unchanged", [USER_REFUSED])
    owned.accept()
    later = scene.results(scene.run([owned.taken(one) for one in staged]))
    for customer in staged:
        row = later[customer.tenant_id]
        account = scene.account_of(customer)
        assert (row.outcome, row.warnings) == ("updated", None)
        assert account.values["responsibleUserId"] == owned.user.id
    writes = scene.writes
    assert scene.outcomes(scene.run([owned.taken(one) for one in staged])) == ["unchanged"] * 3
    assert scene.writes == writes


def test_owner_that_a_person_entered_meanwhile_stays_and_that_is_said(owned: Owned):
    scene, customer = owned.scene, customers(1)[0]
    scene.run([customer])
    owned.give(scene.account_of(customer), owned.other.id)
    owned.accept()
    row = scene.results(scene.run([owned.taken(customer)]))[customer.tenant_id]
    assert scene.account_of(customer).values["responsibleUserId"] == owned.other.id
    assert OCCUPIED.format("account") in row.warnings[0]
    again = scene.results(scene.run([owned.taken(customer)]))[customer.tenant_id]
    assert (again.outcome, again.warnings) == ("unchanged", None)


def test_what_is_left_out_stays_remembered_through_other_updates(owned: Owned):
    scene, customer = owned.scene, customers(1)[0]
    scene.run([customer])
    moved = customer.having(city="Volos")
    row = scene.results(scene.run([moved]))[customer.tenant_id]
    assert (row.outcome, row.warnings) == ("updated", [USER_REFUSED])
    owned.accept()
    assert scene.outcomes(scene.run([owned.taken(moved)])) == ["updated"]
    assert scene.account_of(customer).values["responsibleUserId"] == owned.user.id


def test_owner_that_was_not_asked_for_then_is_for_new_accounts(owned: Owned):
    scene, customer = owned.scene, customers(1)[0]
    scene.configure()
    assert scene.results(scene.run([customer]))[customer.tenant_id].warnings is None
    owned.refuse()
    assert scene.results(scene.run([customer]))[customer.tenant_id].warnings is None
    owned.accept()
    assert scene.outcomes(scene.run([owned.taken(customer)])) == ["unchanged"]
    assert "responsibleUserId" not in scene.account_of(customer).values


def test_owner_that_nobody_asks_for_any_more_is_not_said(owned: Owned):
    scene, customer = owned.scene, customers(1)[0]
    scene.run([customer])
    scene.configure()
    row = scene.results(scene.run([customer]))[customer.tenant_id]
    assert (row.outcome, row.warnings) == ("unchanged", None)


def test_a_preview_says_what_would_be_filled(owned: Owned):
    scene, customer = owned.scene, customers(1)[0]
    scene.run([customer])
    owned.accept()
    run = scene.run([owned.taken(customer)], mode="preview")
    row = scene.results(run)[customer.tenant_id]
    assert row.outcome == "would_update"
    assert "responsibleUserId" in row.reason


def test_permission_rule_and_bill_to_account_are_left_out_and_written_alike(scene: Scene):
    reseller = scene.existing("Reseller", None)
    rule = scene.records.setup.permission_rules[1]
    named = {"permission_rule": rule.name}
    scene.configure({MPN: reseller.id}, **named)
    customer = customers(1)[0].having(reseller=MPN, options={MPN_OPTION: MPN})
    row = scene.results(scene.run([customer], ImportType.INDIRECT))[customer.tenant_id]
    assert row.warnings == [BILL_TO_REFUSED, RULE_REFUSED]
    scene.configure({MPN: reseller.id}, accepts_bill_to_account=True, **named)
    taken = customer.having(bill_to=reseller.id)
    row = scene.results(scene.run([taken], ImportType.INDIRECT))[customer.tenant_id]
    assert (row.outcome, row.warnings) == ("updated", [RULE_REFUSED])
    assert scene.account_of(customer).values["billToAccountId"] == reseller.id
