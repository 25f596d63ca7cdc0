"""What a link says is looked at before it is trusted: whose the account is, and which organisation it belongs to."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING

import pytest
import yaml
from sqlalchemy import delete, update

from customer_import import failpoints
from customer_import.database.tables import tenant_links
from customer_import.errors import ConfigurationError
from customer_import.runs.run import open_run
from customer_import.tasks.load.load import load_batch
from sandbox import FaultKind, SandboxConfig, SandboxServer
from tests.tasks.load.scene import Customer, Scene, connection_json, customers, fault, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sandbox.bss.models import Account

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


def mark(scene: Scene, account: Account, marker: str) -> None:
    """Enter something in the tenant id field of an account, as a person does."""
    fields = account.custom_fields | {scene.records.setup.tenant_marker.id: marker}
    scene.records.update_account(account, account.values, fields)


def city(account: Account) -> object:
    return account.values["billingAddress"]["city"]


# -- The account is the customer's -----------------------------------------------------------------


@only_sqlite
@pytest.mark.parametrize(
    ("marker", "words"),
    [
        ("11111111-2222-3333-4444-555555555555", "another customer, 11111111-2222"),
        ("see CRM", "is no tenant id"),
    ],
)
def test_account_that_says_it_is_anothers_is_not_written(scene: Scene, marker: str, words: str):
    customer = customers(1)[0]
    scene.run([customer])
    mark(scene, scene.account_of(customer), marker)
    writes = scene.writes
    for mode in ("preview", "import"):
        run = scene.run([customer.having(city="Volos")], mode=mode)
        result = scene.results(run)[customer.tenant_id]
        assert (result.outcome, result.reason_code) == ("ambiguous", "other_marker")
        assert words in result.reason
        assert str(scene.accounts[0].id) in result.reason
    assert scene.writes == writes
    assert city(scene.accounts[0]) == customer.city


@only_sqlite
def test_marker_that_somebody_emptied_is_entered_again(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    mark(scene, scene.account_of(customer), "")
    run = scene.run([customer.having(city="Volos")])
    result = scene.results(run)[customer.tenant_id]
    assert result.outcome == "updated"
    assert "had lost its tenant id; it was entered again" in result.warnings[0]
    assert city(scene.account_of(customer)) == "Volos"
    assert scene.faults() == {}


@only_sqlite
@pytest.mark.parametrize("has_contact", [True, False])
def test_number_that_the_bss_gave_to_another_account_is_a_question(
    scene: Scene, *, has_contact: bool
):
    """As after a restore of the BSS: numbers that it forgot are given again, to contacts, too."""
    customer = customers(1)[0]
    scene.run([customer])
    account = scene.account_of(customer)
    (contact,) = scene.records.contacts_of(account.id)
    strangers = {"firstName": "Nikos", "lastName": "Other", "email": "nikos@example.net"}
    owner = account.id if has_contact else scene.existing("Elsewhere", None).id
    scene.records.update_contact(contact, {**contact.values, **strangers, "accountId": owner})
    scene.records.sync_options.clear()
    taken = scene.records.update_account(account, {"name": "Stranger AG"}, {})
    writes = scene.writes
    for mode in ("preview", "import"):
        run = scene.run([customer.having(city="Volos")], mode=mode)
        result = scene.results(run)[customer.tenant_id]
        assert (result.outcome, result.reason_code) == ("ambiguous", "other_marker")
        assert f"{account.id}, which this customer is linked to, has no tenant id" in result.reason
    assert scene.writes == writes
    assert scene.records.accounts[account.id] == taken


@only_sqlite
@pytest.mark.parametrize("is_linked", [True, False])
@pytest.mark.parametrize("has_primary", [True, False])
def test_contact_of_before_is_found_again_by_what_it_is_and_not_by_its_place(
    scene: Scene, *, is_linked: bool, has_primary: bool
):
    customer = customers(1)[0]
    scene.run([customer])
    account = scene.account_of(customer)
    (ours,) = scene.records.contacts_of(account.id)
    ours = scene.records.update_contact(ours, {**ours.values, "isPrimary": False})
    theirs = {"accountId": account.id, "firstName": "Nikos", "lastName": "Other", "isPrimary": True}
    made = scene.records.create_contact(theirs) if has_primary else None
    with scene.engine.begin() as database:
        lost = update(tenant_links).values(contact_id=999_999)
        database.execute(lost if is_linked else delete(tenant_links))
    assert scene.outcomes(scene.run([customer.having(city="Volos")])) == ["updated"]
    assert scene.links()[customer.tenant_id].contact_id == ours.id
    there = scene.records.contacts_of(account.id)
    assert [contact.id for contact in there] == [ours.id, *([made.id] if made else [])]
    assert made is None or scene.records.contacts[made.id].values == theirs


@only_sqlite
def test_marker_that_the_bss_refuses_is_not_the_customers_fault(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    mark(scene, scene.account_of(customer), "")
    refused = fault("bss.accounts.custom_fields.put", FaultKind.QUOTE, status=400)
    scene.sandbox.faults.replace([refused])
    result = scene.results(scene.run([customer.having(city="Volos")]))[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("failed", "configuration")
    assert "Correct bss.tenant_marker_field of the instance default" in result.reason


@only_sqlite
def test_marker_that_somebody_moved_to_another_account_is_a_question(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    linked = scene.account_of(customer)
    mark(scene, linked, "")
    other = scene.existing("Another account", customer.tenant_id)
    writes = scene.writes
    result = scene.results(scene.run([customer.having(city="Volos")]))[customer.tenant_id]
    assert (result.outcome, result.reason_code) == ("ambiguous", "other_marker")
    assert str(linked.id) in result.reason
    assert str(other.id) in result.reason
    assert scene.writes == writes


def test_account_is_linked_to_one_tenant_only(scene: Scene):
    first, second = customers(2)
    scene.run([first])
    account = scene.account_of(first)
    mark(scene, account, second.tenant_id)  # as if the account were the second customer's
    for mode in ("preview", "import"):
        result = scene.results(scene.run([second], mode=mode))[second.tenant_id]
        assert (result.outcome, result.reason_code) == ("ambiguous", "other_link")
        assert f"{account.id} is linked to tenant {first.tenant_id}" in result.reason
    assert [link.account_id for link in scene.links().values()].count(account.id) == 1
    assert len(scene.accounts) == 1


@only_sqlite
@pytest.mark.parametrize("is_listed", [True, False])
def test_second_account_with_the_marker_of_a_linked_customer_is_named(
    scene: Scene, caplog: pytest.LogCaptureFixture, *, is_listed: bool
):
    customer, new = customers(2)
    scene.run([customer])
    twin = scene.existing("Made by hand", customer.tenant_id)
    staged = [customer, new] if is_listed else [customer]  # a new customer: the accounts are listed
    result = scene.results(scene.run(staged))[customer.tenant_id]
    assert result.outcome == "unchanged"
    assert str(twin.id) in result.warnings[0]
    assert f"and {twin.id} carries its tenant id, too" in caplog.text
    result = scene.results(scene.run([customer.having(city="Volos")]))[customer.tenant_id]
    assert result.outcome == "updated"
    assert twin.values == {"name": "Made by hand"}


@only_sqlite
def test_second_account_that_came_early_in_the_run_before_is_named(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("customer_import.tasks.load.twins.OVERLAP", 0)
    customer, *others = customers(4)
    run = scene.begin()
    scene.stage(run, [customer])
    load(run, scene.engine, 0, 1)
    twin = scene.existing("Made by a lost answer", customer.tenant_id)
    scene.stage(run, others, batch=1)
    load_batch(run, scene.engine, 1, attempt=1, map_index=1)
    result = scene.results(scene.run([customer]))[customer.tenant_id]
    assert str(twin.id) in result.warnings[0]


@only_sqlite
def test_accounts_that_a_run_looked_at_are_not_looked_at_again_for_second_ones(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    """Also a second account that is not there any more is named no longer."""
    monkeypatch.setattr("customer_import.tasks.load.twins.OVERLAP", 0)
    monkeypatch.setattr("customer_import.bss.client.PAGE_SIZE", 2)
    staged = customers(6)
    scene.run(staged)
    twin = scene.existing("Made by a lost answer", staged[0].tenant_id)
    asked = []
    said = []
    for _ in range(3):
        before = scene.requests(".accounts.list")
        results = scene.results(scene.run(staged))
        asked.append(scene.requests(".accounts.list") - before)
        said.append(str(twin.id) in str(results[staged[0].tenant_id].warnings))
        if len(said) == 2:
            mark(scene, twin, "")
    assert asked == [4, 1, 1]
    assert said == [True, True, False]


# -- A look before a creation ----------------------------------------------------------------------


@only_sqlite
def test_account_made_by_hand_after_the_listing_is_adopted(scene: Scene):
    staged = customers(3)
    run = scene.begin()
    scene.stage(run, staged)
    made: list[int] = []

    def listed(*_: object) -> None:
        made.extend(scene.existing(one.name, one.tenant_id).id for one in staged)

    load(run, scene.engine, 0, 1, after_listing=listed)
    assert {row.account_id for row in scene.results(run).values()} == set(made)
    assert len(scene.accounts) == 3


@only_sqlite
def test_look_is_repeated_when_it_is_old(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("customer_import.tasks.load.account_look.FRESH_FOR_S", 0.2)
    customer = customers(1)[0]

    def make(failpoint: str) -> None:
        if failpoint == "before_token":
            failpoints.watch(None)
            scene.existing("Made by hand", customer.tenant_id)

    run = scene.begin()
    scene.stage(run, [customer])
    load(run, scene.engine, 0, 1, after_listing=lambda: failpoints.watch(make))
    failpoints.watch(None)
    assert len(scene.accounts) == 1


@only_sqlite
def test_load_after_a_restored_backup_finds_what_it_made(scene: Scene):
    staged = customers(5)
    run = scene.begin()
    scene.stage(run, staged)
    load(run, scene.engine, 0, 1)
    with scene.engine.begin() as connection:  # as the database was before the load
        connection.execute(delete(tenant_links))
    forget_results(scene)
    load_only(scene, run.key, attempt=2)
    assert len(scene.accounts) == 5
    assert scene.faults() == {}
    assert {row.reason_code for row in scene.results(run).values()} == {"adopted"}


@only_sqlite
def test_link_that_is_deleted_after_the_run_saw_no_need_to_list_is_found_again(scene: Scene):
    customer = customers(1)[0]
    scene.run([customer])
    run = scene.begin()
    scene.stage(run, [customer])

    def forget() -> None:
        with scene.engine.begin() as connection:
            connection.execute(delete(tenant_links))

    load(run, scene.engine, 0, 1, after_listing=forget)
    assert scene.results(run)[customer.tenant_id].reason_code == "adopted"
    assert len(scene.accounts) == 1


@only_sqlite
def test_link_that_is_deleted_while_it_is_written_fails_that_customer_alone(scene: Scene):
    staged = customers(2)

    def forget(failpoint: str) -> None:
        if failpoint == "after_account_post":
            failpoints.watch(None)
            with scene.engine.begin() as connection:
                connection.execute(delete(tenant_links))

    scene.configure(concurrency=1)
    run = scene.begin()
    scene.stage(run, staged[:1])
    failpoints.watch(forget)
    scene.load(run)
    failpoints.watch(None)
    assert scene.results(run)[staged[0].tenant_id].reason_code == "link_deleted"
    scene.run(staged)
    assert len(scene.accounts) == 2
    assert scene.faults() == {}


@only_sqlite
def test_lost_creation_is_found_by_the_marker_though_the_bss_tidied_the_name(scene: Scene):
    customer = Customer("Example  Company   Ltd")
    create = scene.records.create_account

    def tidy(values: dict[str, Any], *rest: Any) -> Account:
        return create({**values, "name": " ".join(values["name"].split())}, *rest)

    scene.records.create_account = tidy  # type: ignore[method-assign,assignment]
    scene.sandbox.faults.replace([fault("bss.accounts.create", FaultKind.RESET_AFTER, (1, 2))])
    run = scene.run([customer])
    assert scene.outcomes(run) == ["created"]
    assert len(scene.accounts) == 1


@only_sqlite
def test_looks_of_a_first_import_cost_a_request_a_batch(scene: Scene):
    scene.run(customers(12))
    assert scene.requests("accounts.list") == 2  # the listing, and one look before the first POST


# -- The organisation ------------------------------------------------------------------------------


@pytest.fixture
def elsewhere() -> Any:
    with SandboxServer(SandboxConfig(customers=5, resellers=2, seed=7)) as server:
        yield server


def point_to(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BSS_DEFAULT", connection_json(sandbox))


@only_sqlite
def test_connection_that_leads_to_another_organisation_stops_the_run_until_a_person_confirms(
    scene: Scene, elsewhere: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    staged = customers(2)
    scene.run(staged)
    before = scene.links()
    point_to(elsewhere, monkeypatch)
    with pytest.raises(ConfigurationError, match="another BSS organisation") as caught:
        scene.run([one.having(city="Volos") for one in staged])
    assert "accept_organisation" in str(caught.value)
    there = elsewhere.state.organisations["provider"]
    assert len(there.accounts) == 0
    assert scene.links() == before
    scene.run(staged, accept_organisation=True)
    assert len(there.accounts) == len(scene.accounts) == 2
    assert scene.outcomes(scene.run(staged)) == ["unchanged"] * 2  # it is remembered


@only_sqlite
def test_preview_binds_nothing(
    scene: Scene, elsewhere: SandboxServer, monkeypatch: pytest.MonkeyPatch
):
    point_to(elsewhere, monkeypatch)
    scene.run(customers(1), mode="preview")
    point_to(scene.sandbox, monkeypatch)
    assert scene.outcomes(scene.run(customers(1))) == ["created"]


def two_instances(scene: Scene) -> None:
    path = scene.folder / "instances.yaml"
    document = yaml.safe_load(path.read_text())
    document["instances"]["second"] = document["instances"]["default"]
    path.write_text(yaml.safe_dump(document))


def test_two_instances_of_one_organisation_side_by_side_create_nobody_twice(scene: Scene):
    two_instances(scene)
    staged = customers(10)
    runs = [scene.begin(instance=name) for name in ("default", "second")]
    for run in runs:
        scene.stage(run, staged)
    at_once([partial(load, open_run(scene.engine, run.key), scene.engine, 0, 1) for run in runs])
    assert len(scene.accounts) == 10
    assert scene.faults() == {}
    for customer in staged:
        rows = [scene.results(run)[customer.tenant_id] for run in runs]
        assert {row.outcome for row in rows} == {"created", "unchanged"}
        assert len({row.account_id for row in rows}) == 1


@only_sqlite
def test_links_of_before_belong_to_the_organisation_of_the_next_load(scene: Scene):
    staged = customers(2)
    scene.run(staged)
    with scene.engine.begin() as connection:  # as a migration leaves them
        connection.exec_driver_sql("DELETE FROM instance_organisations")
        connection.execute(update(tenant_links).values(organisation="instance default"))
    asked = scene.requests()
    run = scene.begin()
    looked_up = scene.requests() - asked
    scene.stage(run, staged)
    summary = scene.load(run)
    assert dict(summary.outcomes) == {"unchanged": 2}
    assert summary.requests == 0
    assert looked_up > 0


def at_once(calls: list[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def forget_results(scene: Scene) -> None:
    with scene.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM import_results")


def load_only(scene: Scene, run_key: int, attempt: int) -> None:
    """Load without listing the accounts again."""
    load_batch(open_run(scene.engine, run_key), scene.engine, 0, attempt=attempt, map_index=0)
