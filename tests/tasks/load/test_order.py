"""An older reading never overwrites a newer one, whatever is late, cleared or stands still."""

from __future__ import annotations

import threading
import time
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from customer_import import failpoints
from customer_import.database.tables import staged_customers, tenant_links
from customer_import.tasks.load.claims import Holder
from sandbox import FaultKind
from tests.tasks.load.scene import MPN_OPTION, Scene, customers, fault
from tests.tasks.load.test_broken_off import BrokenOffError
from tests.tasks.load.test_exactly_once import end_leases, hold
from tests.tasks.load.test_links import at_once, city

if TYPE_CHECKING:
    from collections.abc import Callable


def now_and_then(
    failpoint: str, act: Callable[[], Any], error: type[Exception] | None = None
) -> None:
    """Do something once, at a failpoint of the load that runs next, in a thread of its own; then end that load."""

    def watch(name: str) -> None:
        if name == failpoint:
            failpoints.watch(None)
            at_once([act])
            if error is not None:
                raise error

    failpoints.watch(watch)


def test_load_that_is_cleared_does_not_overwrite_what_a_later_run_wrote(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    older = scene.begin()
    scene.stage(older, [customer.having(city="Athens")])
    scene.sandbox.faults.replace([fault("bss.accounts.patch", FaultKind.READ_ONLY_FIELD, (1,))])
    scene.load(older)
    assert scene.outcomes(older) == ["failed"]
    newer = scene.run([customer.having(city="Volos")])
    writes = scene.writes
    scene.load(older, attempt=2)
    result = scene.results(older)[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("skipped", "superseded")
    assert result.read_at is not None
    assert f"run {newer.key}, which read this customer later, " in result.reason
    assert f"reading is of {result.read_at:%Y-%m-%d %H:%M:%S} UTC" in result.reason
    assert scene.writes == writes
    assert city(scene.accounts[0]) == "Volos"
    assert scene.outcomes(scene.run([customer.having(city="Volos")])) == ["unchanged"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_later_run_that_found_nothing_to_write_counts_as_the_newer_reading(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    older = scene.begin()
    scene.stage(older, [customer.having(city="Athens")])
    newer = scene.run([customer])
    assert scene.outcomes(newer) == ["unchanged"]
    scene.load(older)
    assert scene.results(older)[customer.tenant_id].reason_code == "superseded"
    assert city(scene.accounts[0]) == customer.city


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_customer_that_an_older_run_read_again_is_the_newer_reading(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    older = scene.begin()
    scene.stage(older, [customer.having(city="Athens")])
    scene.run([customer.having(city="Volos")])
    with scene.engine.begin() as connection:  # its extraction was cleared, and read this one
        connection.execute(
            update(staged_customers)
            .where(staged_customers.c.run_id == older.key)
            .values(fetched_at=datetime.now(UTC))
        )
    scene.load(older)
    assert scene.outcomes(older) == ["updated"]
    assert city(scene.accounts[0]) == "Athens"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_customer_that_a_newer_run_is_writing_is_waited_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("customer_import.tasks.load.tenant.CLAIM_WAIT_S", 0.0)
    customer = customers(1)[0]
    older = scene.begin()
    scene.stage(older, [customer.having(city="Athens")])
    newer = scene.run([customer])
    hold(scene, Holder(newer.key, 0, 1))
    scene.load(older)  # who is at work may come to the same, or die
    assert scene.results(older)[customer.tenant_id].reason_code == "claimed_elsewhere"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_reading_of_the_future_is_not_believed(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    with scene.engine.begin() as connection:  # by a machine whose clock was a day ahead
        connection.execute(update(tenant_links).values(read_at=datetime.now(UTC) + timedelta(1)))
    assert scene.outcomes(scene.run([customer.having(city="Volos")])) == ["updated"]


@pytest.mark.parametrize("failpoint", ["before_account_patch", "after_account_patch"])
def test_task_that_stood_still_past_its_lease_sends_nothing_more(scene: Scene, failpoint: str):
    customer = customers(1)[0]
    scene.run([customer])
    frozen = scene.begin()
    scene.stage(frozen, [customer.having(city="Athens", first_name="Old")])

    def other() -> None:
        end_leases(scene)
        scene.run([customer.having(city="Volos", first_name="New")])

    now_and_then(failpoint, other)
    scene.load(frozen)
    failpoints.watch(None)
    assert scene.results(frozen)[customer.tenant_id].reason_code == "claimed_elsewhere"
    account = scene.accounts[0]
    assert city(account) == "Volos"
    (contact,) = scene.records.contacts_of(account.id)
    assert contact.values["firstName"] == "New"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_sync_options_of_a_task_that_stood_still_are_not_sent(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    frozen = scene.begin()
    scene.stage(frozen, [customer.having(options={MPN_OPTION: "1111111"})])

    def other() -> None:
        end_leases(scene)
        scene.run([customer.having(options={MPN_OPTION: "2222222"})])

    now_and_then("before_sync_options_post", other)
    scene.load(frozen)
    failpoints.watch(None)
    assert scene.results(frozen)[customer.tenant_id].reason_code == "claimed_elsewhere"
    assert "2222222" in scene.options_of(scene.accounts[0]).values()


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_tenant_id_that_waited_for_its_turn_is_not_entered_when_the_tenant_is_lost(scene: Scene):
    customer = customers(1)[0]
    other = scene.run([customer])
    scene.records.update_account(scene.accounts[0], scene.accounts[0].values, {})
    put = "bss.accounts.custom_fields.put"
    scene.sandbox.faults.replace([fault(put, FaultKind.THROTTLE, (1,), retry_after_s=1)])
    run = scene.begin()
    scene.stage(run, [customer.having(city="Volos")])
    load = threading.Thread(target=scene.load, args=[run])
    load.start()
    while load.is_alive() and not scene.sandbox.requests.count(put):
        time.sleep(0.02)
    hold(scene, Holder(other.key, 0, 1))
    load.join()
    assert scene.results(run)[customer.tenant_id].reason_code == "claimed_elsewhere"
    assert scene.sandbox.requests.count(put) == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_broken_off", [False, True])
def test_who_loses_a_tenant_after_writing_leaves_no_trust_in_what_is_remembered(
    scene: Scene, *, is_broken_off: bool
):
    customer = customers(1)[0]
    scene.run([customer])
    frozen = scene.begin()
    scene.stage(frozen, [customer.having(city="Athens", first_name="Old")])
    volos = customer.having(city="Volos", first_name="New")

    def other() -> None:
        end_leases(scene)
        scene.run([volos])
        (account,) = scene.accounts  # the first one's patch comes late
        address = {**account.values["billingAddress"], "city": "Athens"}
        scene.records.update_account(
            account, {**account.values, "billingAddress": address}, account.custom_fields
        )

    now_and_then("after_account_patch", other, BrokenOffError if is_broken_off else None)
    with pytest.raises(BrokenOffError) if is_broken_off else nullcontext():
        scene.load(frozen)
    failpoints.watch(None)
    assert scene.outcomes(scene.run([volos])) == ["updated"]
    assert city(scene.accounts[0]) == "Volos"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_update_that_broke_off_is_compared_again_though_the_content_is_the_old_one(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    scene.sandbox.faults.replace([fault("bss.contacts.patch", FaultKind.READ_ONLY_FIELD, (1,))])
    broken = scene.run([customer.having(city="Athens", first_name="Old")])
    assert scene.outcomes(broken) == ["failed"]
    assert city(scene.accounts[0]) == "Athens"
    assert scene.outcomes(scene.run([customer])) == ["updated"]
    assert city(scene.accounts[0]) == customer.city
