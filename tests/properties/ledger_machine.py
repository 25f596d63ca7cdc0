"""Attempts of several runs at the same tenants, disturbed in every way, each step compared with the model.

What must hold after every step:

- every call to the ledger answered as the model says, and its rows and results are the model's;
- of a tenant's account, and of its contact, at most one is there or may still come: a POST that is not settled counts;
- a POST leaves only while its intent stands in the ledger, and as long as its answer does not, the intent stays;
- an account or contact that the ledger names is there and the tenant's; a content that it names is the account's.

At the end who still lives goes on, and every run is tried once more, undisturbed: nobody is without a result, an
account, a contact.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import delete, select

from customer_import.bss.models import Organisation
from customer_import.database.engine import reading
from customer_import.database.tables import import_results, tenant_links
from customer_import.errors import SupersededError
from customer_import.tasks.load.claims import Holder
from customer_import.tasks.load.comparison import Comparer
from customer_import.tasks.load.statements import LINK_COLUMNS, read_link
from customer_import.tasks.load.tenant import TenantLoader
from customer_import.tasks.load.work import BatchContext
from tests.properties.ledger_attempts import Attempt, RunState, WatchedLedger, agree, staged, walked
from tests.properties.ledger_model import LedgerModel, row_of
from tests.properties.ledger_world import FATES, Worker, World
from tests.tasks.validate.runs import ORGANISATION

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from customer_import.runs.run import Run

TENANTS = ("00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002")
LOOK_UPS = Organisation.model_validate(ORGANISATION | {"sync_system_id": 7})
MOST_RUNS = 4
MOST_STEPS = 20
PLACES = ("wait to send", "on its way", "save", "finish", "end")
GOOD_ENDS = {("skipped", "already_imported")} | {
    (outcome, reason)
    for outcome in ("created", "updated", "unchanged")
    for reason in ("new", "changed", "same", "adopted")
}


class LedgerMachine(RuleBasedStateMachine):
    """Attempts at two tenants; ``engine`` and ``runs`` are set by who runs it."""

    engine: ClassVar[Engine]
    runs: ClassVar[list[Run]]

    def __init__(self) -> None:
        super().__init__()
        with self.engine.begin() as connection:
            connection.execute(delete(import_results))
            connection.execute(delete(tenant_links))
        self.loop = asyncio.new_event_loop()
        self.model = LedgerModel()
        self.world = World(self.runs[0].instance.bss, self.may_leave)
        self.states: list[RunState] = []
        self.attempts: list[Attempt] = []
        walked["sequences"] += 1

    # What happens.

    @precondition(lambda self: len(self.states) < MOST_RUNS)
    @rule(is_indirect=st.booleans(), content=st.sampled_from("12"))
    def begin_run(self, is_indirect: bool, content: str) -> None:
        run = self.runs[2 * len(self.states) + is_indirect]
        listed = {tenant: next(iter(self.world.marked(tenant)), None) for tenant in TENANTS}
        self.states.append(RunState(run, content, self.world.clock(), listed))
        self.begin_attempt(self.states[-1])

    @precondition(lambda self: self.states)
    @rule(which=st.integers(0, MOST_RUNS - 1))
    def try_again(self, which: int) -> None:
        """The next attempt of a run's load; the one before may still be at work."""
        self.begin_attempt(self.states[which % len(self.states)])

    @precondition(lambda self: self.attempts)
    @rule(
        which=st.integers(0, 7),
        tenant=st.integers(0, 1),
        fates=st.lists(st.sampled_from((*FATES[:1] * 2, *FATES)), min_size=1, max_size=6),
    )
    def go_on(self, which: int, tenant: int, fates: list[str]) -> None:
        """One worker makes some steps."""
        attempt = self.attempts[which % len(self.attempts)]
        for fate in fates:
            waiting = [worker for worker in attempt.workers if not worker.is_done]
            if not waiting:
                break
            self.step(attempt, [waiting[tenant % len(waiting)]], fate)

    @precondition(lambda self: self.attempts)
    @rule(which=st.integers(0, 7), tenant=st.integers(0, 1), place=st.sampled_from(PLACES))
    def go_on_to(self, which: int, tenant: int, place: str) -> None:
        """One worker, whom nothing befalls, gets as far as the next such place, or to its end."""
        attempt = self.attempts[which % len(self.attempts)]
        for _ in range(MOST_STEPS):
            waiting = [worker for worker in attempt.workers if not worker.is_done]
            if not waiting:
                break
            worker = waiting[tenant % len(waiting)]
            self.step(attempt, [worker], FATES[0])
            if worker.is_done or place in worker.at:
                break

    @precondition(lambda self: self.attempts)
    @rule(
        which=st.integers(0, 7),
        fates=st.lists(st.sampled_from((*FATES[:1] * 2, *FATES)), min_size=1, max_size=6),
    )
    def go_on_together(self, which: int, fates: list[str]) -> None:
        """All workers of an attempt make some steps at once: what they record shares a commit."""
        attempt = self.attempts[which % len(self.attempts)]
        for fate in fates:
            waiting = [worker for worker in attempt.workers if not worker.is_done]
            self.step(attempt, waiting, fate)

    @precondition(lambda self: self.attempts)
    @rule(which=st.integers(0, 7))
    def kill(self, which: int) -> None:
        self.end(self.attempts[which % len(self.attempts)])

    @precondition(lambda self: any(attempt.is_done for attempt in self.attempts))
    @rule()
    def leave(self) -> None:
        """A load that has gone through its tenants ends."""
        attempt = next(attempt for attempt in self.attempts if attempt.is_done)
        for tenant in TENANTS:
            key = attempt.state.run.key, tenant
            agree(f"whether {key} has a result", key in self.model.results, True)
        self.leave_with(attempt)

    @precondition(lambda self: self.attempts)
    @rule(which=st.integers(0, 7))
    def heartbeat(self, which: int) -> None:
        ledger = self.attempts[which % len(self.attempts)].ledger
        ledger._set_lease(is_held=True)
        self.model.renew(ledger.me, self.world.clock())

    @rule(seconds=st.sampled_from((1, 20, 90, 130, 700)))
    def pass_time(self, seconds: int) -> None:
        """Time passes and nobody gets to do anything."""
        self.world.pass_until(self.world.now_s + seconds)

    @precondition(lambda self: not self.world.under_way())
    @rule(days=st.sampled_from((-1, 1)))
    def set_clock(self, days: int) -> None:
        """The clock jumps. While a POST is on its way nobody could tell whether it may still arrive."""
        self.world.clock_ahead += timedelta(days=days)

    @precondition(lambda self: self.world.under_way())
    @rule(which=st.integers(0, 3), is_lost=st.booleans())
    def arrive(self, which: int, is_lost: bool) -> None:
        post = self.world.under_way()[which % len(self.world.under_way())]
        if is_lost:
            post.is_lost = True
        else:
            self.world.arrive(post)

    # What must hold.

    @invariant()
    def all_is_as_it_must_be(self) -> None:
        walked["steps"] += 1
        self.compare()

    def compare(self) -> None:
        rows, results = self._read()
        agree("links", rows, self.model.rows)
        agree("results", results, self.model.results)
        for tenant in TENANTS:
            self._compare_bss(tenant, rows.get(tenant))

    def _compare_bss(self, tenant: str, row: dict[str, Any] | None) -> None:
        world = self.world
        accounts = world.marked(tenant)
        contacts = [
            number for number, body in world.contacts_by_id.items() if body["accountId"] in accounts
        ]
        for kind, there in (("account", accounts), ("contact", contacts)):
            under_way = world.under_way(kind, tenant)
            if len(there) + len(under_way) > 1:
                agree(f"{kind}s of a tenant that are there or may come", (there, under_way), "one")
            if row is not None and (under_way or there not in ([], [row[f"{kind}_id"]])):
                agree(f"step of a {kind} that is not settled", row[f"{kind}_step"], "intent")
            if row is not None and row[f"{kind}_id"] is not None:
                agree(f"{kind} of a link", [row[f"{kind}_id"]], there)
        if row is not None and row["content_hash"] in {"1", "2"}:
            held = world.accounts[row["account_id"]].get("phone")
            agree("content of an account", held, row["content_hash"])

    def may_leave(self, kind: str, tenant: str) -> None:
        """Called when a POST leaves."""
        agree(f"intent of a {kind} that leaves", self.model.rows[tenant][f"{kind}_step"], "intent")

    def teardown(self) -> None:
        try:
            self._close()
        finally:
            for attempt in list(self.attempts):
                self.end(attempt)
            self.loop.close()

    def _close(self) -> None:
        """Who lives goes on, the oldest last; then every run, and one more of each import, is tried again."""
        for attempt in reversed(self.attempts.copy()):
            self.finish(attempt)
        self.world.pass_until(self.world.now_s + 700)
        for run in self.runs[-2:]:
            listed = {tenant: next(iter(self.world.marked(tenant)), None) for tenant in TENANTS}
            self.states.append(RunState(run, "1", self.world.clock(), listed))
        for state in self.states:
            self.finish(self.begin_attempt(state))
        expected = {(state.run.key, tenant) for state in self.states for tenant in TENANTS}
        agree("results", set(self.model.results), expected)
        for tenant in TENANTS:
            row = self.model.rows[tenant]
            agree("what is missing", [n for n in ("account_id", "contact_id") if not row[n]], [])
            agree("sync options", self.world.options[row["account_id"]], {"prefix": "twins"})
            agree("holder", row["holder"], None)
            for state in self.states[-2:]:
                end = self.model.results[state.run.key, tenant][:2]
                agree("a good end", end in GOOD_ENDS or end, True)

    # How it is done.

    def begin_attempt(self, state: RunState) -> Attempt:
        state.attempts += 1
        holder = Holder(state.run.key, 0, state.attempts)
        ledger = WatchedLedger(self.engine, holder, self.model, self.world)
        attempt = Attempt(state, ledger)
        context = BatchContext(state.run, LOOK_UPS, self.world, ledger, 0)  # type: ignore[arg-type]
        comparer = Comparer(self.world, LOOK_UPS, state.run.mappings)  # type: ignore[arg-type]
        loader = TenantLoader(context, comparer, self.world.sleep)

        async def begin() -> None:
            for tenant in TENANTS:
                if self.model.results.get((state.run.key, tenant), ("failed",))[0] == "failed":
                    customer = staged(tenant, state)
                    attempt.workers.append(Worker(tenant, loader.load(customer)))
            for worker in attempt.workers:
                await worker.stopped()

        self.loop.run_until_complete(begin())
        self.attempts.append(attempt)
        return attempt

    def step(self, attempt: Attempt, workers: list[Worker], fate: str) -> None:
        """Let workers do what they stopped before, and stop before what comes next."""

        async def go() -> None:
            for worker in workers:
                worker.go(fate)
            for worker in workers:
                await worker.stopped()
            await asyncio.sleep(0)

        self.loop.run_until_complete(go())
        walked["steps"] += len(workers)
        ended = [worker.task.exception() for worker in workers if worker.is_done]
        errors = [error for error in ended if error is not None]
        if any(isinstance(error, SupersededError) for error in errors):
            self.leave_with(attempt)
        elif errors:
            raise errors[0]
        self.compare()

    def finish(self, attempt: Attempt) -> None:
        """Let an attempt go through its tenants, undisturbed."""
        for worker in attempt.workers:
            if not worker.is_done:
                worker.is_hurried = True
                self.step(attempt, [worker], FATES[0])
        if attempt in self.attempts:
            self.leave_with(attempt)
            self.compare()

    def leave_with(self, attempt: Attempt) -> None:
        self._cancel(attempt)
        self.loop.run_until_complete(attempt.ledger.__aexit__())
        self.model.leave(attempt.ledger.me)
        self.attempts.remove(attempt)

    def end(self, attempt: Attempt) -> None:
        """Its process dies."""
        self._cancel(attempt)
        attempt.ledger.kill()
        self.attempts.remove(attempt)

    def _cancel(self, attempt: Attempt) -> None:
        async def cancel() -> None:
            for worker in attempt.workers:
                worker.task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(
                    *(worker.task for worker in attempt.workers), return_exceptions=True
                )

        self.loop.run_until_complete(cancel())

    def _read(self) -> tuple[dict[str, Any], dict[Any, Any]]:
        columns = import_results.c
        said = columns.outcome, columns.reason_code, columns.account_id, columns.contact_id
        with reading(self.engine) as connection:
            links = [read_link(row) for row in connection.execute(select(*LINK_COLUMNS))]
            rows = connection.execute(select(columns.run_id, columns.tenant_id, *said)).all()
        return (
            {link.tenant_id: row_of(link) for link in links},
            {(row[0], row[1]): tuple(row[2:]) for row in rows},
        )
