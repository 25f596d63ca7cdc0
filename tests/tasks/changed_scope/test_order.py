"""Of two readings the later one is remembered, whichever run is closed last and whatever its clock says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, update

from customer_import.database.tables import tenant_links
from customer_import.vocabulary import ImportType, Outcome, ReasonCode
from tests.imports.scene import on
from tests.support.library_run import finish
from tests.tasks.changed_scope.looks import DIRECT, age, changed, imported, reads

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from sandbox.population.models import Customer
    from tests.imports.scene import Scene

CITY = {"billingProfile": {"defaultAddress": {"city": "Volos"}}}


def test_a_run_that_is_closed_again_does_not_bring_back_what_it_read(scene: Scene) -> None:
    (good,) = scene.sell(DIRECT)
    (bad,) = scene.sell(DIRECT)
    scene.change(bad, access="left")
    first = scene.load(scene.stage(DIRECT))
    assert scene.finish(first).counts() == {"created": 1, "skipped": 1}
    scene.change(bad, access="open")
    scene.sandbox.source.audit.clear()
    assert scene.run(DIRECT).of(bad).outcome == Outcome.CREATED
    finish(scene.engine, first)
    report = changed(scene)
    assert reads(scene) == set()
    assert report.of(good).outcome == report.of(bad).outcome == Outcome.UNCHANGED


@on("sqlite")
def test_a_run_that_is_closed_late_forgets_nobody_whom_a_later_one_read(scene: Scene) -> None:
    imported(scene, 2)
    late = scene.load(scene.stage(DIRECT))
    scene.sell(DIRECT)
    scene.sandbox.source.audit.clear()
    scene.run(DIRECT)
    finish(scene.engine, late)
    assert changed(scene).counts() == {"unchanged": 3}
    assert reads(scene) == set()


def test_a_clock_that_was_ahead_costs_a_full_run_and_hides_no_reading(scene: Scene) -> None:
    customers = imported(scene, 2)
    age(scene, -3)
    scene.sandbox.source.edit(customers[0].tenant_id, {"document": CITY}, is_audited=False)
    report = changed(scene)
    assert report.summary.scope == "full"
    assert "clock" in (report.summary.scope_reason or "")
    assert report.counts() == {"updated": 1, "unchanged": 1}
    scene.change(customers[1], access="left")
    assert changed(scene).counts() == {"unchanged": 1, "skipped": 1}
    scene.sandbox.source.audit.clear()
    report = changed(scene)
    assert report.summary.scope == "changed"
    assert report.counts() == {"unchanged": 1, "skipped": 1}


def test_a_customer_whose_link_is_not_the_remembered_one_is_read(scene: Scene) -> None:
    deleted, relinked, _ = imported(scene, 3)
    with scene.engine.begin() as connection:
        connection.execute(delete(tenant_links).where(of_tenant(deleted)))
        connection.execute(update(tenant_links).where(of_tenant(relinked)).values(account_id=None))
    report = changed(scene)
    assert reads(scene) == {deleted.tenant_id, relinked.tenant_id}
    assert set(report.counts()) <= {"updated", "unchanged"}
    assert len(scene.links()) == 3
    assert changed(scene).counts() == {"unchanged": 3}
    assert reads(scene) == set()


@on("sqlite")
def test_a_customer_whose_link_is_another_imports_by_now_is_read(scene: Scene) -> None:
    (customer,) = scene.sell(DIRECT)
    scene.resubscribe(customer, None, scene.resellers[1].mpn_id)
    scene.run(DIRECT)
    with scene.engine.begin() as connection:
        connection.execute(delete(tenant_links))
    scene.run(ImportType.INDIRECT)
    scene.sandbox.source.audit.clear()
    report = changed(scene)
    assert reads(scene) == {customer.tenant_id}
    assert report.of(customer).reason_code == ReasonCode.ALREADY_IMPORTED


def of_tenant(customer: Customer) -> ColumnElement[bool]:
    return tenant_links.c.tenant_id == customer.tenant_id
