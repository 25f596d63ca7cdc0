"""Whatever runs came before: a run that reads only what changed says what a full one would.

Extraction, carrying forward, the memory of a run and its closing are the real ones, on a real database. Partner Center
is a model of a few lines that the extraction asks directly. So is the load: it keeps one content per tenant, and what
it says becomes a result. Customers who changed without anything that shows it are left out until a run has read them.
"""

from __future__ import annotations

import asyncio
import atexit
import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sqlalchemy import delete, select, update

from customer_import.database.engine import open_engine, reading, upsert
from customer_import.database.migrate import migrate
from customer_import.database.tables import (
    import_results,
    import_runs,
    known_tenants,
    staged_customers,
    tenant_links,
    unbound,
)
from customer_import.errors import AuthenticationError, RejectedRequestError
from customer_import.partner_center.audit import AuditRecord
from customer_import.partner_center.clouds import Cloud
from customer_import.partner_center.flatten import FlatCustomer
from customer_import.partner_center.models import ListedTenant, Reseller, Subscription
from customer_import.runs.parameters import RunParams
from customer_import.runs.results import Replaces, Result, record_results
from customer_import.runs.run import as_utc, begin_reading, record_run
from customer_import.runs.verdict import Verdict
from customer_import.tasks.extract.extract import _Extraction
from customer_import.tasks.extract.staging import CustomerStaging
from customer_import.tasks.finish.close import close_run
from customer_import.tasks.retention import purge
from customer_import.vocabulary import ImportType, Outcome, ReasonCode, TaskId
from tests.properties.counting import EXAMPLES, tried
from tests.tasks.validate.runs import a_run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from sqlalchemy import Engine, Row

    from customer_import.runs.run import Run

A, B, STRANGER = "4000001", "5000001", "9999999"
RESELLERS = tuple(
    Reseller.model_validate({"id": f"reseller-{mpn_id}", "name": mpn_id, "mpnId": mpn_id})
    for mpn_id in (A, B)
)
KINDS = (ImportType.DIRECT, ImportType.INDIRECT)
MPN_IDS = st.sampled_from([(), (None,), (A,), (B,), (None, A), (A, B), (STRANGER,)])
SUCCESS = {"created", "updated", "unchanged", "would_create", "would_update"}
DONE = {"created", "updated", "unchanged"}
# Steps of ten thousand examples of the other properties; of one example at most, and on average at least.
STEPS, STEPS_AN_EXAMPLE, STEPS_AT_LEAST = 5_000, 40, 25
ODD = ("refused",)
UNSUCCESSFUL = {"rejected", "ambiguous", "failed"}
READ = ("fetched", "left", "failed")


@dataclass
class Customer:
    """The truth about a customer; ``version`` goes up with each change."""

    tenant_id: str
    mpn_ids: tuple[str | None, ...]
    city: int = 0
    is_named: bool = True
    is_open: bool = True
    is_listed: bool = True
    version: int = 0
    # Of each import: the version that only a reading can show.
    hidden: dict[ImportType, int] = field(default_factory=dict)

    def expected(self, kind: ImportType, selected: tuple[str, ...]) -> set[str | None]:
        """What a full run says of the customer."""
        named = {mpn_id for mpn_id in self.mpn_ids if mpn_id}
        is_mixed = bool(named) and None in self.mpn_ids
        is_indirect = kind is ImportType.INDIRECT
        wanted: set[str | None]
        is_ours = not named or is_mixed
        if is_indirect:
            is_ours = bool(named & set(selected) if selected else named)
        if not self.is_listed:
            wanted = {None}
        elif not self.is_open:  # it depends on whether the import has ever known it
            wanted = {"skipped", None}
        elif not is_ours:
            wanted = {None}
        elif is_indirect and named == {STRANGER}:
            wanted = {"skipped"}
        elif is_indirect and len(named) > 1:
            wanted = {"ambiguous"}
        elif not self.is_named:
            wanted = {"rejected"}
        else:
            wanted = {*SUCCESS, "skipped"} if is_mixed else {*SUCCESS}
        return wanted

    def content(self, kind: ImportType) -> str:
        mpn_id = next((each for each in self.mpn_ids if each), None)
        return f"{self.city} {mpn_id if kind is ImportType.INDIRECT else None}"


