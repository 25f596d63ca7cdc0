"""A batch against the sandbox BSS: what it creates, changes, leaves alone and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import OperationalError

from customer_import.database.engine import reading
from customer_import.database.tables import staged_accounts, staged_contacts, validation_findings
from customer_import.errors import AuthenticationError
from customer_import.tasks.load.load import load_batch
from customer_import.vocabulary import ImportType
from sandbox import FaultKind
from tests.tasks.load.scene import (
    MPN,
    MPN_OPTION,
    Customer,
    connection_json,
    customers,
    fault,
)

if TYPE_CHECKING:
    from tests.tasks.load.scene import Scene


def test_new_customers_get_account_contact_and_sync_options(scene: Scene):
    staged = customers(12)
    run = scene.run(staged)
    assert scene.outcomes(run) == ["created"] * 12
    assert len(scene.accounts) == 12
    assert scene.faults() == {}
    account = scene.account_of(staged[0])
    assert account.values["orderingEnabled"] is True
    assert scene.options_of(account) == {"domainprefix": staged[0].tenant_id[:8]}
    row = scene.results(run)[staged[0].tenant_id]
    assert row.account_id == account.id
    assert row.contact_id == scene.records.contacts_of(account.id)[0].id


def test_second_run_writes_nothing_and_asks_for_second_accounts_only(scene: Scene):
    staged = customers(12)
    scene.run(staged)
    run = scene.begin()
    asked = scene.requests()
    scene.stage(run, staged)
    summary = scene.load(run)
    assert summary.requests == 0
    assert dict(summary.outcomes) == {"unchanged": 12}
    assert scene.requests() == asked + 1  # the accounts that came since


def test_changed_customer_is_patched_with_only_what_changed(scene: Scene):
    staged = customers(3)
    scene.run(staged)
    moved = staged[0].having(city="Volos")
    run = scene.run([moved, *staged[1:]])
    assert scene.outcomes(run) == ["unchanged", "unchanged", "updated"]
    result = scene.results(run)[moved.tenant_id]
    assert result.reason == "Changed: billingAddress.city."
    assert scene.account_of(moved).values["billingAddress"]["city"] == "Volos"
    assert scene.faults() == {}


def test_mail_change_reaches_account_and_contact_and_old_values_are_kept(scene: Scene):
    staged = customers(1)
    scene.run(staged)
    run = scene.run([staged[0].having(email="new@example.com", first_name="Maria")])
    account = scene.account_of(staged[0])
    contact = scene.records.contacts_of(account.id)[0]
    assert account.values["email"] == contact.values["email"] == "new@example.com"
    with reading(scene.engine) as connection:
        before = connection.execute(
            select(staged_accounts.c.bss_before, staged_contacts.c.bss_before)
            .join(staged_contacts, staged_contacts.c.run_id == staged_accounts.c.run_id)
            .where(staged_accounts.c.run_id == run.key)
        ).one()
    assert orjson.loads(before[0]) == {"email": "office@example.com"}
    assert orjson.loads(before[1]) == {"email": "office@example.com", "firstName": "Eleni"}


def test_value_that_the_source_lost_stays_in_the_bss(scene: Scene):
    staged = customers(1)
    scene.run(staged)
    run = scene.run([staged[0].having(phone=None)])
    assert scene.outcomes(run) == ["unchanged"]
    assert scene.account_of(staged[0]).values["phone"] == staged[0].phone


def test_changed_customer_is_skipped_when_the_run_skips_existing(scene: Scene):
    staged = customers(2)
    scene.run(staged)
    writes = scene.writes
    run = scene.run([staged[0].having(city="Volos"), staged[1]], on_existing="skip")
    assert scene.outcomes(run) == ["skipped", "unchanged"]
    assert scene.results(run)[staged[0].tenant_id].reason_code == "existing_skipped"
    assert scene.writes == writes


def test_account_with_the_marker_is_adopted_and_updated(scene: Scene):
    customer = customers(1)[0]
    account = scene.existing("Renamed by hand", customer.tenant_id.upper())
    run = scene.run([customer])
    result = scene.results(run)[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("updated", "adopted")
    assert result.account_id == account.id
    assert [a.values["name"] for a in scene.accounts] == [customer.name]
    assert len(scene.records.contacts_of(account.id)) == 1
    assert scene.outcomes(scene.run([customer])) == ["unchanged"]


def test_adoption_with_skip_links_and_writes_nothing(scene: Scene):
    customer = customers(1)[0]
    scene.existing("Renamed by hand", customer.tenant_id)
    run = scene.run([customer], on_existing="skip")
    result = scene.results(run)[customer.tenant_id]
    assert result.reason_code == "existing_skipped"
    assert "was not compared" in result.reason
    assert scene.writes == 0
    assert scene.outcomes(scene.run([customer], on_existing="skip")) == ["skipped"]
    assert scene.outcomes(scene.run([customer])) == ["updated"]


def test_two_accounts_with_the_marker_are_ambiguous(scene: Scene):
    customer = customers(1)[0]
    ids = [scene.existing(name, customer.tenant_id).id for name in ("One", "Two")]
    result = scene.results(scene.run([customer]))[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("ambiguous", "several_accounts")
    assert all(str(number) in result.reason for number in ids)
    assert scene.writes == 0


def test_same_name_without_marker_is_ambiguous_and_names_the_candidate(scene: Scene):
    customer = customers(1)[0]
    account = scene.existing(f"  {customer.name.upper()} ", None)
    result = scene.results(scene.run([customer]))[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("ambiguous", "same_name")
    assert str(account.id) in result.reason
    assert scene.writes == 0


def test_same_name_with_another_tenants_marker_is_created(scene: Scene):
    customer = customers(1)[0]
    scene.existing(customer.name, "11111111-2222-3333-4444-555555555555")
    assert scene.outcomes(scene.run([customer])) == ["created"]
    assert len(scene.accounts) == 2


def test_equal_company_names_in_one_run_are_all_created(scene: Scene):
    staged = [Customer("Example Company") for _ in range(5)]
    assert scene.outcomes(scene.run(staged)) == ["created"] * 5
    assert scene.faults() == {}


def test_sync_option_that_the_organisation_lacks_is_left_out_and_said(scene: Scene):
    customer = customers(1)[0].having(options={"Organisation INN": "77"})
    result = scene.results(scene.run([customer]))[customer.tenant_id]
    assert result.outcome == "created"
    assert result.warnings == [
        "The BSS organisation has no sync option 'Organisation INN'; it was left out."
    ]
    assert scene.faults() == {}


def test_warnings_of_validation_stand_on_the_result(scene: Scene):
    customer = customers(1)[0]
    run = scene.begin()
    scene.stage(run, [customer])
    finding = {
        "run_id": run.key,
        "tenant_id": customer.tenant_id,
        "suite": "account",
        "rule": "phone present",
        "field": "phone",
        "severity": "warning",
        "message": "The phone number is missing.",
    }
    with scene.engine.begin() as connection:
        connection.execute(insert(validation_findings), [finding])
    scene.load(run)
    assert scene.results(run)[customer.tenant_id].warnings == ["The phone number is missing."]


def test_tenant_of_both_lists_is_created_once_and_skipped_by_the_second_import(scene: Scene):
    customer = customers(1)[0].having(is_in_both_lists=True)
    scene.run([customer])
    indirect = customer.having(options={MPN_OPTION: MPN})
    run = scene.run([indirect], ImportType.INDIRECT)
    result = scene.results(run)[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("skipped", "already_imported")
    assert str(scene.accounts[0].id) in result.reason
    assert len(scene.accounts) == 1
    assert "resellermpnid" not in scene.options_of(scene.accounts[0])


def test_tenant_that_moved_to_a_reseller_is_taken_over_by_the_indirect_import(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    run = scene.run([customer.having(options={MPN_OPTION: MPN})], ImportType.INDIRECT)
    result = scene.results(run)[customer.tenant_id]
    assert result.outcome == "updated"
    assert "imported by the direct import before" in result.warnings[0]
    assert scene.options_of(scene.accounts[0])["resellermpnid"] == MPN
    assert scene.links()[customer.tenant_id].import_type == "indirect"


def test_refused_data_is_rejected_with_the_reason_and_without_the_value(scene: Scene):
    staged = customers(3)
    bad = staged[0].having(email="someone.private@exam_ple.c")
    run = scene.run([bad, *staged[1:]])
    result = scene.results(run)[bad.tenant_id]
    assert (result.outcome, result.reason_code) == ("rejected", "bss_refused")
    assert "someone" not in result.reason
    assert "email" in result.reason
    assert scene.outcomes(run) == ["created", "created", "rejected"]
    assert scene.outcomes(scene.run(staged)) == ["created", "unchanged", "unchanged"]
    assert len(scene.accounts) == 3


def test_refused_contact_keeps_the_account_and_the_next_run_continues(scene: Scene):
    customer = customers(1)[0]
    scene.sandbox.faults.replace([fault("bss.contacts.create", FaultKind.READ_ONLY_FIELD)])
    run = scene.run([customer])
    result = scene.results(run)[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("failed", "bss_error")
    assert result.account_id == scene.accounts[0].id
    scene.sandbox.faults.replace([])
    moved = customer.having(city="Volos")
    assert scene.outcomes(scene.run([moved])) == ["created"]
    assert scene.accounts[0].values["billingAddress"]["city"] == "Volos"
    assert len(scene.accounts) == 1
    assert scene.faults() == {}


def test_failed_tenant_is_done_again_when_the_task_is_tried_again(scene: Scene):
    staged = customers(3)
    run = scene.begin()
    scene.stage(run, staged)
    scene.sandbox.faults.replace([fault("bss.accounts.create", FaultKind.READ_ONLY_FIELD, (1,))])
    scene.load(run)
    assert scene.outcomes(run) == ["created", "created", "failed"]
    scene.load(run, attempt=2)
    assert scene.outcomes(run) == ["created"] * 3
    assert len(scene.accounts) == 3


def test_account_that_is_gone_is_reported_and_not_created_anew(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    scene.records.clear()
    result = scene.results(scene.run([customer.having(city="Volos")]))[customer.tenant_id]
    assert result.outcome == "failed"
    assert "no longer exists" in result.reason
    assert scene.accounts == []


def test_contact_that_is_gone_is_made_again(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    account = scene.account_of(customer)
    first = scene.records.contacts_of(account.id)[0].id
    del scene.records.contacts[first]
    scene.records._contacts_of.clear()
    run = scene.run([customer.having(city="Volos")])
    assert scene.outcomes(run) == ["updated"]
    assert scene.links()[customer.tenant_id].contact_id != first
    assert scene.faults() == {}


def test_preview_writes_nothing_and_says_what_an_import_would_do(scene: Scene):
    staged = customers(3)
    scene.run(staged[:2])
    links, writes = scene.links(), scene.writes
    adopted = Customer("Adopted Company")
    scene.existing("Old name", adopted.tenant_id)
    run = scene.run([staged[0], staged[1].having(city="Volos"), staged[2], adopted], mode="preview")
    assert scene.outcomes(run) == ["unchanged", "would_create", "would_update", "would_update"]
    assert scene.writes == writes
    assert scene.links() == links


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_preview_says_what_an_import_would_leave_alone_and_why(scene: Scene):
    kept, gone, same_name, adopted = customers(4)
    scene.run([kept, gone])
    del scene.records.accounts[scene.account_of(gone).id]
    scene.existing(same_name.name, None)
    scene.existing("Renamed by hand", adopted.tenant_id)
    writes, links = scene.writes, scene.links()
    # What kept lost does not change the BSS, so only a comparison shows that there is nothing to do.
    staged = [kept.having(phone=None), gone.having(city="Volos"), same_name, adopted]
    run = scene.run(staged, mode="preview", on_existing="update")
    results = scene.results(run)
    found = [(results[one.tenant_id].outcome, results[one.tenant_id].reason_code) for one in staged]
    assert found == [
        ("unchanged", "same"),
        ("failed", "bss_error"),
        ("ambiguous", "same_name"),
        ("would_update", "adopted"),
    ]
    assert "holds it all" in results[kept.tenant_id].reason
    assert "no longer exists" in results[gone.tenant_id].reason
    skipping = scene.results(scene.run([adopted], mode="preview", on_existing="skip"))
    assert skipping[adopted.tenant_id].reason_code == "existing_skipped"
    assert (scene.writes, scene.links()) == (writes, links)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_preview_of_a_customer_at_whom_the_bss_breaks_fails_that_customer_alone(scene: Scene):
    staged = customers(3)
    scene.run(staged)
    refused = fault("bss.contacts.list", FaultKind.QUOTE, (1,), status=400)
    scene.sandbox.faults.replace([refused])
    moved = [customer.having(city="Volos") for customer in staged]
    run = scene.run(moved, mode="preview")
    assert scene.outcomes(run) == ["failed", "would_update", "would_update"]
    (bad,) = [row for row in scene.results(run).values() if row.outcome == "failed"]
    assert bad.reason_code == "bss_error"  # a look-up holds nothing that the customer could correct
    assert "/api/contacts" in bad.reason
    assert "Partner Center" not in bad.reason
    assert "Volos" not in bad.reason


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_organisation_without_sync_options_gets_account_and_contact_and_is_told(scene: Scene):
    scene.configure(sync_system="Google Workspace")
    customer = customers(1)[0]
    run = scene.run([customer])
    result = scene.results(run)[customer.tenant_id]
    assert result.outcome == "created"
    assert result.warnings == [
        "The BSS organisation has no sync option 'Domain prefix'; it was left out."
    ]
    assert scene.requests("sync_options.get", "sync_options.post") == 0
    assert scene.outcomes(scene.run([customer.having(city="Volos")])) == ["updated"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_aliases_of_sync_options_are_asked_for_once_by_accounts_made_at_the_same_time(scene: Scene):
    slow = fault("bss.sync_options.get", FaultKind.DELAY, delay_s=0.3)
    scene.sandbox.faults.replace([slow])
    assert scene.outcomes(scene.run(customers(4))) == ["created"] * 4
    assert scene.requests("sync_options.get") == 1
    assert scene.faults() == {}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_sync_option_without_a_value_is_not_set_and_nothing_is_said(scene: Scene):
    customer = customers(1)[0].having(options={MPN_OPTION: ""})
    result = scene.results(scene.run([customer]))[customer.tenant_id]
    assert (result.outcome, result.warnings) == ("created", None)
    assert list(scene.options_of(scene.account_of(customer))) == ["domainprefix"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_contact_becomes_the_bill_to_contact_only_when_the_account_has_none(scene: Scene):
    first, second = customers(2)
    scene.run([first, second])
    own, other = (scene.account_of(customer).id for customer in (first, second))
    for account_id in (own, other):
        scene.records.contacts_of(account_id)[0].values["isBillTo"] = False
    chosen = {"accountId": other, "firstName": "Maria", "isPrimary": False, "isBillTo": True}
    scene.records.create_contact(chosen)
    run = scene.run([first.having(city="Volos"), second.having(city="Volos")])
    assert scene.outcomes(run) == ["updated"] * 2
    flags = [[c.values["isBillTo"] for c in scene.records.contacts_of(key)] for key in (own, other)]
    assert flags == [[True], [False, True]]
    with reading(scene.engine) as connection:
        before = connection.execute(
            select(staged_contacts.c.bss_before).where(
                staged_contacts.c.run_id == run.key,
                staged_contacts.c.tenant_id == first.tenant_id,
            )
        ).scalar_one()
    assert orjson.loads(before) == {"isBillTo": False}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_customer_that_left_its_reseller_is_told_what_its_account_still_carries(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer.having(options={MPN_OPTION: MPN})], ImportType.INDIRECT)
    result = scene.results(scene.run([customer]))[customer.tenant_id]
    assert result.outcome == "unchanged"
    assert "imported by the indirect import before" in result.warnings[0]
    assert "carries a reseller's MPN ID as a sync option" in result.warnings[1]
    assert scene.options_of(scene.accounts[0])["resellermpnid"] == MPN


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_database_that_breaks_ends_the_load_and_no_tenant_is_blamed(scene: Scene):
    run = scene.begin()
    scene.stage(run, customers(6))
    with scene.engine.begin() as connection:
        connection.execute(text("ALTER TABLE tenant_links RENAME TO away"))
    with pytest.raises(OperationalError, match="tenant_links"):
        scene.load(run)
    with scene.engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO tenant_links"))
    assert scene.results(run) == {}
    scene.load(run, attempt=2)
    assert scene.outcomes(run) == ["created"] * 6


def test_refused_credentials_end_the_load(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    run = scene.begin()
    scene.stage(run, customers(5))
    own = scene.sandbox.info.provider.client_secret
    wrong = connection_json(scene.sandbox).replace(own, "another-secret")
    monkeypatch.setenv("AIRFLOW_CONN_BSS_DEFAULT", wrong)
    with pytest.raises(AuthenticationError, match="client secret"):
        load_batch(run, scene.engine, 0, attempt=1, map_index=0)
    assert scene.accounts == []


def test_log_names_every_tenant_and_nothing_personal(
    scene: Scene, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO")
    staged = customers(3)
    scene.run(staged)
    bad = staged[0].having(email="someone.private@exam_ple.c", phone="+30 2310 555019")
    scene.run([bad, *staged[1:]])
    for customer in staged:
        assert customer.tenant_id in caplog.text
        assert customer.name in caplog.text
    for personal in ("example.com", "someone", "2310", "Eleni"):
        assert personal not in caplog.text
    assert "created" in caplog.text
