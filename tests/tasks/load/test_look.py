"""A creation goes by what is known of the customer's account as its POST leaves, not by what was known before."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, update

from customer_import import failpoints
from customer_import.database.tables import account_signs, import_runs, tenant_links
from customer_import.errors import SupersededError
from customer_import.runs.reference_data import read_organisation
from customer_import.runs.run import record_run
from customer_import.tasks.load.account_listing import list_accounts
from customer_import.tasks.load.account_look import AccountLook, OldLookError
from customer_import.tasks.load.bss_access import open_bss
from customer_import.tasks.load.customers import read_chunks
from customer_import.vocabulary import RunState
from sandbox import FaultKind
from sandbox.bss.paging import page_body
from tests.tasks.load.scene import Customer, customers, fault, load
from tests.tasks.load.test_links import load_only

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from yarl import URL

    from customer_import.runs.run import Run
    from tests.tasks.load.scene import Scene

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def load_watched(scene: Scene, staged: Sequence[Customer], watcher: Callable[[str], None]) -> Run:
    """Load customers while something else happens at the failpoints that come after the listing."""
    run = scene.begin()
    scene.stage(run, staged)
    load(run, scene.engine, 0, 1, after_listing=lambda: failpoints.watch(watcher))
    failpoints.watch(None)
    return run


def test_account_made_by_hand_while_the_creation_waits_for_its_turn_is_adopted(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("customer_import.tasks.load.account_look.FRESH_FOR_S", 0.3)
    customer = customers(1)[0]

    def make(failpoint: str) -> None:
        if failpoint == "before_account_post":
            failpoints.watch(None)
            scene.existing("Made by hand", customer.tenant_id)

    throttled = fault("bss.accounts.create", FaultKind.THROTTLE, (1,), retry_after_s=1)
    scene.sandbox.faults.replace([throttled])
    run = load_watched(scene, [customer], make)
    assert scene.results(run)[customer.tenant_id].reason_code == "adopted"
    assert len(scene.accounts) == 1


def test_creation_goes_by_what_a_later_look_found_for_another_customer(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("customer_import.tasks.load.account_look.FRESH_FOR_S", 0.5)
    scene.configure(concurrency=1)
    staged = sorted(customers(5), key=lambda customer: customer.tenant_id)

    def make(failpoint: str) -> None:
        if failpoint == "before_account_post":
            failpoints.watch(None)
            scene.existing("Made by hand", staged[-1].tenant_id)
            time.sleep(0.6)

    run = load_watched(scene, staged, make)
    assert scene.results(run)[staged[-1].tenant_id].reason_code == "adopted"
    assert len(scene.accounts) == 5


def test_link_that_is_deleted_after_its_customer_was_read_is_found_again(scene: Scene):
    old, new = customers(2)
    scene.run([old])

    def forget(failpoint: str) -> None:
        if failpoint == "before_token":  # of the look for the new customer
            failpoints.watch(None)
            with scene.engine.begin() as connection:
                connection.execute(delete(tenant_links))

    run = load_watched(scene, [old.having(city="Volos"), new], forget)
    assert scene.results(run)[old.tenant_id].reason_code == "adopted"
    assert len(scene.accounts) == 2


def test_account_that_moves_to_a_page_that_was_read_is_found(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("customer_import.bss.client.PAGE_SIZE", 4)
    customer = Customer("Example Company")
    first, *_ = [scene.existing(f"Other {number}", None) for number in range(4)]
    own = scene.existing("Renamed by hand", customer.tenant_id)

    def shifting(url: URL, *rest: Any) -> bytes:
        page = page_body(url, *rest)
        scene.records.accounts.pop(first.id, None)
        return page

    monkeypatch.setattr("sandbox.bss.accounts.page_body", shifting)
    scene.existing("Another", None)
    result = scene.results(scene.run([customer]))[customer.tenant_id]
    assert (result.reason_code, result.account_id) == ("adopted", own.id)


def test_account_that_is_deleted_after_the_listing_does_not_bind_its_customer(scene: Scene):
    customer = customers(1)[0]
    marked = scene.existing("Entered by hand", customer.tenant_id)
    run = scene.begin()
    scene.stage(run, [customer])
    load(run, scene.engine, 0, 1, after_listing=lambda: scene.records.accounts.pop(marked.id))
    result = scene.results(run)[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("failed", "bss_error")
    assert "does not exist any more" in result.reason
    assert scene.outcomes(scene.run([customer])) == ["created"]


@pytest.mark.parametrize("is_moved", [True, False])
@pytest.mark.parametrize("mode", ["import", "preview"])
def test_account_that_loses_the_tenant_id_after_the_listing_is_not_written(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, mode: str, *, is_moved: bool
):
    monkeypatch.setattr("customer_import.tasks.load.account_look.OVERLAP", 0)  # they are old
    customer = customers(1)[0]
    wrong = scene.existing("Somebody else", customer.tenant_id)
    right = scene.existing("Entered by hand", None)
    marker = scene.records.setup.tenant_marker.id

    def correct() -> None:
        scene.records.update_account(wrong, wrong.values, {})
        if is_moved:
            fields = {marker: customer.tenant_id}
            scene.records.update_account(right, right.values, fields)

    run = scene.begin(mode=mode)
    scene.stage(run, [customer])
    load(run, scene.engine, 0, 1, after_listing=correct)
    result = scene.results(run)[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("failed", "bss_error")
    assert "carries it no longer" in result.reason
    assert scene.writes == 0
    run = scene.run([customer])
    assert scene.outcomes(run) == ["updated" if is_moved else "created"]
    assert wrong.values == {"name": "Somebody else"}


def test_account_of_the_same_name_that_is_another_customers_by_its_link_is_no_question(
    scene: Scene,
):
    linked, new = Customer("Example Company"), Customer("Example Company")
    scene.run([linked])
    account = scene.account_of(linked)
    scene.records.update_account(account, account.values, {})  # somebody emptied the tenant id
    assert scene.outcomes(scene.run([new])) == ["created"]
    assert len(scene.accounts) == 2


def test_load_of_a_run_that_was_begun_again_meanwhile_ends_and_creates_nobody(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    staged = customers(3)
    for customer in staged:
        scene.existing(customer.name, customer.tenant_id)
    run = scene.begin()
    scene.stage(run, staged)

    def begun_again(*asked: Any) -> bytes:
        record_run(scene.engine, run.dag_id, run.airflow_run_id, run.import_type, run.params, None)
        return page_body(*asked)

    def clear() -> None:
        monkeypatch.setattr("sandbox.bss.accounts.page_body", begun_again)

    with pytest.raises(SupersededError, match="begun again"):
        load(run, scene.engine, 0, 1, after_listing=clear)
    assert len(scene.accounts) == 3


def test_what_a_later_run_made_a_run_forget_is_looked_up_again_when_its_load_is_cleared(
    scene: Scene,
):
    customer, other = Customer("Contoso GmbH"), Customer("Fabrikam")
    scene.existing("CONTOSO, Ltd.", None)
    run = scene.begin()
    scene.stage(run, [customer])
    list_accounts(run, scene.engine)
    with scene.engine.begin() as connection:  # its load never came to the customer
        ended = update(import_runs).where(import_runs.c.id == run.key)
        connection.execute(ended.values(state=RunState.PROBLEMS.value))
    scene.run([other])
    load_only(scene, run.key, attempt=2)
    assert scene.results(run)[customer.tenant_id].reason_code == "lookalike"
    assert len(scene.accounts) == 2


def test_account_that_shows_after_one_with_a_higher_number_is_found(scene: Scene):
    customer = customers(1)[0]
    late = scene.existing("Former name", customer.tenant_id)
    scene.existing("Another", None)
    del scene.records.accounts[late.id]
    run = scene.begin()
    scene.stage(run, [customer])

    def show() -> None:
        scene.records.accounts[late.id] = late

    load(run, scene.engine, 0, 1, after_listing=show)
    assert scene.results(run)[customer.tenant_id].account_id == late.id
    assert len(scene.accounts) == 2


def test_what_a_waiting_creation_goes_by_is_looked_up_without_a_request(scene: Scene):
    """It holds a place of the BSS's, perhaps the only one."""
    scene.existing("Made by hand", None)
    run = scene.begin()
    scene.stage(run, customers(1))
    list_accounts(run, scene.engine)
    organisation = read_organisation(scene.engine, run.key)
    ((customer,),) = read_chunks(run, scene.engine, 0)

    async def wait() -> None:
        async with open_bss(run, scene.engine) as client:
            look = AccountLook(scene.engine, run, client, organisation)
            await look.refresh()
            await look.confirm_free(customer)
            with scene.engine.begin() as connection:
                connection.execute(delete(account_signs))
            before = scene.requests()
            with pytest.raises(OldLookError):
                await look.confirm_free(customer)
            assert scene.requests() == before
            assert (await look.look_for(customer)).match.is_free

    asyncio.run(wait())


def test_account_that_can_be_known_by_nothing_makes_no_run_list_the_accounts_again(scene: Scene):
    scene.existing("***", None)
    run = scene.run(customers(2))
    assert scene.outcomes(run) == ["created", "created"]
    assert scene.requests(".accounts.list") == 2  # the listing and a look
