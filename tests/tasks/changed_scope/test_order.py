"""Of two readings the later one is remembered, whichever run is closed last and whatever its clock says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from customer_import.database.engine import reading
from customer_import.database.tables import import_runs, tenant_links
from customer_import.runs.run import as_utc
from customer_import.vocabulary import ImportType, Outcome, ReasonCode
from tests.imports.scene import on
from tests.support.library_run import finish
from tests.tasks.changed_scope.looks import DIRECT, age, changed, imported, reads, unverified

if TYPE_CHECKING:
    from datetime import datetime

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


@on("sqlite", "postgres")
def test_a_customer_that_one_odd_answer_gave_to_another_import_is_read_again(scene: Scene) -> None:
    """Its subscriptions were not shown once; neither list nor audit record tells that they are back."""
    odd, _ = customers = scene.sell(ImportType.INDIRECT, 2)
    scene.configure(full_read_every_days=None)
    scene.run(ImportType.INDIRECT)
    edit = scene.sandbox.source.edit
    edit(odd.tenant_id, {"subscriptions": []}, is_audited=False)
    assert unverified(scene, ImportType.INDIRECT, scope="full").counts() == {"unchanged": 1}
    edit(odd.tenant_id, {"subscriptions": odd.subscriptions}, is_audited=False)
    scene.sandbox.source.audit.clear()
    report = changed(scene, ImportType.INDIRECT)
    assert report.results.keys() == {customer.tenant_id for customer in customers}
    assert reads(scene) == {odd.tenant_id}
    assert changed(scene, ImportType.INDIRECT).counts() == {"unchanged": 2}
    assert reads(scene) == set()


def of_tenant(customer: Customer) -> ColumnElement[bool]:
    return tenant_links.c.tenant_id == customer.tenant_id


def test_each_result_says_which_reading_it_came_from(scene: Scene) -> None:
    (good,) = scene.sell(DIRECT)
    (bad,) = scene.sell(DIRECT, peculiarity="no_contact_name")
    (gone,) = scene.sell(DIRECT)
    scene.change(gone, access="left")
    run = scene.stage(DIRECT)
    read_at = reading_of(scene, run.key)
    late = finish(scene.engine, run)  # nobody was loaded
    assert late.reasons["not_reached"] == 1
    by_task = {row.task_id: as_utc(row.read_at) for row in scene.results(run.key).values()}
    assert by_task == dict.fromkeys(
        ("extract_customers", "validate_customers", "finish_run"), read_at
    )
    report = scene.finish(scene.load(run))
    assert report.of(good).task_id == "load_customers"
    assert {as_utc(row.read_at) for row in report.results.values()} == {read_at}
    scene.sandbox.source.audit.clear()
    after = changed(scene)
    assert as_utc(after.of(good).read_at) == read_at  # it was not read again
    assert as_utc(after.of(bad).read_at) > read_at


def reading_of(scene: Scene, run_key: int) -> datetime:
    query = select(import_runs.c.read_at).where(import_runs.c.id == run_key)
    with reading(scene.engine) as connection:
        return as_utc(connection.execute(query).scalar_one())
