"""Whatever dies, hangs, repeats or overlaps: every customer ends up in the BSS exactly once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import delete, event, select, update

from customer_import import failpoints
from customer_import.database.engine import reading
from customer_import.database.tables import service_slots, staged_accounts, tenant_links
from customer_import.runs.run import open_run
from customer_import.tasks.load.claims import LEASE, Holder
from customer_import.vocabulary import ImportType
from sandbox import FaultKind
from tests.support.failpoints import CREATE_FAILPOINTS, UPDATE_FAILPOINTS, armed
from tests.tasks.load.scene import Customer, customers, fault, load

if TYPE_CHECKING:
    from customer_import.runs.run import Run
    from sandbox.bss.models import Contact
    from tests.tasks.load.scene import Scene

# A process of its own takes seconds to start: PostgreSQL gets the failpoints that differ most.
KILLS = [("sqlite", failpoint) for failpoint in CREATE_FAILPOINTS]
KILLS += [("postgres", "after_account_post"), ("postgres", "before_contact_post")]
LOST = [
    FaultKind.RESET_AFTER,
    FaultKind.RESET_BEFORE,
    FaultKind.TRUNCATE,
    FaultKind.WRONG_JSON,
    FaultKind.EMPTY_BODY,
    FaultKind.RATE_LIMIT_403,
    FaultKind.STATUS,
    FaultKind.UNAUTHORIZED,
]
LOSSES = [("sqlite", kind) for kind in LOST] + [("postgres", FaultKind.RESET_AFTER)]


def killed_load(scene: Scene, run: Run, failpoint: str, attempt: int = 1) -> None:
    """Load in a process that kills itself at a failpoint."""
    url = scene.engine.url.render_as_string(hide_password=False)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.tasks.load.scene", url, str(run.key), str(attempt)],
        env={**os.environ, **armed(failpoint), "PYTHONPATH": "plugins:."},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_what_the_ledger_commits_during_a_load_survives_a_power_cut(scene: Scene):
    run = scene.begin()
    scene.stage(run, customers(3))
    waits = []
    writes = ("INSERT INTO tenant_links", "UPDATE tenant_links")

    def look(connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(writes):
            raw = connection.connection.dbapi_connection
            waits.append(raw.execute("PRAGMA synchronous").fetchone()[0])

    event.listen(scene.engine, "before_cursor_execute", look)
    load(run, scene.engine, 0, 1)
    event.remove(scene.engine, "before_cursor_execute", look)
    full = 2
    assert len(waits) > 3
    assert set(waits) == {full}


@pytest.mark.parametrize(("engine", "failpoint"), KILLS, indirect=["engine"])
def test_load_killed_at_any_failpoint_converges_when_tried_again(scene: Scene, failpoint: str):
    scene.configure(request_timeout_s=1.0)
    staged = customers(20)  # more than are at work at once
    run = scene.begin()
    scene.stage(run, staged)
    killed_load(scene, run, f"{failpoint}:3")
    assert len(scene.results(run)) < 20
    scene.load(run, attempt=2)
    assert scene.outcomes(run) == ["created"] * 20
    assert len(scene.accounts) == 20
    assert scene.faults() == {}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("failpoint", ["after_account_post", "after_contact_post"])
def test_another_run_continues_what_a_dead_run_left(
    scene: Scene, failpoint: str, monkeypatch: pytest.MonkeyPatch
):
    scene.configure(request_timeout_s=1.0)
    staged = customers(6)
    dead = scene.begin()
    scene.stage(dead, staged)
    killed_load(scene, dead, f"{failpoint}:2")
    end_leases(scene)
    renamed = [customer.having(name=f"{customer.name} Renamed") for customer in staged]
    run = scene.run(renamed)
    assert set(scene.outcomes(run)) <= {"created", "updated"}
    assert len(scene.accounts) == 6
    assert {a.values["name"] for a in scene.accounts} == {c.name for c in renamed}
    assert scene.faults() == {}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("failpoint", UPDATE_FAILPOINTS)
def test_update_killed_midway_converges_when_tried_again(scene: Scene, failpoint: str):
    staged = customers(5)
    scene.run(staged)
    run = scene.begin()
    moved = [customer.having(city="Volos", email="new@example.com") for customer in staged]
    scene.stage(run, moved)
    killed_load(scene, run, f"{failpoint}:2")
    scene.load(run, attempt=2)
    assert set(scene.outcomes(run)) == {"updated"}
    for account in scene.accounts:
        assert account.values["billingAddress"]["city"] == "Volos"
        assert scene.records.contacts_of(account.id)[0].values["email"] == "new@example.com"
    assert scene.faults() == {}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_result_of_an_update_that_was_killed_names_what_the_dead_attempt_had_changed(
    scene: Scene,
):
    staged = customers(1)
    scene.run(staged)
    run = scene.begin()
    scene.stage(run, [staged[0].having(city="Volos")])
    killed_load(scene, run, "after_account_patch")
    scene.load(run, attempt=2)  # finds nothing left to change
    result = scene.results(run)[staged[0].tenant_id]
    assert (result.outcome, result.reason) == ("updated", "Changed: billingAddress.city.")
    assert before(scene, run) == {"billingAddress.city": "Thessaloniki"}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_adopted_account_whose_update_was_killed_is_reported_as_adopted_and_updated(scene: Scene):
    customer = customers(1)[0]
    account = scene.existing("Renamed by hand", customer.tenant_id)
    run = scene.begin()
    scene.stage(run, [customer])
    killed_load(scene, run, "after_account_patch")
    scene.load(run, attempt=2)
    result = scene.results(run)[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("updated", "adopted")
    assert before(scene, run)["name"] == "Renamed by hand"
    assert len(scene.records.contacts_of(account.id)) == 1


@pytest.mark.parametrize("endpoint", ["accounts.create", "contacts.create", "sync_options.post"])
@pytest.mark.parametrize(("engine", "kind"), LOSSES, indirect=["engine"])
def test_lost_or_refused_answers_leave_no_duplicate(scene: Scene, endpoint: str, kind: FaultKind):
    scene.configure(request_timeout_s=1.0)
    # One request that is answered 401 twice, the second time with a new token, is refused for good.
    calls = (1,) if kind is FaultKind.UNAUTHORIZED else (1, 3, 4)
    scene.sandbox.faults.replace([fault(f"bss.{endpoint}", kind, calls)])
    run = scene.run(customers(6))
    assert scene.outcomes(run) == ["created"] * 6
    assert len(scene.accounts) == 6
    assert scene.faults() == {}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("endpoint", ["accounts.create", "contacts.create"])
def test_creation_that_a_server_error_stopped_is_not_sent_before_its_retry_after(
    scene: Scene, endpoint: str
):
    unavailable = fault(f"bss.{endpoint}", FaultKind.STATUS, (1,), status=503, retry_after_s=1)
    scene.sandbox.faults.replace([unavailable])
    run = scene.run(customers(2))
    assert scene.outcomes(run) == ["created"] * 2
    told = scene.sandbox.requests.retry_after
    assert (told.told, told.obeyed, told.disobeyed) == (1, 1, 0)


def test_answer_that_comes_after_the_timeout_leaves_no_duplicate(scene: Scene):
    scene.configure(request_timeout_s=0.6)
    scene.sandbox.faults.replace(
        [
            fault("bss.accounts.create", FaultKind.ANSWER_LATE, (2,), delay_s=2.0),
            fault("bss.contacts.create", FaultKind.ANSWER_LATE, (1,), delay_s=2.0),
        ]
    )
    run = scene.run(customers(4))
    assert scene.outcomes(run) == ["created"] * 4
    assert scene.faults() == {}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_creations_that_wait_long_for_their_turn_have_their_whole_timeout_on_the_way(scene: Scene):
    scene.configure(request_timeout_s=1.0, concurrency=1)
    scene.sandbox.faults.replace(
        [fault("bss.accounts.create", FaultKind.DELAY, probability=1.0, delay_s=0.7)]
    )
    run = scene.run(customers(6))
    assert scene.outcomes(run) == ["created"] * 6
    assert len(scene.accounts) == 6
    assert scene.faults() == {}


def test_broken_reads_are_tried_again(scene: Scene):
    staged = customers(3)
    scene.run(staged)
    scene.sandbox.faults.replace(
        [
            fault("bss.accounts.get", FaultKind.TRUNCATE, (1,)),
            fault("bss.contacts.list", FaultKind.WRONG_JSON, (1,)),
            fault("bss.sync_options.get", FaultKind.RESET_BEFORE, (1,)),
            fault("bss.accounts.patch", FaultKind.RESET_AFTER, (1,)),
        ]
    )
    run = scene.run([customer.having(city="Volos") for customer in staged])
    assert scene.outcomes(run) == ["updated"] * 3
    assert scene.faults() == {}


def test_two_runs_at_once_create_nobody_twice(scene: Scene):
    staged = customers(30)
    runs = [scene.begin(), scene.begin()]
    for run in runs:
        scene.stage(run, staged)
    errors = at_once(scene, [(run, 1) for run in runs])
    assert errors == []
    assert len(scene.accounts) == 30
    assert scene.faults() == {}
    first, second = (scene.results(run) for run in runs)
    assert len(first) == len(second) == 30
    for customer in staged:
        outcomes = {first[customer.tenant_id].outcome, second[customer.tenant_id].outcome}
        assert outcomes == {"created", "unchanged"}


def test_orphaned_attempt_and_its_successor_create_nobody_twice(scene: Scene):
    scene.sandbox.faults.replace(
        [fault("bss.accounts.create", FaultKind.DELAY, probability=0.3, delay_s=0.3)]
    )
    staged = customers(30)
    run = scene.begin()
    scene.stage(run, staged)
    errors = at_once(scene, [(run, 1), (run, 2)])
    assert {type(error).__name__ for error in errors} <= {"SupersededError"}
    assert len(scene.accounts) == 30
    assert scene.outcomes(run) == ["created"] * 30
    assert scene.faults() == {}


def test_tenant_held_by_a_living_run_is_skipped_after_the_wait(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("customer_import.tasks.load.tenant.CLAIM_WAIT_S", 0.0)
    customer = Customer("Held Company")
    other = scene.run([customer])
    hold(scene, Holder(other.key, 0, 1))
    run = scene.run([customer.having(city="Volos")])
    result = scene.results(run)[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("skipped", "claimed_elsewhere")
    assert scene.accounts[0].values["billingAddress"]["city"] == customer.city


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("endpoint", ["accounts.create", "contacts.create"])
def test_server_error_that_is_for_good_may_have_created_and_is_settled_all_the_same(
    scene: Scene, endpoint: str
):
    scene.sandbox.faults.replace([fault(f"bss.{endpoint}", FaultKind.QUOTE, (1,), status=501)])
    run = scene.run(customers(3))
    assert scene.outcomes(run) == ["created"] * 3
    assert len(scene.accounts) == 3
    assert scene.faults() == {}


@pytest.mark.parametrize("is_still_at_work", [True, False])
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_load_that_loses_a_tenant_to_another_run_leaves_its_link_alone(
    scene: Scene, is_still_at_work: bool
):
    customer = customers(1)[0]
    other = scene.begin()

    def take_over(failpoint: str) -> None:
        if failpoint == "after_account_post":
            hold(scene, Holder(other.key, 0, 1) if is_still_at_work else None)

    failpoints.watch(take_over)
    try:
        run = scene.run([customer])
    finally:
        failpoints.watch(None)
    result = scene.results(run)[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("skipped", "claimed_elsewhere")
    assert (f"run {other.key}" if is_still_at_work else "another run") in result.reason
    link = scene.links()[customer.tenant_id]
    assert (link.account_id, link.account_step) == (None, "intent")
    assert link.holder == (str(Holder(other.key, 0, 1)) if is_still_at_work else None)
    end_leases(scene)
    assert scene.outcomes(scene.run([customer])) == ["created"]
    assert len(scene.accounts) == 1
    assert scene.faults() == {}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_lease_is_renewed_while_the_bss_takes_its_time(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("customer_import.tasks.load.ledger.RENEW_EVERY_S", 0.05)
    scene.sandbox.faults.replace([fault("bss.accounts.create", FaultKind.DELAY, delay_s=0.6)])
    held_s: list[float] = []

    def look(failpoint: str) -> None:
        if failpoint == "after_account_post":
            (link,) = scene.links().values()
            held_s.append((link.lease_until - LEASE - link.created_at).total_seconds())

    failpoints.watch(look)
    try:
        scene.run(customers(1))
    finally:
        failpoints.watch(None)
    assert len(held_s) == 1
    assert held_s[0] >= 0.3


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_direct_and_indirect_import_that_meet_at_a_tenant_of_both_lists_create_it_once(
    scene: Scene,
):
    scene.sandbox.faults.replace([fault("bss.accounts.create", FaultKind.DELAY, delay_s=1.0)])
    customer = customers(1)[0].having(is_in_both_lists=True)
    runs = [scene.begin(kind) for kind in (ImportType.DIRECT, ImportType.INDIRECT)]
    for run in runs:
        scene.stage(run, [customer])
    assert at_once(scene, [(run, 1) for run in runs]) == []
    found = sorted(
        (row.outcome, row.reason_code) for run in runs for row in scene.results(run).values()
    )
    assert found == [("created", "new"), ("skipped", "already_imported")]
    (creator,) = [run for run in runs if scene.outcomes(run) == ["created"]]
    assert scene.links()[customer.tenant_id].import_type == creator.import_type
    assert len(scene.accounts) == 1
    assert scene.faults() == {}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_contact_that_arrives_after_its_sender_died_is_found_and_not_made_twice(scene: Scene):
    scene.configure(request_timeout_s=2.0)
    run = scene.begin()
    customer = customers(1)[0]
    scene.stage(run, [customer])
    killed_load(scene, run, "before_contact_post")
    account_id = scene.accounts[0].id
    with scene.engine.begin() as connection:
        connection.execute(update(tenant_links).values(intent_at=datetime.now(UTC)))
    late = {**customer.contact(), "accountId": account_id, "isPrimary": True, "isBillTo": True}
    arrival = threading.Timer(1.0, scene.records.create_contact, (late,))
    arrival.start()
    scene.load(run, attempt=2)
    arrival.join()
    (contact,) = scene.records.contacts_of(account_id)
    assert scene.outcomes(run) == ["created"]
    assert scene.links()[customer.tenant_id].contact_id == contact.id
    assert scene.requests("contacts.create") == 0


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_contact_that_shows_late_is_compared_with_what_is_to_be_written(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    scene.configure(request_timeout_s=1.0)
    run = scene.begin()
    customer = customers(1)[0]
    scene.stage(run, [customer])
    killed_load(scene, run, "after_contact_post")
    end_leases(scene)
    looks = hide_contacts(scene, 1, monkeypatch)
    later = scene.begin()
    scene.stage(later, [customer.having(email="new@example.com")])
    scene.load(later)
    assert len(looks) > 1
    monkeypatch.undo()
    (contact,) = scene.records.contacts_of(scene.accounts[0].id)
    assert contact.values["email"] == "new@example.com"
    assert scene.links()[customer.tenant_id].contact_id == contact.id
    assert scene.outcomes(later) == ["created"]
    assert scene.faults() == {}


def hide_contacts(scene: Scene, times: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let the lists of contacts lag: so many looks see none. Returns the accounts that are looked at."""
    looks: list[int] = []
    shown = scene.records.contacts_of

    def contacts_of(account_id: int) -> tuple[Contact, ...]:
        looks.append(account_id)
        return shown(account_id) if len(looks) > times else ()

    monkeypatch.setattr(scene.records, "contacts_of", contacts_of)
    return looks


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_killed", [True, False])
def test_contact_that_a_person_adds_after_ours_was_lost_is_not_taken_for_ours(
    scene: Scene, *, is_killed: bool
):
    scene.configure(request_timeout_s=1.0)
    customer = customers(1)[0]
    theirs = {"firstName": "Maria", "lastName": "Other", "email": "maria@example.org"}

    def add() -> None:
        flags = {"accountId": scene.accounts[0].id, "isPrimary": True, "isBillTo": True}
        scene.records.create_contact({**theirs, **flags})

    run = scene.begin()
    scene.stage(run, [customer])
    if is_killed:
        killed_load(scene, run, "before_contact_post")
        add()
        end_leases(scene)
        scene.load(run, attempt=2)
    else:
        lost = fault("bss.contacts.create", FaultKind.RESET_BEFORE, (1,))
        scene.sandbox.faults.replace([lost])
        failpoints.watch(lambda at: add() if at == "before_contact_post" else None)
        try:
            scene.load(run)
        finally:
            failpoints.watch(None)
    assert scene.outcomes(run) == ["created"]
    made = [contact for contact in scene.records.contacts.values() if not is_theirs(contact)]
    (ours,) = made
    assert ours.values["email"] == customer.email
    assert scene.links()[customer.tenant_id].contact_id == ours.id
    assert len(scene.records.contacts) == 2


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["account", "contact"])
def test_what_a_person_makes_while_our_post_is_lost_gets_the_values_of_partner_center(
    scene: Scene, name: str
):
    scene.configure(request_timeout_s=0.5)
    lost = fault(f"bss.{name}s.create", FaultKind.RESET_BEFORE, (1,))
    scene.sandbox.faults.replace([lost])
    customer = customers(1)[0]

    def make(failpoint: str) -> None:
        if failpoint != f"before_{name}_post":
            return
        failpoints.watch(None)
        if name == "account":
            scene.existing("Made by hand", customer.tenant_id)
        else:
            flags = {"accountId": scene.accounts[0].id, "isPrimary": True, "isBillTo": True}
            theirs = {"firstName": "By", "lastName": "Hand", "email": customer.email}
            scene.records.create_contact({**theirs, **flags})

    failpoints.watch(make)
    scene.run([customer])
    failpoints.watch(None)
    (account,) = scene.accounts
    (contact,) = scene.records.contacts.values()
    assert account.values["name"] == customer.name
    assert contact.values["firstName"] == customer.first_name
    assert scene.faults() == {}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_contact_that_is_another_person_by_now_is_found_and_not_made_twice(scene: Scene):
    scene.configure(request_timeout_s=0.5)
    run, customer = scene.begin(), customers(1)[0]
    scene.stage(run, [customer])
    killed_load(scene, run, "after_contact_post")
    end_leases(scene)
    later = scene.run([customer.having(email="new@example.com", first_name="Maria")])
    assert scene.outcomes(later) == ["created"]
    (contact,) = scene.records.contacts.values()
    assert (contact.values["firstName"], contact.values["email"]) == ("Maria", "new@example.com")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_contact_whose_name_the_bss_tidied_is_found_though_it_has_no_email(scene: Scene):
    scene.configure(request_timeout_s=0.5)
    create = scene.records.create_contact

    def tidy(values: dict[str, Any]) -> Contact:
        names = {name: " ".join(values[name].split()) for name in ("firstName", "lastName")}
        return create({**values, **names})

    scene.records.create_contact = tidy  # type: ignore[method-assign]
    scene.sandbox.faults.replace([fault("bss.contacts.create", FaultKind.RESET_AFTER, (1,))])
    run = scene.run([Customer("Example Company", email=None, first_name="Anna  Maria")])
    assert scene.outcomes(run) == ["created"]
    assert len(scene.records.contacts) == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
