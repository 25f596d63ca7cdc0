"""New customers that look like an account without tenant id wait for a person; so do all where nobody is created."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from customer_import.database.engine import reading
from customer_import.database.tables import account_signs, import_results
from customer_import.tasks.retention import purge
from customer_import.vocabulary import DecisionKind, ImportType
from tests.imports.scene import Scene, on
from tests.imports.test_decided import settle
from tests.tasks.changed_scope.looks import changed, imported, reads

if TYPE_CHECKING:
    from sandbox.population.models import Customer

DIRECT = ImportType.DIRECT
CREATE, LINK = DecisionKind.CREATE, DecisionKind.LINK


def made(scene: Scene, marker: str | None = None, **values: Any) -> int:
    """An account that somebody made in the BSS."""
    bss = scene.bss(DIRECT)
    fields = {bss.setup.tenant_marker.id: marker} if marker else {}
    return bss.create_account({"name": "Another name", **values}, fields, existing_kind="test").id


def address_of(scene: Scene, customer: Customer) -> dict[str, Any]:
    """A customer's address as the BSS has it."""
    own = customer.document["billingProfile"]["defaultAddress"]
    code = own["country"].upper()
    countries = scene.bss(DIRECT).setup.countries
    country = next(each for each in countries if each.code == code)
    return {
        "address": own["addressLine1"].upper(),
        "city": own["city"],
        "postCode": own["postalCode"],
        "countryId": country.id,
    }


def email_of(customer: Customer) -> str:
    return str(customer.document["billingProfile"]["email"])


def with_prefix(scene: Scene, account_id: int, customer: Customer) -> None:
    domain = customer.document["companyProfile"]["domain"]
    prefix = domain.removesuffix(".onmicrosoft.com")
    bss = scene.bss(DIRECT)
    bss.set_sync_options(account_id, bss.setup.microsoft.id, {"domainprefix": prefix})


def candidates(row: Any) -> list[tuple[int, list[str]]]:
    return [(one["account_id"], one["signs"]) for one in row.candidates or ()]


def test_customers_that_look_like_an_account_wait_with_the_candidates_best_first(scene: Scene):
    name, prefix, place, mail = scene.sell(DIRECT, 4)
    scene.edit(name, companyProfile={"companyName": "Contoso GmbH"})
    by_name = made(scene, name="CONTOSO, Ltd.")
    by_prefix, weak = made(scene), made(scene, email=f"x@{email_of(prefix).partition('@')[2]}")
    with_prefix(scene, by_prefix, prefix)
    by_place = made(scene, billingAddress=address_of(scene, place), email=email_of(place))
    made(scene, email=email_of(mail))  # alone that says little
    made(scene, marker="f" * 8 + "-0000-4000-8000-000000000000", name="Contoso Ltd")
    scene.expect([name, prefix, place], "ambiguous")

    report = scene.run(DIRECT)

    assert candidates(report.of(name)) == [(by_name, ["core_name"])]
    best = candidates(report.of(prefix))
    assert best[0] == (by_prefix, ["domain_prefix"])
    assert (weak, ["email_domain"]) in best
    assert candidates(report.of(place))[0] == (by_place, ["address", "email_domain"])
    assert {report.of(one).reason_code for one in (name, prefix, place)} == {"lookalike"}
    assert f"{by_name} (same name but for the legal form)" in report.of(name).reason
    assert (report.of(mail).outcome, report.of(mail).candidates) == ("created", None)
    assert report.summary.waiting == 3
    stored = " ".join(str(row.candidates) for row in report.results.values())
    assert email_of(prefix).partition("@")[2] not in stored


@on("sqlite")
def test_an_account_that_is_linked_or_shared_by_many_is_no_candidate(scene: Scene):
    (linked,) = scene.sell(DIRECT, companyProfile={"companyName": "Contoso"})
    scene.run(DIRECT)
    account = scene.account_of(DIRECT, linked)
    scene.bss(DIRECT).update_account(account, account.values, {})  # its tenant id is removed
    (new,) = scene.sell(DIRECT, companyProfile={"companyName": "Contoso GmbH"})
    for _ in range(21):
        made(scene, email=email_of(new), billingAddress=address_of(scene, new))
    run = scene.load(scene.stage(DIRECT))  # the sandbox counts a removed tenant id as a fault
    assert scene.results(run.key)[new.tenant_id].outcome == "created"


