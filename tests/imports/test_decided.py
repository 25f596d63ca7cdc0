"""What people decided about customers is what runs do, and each outcome that follows from it says so."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from customer_import.database.tables import tenant_decisions
from customer_import.decisions.rules import Proposal
from customer_import.decisions.store import Author, decide, revoke
from customer_import.errors import DataQualityError
from customer_import.vocabulary import DecisionKind, ImportType
from sandbox import FaultKind
from tests.imports.scene import Scene, on
from tests.tasks.changed_scope.looks import changed, imported, reads, unverified

if TYPE_CHECKING:
    from customer_import.runs.run import Run
    from tests.imports.scene import Report

DIRECT, INDIRECT, TENANT_RESELLER = ImportType
EXCLUDE, LINK, CREATE, RESELLER, EMPTY = DecisionKind
ADA = Author("ada")


def settle(scene: Scene, customer: Any, kind: DecisionKind, **more: Any) -> None:
    more.setdefault("reason", "as agreed")
    subject = customer if isinstance(customer, str) else customer.tenant_id
    decide(scene.engine, [Proposal(instance="sandbox", subject=subject, kind=kind, **more)], ADA)


def withdraw(scene: Scene, customer: Any, kind: DecisionKind) -> None:
    revoke(scene.engine, "sandbox", [customer.tenant_id], kind, ADA)


def by_hand(scene: Scene, name: str, marker: str | None = None) -> int:
    """An account that somebody made in the BSS."""
    bss = scene.bss(DIRECT)
    fields = {bss.setup.tenant_marker.id: marker} if marker else {}
    return bss.create_account({"name": name}, fields, existing_kind="test").id


def told(row: Any) -> bool:
    return "ada decided so on" in row.reason and "as agreed" in row.reason


# -- exclude


def test_an_excluded_customer_is_skipped_with_who_and_why_and_has_not_vanished(scene: Scene):
    out, other = imported(scene, 2)
    settle(scene, out, EXCLUDE)
    scene.edit(out, companyProfile={"companyName": "Renamed GmbH"})
    scene.expect([out], "skipped")

    report = scene.run(DIRECT)

    row = report.of(out)
    assert (row.outcome, row.reason_code) == ("skipped", "excluded")
    assert told(row)
    assert report.of(other).outcome == "unchanged"
    assert report.summary.vanished == 0
    assert scene.account_of(DIRECT, out).values["name"] != "Renamed GmbH"


def test_an_exclusion_and_its_end_concern_this_customer_alone(scene: Scene):
    out, *_ = imported(scene, 5)
    settle(scene, out, EXCLUDE)
    scene.expect([out], "skipped")
    changed(scene)
    assert reads(scene) == {out.tenant_id}
    assert changed(scene).of(out).reason_code == "excluded"
    assert reads(scene) == set()

    withdraw(scene, out, EXCLUDE)
    scene.expect([out], "unchanged")
    changed(scene)
    assert reads(scene) == {out.tenant_id}
    changed(scene)
    assert reads(scene) == set()


@on("sqlite")
def test_an_exclusion_ends_by_itself_after_its_last_day(scene: Scene):
    out, *_ = imported(scene, 3)
    today = datetime.now(UTC).date()
    settle(scene, out, EXCLUDE, until=today)
    scene.expect([out], "skipped")
    assert f"until {today}" in changed(scene).of(out).reason
    let_pass(scene, today - timedelta(days=1))
    scene.expect([out], "unchanged")
    changed(scene)
    assert reads(scene) == {out.tenant_id}


def let_pass(scene: Scene, until: date) -> None:
    with scene.engine.begin() as connection:
        connection.execute(update(tenant_decisions).values(until=until))


@on("sqlite")
def test_an_excluded_customer_of_another_import_is_not_this_ones(scene: Scene):
    (customer,) = scene.sell(INDIRECT)
    scene.sell(DIRECT)
    settle(scene, customer, EXCLUDE)
    assert customer.tenant_id not in scene.run(DIRECT).results
    scene.expect([customer], "skipped")
    assert scene.run(INDIRECT).of(customer).reason_code == "excluded"


@on("sqlite")
def test_an_excluded_customer_that_cannot_be_read_does_not_fail(scene: Scene):
    out, _ = imported(scene, 2)
    settle(scene, out, EXCLUDE)
    scene.change(out, access="left")
    scene.expect([out], "skipped")
    assert scene.run(DIRECT).of(out).reason_code == "excluded"


# -- link


def test_a_customer_is_linked_to_the_account_that_was_decided_on(scene: Scene):
    (customer,) = scene.sell(DIRECT)
    account_id = by_hand(scene, "Old name of it")
    settle(scene, customer, LINK, value=str(account_id))

    row = scene.run(DIRECT).of(customer)

    assert (row.outcome, row.reason_code, row.account_id) == ("updated", "adopted", account_id)
    assert told(row)
    assert not [each for each in row.warnings or () if "lost its tenant id" in each]
    assert scene.account_of(DIRECT, customer).id == account_id
    assert ("accounts.create", 201) not in scene.writes()
    assert changed(scene).counts() == {"unchanged": 1}


def test_of_several_accounts_with_the_tenant_id_the_decided_one_is_linked(scene: Scene):
    (customer,) = scene.sell(DIRECT)
    first = by_hand(scene, "One", customer.tenant_id)
    second = by_hand(scene, "Two", customer.tenant_id)
    assert unverified(scene, DIRECT).of(customer).reason_code == "several_accounts"
    settle(scene, customer, LINK, value=str(second))
    row = unverified(scene, DIRECT).of(customer)
    assert row.account_id == second != first
    assert told(row)


@pytest.mark.parametrize(
    ("marker", "why"),
    [
        ("11111111-1111-4111-8111-111111111111", "carries the tenant id of another"),
        ("see CRM", "has something in its tenant id field that is no tenant id"),
        ("gone", "does not exist"),
    ],
)
@pytest.mark.parametrize("mode", ["import", "preview"])
def test_an_account_that_is_gone_or_anothers_is_refused_in_words(
    scene: Scene, marker: str, why: str, mode: str
):
    (customer,) = scene.sell(DIRECT)
    account_id = by_hand(scene, "Some company", marker)
    if marker == "gone":
        del scene.bss(DIRECT).accounts[account_id]
    settle(scene, customer, LINK, value=str(account_id))
    scene.expect([customer], "ambiguous")

    row = scene.run(DIRECT, mode=mode).of(customer)

    assert (row.outcome, row.reason_code) == ("ambiguous", "decision_contradicted")
    assert told(row)
    assert f"BSS account {account_id} {why}" in row.reason
    assert scene.writes() == []
    assert row.account_id is None


@on("sqlite")
def test_an_account_with_another_customers_link_is_refused(scene: Scene):
    customer, owner = scene.sell(DIRECT, 2)
    settle(scene, customer, LINK, value=str(by_hand(scene, "Blank")))
    account_id = scene.run(DIRECT).of(customer).account_id
    withdraw(scene, customer, LINK)
    # Linked since by what the decision could not know of: the links are looked at when it is made.
    bss = scene.bss(DIRECT)
    bss.accounts[account_id].custom_fields.clear()
    (late,) = scene.sell(DIRECT)
    insert_unchecked(scene, late.tenant_id, account_id)
    scene.expect([late], "ambiguous")

    row = scene.run(DIRECT).of(late)

    assert row.reason_code == "decision_contradicted"
    assert str(account_id) in row.reason
    assert scene.links()[owner.tenant_id].account_id != account_id
    assert scene.links()[late.tenant_id].account_id is None


def insert_unchecked(scene: Scene, tenant_id: str, account_id: int) -> None:
    with scene.engine.begin() as connection:
        connection.execute(
            tenant_decisions.insert().values(
                instance="sandbox",
                subject=tenant_id,
                kind="link",
                value=str(account_id),
                decided_by="ada",
                decided_at=datetime.now(UTC),
            )
        )


def test_another_account_that_carries_the_tenant_id_speaks_against_the_decision(scene: Scene):
    (customer,) = imported(scene, 1)
    wrong = by_hand(scene, "Not this one")
    settle(scene, customer, LINK, value=str(wrong))
    scene.expect([customer], "ambiguous")
    row = changed(scene).of(customer)
    assert row.reason_code == "decision_contradicted"
    assert "which carries its tenant id" in row.reason
    withdraw(scene, customer, LINK)
    scene.expect([customer], "unchanged")
    assert changed(scene).counts() == {"unchanged": 1}


def test_a_customer_whose_account_was_deleted_is_linked_to_the_decided_one(scene: Scene):
    (customer,) = imported(scene, 1)
    del scene.bss(DIRECT).accounts[scene.account_of(DIRECT, customer).id]
    account_id = by_hand(scene, "Its new account")
    settle(scene, customer, LINK, value=str(account_id))
    preview = changed(scene, mode="preview").of(customer)
    assert (preview.outcome, preview.reason_code) == ("would_update", "adopted")
    assert told(preview)

    row = changed(scene).of(customer)

    assert (row.outcome, row.account_id) == ("updated", account_id)
    assert told(row)
    assert scene.links()[customer.tenant_id].account_id == account_id
    assert changed(scene).counts() == {"unchanged": 1}


# -- create


def test_a_customer_is_created_although_its_name_exists(scene: Scene):
    (customer,) = scene.sell(DIRECT)
    by_hand(scene, customer.document["companyProfile"]["companyName"])
    scene.expect([customer], "ambiguous")
    reason = scene.run(DIRECT).of(customer).reason
    assert "decide" in reason
    settle(scene, customer, CREATE)
    scene.expect([customer], "would_create", "created")
    preview = scene.run(DIRECT, mode="preview").of(customer)
    assert preview.outcome == "would_create"
    assert told(preview)

    row = changed(scene).of(customer)

    assert (row.outcome, row.reason_code) == ("created", "new")
    assert told(row)
    assert len(scene.bss(DIRECT).accounts) == 2


@on("sqlite")
def test_where_nothing_has_the_name_the_decision_is_not_named(scene: Scene):
    (customer,) = scene.sell(DIRECT)
    settle(scene, customer, CREATE)
    assert scene.run(DIRECT).of(customer).reason.startswith("Created as BSS account")
    assert not told(next(iter(scene.run(DIRECT).results.values())))


# -- reseller


def mpn_option(scene: Scene, tenant_id: str) -> str | None:
    option: str | None = scene.content(INDIRECT)[tenant_id][2].get("resellermpnid")
    return option


def test_a_stray_belongs_to_the_reseller_that_was_decided_on(scene: Scene):
    stray, other = scene.sell(DIRECT, 2)
    reseller = scene.resellers[1]
    settle(scene, stray, RESELLER, value=reseller.mpn_id)
    scene.expect([stray], None)
    assert scene.run(DIRECT).results.keys() == {other.tenant_id}

    row = unverified(scene, INDIRECT, scope="full").of(stray)

    assert row.outcome == "created"

    assert (row.reseller_mpn_id, row.reseller_name) == (reseller.mpn_id, reseller.name)
    assert told(row)
    assert mpn_option(scene, stray.tenant_id) == reseller.mpn_id


@on("sqlite")
def test_a_customer_under_two_resellers_is_the_decided_ones(scene: Scene):
    (customer,) = scene.sell(INDIRECT)
    _, first, second = scene.resellers
    scene.resubscribe(customer, first.mpn_id, second.mpn_id)
    settle(scene, customer, RESELLER, value=second.mpn_id)
    row = unverified(scene, INDIRECT, scope="full").of(customer)
    assert (row.outcome, row.reseller_mpn_id) == ("created", second.mpn_id)


def test_a_reseller_that_partner_center_does_not_list_is_added_by_name(scene: Scene):
    (customer,) = scene.sell(INDIRECT)
    settle(scene, customer, RESELLER, value="7654321")
    scene.expect([customer], "skipped")
    row = scene.run(INDIRECT).of(customer)
    assert (row.outcome, row.reason_code) == ("skipped", "unknown_reseller")
    assert told(row)
    assert "with its name" in row.reason

    settle(scene, customer, RESELLER, value="7654321", reseller_name="Gamma Cloud")
    row = unverified(scene, INDIRECT, reseller_mpn_ids=["7654321"]).of(customer)

    assert (row.outcome, row.reseller_name) == ("created", "Gamma Cloud")
    assert mpn_option(scene, customer.tenant_id) == "7654321"


def test_a_move_by_decision_concerns_this_customer_alone(scene: Scene):
    stray, *others = imported(scene, 4)
    settle(scene, stray, RESELLER, value=scene.resellers[1].mpn_id)
    scene.expect([stray], None)
    report = changed(scene)
    assert reads(scene) == {stray.tenant_id}
    assert report.results.keys() == {each.tenant_id for each in others}
    assert report.summary.vanished == 0


@on("sqlite")
def test_whose_customer_it_is_needs_no_answer_when_that_was_decided(scene: Scene):
    (stray,) = scene.sell(DIRECT)
    settle(scene, stray, RESELLER, value=scene.resellers[1].mpn_id)
    scene.strike("partner_center.customers.subscriptions", FaultKind.STATUS, status=400)
    results = [
        scene.results(scene.load(scene.stage(kind, max_failed_percent=100)).key)
        for kind in (DIRECT, INDIRECT)
    ]
    assert results[0] == {}
    assert results[1][stray.tenant_id].reason_code == "extraction_error"


@on("sqlite")
def test_the_tenant_reseller_gets_a_customer_by_decision(scene: Scene):
    (customer,) = scene.sell(DIRECT)
    own = scene.resellers[0]
    wish = Proposal(
        instance="sandbox_reseller", subject=customer.tenant_id, kind=RESELLER, value=own.mpn_id
    )
    decide(scene.engine, [wish], ADA)
    row = unverified(scene, TENANT_RESELLER, scope="full").of(customer)
    assert (row.outcome, row.reseller_mpn_id) == ("created", own.mpn_id)


@on("sqlite")
def test_what_is_carried_says_that_a_decision_stands(scene: Scene):
    (customer,) = scene.sell(INDIRECT)
    scene.resubscribe(customer, scene.resellers[1].mpn_id)
    settle(scene, customer, RESELLER, value=scene.resellers[1].mpn_id)
    scene.sandbox.source.audit.clear()
    scene.run(INDIRECT)
    reason = changed(scene, INDIRECT).of(customer).reason
    assert reads(scene) == set()
    assert reason.endswith("A decision about it stands.")


# -- empty


@on("sqlite")
def test_that_nobody_is_right_is_decided_once_and_told_when_it_is_wrong(
    scene: Scene, caplog: pytest.LogCaptureFixture
):
    (customer,) = imported(scene, 1)
    del scene.sandbox.source.customers[customer.tenant_id]
    with pytest.raises(DataQualityError, match="No customer was discovered"):
        scene.run(DIRECT)
    settle(scene, "direct", EMPTY)
    for _ in range(2):
        assert scene.run(DIRECT).summary.discovered == 0
    scene.sell(DIRECT)
    with caplog.at_level(logging.WARNING):
        assert scene.run(DIRECT).counts() == {"created": 1}
    assert "1 customers were discovered, but the direct import has no customers" in caplog.text


# -- a run goes by what stood when it listed the customer


@on("sqlite")
def test_a_decision_made_while_a_run_works_counts_for_the_next(scene: Scene):
    (customer,) = scene.sell(DIRECT)
    run: Run = scene.stage(DIRECT)
    settle(scene, customer, EXCLUDE)
    report: Report = scene.finish(scene.load(run))
    assert report.of(customer).outcome == "created"
    scene.expect([customer], "skipped")
    assert changed(scene).of(customer).reason_code == "excluded"
