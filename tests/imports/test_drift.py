"""A check finds in what Partner Center, links and BSS disagree, says nothing else, and writes nothing."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import insert, select, update

from customer_import.database.engine import reading
from customer_import.database.tables import (
    drift_findings,
    staged_accounts,
    tenant_decisions,
    tenant_links,
)
from customer_import.errors import OutageError, RetriableError
from customer_import.runs.drift import DriftFinding
from customer_import.tasks.load.bss_access import open_bss
from customer_import.tasks.load.drift_check import without_those_there
from customer_import.vocabulary import DRIFT, DriftKind, ImportType
from sandbox import FaultKind
from tests.imports.drift import PLANT, edit_account, mark
from tests.imports.scene import Report, on
from tests.support.library_run import finish

if TYPE_CHECKING:
    from sqlalchemy import Row

    from customer_import.runs.run import Run
    from sandbox.population.models import Customer
    from tests.imports.scene import Scene

DIRECT = ImportType.DIRECT
CUSTOMERS = int(os.environ.get("DRIFT_CUSTOMERS", "100"))


def check(scene: Scene, **params: Any) -> Report:
    """Run a check; it gives no customer a result but those that are not compared."""
    run = scene.load(scene.stage(DIRECT, mode="check", **params))
    return close(scene, run)


def close(scene: Scene, run: Run) -> Report:
    return Report(finish(scene.engine, run), scene.results(run.key))


def found(scene: Scene, report: Report) -> dict[tuple[str, str], Row[Any]]:
    query = select(drift_findings).where(drift_findings.c.run_id == report.summary.run_key)
    with reading(scene.engine) as connection:
        return {(row.tenant_id, row.kind): row for row in connection.execute(query)}


def to_the_bss(scene: Scene) -> int:
    return sum(entry.endpoint.startswith("bss.") for entry in scene.sandbox.requests.entries)


@on("sqlite")
def test_nine_kinds_planted_are_nine_found_and_nothing_else(scene: Scene):
    customers = scene.sell(DIRECT, CUSTOMERS)
    scene.run(DIRECT)
    assert check(scene).summary.drift == {
        "linked": CUSTOMERS,
        "compared": CUSTOMERS,
        "changed": 0,
        "found": {},
    }
    planted = dict(zip(PLANT, customers, strict=False))
    assert planted.keys() == set(DriftKind) == DRIFT.keys()
    for kind, customer in planted.items():
        PLANT[kind](scene, customer)
    written, asked = len(scene.writes()), to_the_bss(scene)

    report = check(scene)

    wanted = {(one.tenant_id, kind.value) for kind, one in planted.items()}
    assert found(scene, report).keys() == wanted
    assert report.summary.drift is not None
    assert report.summary.drift["found"] == dict.fromkeys(DRIFT, 1)
    in_doubt = sum(meaning.is_whole for meaning in DRIFT.values())
    assert report.summary.drift["compared"] == CUSTOMERS - in_doubt
    assert report.summary.state == "success with problems"
    assert len(scene.writes()) == written
    print(  # noqa: T201 - the figures of a large run
        f"{CUSTOMERS} customers, {len(PLANT)} kinds planted, {len(found(scene, report))} found, "
        f"{len(scene.writes()) - written} writes, {to_the_bss(scene) - asked} requests to the BSS"
    )


def kinds(scene: Scene, report: Report, customer: Customer) -> set[str]:
    return {kind for tenant, kind in found(scene, report) if tenant == customer.tenant_id}


def plant(scene: Scene, kind: DriftKind, customer: Customer) -> Customer:
    PLANT[kind](scene, customer)
    return customer


def decide(scene: Scene, customer: Customer, kind: str, value: str | None = None) -> None:
    row = {"instance": "sandbox", "subject": customer.tenant_id, "kind": kind, "value": value}
    with scene.engine.begin() as connection:
        connection.execute(
            insert(tenant_decisions).values(**row, decided_by="ada", decided_at=datetime.now(UTC))
        )


@on("sqlite", "postgres")
def test_what_an_import_can_mend_is_mended_by_one_of_these_customers_alone(scene: Scene):
    customers = scene.sell(DIRECT, 10)
    scene.run(DIRECT)
    planted = dict(zip(PLANT, customers, strict=False))
    for kind, customer in planted.items():
        plant(scene, kind, customer)
    before = {(one.tenant_id, kind.value) for kind, one in planted.items()}
    assert found(scene, check(scene)).keys() == before
    mended = {kind: one for kind, one in planted.items() if DRIFT[kind].is_repairable}

    run = scene.stage(DIRECT, scope="verify", tenants=[one.tenant_id for one in mended.values()])
    assert close(scene, scene.load(run)).counts() == {"created": 1, "updated": 4}

    left = {(one.tenant_id, kind.value) for kind, one in planted.items() if kind not in mended}
    assert found(scene, check(scene)).keys() == left
    assert len(mended) == 5


@on("sqlite")
def test_what_a_person_decided_is_not_found_again(scene: Scene):
    gone, doubled, deleted, same = scene.sell(DIRECT, 4)
    scene.run(DIRECT)
    doubled_account = scene.account_of(DIRECT, doubled).id
    for kind, one in (
        (DriftKind.CUSTOMER_GONE, gone),
        (DriftKind.MARKER_DOUBLED, doubled),
        (DriftKind.ACCOUNT_GONE, deleted),
    ):
        plant(scene, kind, one)
        assert kinds(scene, check(scene), one) == {kind}
    by_hand = scene.bss(DIRECT).create_account({"name": "By hand"}, {}, "test")
    decide(scene, gone, "exclude")
    decide(scene, doubled, "link", str(doubled_account))
    decide(scene, deleted, "link", str(by_hand.id))

    assert found(scene, check(scene)) == {}
    assert kinds(scene, check(scene), same) == set()


@on("sqlite")
def test_fields_are_named_with_values_kept_beside_what_is_staged(scene: Scene):
    edited, billed, changed = scene.sell(DIRECT, 3)
    scene.run(DIRECT)
    bss = scene.bss(DIRECT)
    edit_account(
        scene, scene.account_of(DIRECT, edited), billingAddress={"city": "Larissa"}, notes="kept"
    )
    contact = scene.contact_of(DIRECT, edited)
    bss.update_contact(contact, contact.values | {"lastName": "Papadopoulou"})
    contact = scene.contact_of(DIRECT, billed)
    bss.update_contact(contact, contact.values | {"isBillTo": False})
    edit_account(scene, scene.account_of(DIRECT, changed), billingAddress={"city": "Larissa"})
    scene.edit(changed, billingProfile={"defaultAddress": {"city": "Volos"}})

    report = check(scene)

    rows = found(scene, report)
    assert rows[edited.tenant_id, "fields_edited"].fields == {
        "billingAddress.city": "changed",
        "contact.lastName": "changed",
    }
    assert rows[edited.tenant_id, "fields_edited"].detail == (
        "Differs: billingAddress.city, contact.lastName."
    )
    assert rows[billed.tenant_id, "fields_edited"].fields == {"contact.isBillTo": "changed"}
    assert report.summary.drift == {
        "linked": 3,
        "compared": 2,
        "changed": 1,
        "found": {"fields_edited": 2},
    }
    with reading(scene.engine) as connection:
        before = connection.execute(
            select(staged_accounts.c.bss_before).where(
                staged_accounts.c.run_id == report.summary.run_key,
                staged_accounts.c.tenant_id == edited.tenant_id,
            )
        ).scalar_one()
    assert orjson.loads(before) == {"billingAddress.city": "Larissa"}


@on("sqlite")
def test_a_check_of_some_customers_says_nothing_of_the_others(scene: Scene):
    named, other, left = scene.sell(DIRECT, 3)
    indirect = scene.sell(ImportType.INDIRECT)[0]
    scene.run(DIRECT)
    scene.expect([named, other, left], None)
    scene.run(ImportType.INDIRECT)
    for one in (named, other, left):
        mark(scene, scene.account_of(DIRECT, one), None)
    mark(scene, scene.account_of(ImportType.INDIRECT, indirect), None)
    plant(scene, DriftKind.CUSTOMER_GONE, left)

    assert {tenant for tenant, _ in found(scene, check(scene, tenants=[named.tenant_id]))} == {
        named.tenant_id
    }
    others = check(scene, exclude_tenants=[named.tenant_id, left.tenant_id])
    assert {tenant for tenant, _ in found(scene, others)} == {other.tenant_id}


@on("sqlite")
def test_a_link_that_a_load_holds_or_wrote_meanwhile_is_left_to_the_next_check(scene: Scene):
    held, written = scene.sell(DIRECT, 2)
    scene.run(DIRECT)
    later = datetime.now(UTC) + timedelta(minutes=1)
    for one, values in (
        (held, {"holder": "1/0/1", "lease_until": later}),
        (written, {"updated_at": later}),
    ):
        plant(scene, DriftKind.MARKER_REMOVED, one)
        with scene.engine.begin() as connection:
            same = tenant_links.c.tenant_id == one.tenant_id
            connection.execute(update(tenant_links).where(same).values(values))

    assert found(scene, check(scene)) == {}


@on("sqlite", "postgres")
def test_a_check_that_broke_off_and_ran_again_finds_the_same_once(scene: Scene):
    customers = scene.sell(DIRECT, 12)
    scene.run(DIRECT)
    for kind, customer in zip(PLANT, customers, strict=False):
        plant(scene, kind, customer)
    whole = found(scene, check(scene)).keys()
    scene.configure(bss={"max_attempts": 1, "retry_budget_s": 0})
    run = scene.stage(DIRECT, mode="check")
    for endpoint in ("bss.contacts.list", "bss.sync_options.get"):
        scene.strike(endpoint, FaultKind.STATUS, status=500, calls=[1, 2, 3, 4, 5, 6])
        with pytest.raises((OutageError, RetriableError)):
            scene.load(run)
        scene.sandbox.faults.replace([])
    written = len(scene.writes())

    scene.load(run)
    scene.load(run, attempt=2)

    assert found(scene, close(scene, run)).keys() == whole
    assert len(scene.writes()) == written
    mended = customers[list(PLANT).index(DriftKind.MARKER_REMOVED)].tenant_id
    mark(scene, scene.bss(DIRECT).accounts[scene.links()[mended].account_id], mended)
    scene.load(run, attempt=3)
    assert found(scene, close(scene, run)).keys() == whole - {(mended, "marker_removed")}


@on("sqlite")
def test_a_record_that_a_list_passed_over_is_not_gone(scene: Scene):
    there, gone = scene.sell(DIRECT, 2)
    scene.run(DIRECT)
    links = scene.links()
    plant(scene, DriftKind.ACCOUNT_GONE, gone)
    findings = [
        DriftFinding(
            one.tenant_id,
            kind,
            "",
            account_id=links[one.tenant_id].account_id,
            contact_id=links[one.tenant_id].contact_id,
        )
        for one in (there, gone)
        for kind in (DriftKind.ACCOUNT_GONE, DriftKind.CONTACT_GONE)
    ]
    run = scene.stage(DIRECT, mode="check")

    async def confirmed() -> list[DriftFinding]:
        async with open_bss(run, scene.engine) as client:
            return await without_those_there(client, findings)

    assert {one.tenant_id for one in asyncio.run(confirmed())} == {gone.tenant_id}
