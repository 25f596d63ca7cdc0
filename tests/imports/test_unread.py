"""A customer that cannot be read is claimed by its own import only, and by none when nobody ever knew whose it is."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest
from sqlalchemy import func, select

from customer_import.database.tables import import_runs
from customer_import.errors import DataQualityError
from customer_import.runs.latest import latest_runs
from customer_import.tasks.finish.close import close_run
from customer_import.vocabulary import ImportType
from sandbox import FaultKind
from sandbox.population.models import Access
from tests.imports.scene import on

if TYPE_CHECKING:
    from sandbox.population.models import Customer
    from tests.imports.scene import Report, Scene

pytestmark = on("sqlite")

DIRECT, INDIRECT = ImportType.DIRECT, ImportType.INDIRECT
OTHERS = (INDIRECT, ImportType.TENANT_RESELLER)
SOLD = {DIRECT: 2, INDIRECT: 4, ImportType.TENANT_RESELLER: 2}
"""The tenant reseller's customers are customers of a reseller too."""


def break_off(scene: Scene, customer: Customer) -> None:
    """Let the customer's subscriptions be no JSON from now on."""
    scene.sandbox.source.put(replace(customer, raw_subscriptions=b'{"items": ['))


def run_all(scene: Scene, **params: object) -> dict[ImportType, Report]:
    return {import_type: scene.run(import_type, **params) for import_type in ImportType}


@pytest.mark.parametrize(
    "items",
    [
        [{"id": "a", "partnerId": "4847383"}],
        [{"id": "a", "status": None}, {"id": "b", "status": "active"}],
        [{"id": "a", "status": 1, "partnerId": "4847383"}],
        [{"id": "68c5b2c0-0000-4000-8000-000000000001", "companyProfile": {}}],
    ],
    ids=["no status", "one of two without", "a number", "a page of customers"],
)
def test_subscriptions_that_do_not_say_whether_they_count_make_nobody_a_direct_customer(
    scene: Scene, items: list[object]
) -> None:
    (customer,) = scene.sell(INDIRECT)
    body = orjson.dumps({"totalCount": len(items), "items": items})
    scene.sandbox.source.put(replace(customer, raw_subscriptions=body))
    scene.expect([customer], "failed")
    report = scene.run(DIRECT, max_failed_percent=100)
    assert report.of(customer).reason_code == "not_classified"
    assert "a subscription has no status" in report.of(customer).reason
    assert not scene.bss(DIRECT).accounts


@pytest.mark.parametrize("tenant_id", ["..", "a/../b", "../../admin", "%2e%2e", "x" * 70])
def test_an_id_that_is_no_guid_is_put_into_no_path(scene: Scene, tenant_id: str) -> None:
    (customer,) = scene.sell(DIRECT)
    odd = replace(customer, tenant_id=tenant_id, document={**customer.document, "id": tenant_id})
    scene.sandbox.source.put(odd)
    results = scene.results(scene.load(scene.stage(DIRECT)).key)
    assert results[customer.tenant_id].outcome == "created"
    (rejected,) = (row for row in results.values() if row.tenant_id != customer.tenant_id)
    assert (rejected.outcome, rejected.reason_code) == ("rejected", "validation")
    assert tenant_id[:40] in rejected.reason
    asked = [entry.path for entry in scene.sandbox.requests.entries if entry.method == "GET"]
    assert not [path for path in asked if tenant_id[:40] in path]


@pytest.fixture
def sold(scene: Scene) -> list[Customer]:
    """Two customers of each import; the first two are direct ones."""
    return [customer for kind in (DIRECT, *OTHERS) for customer in scene.sell(kind, 2)]


