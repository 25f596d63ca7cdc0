"""The extraction against the sandbox, compared with the sandbox's own truth, tenant by tenant."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
import pytest
from sqlalchemy import Engine, Row, select

from customer_import.database.tables import import_results, import_runs, staged_customers
from customer_import.errors import AuthenticationError, ConfigurationError
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.runs.reference_data import get_reference
from customer_import.runs.run import Run
from customer_import.tasks.extract import extract as extract_module
from customer_import.tasks.extract import staging as staging_module
from customer_import.tasks.extract.extract import extract_customers
from customer_import.tasks.extract.staging import CustomerStaging
from customer_import.vocabulary import ImportType, ReferenceName
from sandbox.faults import FaultKind, FaultRule, RetryAfterForm
from sandbox.population.models import Access, Customer, truth_of

if TYPE_CHECKING:
    from sandbox.server import SandboxServer

MakeRun = Callable[..., Run]
MakeHook = Callable[..., PartnerCenterHook]
LIST, SUBSCRIPTIONS, BY_ID = (
    f"partner_center.customers.{name}" for name in ("list", "subscriptions", "get")
)


def staged(engine: Engine, run: Run) -> dict[str, Row]:
    with engine.connect() as connection:
        rows = connection.execute(
            select(staged_customers).where(staged_customers.c.run_id == run.key)
        ).all()
    return {row.tenant_id: row for row in rows}


def results(engine: Engine, run: Run) -> dict[str, Row]:
    with engine.connect() as connection:
        rows = connection.execute(
            select(import_results).where(import_results.c.run_id == run.key)
        ).all()
    return {row.tenant_id: row for row in rows}


def expected(sandbox: SandboxServer, customer: Customer, import_type: ImportType) -> tuple:
    """Whether the tenant is discovered, its outcome and its reason, from the sandbox's truth."""
    resellers = {reseller.mpn_id: reseller for reseller in sandbox.source.resellers.values()}
    own = sandbox.info.tenant_reseller_mpn_id
    truth = truth_of(customer, frozenset(resellers), own)
    live = customer.live_mpn_ids
    is_indirect = import_type is ImportType.INDIRECT
    is_unknown = is_indirect and any(live) and not truth.reseller_mpn_ids
    is_discovered = import_type.value in truth.classes or is_unknown
    ends = {
        "customer_left": customer.access is Access.LEFT,
        "customer_gone": customer.access is Access.GONE,
        None: not is_discovered,
        "not_a_reseller_relationship": customer.document["relationshipToPartner"] != "reseller",
        "unknown_reseller": is_unknown,
        "several_resellers": is_indirect and len(truth.reseller_mpn_ids) > 1,
    }
    code = next((code for code, applies in ends.items() if applies), "")
    if not code:
        return is_discovered, None, None
    return True, "ambiguous" if code == "several_resellers" else "skipped", code


@pytest.mark.parametrize("import_type", list(ImportType))
def test_every_tenant_is_staged_as_the_truth_says(
    import_type: ImportType,
    make_run: MakeRun,
    make_hook: MakeHook,
    engine: Engine,
    sandbox: SandboxServer,
) -> None:
    run = make_run(import_type)
    summary = extract_customers(run, engine, make_hook())

    rows, outcomes = staged(engine, run), results(engine, run)
    customers = sandbox.source.customers
    assert set(rows) == set(customers)
    wanted = {key: expected(sandbox, one, import_type) for key, one in customers.items()}
    found = {key: (row.is_discovered, row.outcome, row.reason_code) for key, row in rows.items()}
    assert found == wanted
    assert {(key, row.outcome, row.reason_code) for key, row in outcomes.items()} == {
        (key, outcome, code) for key, (_, outcome, code) in wanted.items() if outcome
    }
    assert sorted(row.position for row in rows.values()) == list(range(len(rows)))
    discovered = [key for key, (is_discovered, _, _) in wanted.items() if is_discovered]
    assert summary.listed == len(customers)
    assert summary.discovered == len(discovered)
    assert summary.failed == 0
    assert summary.discovered == summary.fetched + summary.skipped + summary.ambiguous
    # A customer is read by id only when it belongs to the import.
    goes_on = [key for key in discovered if wanted[key][1] is None]
    assert sandbox.requests.count(BY_ID) == len(goes_on)
    assert {key for key, row in rows.items() if row.body is not None} == set(goes_on)


