"""A service that is away for a while costs time, and no customer its outcome."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from customer_import.errors import OutageError
from customer_import.vocabulary import ImportType
from sandbox import FaultKind
from tests.imports.outages import BSS, PARTNER_CENTER, import_through
from tests.imports.scene import on

if TYPE_CHECKING:
    from tests.imports.scene import Scene

pytestmark = on("sqlite")


@pytest.mark.parametrize("service", [BSS, PARTNER_CENTER])
def test_a_service_that_is_away_for_a_while_is_waited_for(scene: Scene, service: str):
    scene.configure(
        bss={"max_attempts": 3, "concurrency": 16},
        partner_center={"max_attempts": 3, "concurrency": 16},
    )
    scene.sell(ImportType.DIRECT, 60)

    # Three tries take two seconds at most: everybody would have failed.
    outage = import_through(scene, service, 3, after=40)

    assert outage.report.counts() == {"created": 60}
    assert outage.half_made == 0
    assert 3 <= outage.refused < 120, "it was met, and not by everybody again and again"


@pytest.mark.parametrize("service", [BSS, PARTNER_CENTER])
def test_a_service_that_stays_away_ends_the_task_and_its_next_try_goes_on(
    scene: Scene, service: str
):
    scene.configure(**{service: {"max_attempts": 2, "retry_budget_s": 1.0}})
    scene.sell(ImportType.DIRECT, 12)
    run = None if service == PARTNER_CENTER else scene.stage(ImportType.DIRECT)
    scene.strike(f"{service}.*", FaultKind.STATUS)

    with pytest.raises(OutageError, match="has not answered since"):
        scene.stage(ImportType.DIRECT) if run is None else scene.load(run)

    scene.sandbox.faults.replace([])
    run = run or scene.stage(ImportType.DIRECT)
    assert scene.finish(scene.load(run, attempt=2)).counts() == {"created": 12}


def test_customers_that_all_get_an_error_are_not_failed_one_by_one(scene: Scene):
    scene.configure(partner_center={"max_attempts": 2, "retry_budget_s": 1.0, "concurrency": 8})
    scene.sell(ImportType.DIRECT, 12)
    scene.strike("partner_center.customers.get", FaultKind.STATUS, status=500)
    with pytest.raises(OutageError, match=r"GET /v1/customers/\{id\}"):
        scene.stage(ImportType.DIRECT)
    assert threading.active_count() < 20


def test_address_rules_that_are_away_for_good_are_not_checked(scene: Scene):
    scene.configure(partner_center={"max_attempts": 2, "retry_budget_s": 1.0})
    scene.sell(ImportType.DIRECT, 3)
    scene.strike("partner_center.country*", FaultKind.STATUS)
    assert scene.run(ImportType.DIRECT).counts() == {"created": 3}


def test_customers_that_are_broken_for_good_do_not_look_like_an_outage(scene: Scene):
    """Also when they are all that is left, and their number is that of the requests under way."""
    good, *broken = scene.sell(ImportType.DIRECT, 6)
    for customer in broken:
        scene.sandbox.source.put(replace(customer, raw=b"{"))
    scene.expect(broken, "failed")
    started = time.monotonic()

    report = scene.run(ImportType.DIRECT, max_failed_percent=100)

    assert report.counts() == {"created": 1, "failed": 5}
    assert report.of(good).outcome == "created"
    assert time.monotonic() - started < 60  # of a budget of ten minutes


def test_a_service_that_leads_to_its_maintenance_page_is_away(scene: Scene):
    scene.configure(partner_center={"max_attempts": 2})
    scene.sell(ImportType.DIRECT, 4)
    scene.strike("partner_center.customers.get", FaultKind.STATUS, status=302, limit=5)
    assert scene.run(ImportType.DIRECT).counts() == {"created": 4}
