"""However its attempts end and whatever becomes of its writes: a tenant gets one account and one contact.

The loader and its ledger are the real ones, on a real database. The BSS is a model of a few lines: it keeps what it is
sent and forgets nothing. Attempts crash between any two steps; answers are lost before or after the write.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import strategies as st
from sqlalchemy import delete, select

from customer_import.bss.models import Account, Contact, Organisation, SyncOption
from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from customer_import.database.tables import import_results, tenant_links
from customer_import.errors import AmbiguousWriteError, RejectedRequestError, RetriableError
from customer_import.failpoints import FAILPOINTS, watch
from customer_import.runs.run import record_run
from customer_import.tasks.load.claims import Holder
from customer_import.tasks.load.comparison import Comparer
from customer_import.tasks.load.customers import StagedCustomer
from customer_import.tasks.load.ledger import Ledger
from customer_import.tasks.load.reconcile import Match
from customer_import.tasks.load.tenant import TenantLoader
from customer_import.tasks.load.work import BatchContext
from tests.properties.counting import examined
from tests.tasks.validate.runs import ORGANISATION, a_run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from customer_import.bss.client import OnTurn
    from customer_import.http.session import Settle
    from customer_import.runs.run import Run

TENANTS = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002")
MARKER = 5
LOOK_UPS = Organisation.model_validate(ORGANISATION | {"sync_system_id": 7})
CRASHES = tuple(name for name in FAILPOINTS if "post" in name or "outcome" in name)


class CrashError(BaseException):
    """Ends an attempt where it stands: nothing of it runs on."""


@dataclass
class ModelBss:
    """Accounts, contacts and options by account; ``fates`` says what becomes of the next writes."""

    fates: Iterator[str]
    accounts: dict[int, dict[str, Any]] = field(default_factory=dict)
    contacts_by_id: dict[int, dict[str, Any]] = field(default_factory=dict)
    options: dict[int, dict[str, str]] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(100))
    requests: int = 0

    def _write(self, store: dict[int, dict[str, Any]], body: dict[str, Any]) -> int:
        fate = next(self.fates, "ok")
        where: dict[str, Any] = {"service": "BSS", "endpoint": "POST"}
        if fate == "throttled":
            raise RetriableError(fate, is_sent=False, **where)
        if fate == "refused":
            raise RejectedRequestError(fate, status=400, **where)
        if fate == "lost before":
            raise AmbiguousWriteError(fate, **where)
        number = next(self.numbers)
        store[number] = {**body, "id": number}
        if fate == "lost after":
            raise AmbiguousWriteError(fate, **where)
        return number

    async def create_account(
        self, body: dict[str, Any], on_turn: OnTurn, settle: Settle[int]
    ) -> int:
        return await self._create(self.accounts, body, on_turn, settle)

    async def create_contact(
        self, body: dict[str, Any], on_turn: OnTurn, settle: Settle[int]
    ) -> int:
        return await self._create(self.contacts_by_id, body, on_turn, settle)

    async def _create(
        self,
        store: dict[int, dict[str, Any]],
        body: dict[str, Any],
        on_turn: OnTurn,
        settle: Settle[int],
    ) -> int:
        """Create as a session does: what became of a lost try is found out before the next one."""
        for is_last in (False, False, True):
            await on_turn()
            try:
                return self._write(store, body)
            except AmbiguousWriteError as error:
                if (found := await settle(error)) is not None:
                    return found
                if is_last:
                    raise
        raise AssertionError

    async def accounts_named(self, name: str) -> list[Account]:
        return [self._account(a) for a in self.accounts.values() if a["name"] == name]

    async def account(self, account_id: int) -> Account | None:
        found = self.accounts.get(account_id)
        return self._account(found) if found else None

    async def contacts(self, account_id: int) -> list[Contact]:
        return [
            Contact(c["id"], account_id, c["isPrimary"], c["isBillTo"], c)
            for c in self.contacts_by_id.values()
            if c["accountId"] == account_id
        ]

    async def sync_options(self, account_id: int, _: int) -> list[SyncOption]:
        value = self.options.get(account_id, {}).get("prefix")
        return [SyncOption("prefix", "Domain prefix", value)]

    async def set_sync_options(
        self, account_id: int, _: int, values: dict[str, str], on_turn: OnTurn
    ) -> None:
        await on_turn()
        self.options.setdefault(account_id, {}).update(values)

    def _account(self, body: dict[str, Any]) -> Account:
        fields = [
            {"id": item["id"], "values": [{"value": item["value"]}]}
            for item in body["customFields"]
        ]
        shown = {**body, "customFields": [{"groupFields": fields}]}
        return Account(body["id"], body["name"], shown)

    def marked(self, tenant: str) -> list[int]:
        return [
            number
            for number, body in self.accounts.items()
            if body["customFields"][0]["value"] == tenant
        ]


@dataclass(frozen=True)
class Attempt:
    """One attempt: where it crashes, and whether it belongs to a new run."""

    crash: str | None
    at: int
    is_new_run: bool


attempts = st.builds(
    Attempt, st.one_of(st.none(), st.sampled_from(CRASHES)), st.integers(1, 3), st.booleans()
)
fates = st.lists(
    st.sampled_from(("ok", "ok", "lost before", "lost after", "throttled", "refused")), max_size=8
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Engine, list[Run]]:
    """A database with enough runs for one example; examples clean up after themselves."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    migrate(engine)
    run = a_run()
    keys = [
        record_run(engine, run.dag_id, f"run {number}", run.import_type, run.params, None)
        for number in range(8)
    ]
    return engine, [replace(run, key=key) for key in keys]