def test_postgresql_holds_the_same_as_sqlite(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, postgres_engine: Engine
) -> None:
    staged_rows = []
    for database in (engine, postgres_engine):
        run = make_run(ImportType.INDIRECT, database=database)
        extract_customers(run, database, make_hook())
        own = {"run_id", "fetched_at", "search_key"}  # the last is the work of the database
        staged_rows.append(
            {
                key: {name: value for name, value in row._mapping.items() if name not in own}
                for key, row in staged(database, run).items()
            }
        )
    assert staged_rows[0] == staged_rows[1]


def test_staged_values_are_those_of_the_customer(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, sandbox: SandboxServer
) -> None:
    run = make_run(ImportType.INDIRECT)
    extract_customers(run, engine, make_hook())
    names = {reseller.mpn_id: reseller.name for reseller in sandbox.source.resellers.values()}
    bodies = 0
    for key, row in staged(engine, run).items():
        if row.body is None:
            continue
        bodies += 1
        document = sandbox.source.customers[key].document
        source = orjson.loads(row.source)
        assert orjson.loads(row.body) == document
        for path, value in source.items():
            node = document
            for part in path.split("."):
                node = node[part]
            assert value == node
        assert row.has_billing_profile == (document["billingProfile"] is not None)
        assert row.reseller_name == names[row.reseller_mpn_id]
        assert {item["partnerId"] for item in orjson.loads(row.subscriptions)} <= {
            None,
            row.reseller_mpn_id,
        }
    assert bodies > 40
    resellers = get_reference(engine, run.key, ReferenceName.RESELLERS)
    assert {item["mpnId"] for item in resellers} == set(names)


def test_mixed_tenants_are_in_both_lists(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, sandbox: SandboxServer
) -> None:
    marked = []
    for import_type in (ImportType.DIRECT, ImportType.INDIRECT):
        run = make_run(import_type)
        extract_customers(run, engine, make_hook())
        marked.append({key for key, row in staged(engine, run).items() if row.is_in_both_lists})
    mixed = {
        key
        for key, one in sandbox.source.customers.items()
        if "mixed_subscriptions" in one.peculiarities
    }
    assert marked == [mixed, mixed]
    assert mixed


def test_country_rules_of_the_countries_that_occur_are_kept(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, sandbox: SandboxServer
) -> None:
    run = make_run(ImportType.DIRECT)
    extract_customers(run, engine, make_hook("app_only"))
    rules = get_reference(engine, run.key, ReferenceName.COUNTRY_RULES)
    assert rules["US"]["isStateRequired"] is True
    assert rules["US"]["iso2Code"] == "US"
    assert "XX" not in rules
    assert all(key.isupper() for key in rules)


def test_grouping_by_relationship_asks_for_no_subscription(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, sandbox: SandboxServer
) -> None:
    run = make_run(ImportType.INDIRECT, instance={"group_by": "relationships"})
    extract_customers(run, engine, make_hook())
    assert sandbox.requests.count(SUBSCRIPTIONS) == 0
    rows = staged(engine, run)
    for key, customer in sandbox.source.customers.items():
        resellers = customer.reseller_ids
        assert rows[key].is_discovered == bool(resellers), customer.peculiarities
        if len(resellers) > 1 and customer.document["relationshipToPartner"] == "reseller":
            assert rows[key].outcome == "ambiguous"


def test_discover_reads_nobody_by_id(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, sandbox: SandboxServer
) -> None:
    run = make_run(ImportType.DIRECT, mode="discover")
    summary = extract_customers(run, engine, make_hook("app_only"))
    assert sandbox.requests.count(BY_ID) == 0
    assert summary.fetched > 90
    assert all(row.body is None for row in staged(engine, run).values())