def test_linked_contact_that_one_list_does_not_show_is_not_made_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    customer = customers(1)[0]
    scene.run([customer])
    linked = scene.links()[customer.tenant_id].contact_id
    hide_contacts(scene, 1, monkeypatch)
    run = scene.run([customer.having(email="new@example.com")])
    (contact,) = scene.records.contacts.values()
    assert contact.id == linked == scene.links()[customer.tenant_id].contact_id
    assert contact.values["email"] == "new@example.com"
    assert "contact.email" in scene.results(run)[customer.tenant_id].reason


def is_theirs(contact: Contact) -> bool:
    return contact.values["firstName"] == "Maria"


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", ["account", "contact"])
def test_creation_that_is_finished_after_its_error_was_answered_is_not_sent_again(
    scene: Scene, name: str
):
    scene.configure(request_timeout_s=2.0)
    customer = customers(1)[0]
    gateway = fault(f"bss.{name}s.create", FaultKind.STATUS, (1,), status=504)
    scene.sandbox.faults.replace([gateway])

    def finish() -> None:
        if name == "account":
            fields = {scene.records.setup.tenant_marker.id: customer.tenant_id}
            scene.records.create_account(customer.account(scene.country_id()), fields)
        else:
            flags = {"accountId": scene.accounts[0].id, "isPrimary": True, "isBillTo": True}
            scene.records.create_contact({**customer.contact(), **flags})

    late = threading.Timer(1.0, finish)
    failpoints.watch(lambda at: late.start() if at == f"before_{name}_post" else None)
    try:
        run = scene.run([customer])
    finally:
        failpoints.watch(None)
    late.join()
    assert scene.outcomes(run) == ["created"]
    assert len(scene.accounts) == len(scene.records.contacts) == 1


