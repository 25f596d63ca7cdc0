"""A changed rule makes those be read whom it concerns, and nobody else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from customer_import.vocabulary import ImportType, Outcome
from tests.imports.scene import on
from tests.support.library_run import finish
from tests.tasks.changed_scope.looks import DIRECT, changed, imported, reads, unverified

if TYPE_CHECKING:
    from sandbox.bss.setup import SyncOption
    from sandbox.population.models import Customer
    from tests.imports.scene import Scene

INDIRECT = ImportType.INDIRECT


def of_resellers(scene: Scene) -> dict[str, list[Customer]]:
    """Imported customers of two resellers, by MPN ID."""
    sold = {}
    for reseller in scene.resellers[1:]:
        customers = scene.sell(INDIRECT, 2)
        sold[reseller.mpn_id] = [scene.resubscribe(one, reseller.mpn_id) for one in customers]
    scene.run(INDIRECT)
    scene.sandbox.source.audit.clear()
    return sold


def ids(customers: list[Customer]) -> set[str]:
    return {customer.tenant_id for customer in customers}


def test_an_exclusion_concerns_the_customers_of_that_reseller_alone(scene: Scene) -> None:
    (out, left_out), (_, others) = of_resellers(scene).items()
    scene.configure(exclude_reseller_mpn_ids=[out])
    report = unverified(scene, INDIRECT)
    assert report.summary.scope == "changed"
    assert reads(scene) == ids(left_out)
    assert report.results.keys() == ids(others)
    assert unverified(scene, INDIRECT).counts() == {"unchanged": 2}
    assert reads(scene) == set()
    scene.configure(exclude_reseller_mpn_ids=[])
    report = changed(scene, INDIRECT)
    assert report.summary.scope == "changed"
    assert reads(scene) == ids(left_out)
    assert report.counts() == {"unchanged": 4}


@on("sqlite")
def test_an_exclusion_that_is_lifted_concerns_who_has_another_reseller_too(scene: Scene) -> None:
    out, other = (reseller.mpn_id for reseller in scene.resellers[1:])
    (both,) = scene.sell(INDIRECT)
    scene.resubscribe(both, out, other)
    (single,) = scene.sell(INDIRECT)
    scene.resubscribe(single, other)
    scene.configure(exclude_reseller_mpn_ids=[out])
    report = unverified(scene, INDIRECT)
    assert report.of(both).reseller_mpn_id == other
    scene.sandbox.source.audit.clear()
    scene.configure(exclude_reseller_mpn_ids=[])
    report = changed(scene, INDIRECT)
    assert report.summary.scope == "changed"
    assert reads(scene) == {both.tenant_id}
    assert report.of(both).outcome == Outcome.AMBIGUOUS


@on("sqlite")
def test_an_exclusion_that_only_a_partial_run_saw_is_seen_by_the_next(scene: Scene) -> None:
    (out, (one, two)), _ = of_resellers(scene).items()
    scene.configure(exclude_reseller_mpn_ids=[out])
    unverified(scene, INDIRECT, tenants=[one.tenant_id])
    scene.configure(exclude_reseller_mpn_ids=[])
    report = changed(scene, INDIRECT)
    assert reads(scene) == {one.tenant_id}
    assert report.counts() == {"unchanged": 4}
    assert report.of(two).reseller_mpn_id == out


@on("sqlite")
def test_the_order_of_countries_and_states_makes_no_run_full(scene: Scene) -> None:
    imported(scene, 2)
    bss = scene.bss(DIRECT)
    countries = tuple(
        replace(country, states=country.states[::-1]) for country in bss.setup.countries[::-1]
    )
    bss.setup = replace(bss.setup, countries=countries)
    assert changed(scene).summary.scope == "changed"
    assert reads(scene) == set()


@on("sqlite")
def test_another_owner_is_for_new_customers(scene: Scene) -> None:
    imported(scene, 2)
    first, second = (user.username for user in scene.bss(DIRECT).setup.users)
    for user in (second, first):
        assert changed(scene, responsible_user=user).summary.scope == "changed"
        assert reads(scene) == set()
    (new,) = scene.sell(DIRECT)
    changed(scene, responsible_user=second)
    owner = next(user.id for user in scene.bss(DIRECT).setup.users if user.username == second)
    assert scene.account_of(DIRECT, new).values["responsibleUserId"] == owner


@on("sqlite")
def test_another_owner_costs_a_full_run_no_look_at_a_customer_in_the_bss(scene: Scene) -> None:
    imported(scene, 2)
    for user in scene.bss(DIRECT).setup.users:
        scene.sandbox.requests.clear()
        report = scene.run(DIRECT, responsible_user=user.username)
        assert report.counts() == {"unchanged": 2}
        asked = [entry.endpoint for entry in scene.sandbox.requests.entries]
        looks = [name for name in asked if name.startswith(("bss.accounts", "bss.contacts"))]
        assert looks == ["bss.accounts.list"]  # for second accounts of all of them


@on("sqlite")
@pytest.mark.parametrize("scope", ["full", "changed"])
def test_runs_that_always_leave_somebody_out_are_not_always_full(scene: Scene, scope: str) -> None:
    out, *others = imported(scene, 3)
    asked: dict[str, Any] = {"exclude_tenants": [out.tenant_id]}
    scene.expect([out], None)
    scene.run(DIRECT, scope=scope, **asked)
    (new,) = scene.sell(DIRECT)
    scene.edit(out, billingProfile={"defaultAddress": {"city": "Volos"}})
    report = changed(scene, **asked)
    assert reads(scene) == {new.tenant_id}
    assert report.results.keys() == ids([*others, new])
    assert report.summary.vanished == 0
    scene.expected.clear()
    scene.sandbox.source.audit.clear()
    report = changed(scene)
    assert report.summary.scope == "changed"
    assert reads(scene) == {out.tenant_id}
    assert report.of(out).outcome == Outcome.UPDATED


@on("sqlite")
def test_a_run_that_is_closed_again_brings_back_nobody_whom_a_later_one_left_out(
    scene: Scene,
) -> None:
    customers = scene.sell(DIRECT, 2)
    scene.sandbox.source.audit.clear()
    first = scene.load(scene.stage(DIRECT))
    scene.finish(first)
    out = customers[0]
    scene.edit(out, billingProfile={"defaultAddress": {"city": "Volos"}})
    scene.expect([out], None)
    changed(scene, exclude_tenants=[out.tenant_id])
    scene.expected.clear()
    finish(scene.engine, first)
    report = changed(scene)
    assert reads(scene) == {out.tenant_id}
    assert report.of(out).outcome == Outcome.UPDATED


@on("sqlite")
def test_who_vanishes_in_a_run_that_leaves_somebody_out_is_told(scene: Scene) -> None:
    out, gone, _ = imported(scene, 3)
    scene.sandbox.source.remove(gone.tenant_id)
    scene.expect([out, gone], None)
    report = changed(scene, exclude_tenants=[out.tenant_id])
    assert report.summary.vanished == 1
    scene.expected.clear()
    assert changed(scene).summary.vanished == 0


@on("sqlite")
def test_an_option_that_comes_later_concerns_those_who_lack_it(scene: Scene) -> None:
    bss = scene.bss(DIRECT)
    own = bss.setup.microsoft
    (prefix,) = (option for option in own.options if option.name == "Domain prefix")
    without = tuple(option for option in own.options if option is not prefix)
    customers = imported(scene, 1)

    def has_options(options: tuple[SyncOption, ...]) -> None:
        changed_system = replace(bss.setup.microsoft, options=options)
        systems = tuple(
            changed_system if system is bss.setup.microsoft else system
            for system in bss.setup.systems
        )
        bss.setup = replace(bss.setup, systems=systems)

    has_options(without)
    (late,) = scene.sell(DIRECT)
    scene.sandbox.source.audit.clear()
    assert unverified(scene, DIRECT).of(late).outcome == Outcome.CREATED
    has_options((*without, prefix))
    report = unverified(scene, DIRECT)
    assert report.summary.scope == "changed"
    assert reads(scene) == {late.tenant_id}
    assert report.of(late).outcome == Outcome.UPDATED
    assert unverified(scene, DIRECT).summary.scope == "changed"
    assert reads(scene) == set()
    assert len(customers) == 1