def test_only_the_named_tenants_are_staged(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, sandbox: SandboxServer
) -> None:
    first, second, third = list(sandbox.source.customers.values())[:3]
    run = make_run(
        ImportType.DIRECT,
        tenants=[first.tenant_id.upper(), second.domain.upper(), third.tenant_id],
        exclude_tenants=[third.domain],
    )
    extract_customers(run, engine, make_hook("app_only"))
    assert set(staged(engine, run)) == {first.tenant_id, second.tenant_id}
    assert sandbox.requests.count(SUBSCRIPTIONS) == 2


def test_a_selected_reseller_narrows_the_indirect_import(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, sandbox: SandboxServer
) -> None:
    chosen = list(sandbox.source.resellers.values())[2].mpn_id
    run = make_run(ImportType.INDIRECT, reseller_mpn_ids=[chosen])
    extract_customers(run, engine, make_hook())
    rows = [row for row in staged(engine, run).values() if row.is_discovered and not row.outcome]
    assert rows
    assert {row.reseller_mpn_id for row in rows} == {chosen}


def test_faults_on_the_way_change_no_outcome(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, sandbox: SandboxServer
) -> None:
    every = "partner_center.customers.*"
    kinds = (FaultKind.TRUNCATE, FaultKind.WRONG_JSON, FaultKind.RESET_AFTER, FaultKind.EMPTY_BODY)
    sandbox.faults.replace(
        [
            *(
                FaultRule(endpoint=every, kind=kind, calls=tuple(range(7 + n, 400, 41)))
                for n, kind in enumerate(kinds)
            ),
            FaultRule(endpoint=every, kind=FaultKind.STATUS, status=503, calls=(33, 150)),
            FaultRule(
                endpoint=SUBSCRIPTIONS,
                kind=FaultKind.THROTTLE,
                retry_after_s=1,
                retry_after_form=RetryAfterForm.DATE,
                calls=(60,),
            ),
            FaultRule(endpoint=SUBSCRIPTIONS, kind=FaultKind.UNAUTHORIZED, calls=(100,)),
        ]
    )
    run = make_run(ImportType.DIRECT, instance={"partner_center": settings(max_attempts=6)})
    extract_customers(run, engine, make_hook("app_only"))
    rows = staged(engine, run)
    wanted = {
        key: expected(sandbox, one, ImportType.DIRECT)
        for key, one in sandbox.source.customers.items()
    }
    assert wanted == {
        key: (row.is_discovered, row.outcome, row.reason_code) for key, row in rows.items()
    }
    assert sum(sandbox.faults.counts.values()) > 20
    assert sandbox.requests.retry_after.disobeyed == 0


def test_a_tenant_without_a_usable_answer_fails_alone(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, sandbox: SandboxServer
) -> None:
    # Three tries each: of two tenants, whichever comes first, five strikes leave one try.
    sandbox.faults.replace(
        [FaultRule(endpoint=SUBSCRIPTIONS, kind=FaultKind.WRONG_JSON, calls=(1, 2, 3, 4, 5))]
    )
    some = [key for key, _ in list(sandbox.source.customers.items())[:2]]
    run = make_run(
        ImportType.DIRECT,
        tenants=some,
        instance={"partner_center": settings(max_attempts=3)},
    )
    summary = extract_customers(run, engine, make_hook("app_only"))
    assert summary.failed == 1
    assert summary.listed == 2
    [failed] = [row for row in results(engine, run).values() if row.outcome == "failed"]
    assert failed.reason_code == "not_classified"
    assert "malformed" in failed.reason


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        (403, "failed", "not_classified"),  # without the code that speaks of this one customer
        (404, "skipped", "customer_gone"),
        (409, "failed", "not_classified"),
    ],
)
def test_a_tenant_that_is_refused_alone_has_its_own_outcome(
    make_run: MakeRun,
    make_hook: MakeHook,
    engine: Engine,
    sandbox: SandboxServer,
    status: int,
    outcome: str,
    code: str,
) -> None:
    sandbox.faults.replace(
        [FaultRule(endpoint=SUBSCRIPTIONS, kind=FaultKind.QUOTE, status=status, calls=(1,))]
    )
    some = [key for key, _ in list(sandbox.source.customers.items())[:2]]
    run = make_run(ImportType.DIRECT, tenants=some)
    extract_customers(run, engine, make_hook("app_only"))
    found = [(row.outcome, row.reason_code) for row in results(engine, run).values()]
    assert (outcome, code) in found
    assert len([row for row in staged(engine, run).values() if row.outcome is None]) >= 1


