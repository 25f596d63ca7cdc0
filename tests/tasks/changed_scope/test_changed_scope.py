"""Runs of scope ``changed``: what is read, what is carried on, and that the outcomes are those of a full run."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from customer_import.errors import AuthenticationError
from customer_import.runs.run import find_run, open_run
from customer_import.tasks.transform.transform import transform_customers
from customer_import.tasks.validate.validate import validate_customers
from customer_import.vocabulary import ImportType, Outcome
from sandbox import FaultKind
from sandbox.config import CustomerClass
from sandbox.demo.settings import PARTNER_CENTER_CONNECTION
from tests.imports.scene import on
from tests.tasks.changed_scope.looks import (
    AUDIT,
    DIRECT,
    READS,
    age,
    changed,
    endings,
    extract_again,
    imported,
    reads,
    unverified,
)

if TYPE_CHECKING:
    from sandbox.population.models import Customer
    from tests.imports.scene import Scene


def test_nothing_is_read_again_when_nothing_changed(scene: Scene) -> None:
    imported(scene)
    report = changed(scene)
    assert reads(scene) == set()
    assert report.counts() == {"unchanged": 6}
    assert (report.summary.scope, report.summary.carried) == ("changed", 6)
    assert scene.writes() == []
    bss_customers = [
        entry
        for entry in scene.sandbox.requests.entries
        if entry.endpoint.startswith(("bss.accounts", "bss.contacts"))
    ]
    assert bss_customers == []
    row = next(iter(report.results.values()))
    assert row.reason.startswith("Unchanged in Partner Center since 20")


def test_an_audited_change_is_read_and_written(scene: Scene) -> None:
    customers = imported(scene)
    scene.edit(customers[2], billingProfile={"defaultAddress": {"city": "Nafplio"}})
    report = changed(scene)
    assert reads(scene) == {customers[2].tenant_id}
    assert report.counts() == {"updated": 1, "unchanged": 5}
    account = scene.account_of(DIRECT, customers[2])
    assert account.values["billingAddress"]["city"] == "Nafplio"


@on("sqlite")
def test_licences_and_users_of_customers_cost_no_request_beyond_their_records(scene: Scene) -> None:
    customers = imported(scene)
    operations = ("update_customer_user_licenses", "create_customer_user", "policy_updated")
    for customer in customers:
        for operation in operations * 50:
            scene.sandbox.source.note(customer.tenant_id, operation)
    scene.sandbox.source.note(customers[4].tenant_id, "create_order")

    report = changed(scene)

    assert reads(scene) == {customers[4].tenant_id}
    assert scene.sandbox.requests.count(AUDIT) == 2  # 901 records
    assert report.counts() == {"unchanged": 6}


def test_a_new_customer_is_imported_also_without_an_audit_record(scene: Scene) -> None:
    imported(scene)
    (new,) = scene.sell(DIRECT)
    scene.sandbox.source.audit.clear()
    report = changed(scene)
    assert reads(scene) == {new.tenant_id}
    assert report.of(new).outcome == Outcome.CREATED


def test_a_changed_list_item_is_read_without_an_audit_record(scene: Scene) -> None:
    customers = imported(scene)
    name = {"companyProfile": {"companyName": "Renamed Ltd"}}
    scene.sandbox.source.edit(customers[0].tenant_id, {"document": name}, is_audited=False)
    report = changed(scene)
    assert reads(scene) == {customers[0].tenant_id}
    assert report.of(customers[0]).outcome == Outcome.UPDATED


def test_a_customer_that_vanished_is_reported_once_and_keeps_its_account(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    customers = imported(scene)
    gone = customers[1]
    scene.sandbox.source.remove(gone.tenant_id)
    report = changed(scene)
    assert report.summary.vanished == 1
    assert gone.tenant_id not in report.results
    assert gone.tenant_id in caplog.text
    assert gone.tenant_id in scene.content(DIRECT)
    assert changed(scene).summary.vanished == 0
    scene.sandbox.source.put(gone)  # one that comes back is read, whatever the records say
    report = changed(scene)
    assert reads(scene) == {gone.tenant_id}
    assert report.of(gone).outcome == Outcome.UNCHANGED


def test_a_changed_subscription_moves_a_customer_to_the_other_import(scene: Scene) -> None:
    (mine, *_) = imported(scene)
    scene.run(ImportType.INDIRECT)
    scene.resubscribe(mine, scene.resellers[1].mpn_id)
    direct = unverified(scene, DIRECT)
    assert mine.tenant_id not in direct.results
    indirect = unverified(scene, ImportType.INDIRECT)
    assert indirect.of(mine).reseller_mpn_id == scene.resellers[1].mpn_id


def test_a_change_without_a_record_is_found_within_the_full_read_interval(scene: Scene) -> None:
    customers = imported(scene, 7)
    scene.configure(full_read_every_days=7)
    address = {"billingProfile": {"defaultAddress": {"city": "Mytilene"}}}
    hidden = customers[5]
    scene.sandbox.source.edit(hidden.tenant_id, {"document": address}, is_audited=False)
    found_on, read_by_day = [], []
    for day in range(1, 9):
        age(scene, 1)
        report = changed(scene)
        read_by_day.append(len(reads(scene)))
        if report.of(hidden).outcome == Outcome.UPDATED:
            found_on.append(day)
    assert len(found_on) == 1
    assert found_on[0] <= 7
    assert max(read_by_day) <= 2  # 7 customers in 7 days, rounded up
    assert sum(read_by_day[:7]) >= 7


@on("sqlite")
def test_without_an_interval_of_full_reads_only_what_changed_is_read(scene: Scene) -> None:
    customers = imported(scene, 4)
    scene.configure(full_read_every_days=None)
    assert changed(scene).summary.scope == "changed"
    for _ in range(3):
        age(scene, 20)
        assert changed(scene).counts() == {"unchanged": 4}
        assert reads(scene) == set()
    scene.edit(customers[1], billingProfile={"defaultAddress": {"city": "Volos"}})
    assert changed(scene).of(customers[1]).outcome == Outcome.UPDATED
    assert reads(scene) == {customers[1].tenant_id}


@on("sqlite")
def test_customers_that_were_skipped_as_existing_are_read_again_by_a_run_that_updates(
    scene: Scene,
) -> None:
    customers = imported(scene, 3)
    scene.configure(full_read_every_days=None)
    scene.edit(customers[0], billingProfile={"defaultAddress": {"city": "Volos"}})
    scene.expect(customers[:1], Outcome.SKIPPED)
    assert changed(scene, on_existing="skip").counts() == {"skipped": 1, "unchanged": 2}
    scene.sandbox.source.audit.clear()  # what is read now is read for its outcome alone
    assert changed(scene, on_existing="skip").counts() == {"skipped": 1, "unchanged": 2}
    assert reads(scene) == set()
    scene.expected.clear()
    assert changed(scene).counts() == {"updated": 1, "unchanged": 2}
    assert reads(scene) == {customers[0].tenant_id}


@on("sqlite")
def test_audit_records_are_read_to_the_last_page(scene: Scene) -> None:
    customers = imported(scene, 3)
    for _ in range(600):
        scene.change(customers[0])
    scene.edit(customers[2], billingProfile={"defaultAddress": {"city": "Volos"}})
    report = changed(scene)
    assert scene.sandbox.requests.count(AUDIT) == 2
    assert reads(scene) == {customers[0].tenant_id, customers[2].tenant_id}
    assert report.of(customers[2]).outcome == Outcome.UPDATED


@on("sqlite")
def test_after_a_gap_that_audit_records_do_not_reach_everything_is_read(scene: Scene) -> None:
    customers = imported(scene)
    age(scene, 91)
    report = changed(scene)
    assert report.summary.scope == "full"
    assert "91 days ago" in (report.summary.scope_reason or "")
    assert reads(scene) == {customer.tenant_id for customer in customers}


@pytest.mark.parametrize("status", [403, 404, 500])
@on("sqlite")
def test_a_cloud_without_audit_records_is_read_in_full(scene: Scene, status: int) -> None:
    customers = imported(scene, 3)
    scene.configure(partner_center={"max_attempts": 1})
    scene.strike(AUDIT, FaultKind.STATUS, status=status)
    report = changed(scene)
    assert report.summary.scope == "full"
    assert "no audit records" in (report.summary.scope_reason or "")
    assert len(reads(scene)) == len(customers)


@on("sqlite")
def test_the_first_run_is_full_and_says_so(scene: Scene) -> None:
    scene.sell(DIRECT, 2)
    report = changed(scene)
    assert report.summary.scope == "full"
    assert "no complete run" in (report.summary.scope_reason or "")


@on("sqlite")
def test_changed_settings_force_a_full_run_but_changed_pace_does_not(scene: Scene) -> None:
    imported(scene, 2)
    scene.configure(partner_center={"concurrency": 2}, load_batch_size=10)
    assert changed(scene).summary.scope == "changed"
    scene.configure(counted_subscription_statuses=["active"])
    report = changed(scene)
    assert report.summary.scope == "full"
    assert "the instance's settings" in (report.summary.scope_reason or "")
    assert changed(scene).summary.scope == "changed"


@on("sqlite")
def test_a_new_reseller_forces_a_full_indirect_run(scene: Scene) -> None:
    scene.sell(ImportType.INDIRECT, 2)
    scene.run(ImportType.INDIRECT)
    reseller = scene.resellers[-1]
    scene.sandbox.source.resellers.pop(reseller.tenant_id.lower())
    report = unverified(scene, ImportType.INDIRECT)
    assert report.summary.scope == "full"
    assert "the resellers" in (report.summary.scope_reason or "")


def test_carried_outcomes_are_those_of_a_full_run(scene: Scene) -> None:
    scene.sell(CustomerClass.DIRECT, 4)
    odd = ("no_contact_name", "country_unknown", "relationship_none", "billing_profile_null")
    without_success = [scene.sell(CustomerClass.DIRECT, peculiarity=name)[0] for name in odd]
    scene.sell(CustomerClass.INDIRECT, 3)
    scene.sandbox.source.audit.clear()
    scene.run(DIRECT)
    carried = changed(scene)
    assert reads(scene) == {customer.tenant_id for customer in without_success}
    full = scene.run(DIRECT, scope="full")
    assert endings(carried) == endings(full)
    assert carried.counts() == full.counts()
    assert carried.summary.reasons == full.summary.reasons
    assert carried.summary.warnings == full.summary.warnings
    assert carried.summary.discovered == full.summary.discovered
    assert carried.summary.listed == full.summary.listed


@on("sqlite")
def test_who_had_no_success_is_read_by_every_run(scene: Scene) -> None:
    """However it is mended: neither list nor audit records need show it."""
    scene.configure(full_read_every_days=None)
    rejected, left, gone, _ = scene.sell(DIRECT, 4)
    indirect = ImportType.INDIRECT
    (unknown,) = scene.sell(indirect)
    name = {
        "billingProfile": {
            "firstName": "",
            "lastName": "",
            "defaultAddress": {"firstName": "", "lastName": ""},
        }
    }
    hidden: list[tuple[Customer, dict[str, Any], dict[str, Any]]] = [
        (rejected, {"document": name}, {"document": rejected.document}),
        (left, {"access": "left"}, {"access": "open"}),
        (gone, {"access": "gone"}, {"access": "open"}),
    ]
    for customer, broken, _ in hidden:
        scene.sandbox.source.edit(customer.tenant_id, broken, is_audited=False)
    scene.resubscribe(unknown, "7654321")
    scene.sandbox.source.audit.clear()
    scene.expect([rejected, left, gone, unknown], *Outcome, None)
    assert scene.run(DIRECT).counts() == {"created": 1, "rejected": 1, "skipped": 2}
    assert scene.run(indirect).counts() == {"skipped": 3}
    for customer, _, mended in hidden:
        scene.sandbox.source.edit(customer.tenant_id, mended, is_audited=False)
    scene.resubscribe(unknown, scene.resellers[1].mpn_id)
    scene.sandbox.source.audit.clear()
    assert changed(scene).counts() == {"created": 3, "unchanged": 1}
    assert reads(scene) == {customer.tenant_id for customer in (rejected, left, gone)}
    assert changed(scene, indirect).of(unknown).outcome == Outcome.CREATED
    assert changed(scene).counts() == {"unchanged": 4}
    assert reads(scene) == set()


def test_what_failed_is_tried_again_without_any_change(scene: Scene) -> None:
    scene.configure(bss={"max_attempts": 1})
    customers = scene.sell(DIRECT, 3)
    scene.sandbox.source.audit.clear()
    scene.expect(customers, *Outcome)
    scene.strike("bss.accounts.create", FaultKind.STATUS, status=500)
    assert scene.run(DIRECT, max_failed_percent=100).counts() == {"failed": 3}
    scene.sandbox.faults.replace(())
    report = changed(scene)
    assert reads(scene) == {customer.tenant_id for customer in customers}
    assert report.counts() == {"created": 3}
    assert changed(scene).counts() == {"unchanged": 3}


@on("sqlite")
def test_a_preview_and_a_selective_run_do_not_move_the_basis(scene: Scene) -> None:
    customers = imported(scene, 3)
    scene.edit(customers[0], billingProfile={"defaultAddress": {"city": "Sparta"}})
    assert changed(scene, mode="preview").counts() == {"would_update": 1, "unchanged": 2}
    scene.expect([customers[0], customers[2]], None)
    selected = changed(scene, tenants=[customers[1].tenant_id])
    assert selected.counts() == {"unchanged": 1}
    scene.expected.clear()
    assert changed(scene).counts() == {"updated": 1, "unchanged": 2}


@on("sqlite")
def test_customers_that_stay_rejected_count_for_the_limit(scene: Scene) -> None:
    scene.sell(DIRECT, 18)
    scene.sell(DIRECT, 3, peculiarity="no_contact_name")
    scene.sandbox.source.audit.clear()
    scene.run(DIRECT)
    (bad,) = scene.sell(DIRECT, peculiarity="no_contact_name")
    report = changed(scene, max_rejected_percent=25)
    assert report.of(bad).outcome == Outcome.REJECTED
    assert report.counts() == {"unchanged": 18, "rejected": 4}


def test_an_extraction_that_died_goes_on_with_its_plan(scene: Scene) -> None:
    """The next attempt lists again, and keeps what the first one decided."""
    customers = imported(scene, 5)
    scene.edit(customers[3], billingProfile={"defaultAddress": {"city": "Kavala"}})
    scene.strike(READS[1], FaultKind.UNAUTHORIZED)
    with pytest.raises(AuthenticationError):
        scene.stage(DIRECT, scope="changed", airflow_run_id="died")
    run = open_run(scene.engine, find_run(scene.engine, DIRECT.dag_id, "died") or 0)
    scene.sandbox.faults.replace(())
    scene.sandbox.requests.clear()
    (new,) = scene.sell(DIRECT)
    summary = extract_again(scene, run)
    assert (summary.scope, summary.carried, summary.fetched) == ("changed", 4, 2)
    assert reads(scene) == {customers[3].tenant_id, new.tenant_id}
    assert scene.sandbox.requests.count(AUDIT) == 0
    validate_customers(run, scene.engine)
    transform_customers(run, scene.engine)
    report = scene.finish(scene.load(run))
    assert report.counts() == {"created": 1, "updated": 1, "unchanged": 4}


@on("sqlite")
def test_in_a_cloud_without_audit_records_every_customer_is_read_and_that_is_said(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    customers = imported(scene, 3)
    name = f"AIRFLOW_CONN_{PARTNER_CENTER_CONNECTION.upper()}"
    connection = json.loads(os.environ[name])
    extra = json.loads(connection["extra"]) | {"cloud": "china"}
    monkeypatch.setenv(name, json.dumps(connection | {"extra": json.dumps(extra)}))
    report = changed(scene)
    assert report.counts() == {"unchanged": 3}
    assert reads(scene) == {customer.tenant_id for customer in customers}
    assert scene.sandbox.requests.count(AUDIT) == 0
    reason = "Partner Center has no audit records in Microsoft's cloud operated by 21Vianet"
    assert report.summary.scope == "full"
    assert reason in (report.summary.scope_reason or "")
    assert f"{reason}, so who changed is not known; every customer is read" in caplog.text


def test_second_account_of_a_customer_that_is_not_read_is_named_until_it_is_gone(
    scene: Scene,
) -> None:
    customer, other, *_ = imported(scene)
    bss = scene.bss(DIRECT)
    fields = {bss.setup.tenant_marker.id: customer.tenant_id}
    twin = bss.create_account({"name": "Made by hand"}, fields, existing_kind="test")
    for number in range(2):
        scene.edit(other, billingProfile={"defaultAddress": {"city": f"Nafplio {number}"}})
        row = unverified(scene, DIRECT).of(customer)
        assert reads(scene) == {other.tenant_id}
        assert (row.outcome, len(row.warnings)) == ("unchanged", 1)
        assert f"{twin.id} too. Nothing is written there" in row.warnings[0]
    bss.update_account(twin, twin.values, {})
    scene.edit(other, billingProfile={"defaultAddress": {"city": "Patras"}})
    assert changed(scene).of(customer).warnings is None


def test_customer_that_comes_back_is_compared_with_its_account(scene: Scene) -> None:
    customer, *_ = imported(scene)
    source, bss = scene.sandbox.source, scene.bss(DIRECT)
    listed = source.customers[customer.tenant_id]
    source.remove(customer.tenant_id)
    changed(scene)
    account = scene.account_of(DIRECT, customer)
    bss.update_account(account, account.values | {"name": "Closed"}, account.custom_fields)
    source.put(listed)
    assert changed(scene).of(customer).outcome == "updated"
    assert scene.account_of(DIRECT, customer).values["name"] == account.values["name"]
    assert changed(scene).of(customer).outcome == "unchanged"
    assert reads(scene) == set()


def test_account_that_a_verification_found_to_be_another_is_no_success_to_the_next_run(
    scene: Scene,
) -> None:
    customer, *_ = imported(scene)
    bss = scene.bss(DIRECT)
    account = scene.account_of(DIRECT, customer)
    other = {bss.setup.tenant_marker.id: "11111111-2222-3333-4444-555555555555"}
    bss.update_account(account, account.values, other)
    for params in ({"scope": "verify", "tenants": [customer.tenant_id]}, {}, {"scope": "full"}):
        row = unverified(scene, DIRECT, **params).of(customer)
        assert (row.outcome, row.reason_code) == ("ambiguous", "other_marker")