@dataclass
class ModelPartnerCenter:
    """What one extraction sees; some requests fail, and after some more nothing works."""

    customers: dict[str, Customer]
    records: list[tuple[str, datetime, int]]
    struck: frozenset[str] = frozenset()
    asks_left: int | None = None
    read: dict[str, int] = field(default_factory=dict)
    cloud: Cloud = Cloud.GLOBAL

    async def resellers(self) -> tuple[Reseller, ...]:
        return RESELLERS

    async def validate_resellers(self, _: list[str]) -> dict[str, bool]:
        return {}

    async def tenants(self) -> AsyncIterator[list[ListedTenant]]:
        yield [
            ListedTenant(key, "Name", f"{key}.example", "reseller")
            for key, customer in self.customers.items()
            if customer.is_listed
        ]

    async def audit_records(self, start: Any, end: Any) -> AsyncIterator[list[AuditRecord]]:
        yield [
            AuditRecord(tenant_id, f"{number:032}")
            for tenant_id, at, number in self.records
            if start <= at.date() <= end
        ]

    async def subscriptions(self, tenant_id: str) -> tuple[Subscription, ...]:
        if self.asks_left is not None:
            self.asks_left -= 1
            if self.asks_left < 0:
                message = "the token was refused"
                raise AuthenticationError(message, service="Partner Center")
        customer = self.customers[tenant_id]
        self.read[tenant_id] = customer.version
        where: dict[str, Any] = {"service": "Partner Center", "endpoint": "GET"}
        if tenant_id in self.struck:
            raise RejectedRequestError(*ODD, status=409, **where)
        if not customer.is_open:
            raise RejectedRequestError(*ODD, status=403, code="20002", **where)
        return tuple(
            Subscription(str(number), "active", mpn_id)
            for number, mpn_id in enumerate(customer.mpn_ids)
        )

    async def customer(self, tenant_id: str, _: tuple[str, ...]) -> FlatCustomer:
        customer = self.customers[tenant_id]
        source = {"city": customer.city, "name": "Name" if customer.is_named else None}
        return FlatCustomer(source, b"{}", True, True, None)


@dataclass
class OpenRun:
    """A run on its way, with what it was asked for and what it read."""

    run: Run
    struck: frozenset[str] = frozenset()
    read: dict[str, int] = field(default_factory=dict)
    unloaded: set[str] = field(default_factory=set)
    failed_task: str | None = None


@cache
def database() -> Engine:
    """One for all examples."""
    folder = Path(mkdtemp(prefix="memory-"))
    atexit.register(rmtree, folder, ignore_errors=True)
    engine = open_engine(f"sqlite:///{folder / 'memory.db'}")
    migrate(engine)
    return engine


def empty_database() -> Engine:
    engine = database()
    with engine.begin() as connection:
        for table in (import_runs, known_tenants, tenant_links):  # with the runs all that is theirs
            connection.execute(delete(table))
    return engine