def test_a_long_extraction_says_how_far_it_is(
    make_run: MakeRun,
    make_hook: MakeHook,
    engine: Engine,
    sandbox: SandboxServer,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, seconds in (("_FLUSH_EVERY_S", 0.1), ("_PROGRESS_EVERY_S", 0.2)):
        monkeypatch.setattr(extract_module, name, seconds)
    sandbox.faults.replace([FaultRule(endpoint=BY_ID, kind=FaultKind.DELAY, delay_s=0.4)])
    some = [key for key, _ in list(sandbox.source.customers.items())[:12]]
    run = make_run(
        ImportType.DIRECT,
        tenants=some,
        instance={"partner_center": settings(concurrency=1)},
    )
    recorded: list[int] = []

    def look(record: logging.LogRecord) -> bool:
        if record.msg.startswith("Extracted %s of"):
            with engine.connect() as connection:
                own = select(import_runs.c.extracted).where(import_runs.c.id == run.key)
                recorded.append(connection.execute(own).scalar_one())
        return True

    monkeypatch.setattr(extract_module.log, "filters", [look])
    with caplog.at_level(logging.INFO):
        extract_customers(run, engine, make_hook("app_only"))
    said = re.findall(
        r"Extracted (\d+) of 12 customers, \d+ a minute, time left (unknown|[\d.]+ min)",
        caplog.text,
    )
    done = [int(number) for number, _ in said]
    assert len(said) > 3
    assert done == sorted(done)
    assert 0 < done[-1] <= 12
    assert any(left != "unknown" for _, left in said)
    assert recorded[1:] == done[:-1], "each report is recorded for the pages, too"


def test_indirect_import_with_an_app_only_token_says_what_to_mend(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine
) -> None:
    with pytest.raises(AuthenticationError, match="set flow to app_user"):
        extract_customers(make_run(ImportType.INDIRECT), engine, make_hook("app_only"))


def test_a_restart_asks_for_nobody_twice(
    make_run: MakeRun,
    make_hook: MakeHook,
    engine: Engine,
    sandbox: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(staging_module, "BATCH_ROWS", 20)
    run = make_run(ImportType.DIRECT)
    _stop_after(monkeypatch, batches=3)
    with pytest.raises(ConnectionAbortedError):
        extract_customers(run, engine, make_hook("app_only"))
    monkeypatch.undo()
    have = {key for key, row in staged(engine, run).items() if row.state != "listed"}
    assert 40 <= len(have) < len(sandbox.source.customers)

    sandbox.requests.clear()
    summary = extract_customers(run, engine, make_hook("app_only"))

    asked = {
        entry.path.split("/")[3] for entry in sandbox.requests.entries if "/subscr" in entry.path
    }
    assert not asked & have
    assert summary.listed == len(sandbox.source.customers)
    rows = staged(engine, run)
    assert {key: row.is_discovered for key, row in rows.items()} == {
        key: expected(sandbox, one, ImportType.DIRECT)[0]
        for key, one in sandbox.source.customers.items()
    }
    with engine.connect() as connection:
        progress = connection.execute(select(import_runs).where(import_runs.c.id == run.key)).one()
    assert (progress.listed, progress.extracted) == (summary.listed, summary.listed)
    assert progress.discovered == summary.discovered


def test_a_refused_sign_in_in_the_middle_ends_the_run(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.faults.replace(
        [
            FaultRule(endpoint=SUBSCRIPTIONS, kind=FaultKind.UNAUTHORIZED, calls=(30,)),
            FaultRule(endpoint="entra.token", kind=FaultKind.ENTRA_ERROR, code=7000222, calls=(2,)),
        ]
    )
    run = make_run(ImportType.DIRECT)
    with pytest.raises(AuthenticationError, match="the client secret has expired"):
        extract_customers(run, engine, make_hook("app_only"))
    assert any(row.state == "fetched" for row in staged(engine, run).values())


def test_no_personal_value_is_logged(
    make_run: MakeRun,
    make_hook: MakeHook,
    engine: Engine,
    sandbox: SandboxServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sandbox.faults.replace([FaultRule(endpoint=BY_ID, kind=FaultKind.WRONG_JSON, probability=0.1)])
    with caplog.at_level(logging.DEBUG):
        extract_customers(make_run(ImportType.DIRECT), engine, make_hook("app_only"))
    assert "Extracted: " in caplog.text
    for customer in sandbox.source.customers.values():
        profile = customer.document["billingProfile"] or {}
        for value in (profile.get("email"), profile.get("lastName")):
            assert not value or value not in caplog.text


def test_a_partner_that_is_no_provider_is_told_so(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, sandbox: SandboxServer
) -> None:
    sandbox.state.partner_center._is_indirect_provider = False
    try:
        with pytest.raises(ConfigurationError, match="not an indirect provider"):
            extract_customers(make_run(ImportType.INDIRECT), engine, make_hook())
    finally:
        sandbox.state.partner_center._is_indirect_provider = True


def settings(**changes: object) -> dict[str, object]:
    return {
        "requests_per_minute": 100_000,
        "concurrency": 16,
        "page_size": 100,
        "max_attempts": 3,
    } | changes


def _stop_after(monkeypatch: pytest.MonkeyPatch, batches: int) -> None:
    """Let the staging die at its n-th batch, as a killed process would."""
    write = CustomerStaging._write
    done = 0

    def dying(self: CustomerStaging, batch: list) -> None:
        nonlocal done
        done += 1
        if done > batches:
            raise ConnectionAbortedError
        write(self, batch)

    monkeypatch.setattr(CustomerStaging, "_write", dying)


def test_a_write_that_fails_after_the_task_was_cancelled_is_no_loose_end(
    make_run: MakeRun,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    is_writing, may_fail = threading.Event(), threading.Event()

    def failing(self: CustomerStaging, batch: list) -> None:
        is_writing.set()
        may_fail.wait(10)
        raise ConnectionAbortedError

    async def cancelled_while_writing() -> None:
        staging = CustomerStaging(make_run(ImportType.DIRECT), engine, datetime.now(UTC))
        staging._batch = [None]  # type: ignore[list-item]
        flush = asyncio.create_task(staging.flush())
        await asyncio.to_thread(is_writing.wait, 10)
        flush.cancel()
        await asyncio.sleep(0)
        may_fail.set()
        with pytest.raises(asyncio.CancelledError):
            await flush

    monkeypatch.setattr(CustomerStaging, "_write", failing)
    asyncio.run(cancelled_while_writing())
    gc.collect()
    assert "never retrieved" not in caplog.text


def test_two_extractions_of_one_partner_tenant_follow_each_other(
    make_run: MakeRun, make_hook: MakeHook, engine: Engine, sandbox: SandboxServer
) -> None:
    runs = [make_run(ImportType.DIRECT), make_run(ImportType.DIRECT)]
    listed: list[float] = []

    def extract(run: Run) -> None:
        extract_customers(run, engine, make_hook("app_only"))
        listed.append(time.monotonic())

    tasks = [threading.Thread(target=extract, args=(run,)) for run in runs]
    started = time.monotonic()
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()
    first, second = (moment - started for moment in listed)
    assert second - first > first / 2, "the second began when the first had ended"
    assert len(staged(engine, runs[0])) == len(staged(engine, runs[1])) > 0