def test_a_decision_ends_the_wait(scene: Scene):
    one, other = scene.sell(DIRECT, 2)
    scene.edit(one, companyProfile={"companyName": "Contoso GmbH"})
    scene.edit(other, companyProfile={"companyName": "Contoso AG"})
    account = made(scene, name="Contoso")
    scene.expect([one, other], "ambiguous")
    scene.run(DIRECT)
    settle(scene, one, LINK, value=str(account))
    settle(scene, other, CREATE)
    scene.expect([one], "updated")
    scene.expect([other], "created")
    report = scene.run(DIRECT)
    assert report.of(one).account_id == account
    assert "ada decided so on" in report.of(one).reason
    assert "ada decided so on" in report.of(other).reason
    assert report.of(one).candidates is None
    assert report.summary.waiting == 0


def test_a_candidate_that_is_deleted_before_the_next_run_is_said_and_nothing_is_written(
    scene: Scene,
):
    (customer,) = scene.sell(DIRECT)
    scene.edit(customer, companyProfile={"companyName": "Contoso GmbH"})
    account = made(scene, name="Contoso")
    scene.expect([customer], "ambiguous")
    scene.run(DIRECT)
    settle(scene, customer, LINK, value=str(account))
    del scene.bss(DIRECT).accounts[account]
    row = scene.run(DIRECT).of(customer)
    assert row.reason_code == "decision_contradicted"
    assert f"BSS account {account} does not exist. Nothing was written." in row.reason
    assert scene.writes() == []


# -- auto_create: false


def test_every_new_customer_waits_when_the_instance_creates_nobody(scene: Scene):
    known, *_ = imported(scene, 2)
    scene.configure(auto_create=False)
    new, marked, wanted = scene.sell(DIRECT, 3)
    adopted = made(scene, marker=marked.tenant_id)
    settle(scene, wanted, CREATE)
    scene.edit(known, billingProfile={"defaultAddress": {"city": "Elsewhere"}})
    weak = made(scene, email=email_of(new))
    scene.expect([new], "skipped")
    scene.expect([marked, known], "updated")

    report = scene.run(DIRECT)

    row = report.of(new)
    assert (row.outcome, row.reason_code) == ("skipped", "in_queue")
    assert "It waits in the matching queue" in row.reason
    assert (weak, ["email_domain"]) in candidates(row)
    assert report.of(marked).account_id == adopted
    assert report.of(wanted).outcome == "created"
    assert "ada decided so on" in report.of(wanted).reason
    assert report.of(known).outcome == "updated"
    assert (report.summary.waiting, report.summary.reasons["in_queue"]) == (1, 1)
    assert new.tenant_id not in scene.links()


@on("sqlite")
def test_a_preview_says_who_would_wait(scene: Scene):
    scene.configure(auto_create=False)
    (new,) = scene.sell(DIRECT)
    scene.expect([new], "skipped")
    assert scene.run(DIRECT, mode="preview").of(new).reason_code == "in_queue"


@on("sqlite")
def test_who_waits_is_not_read_again_until_somebody_decides_or_the_instance_creates(scene: Scene):
    scene.configure(auto_create=False)
    one, other = scene.sell(DIRECT, 2)
    scene.expect([one, other], "skipped")
    scene.run(DIRECT)
    assert changed(scene).of(one).reason_code == "in_queue"
    assert reads(scene) == set()
    settle(scene, one, CREATE)
    scene.expect([one], "created", "unchanged")
    assert changed(scene).of(one).outcome == "created"
    assert reads(scene) == {one.tenant_id}
    scene.configure(auto_create=True)
    scene.expect([other], "created", "unchanged")
    assert changed(scene).of(other).outcome == "created"
    assert reads(scene) == {other.tenant_id}


# -- what is kept


def count(scene: Scene, column: Any) -> int:
    with reading(scene.engine) as connection:
        return connection.execute(select(func.count(column))).scalar_one()


def test_signs_and_candidates_are_removed(scene: Scene):
    (customer,) = scene.sell(DIRECT)
    scene.edit(customer, companyProfile={"companyName": "Contoso GmbH"})
    made(scene, name="Contoso")
    scene.expect([customer], "ambiguous")
    first = scene.run(DIRECT)
    assert count(scene, account_signs.c.sign) == 1
    second = scene.run(DIRECT)
    with reading(scene.engine) as connection:
        (key,) = connection.execute(select(account_signs.c.run_id).distinct()).scalars()
    assert key == second.summary.run_key > first.summary.run_key
    assert count(scene, import_results.c.candidates) == 2
    purge(scene.engine, 30, datetime.now(UTC) + timedelta(days=31))
    assert count(scene, account_signs.c.sign) == 0
    assert count(scene, import_results.c.candidates) == 0