class Memory(RuleBasedStateMachine):
    """Runs of both imports on a population that changes."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = empty_database()
        self.customers: dict[str, Customer] = {}
        self.records: list[tuple[str, datetime, int]] = []
        self.late: list[tuple[str, datetime, int]] = []
        self.numbers = itertools.count(1)
        self.runs: list[OpenRun] = []
        # What the BSS holds by tenant, and of which reading it is.
        self.bss: dict[str, str] = {}
        self.written: dict[str, datetime] = {}
        # What the last run said that was an import and ended; nothing while it is not sure what was remembered since.
        self.said: dict[tuple[ImportType, str], str] = {}

    # -- Partner Center ------------------------------------------------------------------------

    @initialize(made=st.lists(MPN_IDS, min_size=1, max_size=3))
    def first_customers(self, made: list[tuple[str | None, ...]]) -> None:
        for mpn_ids in made:
            self._add(mpn_ids)

    @rule(mpn_ids=MPN_IDS)
    def sell(self, mpn_ids: tuple[str | None, ...]) -> None:
        self._step()
        if len(self.customers) < 5:
            self._add(mpn_ids)

    @rule(data=st.data(), shown=st.sampled_from(["audit", "late", "hidden"]))
    def edit(self, data: st.DataObject, shown: str) -> None:
        self._step()
        customer = self._some(data)
        customer.city += 1
        self._changed(customer, shown)

    @rule(data=st.data(), mpn_ids=MPN_IDS, shown=st.sampled_from(["audit", "late", "hidden"]))
    def move(self, data: st.DataObject, mpn_ids: tuple[str | None, ...], shown: str) -> None:
        self._step()
        customer = self._some(data)
        customer.mpn_ids = mpn_ids
        self._changed(customer, shown)

    @rule(data=st.data(), shown=st.sampled_from(["audit", "hidden"]))
    def break_or_mend(self, data: st.DataObject, shown: str) -> None:
        self._step()
        customer = self._some(data)
        customer.is_named = not customer.is_named
        self._changed(customer, shown)

    @rule(data=st.data(), shown=st.sampled_from(["audit", "hidden"]))
    def leave_or_come_back(self, data: st.DataObject, shown: str) -> None:
        self._step()
        customer = self._some(data)
        customer.is_open = not customer.is_open
        self._changed(customer, shown)

    @rule(data=st.data())
    def vanish_or_reappear(self, data: st.DataObject) -> None:
        self._step()
        customer = self._some(data)
        customer.is_listed = not customer.is_listed

    @rule()
    def late_records_appear(self) -> None:
        self._step()
        for record in self.late:
            self.records.append(record)
            self.customers[record[0]].hidden.clear()
        self.late.clear()

    def _add(self, mpn_ids: tuple[str | None, ...]) -> None:
        key = f"00000000-0000-0000-0000-{next(self.numbers):012}"
        self.customers[key] = Customer(key, mpn_ids)

    def _some(self, data: st.DataObject) -> Customer:
        return self.customers[data.draw(st.sampled_from(sorted(self.customers)))]

    def _changed(self, customer: Customer, shown: str) -> None:
        customer.version += 1
        record = (customer.tenant_id, datetime.now(UTC), next(self.numbers))
        if shown == "audit":
            self.records.append(record)
            return
        if shown == "late":
            self.late.append(record)
        for kind in KINDS:
            # Who had no success is read anyway.
            if self.said.get((kind, customer.tenant_id)) not in UNSUCCESSFUL:
                customer.hidden[kind] = customer.version

    # -- Runs ----------------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(KINDS),
        scope=st.sampled_from(["changed", "changed", "full"]),
        selected=st.sampled_from([(), (), (), (A,), (B,), "one", "all but one"]),
        mode=st.sampled_from(["import", "import", "import", "preview", "discover"]),
        ends=st.sampled_from(
            ["whole", "whole", "whole", "whole", "open", "struck", "killed", "unloaded"]
        ),
        data=st.data(),
    )
    def run_import(
        self, kind: ImportType, scope: str, selected: Any, mode: str, ends: str, data: st.DataObject
    ) -> None:
        self._step()
        listed = sorted(key for key, each in self.customers.items() if each.is_listed)
        params: dict[str, Any] = {"scope": scope, "mode": mode}
        if isinstance(selected, tuple):
            params["reseller_mpn_ids"] = selected if kind is ImportType.INDIRECT else ()
        elif listed:
            name = "tenants" if selected == "one" else "exclude_tenants"
            params[name] = (data.draw(st.sampled_from(listed)),)
        self._run(kind, params, ends)

    @rule(kind=st.sampled_from(KINDS), scope=st.sampled_from(["changed", "changed", "full"]))
    def run_whole(self, kind: ImportType, scope: str) -> None:
        self._step()
        self._run(kind, {"scope": scope})

    @rule(kind=st.sampled_from(KINDS))
    def run_twice(self, kind: ImportType) -> None:
        self._step()
        for _ in range(2):
            self._run(kind, {"scope": "changed"})

    @rule(kind=st.sampled_from(KINDS), data=st.data(), mpn_ids=MPN_IDS)
    def later_run_ends_first(
        self, kind: ImportType, data: st.DataObject, mpn_ids: tuple[str | None, ...]
    ) -> None:
        self._step()
        self._run(kind, {"scope": "full"}, ends="open")
        late = self.runs[-1]
        customer = self._some(data)
        customer.mpn_ids, customer.city = mpn_ids, customer.city + 1
        self._changed(customer, "audit")
        self._run(kind, {"scope": "changed"})
        self._close(late)
        self._run(kind, {"scope": "changed"})

    def _run(self, kind: ImportType, params: dict[str, Any], ends: str = "whole") -> None:
        listed = sorted(key for key, each in self.customers.items() if each.is_listed)
        asked = RunParams(instance="default", max_failed_percent=100.0, **params)
        key = record_run(self.engine, kind.dag_id, f"run {next(self.numbers)}", kind, asked, None)
        run = replace(a_run(kind), key=key, params=asked, started_at=datetime.now(UTC))
        open_run = OpenRun(run)
        self.runs.append(open_run)
        struck = frozenset(listed[:1]) if ends == "struck" else frozenset()
        self._extract(open_run, struck, asks_left=1 if ends == "killed" else None)
        if open_run.failed_task is None and run.is_loading:
            self._load(open_run, fails=listed[-1:] if ends == "unloaded" else [])
        if ends != "open":
            self._close(open_run)
            self._check(open_run)

    @rule(data=st.data())
    def clear_extraction(self, data: st.DataObject) -> None:
        self._step()
        if not self.runs:
            return
        open_run = data.draw(st.sampled_from(self.runs))
        self._extract(open_run, frozenset(), None)
        if open_run.run.is_loading:
            self._load(open_run, [])
        self._close(open_run)
        self._run(open_run.run.import_type, {"scope": "changed"})

    @rule(data=st.data())
    def close_late_or_again(self, data: st.DataObject) -> None:
        self._step()
        if self.runs:
            open_run = data.draw(st.sampled_from(self.runs))
            self._close(open_run)
            self._run(open_run.run.import_type, {"scope": "changed"})

    @rule(data=st.data())
    def load_late_or_again(self, data: st.DataObject) -> None:
        self._step()
        loadable = [each for each in self.runs if each.run.is_loading and not each.failed_task]
        if loadable:
            open_run = data.draw(st.sampled_from(loadable))
            self._load(open_run, [])
            self._close(open_run)
            self._run(open_run.run.import_type, {"scope": "changed"})

    @rule()
    def purge_all(self) -> None:
        self._step()
        purge(self.engine, 1, now=datetime.now(UTC) + timedelta(days=400))

    @rule(data=st.data())
    def delete_a_link(self, data: st.DataObject) -> None:
        self._step()
        if self.bss:
            tenant_id = data.draw(st.sampled_from(sorted(self.bss)))
            with self.engine.begin() as connection:
                connection.execute(
                    delete(tenant_links).where(tenant_links.c.tenant_id == tenant_id)
                )
            self.bss.pop(tenant_id)  # nobody vouches for it any more

    @rule(days=st.sampled_from([0.1, 1, 3, 10, 95]))
    def time_goes_by(self, days: float) -> None:
        self._step()
        self._shift(-days)
        self.records = [(key, at - timedelta(days=days), n) for key, at, n in self.records]
        # A record that appears later than a day after its change is none that anybody promises to see.
        if days >= 1:
            self.late.clear()
        # What nobody shows is found in slices, which have no part in this.

    @rule(days=st.sampled_from([0.5, 2, 30]))
    def clock_was_ahead(self, days: float) -> None:
        self._step()
        self._shift(days)

    # -- How it is done ------------------------------------------------------------------------

    def _step(self) -> None:
        tried["steps of test_memory"] += 1

    def _shift(self, days: float) -> None:
        """Let everything that is remembered have happened so much later."""
        delta = timedelta(days=days)
        with self.engine.begin() as connection:
            for table, names in (
                (import_runs, ("started_at", "ended_at", "read_at")),
                (known_tenants, ("read_at",)),
                (staged_customers, ("fetched_at",)),
            ):
                keys = list(table.primary_key.columns)
                for name in names:
                    column = table.c[name]
                    for row in connection.execute(select(*keys, column)).all():
                        if row[-1] is not None:
                            same = [key == value for key, value in zip(keys, row[:-1], strict=True)]
                            moment = as_utc(row[-1]) + delta
                            connection.execute(update(table).where(*same).values({column: moment}))
        self.written = {key: moment + delta for key, moment in self.written.items()}

    def _extract(self, open_run: OpenRun, struck: frozenset[str], asks_left: int | None) -> None:
        client = ModelPartnerCenter(self.customers, self.records, struck, asks_left)
        open_run.struck, open_run.failed_task = struck, None
        run = open_run.run

        async def work() -> None:
            staging = CustomerStaging(run, self.engine, begin_reading(self.engine, run))
            extraction = _Extraction(run, self.engine, client, staging)  # type: ignore[arg-type]
            await extraction.list_tenants()
            await extraction.plan()
            await extraction.fetch_tenants()

        try:
            asyncio.run(work())
        except AuthenticationError:
            open_run.failed_task = "extract_customers"
        open_run.read |= client.read

    def _load(self, open_run: OpenRun, fails: list[str]) -> None:
        """Validate, transform and load, in a few lines; an older reading never overwrites a newer one."""
        open_run.unloaded = set(fails)
        run = open_run.run
        with self.engine.begin() as connection:
            staged = connection.execute(
                select(staged_customers).where(
                    staged_customers.c.run_id == run.key,
                    staged_customers.c.state == "fetched",
                    staged_customers.c.is_discovered.is_(True),
                    staged_customers.c.source.is_not(None),
                )
            ).all()
            stands = set(
                connection.execute(
                    select(import_results.c.tenant_id).where(
                        import_results.c.run_id == run.key, import_results.c.outcome != "failed"
                    )
                ).scalars()
            )
            for row in staged:
                if row.tenant_id in stands:
                    continue
                task, verdict = self._load_one(connection, open_run, row)
                account = int(row.tenant_id[-12:]) if verdict.outcome in DONE else None
                if verdict.reason_code is ReasonCode.ALREADY_IMPORTED:
                    account = int(row.tenant_id[-12:])
                result = Result.of(run, row, verdict, task, account_id=account)
                record_results(connection, [result], replaces=Replaces.FAILED)

    def _load_one(  # noqa: PLR0911 - one per outcome
        self, connection: Any, open_run: OpenRun, row: Row[Any]
    ) -> tuple[TaskId, Verdict]:
        run, key = open_run.run, row.tenant_id
        source = orjson.loads(row.source)
        if not source["name"]:
            verdict = Verdict(Outcome.REJECTED, ReasonCode.VALIDATION, "no name")
            return TaskId.VALIDATE_CUSTOMERS, verdict
        load = TaskId.LOAD_CUSTOMERS
        if key in open_run.unloaded:
            return load, Verdict(Outcome.FAILED, ReasonCode.BSS_ERROR, "away")
        read_at = as_utc(row.fetched_at)
        if key in self.written and self.written[key] > read_at:
            return load, Verdict(Outcome.SKIPPED, ReasonCode.CLAIMED_ELSEWHERE, "newer")
        link = connection.execute(
            select(tenant_links).where(tenant_links.c.tenant_id == key)
        ).one_or_none()
        if link and link.import_type != run.import_type and row.is_in_both_lists:
            return load, Verdict(Outcome.SKIPPED, ReasonCode.ALREADY_IMPORTED, "there")
        content = f"{source['city']} {row.reseller_mpn_id}"
        if link and link.import_type == run.import_type and link.content_hash == content:
            self.written[key] = read_at
            return load, Verdict(Outcome.UNCHANGED, ReasonCode.SAME, "same")
        if run.is_preview:
            return load, Verdict(Outcome.WOULD_UPDATE, ReasonCode.CHANGED, "would")
        now = datetime.now(UTC)
        written = {
            "organisation": unbound("default"),
            "instance": "default",
            "tenant_id": key,
            "import_type": run.import_type.value,
            "account_id": int(key[-12:]),
            "content_hash": content,
            "created_at": now,
            "updated_at": now,
        }
        upsert(connection, tenant_links, [written])
        self.bss[key], self.written[key] = content, read_at
        outcome = Outcome.UPDATED if link else Outcome.CREATED
        return load, Verdict(outcome, ReasonCode.CHANGED, "written")

    def _close(self, open_run: OpenRun) -> None:
        failed = {open_run.failed_task: "failed"} if open_run.failed_task else {}
        close_run(self.engine, open_run.run.key, failed)
        if open_run.run.params.mode != "import":
            return
        kind = open_run.run.import_type
        for row in self._staged(open_run):
            self.said.pop((kind, row.tenant_id), None)
            customer = self.customers[row.tenant_id]
            is_read = row.state in READ and row.tenant_id in open_run.read
            if is_read and open_run.read[row.tenant_id] >= customer.hidden.get(kind, 0):
                customer.hidden.pop(kind, None)

    def _staged(self, open_run: OpenRun) -> Sequence[Row[Any, Any]]:
        query = select(staged_customers.c.tenant_id, staged_customers.c.state).where(
            staged_customers.c.run_id == open_run.run.key
        )
        with reading(self.engine) as connection:
            return connection.execute(query).all()

    def _check(self, open_run: OpenRun) -> None:
        """Compare a run that has just ended with what a full one would say."""
        run, kind = open_run.run, open_run.run.import_type
        if open_run.failed_task or run.params.mode == "discover":
            return
        query = select(import_results).where(import_results.c.run_id == run.key)
        with reading(self.engine) as connection:
            results = {row.tenant_id: row for row in connection.execute(query)}
        for key, customer in self.customers.items():
            row = results.get(key)
            outcome = row.outcome if row else None
            asked = run.params
            if (asked.tenants and key not in asked.tenants) or key in asked.exclude_tenants:
                assert outcome is None
                continue
            if key in open_run.struck or key in open_run.unloaded or kind in customer.hidden:
                continue
            wanted = customer.expected(kind, asked.reseller_mpn_ids)
            said = f"{key[-2:]} {customer}: {outcome} in {asked}, expected {wanted}"
            assert outcome in wanted, said
            tried["comparisons of test_memory"] += 1
            if outcome and asked.mode == "import":
                self.said[kind, key] = outcome
            if outcome in DONE and asked.mode == "import":
                assert self.bss.get(key) == customer.content(kind), (
                    f"{said}; BSS {self.bss.get(key)}"
                )


Memory.TestCase.settings = settings(
    max_examples=max(5, EXAMPLES * STEPS // 10_000 // STEPS_AT_LEAST),
    stateful_step_count=STEPS_AN_EXAMPLE if EXAMPLES > 300 else STEPS_AN_EXAMPLE // 2,
    deadline=None,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
TestMemory = Memory.TestCase