def before(scene: Scene, run: Run) -> dict[str, object]:
    """The values that the account had in the BSS before the run changed it."""
    statement = select(staged_accounts.c.bss_before).where(staged_accounts.c.run_id == run.key)
    with reading(scene.engine) as connection:
        kept: dict[str, object] = orjson.loads(connection.execute(statement).scalar_one())
    return kept


def at_once(scene: Scene, tries: list[tuple[Run, int]]) -> list[BaseException]:
    """Load the same batch from several threads at once."""
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(tries))

    def one(run_key: int, attempt: int) -> None:
        try:
            run = open_run(scene.engine, run_key)
            barrier.wait()
            load(run, scene.engine, 0, attempt)
        except Exception as error:  # noqa: BLE001 - the test looks at them
            errors.append(error)

    threads = [threading.Thread(target=one, args=(run.key, attempt)) for run, attempt in tries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def end_leases(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.execute(update(tenant_links).values(lease_until=tenant_links.c.created_at))
        connection.execute(delete(service_slots))


def hold(scene: Scene, holder: Holder | None) -> None:
    """Give every link to a holder, or to nobody."""
    name = None if holder is None else str(holder)
    until = datetime.now(UTC) + timedelta(minutes=2)
    with scene.engine.begin() as connection:
        connection.execute(update(tenant_links).values(holder=name, lease_until=until))
