"""Claims between hosts, restarts and databases that stumble: every wait ends, and no token comes twice."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, select, text, update
from sqlalchemy.exc import OperationalError

from customer_import import failpoints
from customer_import.database.engine import reading
from customer_import.database.tables import bss_accounts, tenant_links
from customer_import.tasks.load.claims import LEASE, Claim, ClaimRequest, Holder
from customer_import.tasks.load.ledger import Ledger, LostClaimError
from tests.tasks.load.scene import Scene, customers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Engine

only_sqlite = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@only_sqlite
def test_intent_and_lease_of_a_clock_that_was_a_day_ahead_are_not_waited_for(scene: Scene):
    scene.configure(request_timeout_s=0.5)
    customer = customers(1)[0]
    other = scene.run([customer])
    ahead = datetime.now(UTC) + timedelta(days=1)
    with scene.engine.begin() as connection:
        connection.execute(
            update(tenant_links).values(
                holder=str(Holder(other.key, 0, 1)),
                lease_until=ahead,
                intent_at=ahead,
                contact_step="intent",
                content_hash=None,
                contact_id=None,
            )
        )
    scene.records.contacts.clear()
    scene.records._contacts_of.clear()
    began = datetime.now(UTC)
    run = scene.run([customer])
    assert scene.outcomes(run) == ["created"]
    assert datetime.now(UTC) - began < timedelta(seconds=20)
    assert scene.faults() == {}


def test_token_of_a_run_that_was_made_again_is_another(scene: Scene):
    tokens: list[str] = []

    def look(failpoint: str) -> None:
        if failpoint == "after_account_post":
            tokens.extend(row.holder for row in scene.links().values())

    customer = customers(1)[0]
    run = scene.begin()
    failpoints.watch(look)
    try:
        for _ in range(2):
            with scene.engine.begin() as connection:
                connection.exec_driver_sql("DELETE FROM tenant_links")
                connection.exec_driver_sql("DELETE FROM import_results")
            scene.records.clear()
            scene.stage(run, [customer])
            scene.load(run)
    finally:
        failpoints.watch(None)
    assert len(tokens) == len(set(tokens)) == 2
    assert Holder.parse(tokens[0]).is_same_task(Holder.parse(tokens[1]))


@contextmanager
def table_is_away(engine: Engine) -> Iterator[None]:
    """The database answers with an error."""
    _rename(engine, "tenant_links", "away")
    yield
    _rename(engine, "away", "tenant_links")


@contextmanager
def server_is_away(engine: Engine) -> Iterator[None]:
    """The database cannot be reached."""
    name = engine.url.database
    server = create_engine(engine.url.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        connection.execute(text(others), {"name": name})
        yield
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    server.dispose()


@only_sqlite
def test_run_that_was_made_again_takes_over_what_a_dead_later_attempt_held(scene: Scene):
    customer = customers(1)[0]
    for attempt, city in ((3, "Athens"), (1, "Volos")):
        scene.runs = 0
        run = scene.begin()
        scene.stage(run, [customer.having(city=city)])
        scene.load(run, attempt=attempt)
        assert scene.outcomes(run) == ["created" if attempt == 3 else "updated"]
        began = int(run.started_at.timestamp() * 1000)
        with scene.engine.begin() as connection:  # as a kill leaves it
            holder, until = str(Holder(run.key, 0, attempt, "ab", began)), datetime.now(UTC) + LEASE
            connection.execute(update(tenant_links).values(holder=holder, lease_until=until))


@pytest.mark.parametrize(
    ("engine", "away"),
    [("sqlite", table_is_away), ("postgres", server_is_away)],
    indirect=["engine"],
)
def test_renewal_goes_on_after_an_error_of_the_database(
    engine: Engine,
    away: Callable[[Engine], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr("customer_import.tasks.load.ledger.RENEW_EVERY_S", 0.01)
    ahead = timedelta()

    async def hold() -> datetime:
        nonlocal ahead
        ledger = Ledger(engine, "default", Holder(1, 0, 1), lambda: datetime.now(UTC) + ahead)
        async with ledger:
            await ledger.claim(ClaimRequest("t", "direct", is_in_both_lists=False, creates=False))
            with away(engine):
                await asyncio.sleep(0.3)
            ahead = LEASE
            await asyncio.sleep(0.3)
            link = await ledger.read("t")
        assert link is not None
        assert link.lease_until is not None
        return link.lease_until

    assert asyncio.run(hold()) > datetime.now(UTC) + 1.5 * LEASE
    assert "The leases could not be renewed: " in caplog.text
    assert "Traceback" not in caplog.text


@only_sqlite
def test_save_does_not_shorten_a_lease_that_was_renewed(engine: Engine):
    now = [datetime(2026, 1, 1, tzinfo=UTC)]

    async def save() -> None:
        ledger = Ledger(engine, "default", Holder(1, 0, 1), lambda: now[0])
        request = ClaimRequest("t", "direct", is_in_both_lists=False, creates=False)
        async with ledger:
            claim: Claim = await ledger.claim(request)
            now[0] += timedelta(seconds=100)
            ledger._set_lease(is_held=True)
            await ledger.save(claim.link)
            link = await ledger.read("t")
        assert link is not None
        assert link.lease_until == now[0] + LEASE

    asyncio.run(save())


def test_reads_of_one_transaction_are_of_one_moment(scene: Scene):
    run = scene.begin()
    row = {"run_id": run.key, "account_id": 1, "name_key": "a"}
    with reading(scene.engine) as connection:
        before = connection.execute(bss_accounts.select()).all()
        with scene.engine.begin() as other:
            other.execute(bss_accounts.insert().values(row))
        assert connection.execute(bss_accounts.select()).all() == before == []
    with reading(scene.engine) as connection:
        assert len(connection.execute(bss_accounts.select()).all()) == 1


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_lease_goes_by_the_clock_of_the_database_and_not_of_the_host(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    wrong = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr("customer_import.database.engine._utc_now", lambda: wrong)
    ledger = Ledger(engine, "default", Holder(1, 0, 1))
    assert abs(ledger.now() - datetime.now(UTC)) < timedelta(minutes=1)


def _rename(engine: Engine, old: str, new: str) -> None:
    for _ in range(20):
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")
        except OperationalError:
            continue
        return


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
@pytest.mark.parametrize("is_held", [True, False])
def test_renewal_and_commit_lock_the_links_of_a_load_in_one_order(engine: Engine, *, is_held: bool):
    tenants = ("c", "b", "a")  # in the order of their ids
    ledger = Ledger(engine, "default", Holder(1, 0, 1))
    for tenant in tenants:
        request = ClaimRequest(tenant, "direct", is_in_both_lists=False, creates=False)
        ledger._commit([request])
    links = tenant_links.c
    for number, tenant in enumerate("abc", 1):  # on the disk and in each index: a, b, c
        with engine.begin() as connection:
            same = links.tenant_id == tenant
            connection.execute(update(tenant_links).where(same).values(account_id=number))

    async def confirm() -> list[BaseException | None]:
        confirmed = map(ledger.confirm, tenants)
        return await asyncio.gather(*confirmed, return_exceptions=True)

    with engine.connect() as blocker, ThreadPoolExecutor(2) as pool:
        blocker.execute(select(links.id).where(links.tenant_id == "b").with_for_update())
        renewed = pool.submit(ledger._set_lease, is_held=is_held)
        wait_for_waiting(engine, 1)
        confirmed = pool.submit(asyncio.run, confirm())
        wait_for_waiting(engine, 2)
        blocker.rollback()
        renewed.result(timeout=30)
        answers = {type(answer) for answer in confirmed.result(timeout=30)}
    assert answers == {NoneType if is_held else LostClaimError}


def wait_for_waiting(engine: Engine, count: int) -> None:
    """Wait until so many sessions of this database wait for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    end = time.monotonic() + 30
    while time.monotonic() < end:
        with engine.connect() as connection:
            if connection.execute(waiting).scalar_one() >= count:
                return
        time.sleep(0.02)
    pytest.fail(f"{count} sessions never waited")