def staged(tenant: str, match: Match) -> StagedCustomer:
    return StagedCustomer(
        tenant_id=tenant,
        tenant_name="Twins",
        domain=None,
        reseller_mpn_id=None,
        reseller_name=None,
        is_in_both_lists=False,
        content_hash="hash",
        link=None,
        match=match,
        warnings=(),
        account_json=orjson.dumps({"name": "Twins"}),
        contact_json=orjson.dumps({"lastName": "Lind"}),
        sync_options_json=orjson.dumps({"Domain prefix": "twins"}),
    )


@examined(st.lists(attempts, max_size=4), fates)
def test_ledger_gives_every_tenant_one_account_and_one_contact(
    runs: tuple[Engine, list[Run]], plan: list[Attempt], lost: list[str]
) -> None:
    engine, known = runs
    with engine.begin() as connection:
        connection.execute(delete(import_results))
        connection.execute(delete(tenant_links))
    bss = ModelBss(iter(lost))
    clock = [datetime(2026, 1, 1, tzinfo=UTC)]
    run_number = number = 0
    for attempt in plan:
        if attempt.is_new_run:
            run_number, number = run_number + 1, 0
            clock[0] += timedelta(minutes=10)
        number += 1
        load(engine, known[run_number], bss, clock, number, attempt)
        assert max((len(bss.marked(tenant)) for tenant in TENANTS), default=0) <= 1
        owners = Counter(c["accountId"] for c in bss.contacts_by_id.values())
        assert max(owners.values(), default=0) <= 1
    # At last a run that nothing disturbs; it begins when the claims of the dead have ended.
    bss.fates = iter(())
    clock[0] += timedelta(minutes=10)
    load(engine, known[run_number + 1], bss, clock, 1, Attempt(None, 1, True))
    for tenant in TENANTS:
        (account,) = bss.marked(tenant)
        (contact,) = [c for c in bss.contacts_by_id.values() if c["accountId"] == account]
        assert contact["isPrimary"]
        assert contact["isBillTo"]
        assert bss.options[account] == {"prefix": "twins"}
    with engine.connect() as connection:
        links = connection.execute(select(tenant_links)).all()
        results = connection.execute(
            select(import_results).where(import_results.c.run_id == known[run_number + 1].key)
        ).all()
    assert sorted(link.account_id for link in links) == sorted(bss.accounts)
    assert {link.content_hash for link in links} == {"hash"}
    assert {link.holder for link in links} == {None}
    assert len(results) == len(TENANTS)
    assert {result.outcome for result in results} <= {"created", "updated", "unchanged"}


def load(
    engine: Engine,
    run: Run,
    bss: ModelBss,
    clock: list[datetime],
    number: int,
    attempt: Attempt,
) -> None:
    """Load both tenants; a crash leaves ledger and links as they are at that moment."""
    left = attempt.at

    def crash(failpoint: str) -> None:
        nonlocal left
        if failpoint == attempt.crash:
            left -= 1
            if left <= 0:
                raise CrashError

    async def sleep(seconds: float) -> None:
        clock[0] += timedelta(seconds=seconds)

    async def work() -> None:
        ledger = Ledger(
            engine, "default", Holder(run.key, 0, number), now=lambda: clock[0], gather_s=0.0
        )
        context = BatchContext(run, LOOK_UPS, bss, ledger, 0)  # type: ignore[arg-type]
        loader = TenantLoader(context, Comparer(bss, LOOK_UPS, run.mappings), sleep)  # type: ignore[arg-type]
        try:
            for tenant in TENANTS:
                match = Match(next(iter(known[tenant]), None))
                await loader.load(staged(tenant, match))
        finally:
            ledger._committer._thread.shutdown()  # a process that dies takes its threads along

    known = {tenant: bss.marked(tenant) if number == 1 else [] for tenant in TENANTS}
    watch(crash)
    try:
        asyncio.run(work())
    except CrashError:
        pass
    finally:
        watch(None)