def test_one_that_was_never_read_is_discovered_by_no_import_and_named_by_each(
    scene: Scene, sold: list[Customer], caplog: pytest.LogCaptureFixture
) -> None:
    break_off(scene, sold[0])
    scene.expect(sold[:1], "failed")
    caplog.set_level(logging.INFO)

    reports = run_all(scene)

    assert {kind: report.counts() for kind, report in reports.items()} == {
        kind: {"created": count - (kind is DIRECT)} for kind, count in SOLD.items()
    }
    for report in reports.values():
        assert report.summary.unclassified == 1
        assert report.summary.state == "success with problems"
        result = report.of(sold[0])
        assert result.reason_code == "not_classified"
        assert "not known yet whether this import is the customer's" in result.reason
    lines = [line for line in caplog.messages if line.startswith(f"failed | {sold[0].tenant_id} |")]
    assert len(lines) == len(ImportType)
    for run in latest_runs(scene.engine):
        assert run["discovered"] == run["created"]
        assert (run["failed"], run["unclassified"]) == (0, 1)

    scene.sandbox.source.put(sold[0])
    scene.expect(sold[:1], "created")
    assert scene.run(DIRECT).counts() == {"created": 1, "unchanged": 1}
    scene.expect(sold[:1], None)
    for kind in OTHERS:
        report = scene.run(kind, scope="changed")
        assert (report.counts(), report.summary.unclassified) == ({"unchanged": SOLD[kind]}, 0)


def test_one_that_was_read_before_fails_in_its_own_import_only(
    scene: Scene, sold: list[Customer]
) -> None:
    run_all(scene)
    broken = scene.change(sold[0])  # an audit record: every import asks for it
    break_off(scene, broken)
    scene.expect(sold[:1], "failed")
    failed = scene.run(DIRECT, max_failed_percent=60)
    assert failed.counts() == {"failed": 1, "unchanged": 1}
    assert failed.of(broken).reason_code == "extraction_error"
    scene.expect(sold[:1], None)
    for kind in OTHERS:
        report = scene.run(kind, scope="changed")
        assert (report.counts(), report.summary.unclassified) == ({"unchanged": SOLD[kind]}, 0)

    # It has gone to a reseller meanwhile. No record tells: who could not be read is asked for by the next run.
    moved = scene.resubscribe(sold[0], scene.resellers[1].mpn_id)
    scene.sandbox.source.audit.clear()
    del scene.expected[moved.tenant_id]
    found = scene.run(INDIRECT, scope="changed")
    assert (found.summary.scope, found.summary.discovered) == ("changed", SOLD[INDIRECT] + 1)
    assert found.of(moved).account_id is not None


def test_one_that_left_is_skipped_by_its_own_import_only(
    scene: Scene, sold: list[Customer]
) -> None:
    run_all(scene)
    scene.change(sold[0], access="left")
    assert scene.run(DIRECT).counts() == {"skipped": 1, "unchanged": 1}
    for kind in OTHERS:
        assert scene.run(kind).counts() == {"unchanged": SOLD[kind]}


def test_one_whose_body_cannot_be_read_keeps_its_reseller(scene: Scene) -> None:
    customer, _ = scene.sell(INDIRECT, 2)
    scene.sandbox.source.put(replace(customer, raw=b"{"))
    scene.expect([customer], "failed")
    result = scene.run(INDIRECT).of(customer)
    assert result.reason_code == "extraction_error"
    assert result.reseller_mpn_id in {reseller.mpn_id for reseller in scene.resellers}


@pytest.mark.usefixtures("sold")
def test_a_run_in_which_nobody_can_be_classified_stops_for_that_reason(scene: Scene) -> None:
    scene.strike("partner_center.customers.subscriptions", FaultKind.QUOTE, status=409)
    with pytest.raises(DataQualityError, match="no usable answer for 6 of 6 customers"):
        scene.stage(DIRECT)


def test_customers_that_seemed_to_have_left_when_a_role_was_lost_are_read_again(
    scene: Scene,
) -> None:
    sold = scene.sell(DIRECT, 25)
    scene.run(DIRECT)
    for customer in sold:
        scene.sandbox.source.put(replace(customer, access=Access.LEFT))
    with pytest.raises(DataQualityError, match="have left since run"):
        scene.stage(DIRECT, scope="full")
    with scene.engine.connect() as connection:
        stopped = connection.execute(select(func.max(import_runs.c.id))).scalar_one()
    assert close_run(scene.engine, stopped, {"validate_customers": "failed"}).state == "failed"

    for customer in sold:
        scene.sandbox.source.put(customer)
    scene.sandbox.source.audit.clear()
    assert scene.run(DIRECT, scope="changed").counts() == {"unchanged": 25}
