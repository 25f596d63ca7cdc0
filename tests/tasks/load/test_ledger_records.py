"""What the ledger leaves in the database, call by call; what it does under disturbances is compared with a model."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, insert, select
from sqlalchemy.exc import SQLAlchemyError

from customer_import.database.engine import reading
from customer_import.database.tables import (
    staged_accounts,
    staged_contacts,
    staged_customers,
    tenant_links,
)
from customer_import.errors import AuthenticationError, SupersededError
from customer_import.runs.run import record_run
from customer_import.tasks.load.claims import LEASE, ClaimRequest, Holder
from customer_import.tasks.load.entries import LinkedElsewhereError
from customer_import.tasks.load.ledger import Ledger, LostClaimError
from tests.tasks.validate.runs import a_run

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from customer_import.tasks.load.claims import Link

NOW = datetime(2026, 1, 1, tzinfo=UTC)
READ_AT = datetime(2026, 1, 2, tzinfo=UTC)


def request(tenant: str, *, creates: bool = False) -> ClaimRequest:
    return ClaimRequest(tenant, "direct", is_in_both_lists=False, creates=creates)


def ledger(
    engine: Engine,
    holder: Holder,
    clock: list[datetime] | None = None,
    instance: str = "default",
) -> Ledger:
    moment = clock or [NOW]
    return Ledger(engine, instance, holder, now=lambda: moment[0], gather_s=0.0)


def rows(engine: Engine, table: Any = tenant_links) -> dict[str, Any]:
    with reading(engine) as connection:
        return {row.tenant_id: row for row in connection.execute(select(table))}


def staged(engine: Engine, *tenants: str, name: str = "manual") -> int:
    """Stage a run's customers; return its key."""
    run = a_run()
    run_key = record_run(engine, run.dag_id, name, run.import_type, run.params, None)
    with engine.begin() as connection:
        for position, tenant in enumerate(tenants):
            key = {"run_id": run_key, "tenant_id": tenant}
            customer = {"position": position, "state": "fetched", "fetched_at": READ_AT}
            account = {"batch": 0, "payload": b"{}", "sync_options": b"{}", "content_hash": "new"}
            connection.execute(insert(staged_customers).values(**key, **customer))
            connection.execute(insert(staged_accounts).values(**key, **account))
            connection.execute(insert(staged_contacts).values(**key, payload=b"{}"))
    return run_key


async def held(mine: Ledger, tenant: str, **values: Any) -> Link:
    claim = await mine.claim(request(tenant))
    return await mine.save(replace(claim.link, **values))


async def test_what_an_update_is_about_to_change_is_kept_of_its_tenant_alone(
    sqlite_engine: Engine,
) -> None:
    key = staged(sqlite_engine, "t", "u", "v")

    def before(table: Any) -> dict[str, Any]:
        return {tenant: row.bss_before for tenant, row in rows(sqlite_engine, table).items()}

    async with ledger(sqlite_engine, Holder(key, 0, 1)) as mine:
        link = await held(mine, "t")
        await mine.save(link, (b"a", None))
        assert before(staged_accounts) == {"t": b"a", "u": None, "v": None}
        assert before(staged_contacts) == {"t": None, "u": None, "v": None}
        await mine.save(link, (None, b"c"))
        await mine.keep_before("u", b"x", b"y")
        other = ledger(sqlite_engine, Holder(key, 1, 1))
        with pytest.raises(LostClaimError, match=r"^tenant t was taken over by another load$"):
            await other.save(link, (b"lost", b"lost"))
    assert before(staged_accounts) == {"t": b"a", "u": b"x", "v": None}
    assert before(staged_contacts) == {"t": b"c", "u": b"y", "v": None}


async def test_what_an_update_is_about_to_change_is_kept_in_its_run_alone(
    sqlite_engine: Engine,
) -> None:
    earlier, later = (staged(sqlite_engine, "t", name=name) for name in ("earlier", "later"))
    async with ledger(sqlite_engine, Holder(earlier, 0, 1)) as mine:
        await mine.save(await held(mine, "t"), (b"a", b"c"))
    for table, value in ((staged_accounts, b"a"), (staged_contacts, b"c")):
        with reading(sqlite_engine) as connection:
            kept = connection.execute(select(table.c.run_id, table.c.bss_before)).all()
        assert set(kept) == {(earlier, value), (later, None)}


async def test_links_of_another_organisation_are_neither_seen_nor_changed(
    sqlite_engine: Engine,
) -> None:
    """The same tenant, and the same account number, in two organisations."""
    async with ledger(sqlite_engine, Holder(1, 0, 1), instance="other") as theirs:
        await held(theirs, "t", account_id=5, content_hash="theirs")
        async with ledger(sqlite_engine, Holder(2, 0, 1)) as mine:
            assert await mine.read("t") is None
            await held(mine, "u", account_id=5)
            claim = await mine.claim(request("t"))
            assert claim.link.account_id is None
            link = await mine.save(replace(claim.link, account_id=6, content_hash="mine"))
            await mine.distrust("t")
            assert await mine.read("t") == replace(link, content_hash="mine+open")
            await mine.confirm("t")
        await theirs.distrust("t")
        found = await theirs.read("t")
    assert found is not None
    assert (found.account_id, found.content_hash, found.holder) == (5, "theirs+open", "1/0/1")


async def test_an_end_without_the_database_hides_no_error_that_came_before(
    sqlite_engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    async def end(error: Exception | None) -> None:
        async with ledger(sqlite_engine, Holder(1, 0, 1)) as mine:
            for tenant in ("t", "u"):
                await held(mine, tenant, content_hash="abc")
                await mine.confirm(tenant)
            with sqlite_engine.begin() as connection:
                connection.exec_driver_sql("ALTER TABLE tenant_links RENAME TO away")
            if error is not None:
                raise error

    with pytest.raises(AuthenticationError):
        await end(AuthenticationError("refused", service="BSS"))
    assert "could not be let go of" in caplog.text
    assert "Traceback" not in caplog.text
    with sqlite_engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO tenant_links")
    with pytest.raises(SQLAlchemyError):
        await end(None)


async def test_tenants_whose_write_broke_off_are_distrusted_together(
    sqlite_engine: Engine,
) -> None:
    statements: list[str] = []

    def note(_: object, __: object, statement: str, *more: object) -> None:
        statements.append(statement)

    async with ledger(sqlite_engine, Holder(1, 0, 1)) as mine:
        for tenant in "tuvw":
            await held(mine, tenant, content_hash="abc")
            await mine.confirm(tenant)
        event.listen(sqlite_engine, "before_cursor_execute", note)
    assert {row.content_hash for row in rows(sqlite_engine).values()} == {"abc+open"}
    assert sum(statement.startswith("UPDATE") for statement in statements) == 2  # and the leases


async def test_a_distrusted_link_is_open_and_no_other(sqlite_engine: Engine) -> None:
    async with ledger(sqlite_engine, Holder(1, 0, 1)) as mine:
        for tenant in ("t", "u"):
            await held(mine, tenant, content_hash="abc")
        await mine.distrust("t")
        await mine.distrust("nobody")
    assert {tenant: row.content_hash for tenant, row in rows(sqlite_engine).items()} == {
        "t": "abc+open",
        "u": "abc",
    }


async def test_an_account_of_another_tenant_is_refused_with_its_name(sqlite_engine: Engine) -> None:
    async with ledger(sqlite_engine, Holder(1, 0, 1)) as mine:
        await held(mine, "t", account_id=5)
        link = (await mine.claim(request("u"))).link
        with pytest.raises(LinkedElsewhereError, match="5 is linked to tenant t"):
            await mine.save(replace(link, account_id=5))
        await mine.save(replace(link, account_id=6))
    assert {tenant: row.account_id for tenant, row in rows(sqlite_engine).items()} == {
        "t": 5,
        "u": 6,
    }


async def test_the_reading_of_who_has_nothing_to_write_is_confirmed(sqlite_engine: Engine) -> None:
    key = staged(sqlite_engine, "t", "u", "v")
    async with ledger(sqlite_engine, Holder(key, 0, 1)) as mine:
        await held(mine, "t", content_hash="new")
        await held(mine, "u", content_hash="old")
        await held(mine, "v", content_hash="new")
        await mine.record([], ["t", "u"])
    written = {tenant: row.written_by_run for tenant, row in rows(sqlite_engine).items()}
    assert written == {"t": key, "u": None, "v": None}


async def test_leases_are_renewed_by_and_by_and_given_back_at_the_end(
    sqlite_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("customer_import.tasks.load.ledger.RENEW_EVERY_S", 0.01)
    clock = [NOW]
    async with ledger(sqlite_engine, Holder(1, 0, 2), clock) as mine:
        await mine.claim(request("t"))
        other = ledger(sqlite_engine, Holder(2, 0, 1), clock)
        await other.claim(request("u"))
        clock[0] += timedelta(seconds=60)
        for _ in range(200):
            await asyncio.sleep(0.01)
            if rows(sqlite_engine)["t"].lease_until.replace(tzinfo=UTC) != NOW + LEASE:
                break
        leases = {tenant: row.lease_until for tenant, row in rows(sqlite_engine).items()}
        assert leases["t"].replace(tzinfo=UTC) == clock[0] + LEASE
        assert leases["u"].replace(tzinfo=UTC) == NOW + LEASE
    holders = {tenant: row.holder for tenant, row in rows(sqlite_engine).items()}
    assert holders == {"t": None, "u": "2/0/1"}


async def test_who_was_replaced_is_told_by_whom(sqlite_engine: Engine) -> None:
    async with ledger(sqlite_engine, Holder(1, 0, 2)) as later:
        await later.claim(request("t"))
        earlier = ledger(sqlite_engine, Holder(1, 0, 1))
        for ask in (earlier.claim(request("t")), earlier.read("t")):
            with pytest.raises(SupersededError, match=r"^attempt 1 was replaced by attempt 2$"):
                await ask
        assert await earlier.read("nobody") is None
        with pytest.raises(LostClaimError, match=r"^tenant t was taken over by another load$"):
            await earlier.confirm("t")
        await later.confirm("t")
        stranger = ledger(sqlite_engine, Holder(3, 0, 1))
        link = await stranger.read("t")
        assert link is not None
        assert link.holder == "1/0/2"
