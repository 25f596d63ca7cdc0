"""Runs of all kinds, one after the other, and what each says against a fresh import of the same world."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select, update

from customer_import.database.engine import reading
from customer_import.database.tables import (
    import_results,
    import_runs,
    known_tenants,
    staged_customers,
    tenant_links,
)
from customer_import.errors import CustomerImportError
from customer_import.runs.parameters import RunParams
from customer_import.runs.run import as_utc, open_run
from customer_import.tasks.finish.close import close_run
from customer_import.tasks.retention import purge
from customer_import.vocabulary import READ_STATES, SUCCEEDED, ImportType
from sandbox import FaultKind, FaultRule
from sandbox.bss.setup import MPN_ALIAS
from tests.memory.world import KINDS, Partner, World, copy_customers
from tests.support.library_run import INSTANCES, finish, load, stage_again
from tests.support.runs import begin_run

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Engine, Row

    from customer_import.runs.run import Run
    from tests.support.databases import Database

_FORMER = "carries a reseller's MPN ID"
DONE = {"created", "updated", "unchanged", "would_create", "would_update"}
_FAULTS: dict[str, FaultRule] = {
    "extraction stops": FaultRule(
        endpoint="partner_center.customers.get", kind=FaultKind.UNAUTHORIZED, limit=None
    ),
    "some are not read": FaultRule(
        endpoint="partner_center.customers.get", kind=FaultKind.QUOTE, status=400, probability=0.03
    ),
    "some are not created": FaultRule(
        endpoint="bss.accounts.create", kind=FaultKind.QUOTE, status=400, probability=0.5
    ),
    "some are not updated": FaultRule(
        endpoint="bss.accounts.patch", kind=FaultKind.QUOTE, status=400, probability=0.3
    ),
}


@dataclass
class Tally:
    """What was done and found.

    Attributes:
        done: How often each thing happened.
        comparisons: Customers that were compared with a fresh import.
        differences: What differed, in words.
    """

    done: Counter[str] = field(default_factory=Counter)
    comparisons: int = 0
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Saved:
    name: str
    number: int
    runs: tuple[Run, ...]


class History:
    """What an operator does over a long time."""

    def __init__(
        self,
        partners: tuple[Partner, Partner],
        database: Database,
        fresh: Database,
        rng: random.Random,
    ) -> None:
        self.tally = Tally()
        self._partner, self._other = partners
        self._database, self._fresh = database, fresh
        self._rng = rng
        self._world = World(self._partner, rng)
        self._number = 0
        self._runs: list[Run] = []
        self._saved: list[_Saved] = []
        self._purged: set[int] = set()
        self._by_hand: set[tuple[ImportType, str]] = set()

    @property
    def _engine(self) -> Engine:
        return self._database.engine

    def first_imports(self) -> None:
        """Import everybody once."""
        for import_type in KINDS:
            self._run(import_type, {})

    def step(self) -> None:
        """Let the world go on, perhaps let something befall the import, and run it once."""
        self._world.go_on()
        befalls = [self._purge, self._save, self._restore, self._shift, self._clear, self._edit_bss]
        if self._rng.random() < 0.6:
            self._rng.choice(befalls)()
        import_type = self._rng.choice(KINDS)
        params: dict[str, Any] = {
            "scope": self._rng.choices(["changed", "full", "verify"], (6, 2, 2))[0],
            "mode": self._rng.choices(["import", "preview", "discover"], (8, 1, 1))[0],
        }
        if self._rng.random() < 0.3:
            params |= self._selection(import_type)
        fault = self._rng.choice(list(_FAULTS)) if self._rng.random() < 0.2 else None
        self._run(import_type, params, fault)

    # -- What befalls the import ---------------------------------------------------------------

    def _purge(self) -> None:
        self.tally.done["purges"] += 1
        purge(self._engine, 1, now=datetime.now(UTC) + timedelta(days=400))
        self._purged.update(run.key for run in self._runs)

    def _save(self) -> None:
        self._saved.append(_Saved(self._database.save(), self._number, tuple(self._runs)))

    def _restore(self) -> None:
        """Put the import's database back to how it was, and verify; the BSS went on."""
        if not self._saved:
            self._save()
            return
        saved = self._rng.choice(self._saved[-3:])
        self.tally.done["restores"] += 1
        self._database.restore(saved.name)
        self._runs = list(saved.runs)
        self._world.seen.forget_after(saved.number)
        for import_type in KINDS:
            self._run(import_type, {"scope": "verify"})

    def _shift(self) -> None:
        """Let everything that is remembered have happened later or earlier, as when a clock was wrong."""
        days = self._rng.choice([-95.0, -3.0, -1.0, 0.5, 2.0, 30.0])
        self.tally.done["clock jumps"] += 1
        shift_clock(self._engine, timedelta(days=days))

    def _clear(self) -> None:
        """Clear a run that has ended: all of it, or its load; then import what changed."""
        if not self._runs:
            return
        self.tally.done["clears"] += 1
        with self._partner.at_hand():
            run = open_run(self._engine, self._rng.choice(self._runs[-6:]).key)  # as its tasks do
        before = self._readings(run)
        try:
            with self._partner.at_hand():
                if self._rng.random() < 0.6:
                    stage_again(self._engine, run)
                if run.is_loading:
                    load(self._engine, run, attempt=2)
                finish(self._engine, run)
        except CustomerImportError as error:
            if run.key not in self._purged:
                self._differs(run, f"cleared: {error}")
        self._note_readings(run, before)
        self._run(run.import_type, {"scope": "changed"})

    def _edit_bss(self) -> None:
        """Change accounts by hand: only a run that compares them can see that."""
        import_type = self._rng.choice(KINDS)
        key = "tenant_reseller" if import_type is ImportType.TENANT_RESELLER else "provider"
        bss = self._partner.sandbox.bss.organisations[key]
        for account in self._rng.sample(list(bss.accounts.values()), min(5, len(bss.accounts))):
            self.tally.done["edits by hand"] += 1
            bss.update_account(account, account.values | {"phone": "1"}, account.custom_fields)
            self._by_hand.update((kind, bss.marker(account) or "") for kind in KINDS)

    # -- Runs ----------------------------------------------------------------------------------

    def _selection(self, import_type: ImportType) -> dict[str, Any]:
        tenants = list(self._world.source.customers)
        resellers = [each.mpn_id for each in self._world.source.resellers.values()]
        ways: list[dict[str, Any]] = [
            {"tenants": tuple(self._rng.sample(tenants, len(tenants) // 10 or 1))},
            {"exclude_tenants": tuple(self._rng.sample(tenants, len(tenants) // 10 or 1))},
        ]
        if import_type is ImportType.INDIRECT:
            ways.append({"reseller_mpn_ids": tuple(self._rng.sample(resellers, 2))})
        return self._rng.choice(ways)

    def _run(
        self, import_type: ImportType, params: dict[str, Any], fault: str | None = None
    ) -> None:
        self._number += 1
        self.tally.done["runs"] += 1
        self.tally.done[f"scope {params.get('scope', 'full')}"] += 1
        with self._partner.at_hand(), self._trouble(fault):
            run = begin(self._engine, import_type, params, f"run {self._number}")
            failed = {}
            try:
                stage_again(self._engine, run)
                if run.is_loading:
                    load(self._engine, run)
            except CustomerImportError as error:
                failed = {"extract_customers": "failed"}
                if fault is None:
                    self._differs(run, str(error))
            summary = close_run(self._engine, run.key, failed)
        if summary.state not in SUCCEEDED and not failed:
            self._differs(run, f"ended as {summary.state}: {summary.error}")
        self._note_readings(run, {})
        self._runs.append(run)
        if not failed and run.is_loading:
            self._compare(run, params, is_disturbed=fault is not None)

    @contextmanager
    def _trouble(self, fault: str | None) -> Iterator[None]:
        if fault:
            self.tally.done[fault] += 1
            self._partner.sandbox.faults.replace([_FAULTS[fault]])
        yield
        self._partner.sandbox.faults.replace([])

    def _readings(self, run: Run) -> dict[str, datetime]:
        """When a run read each tenant that it read to the end."""
        staged = staged_customers.c
        query = select(staged.tenant_id, staged.fetched_at).where(
            staged.run_id == run.key, staged.state.in_(READ_STATES)
        )
        with reading(self._engine) as connection:
            return {row.tenant_id: row.fetched_at for row in connection.execute(query)}

    def _note_readings(self, run: Run, before: Mapping[str, datetime]) -> None:
        """Note whom a run read; one that only discovers reads no customer's values."""
        if run.params.mode == "discover":
            return
        for tenant_id, read_at in self._readings(run).items():
            if before.get(tenant_id) != read_at:
                self._world.seen.was_read(tenant_id, run.import_type, self._number)

    # -- Comparison ----------------------------------------------------------------------------

    def _compare(self, run: Run, params: Mapping[str, Any], *, is_disturbed: bool) -> None:
        """Hold a run against a full one, of a database and a BSS that know nothing, on the same customers."""
        selection = {name: params[name] for name in params if name not in {"scope", "mode"}}
        copy_customers(self._partner, self._other)
        self._fresh.restore("empty")
        with self._other.at_hand():
            fresh = begin(self._fresh.engine, run.import_type, selection, "fresh")
            load(self._fresh.engine, stage_again(self._fresh.engine, fresh))
            close_run(self._fresh.engine, fresh.key, {})
        wanted = results_of(self._fresh.engine, fresh)
        found = results_of(self._engine, run)
        have, right = self._partner.bss(run.import_type), self._other.bss(run.import_type)
        for tenant_id in self._world.tenants:
            if self._world.seen.is_hidden(tenant_id, run.import_type):
                continue
            row, other = found.get(tenant_id), wanted.get(tenant_id)
            if is_disturbed and row is not None and _is_struck(row):
                continue
            self.tally.comparisons += 1
            said, expected = _class_of(row), _class_of(other)
            is_mixed = row is not None and row.reason_code == "already_imported"
            if is_mixed or {said, expected} <= {"skipped", None}:
                continue
            if said != expected:
                reason = f"{row.reason_code}: {row.reason}" if row is not None else ""
                self._differs(run, f"{tenant_id} is {said} ({reason}), fresh {expected}")
            elif row is not None and said == "done" and not run.is_preview:
                self._compare_accounts(run, row, have.get(tenant_id, ()), right[tenant_id])

    def _compare_accounts(
        self, run: Run, row: Row[Any], have: tuple[bytes, ...], right: tuple[bytes, ...]
    ) -> None:
        by_hand = (run.import_type, row.tenant_id)
        if run.params.scope == "verify" or row.outcome != "unchanged":
            self._by_hand.discard(by_hand)
        accounts, others = ([orjson.loads(form) for form in forms] for forms in (have, right))
        if any(_FORMER in text for text in row.warnings or ()):  # a person has to
            for account in accounts:
                account["syncOptions"].pop(MPN_ALIAS, None)
        if accounts != others and by_hand not in self._by_hand:
            said = f"{row.outcome}, {row.reason}, {row.warnings}"
            self._differs(run, f"{row.tenant_id} {said}: {_unlike(accounts, others)}")

    def _differs(self, run: Run, text: str) -> None:
        params = {
            name: getattr(run.params, name)
            for name in ("scope", "mode", "reseller_mpn_ids")
            if getattr(run.params, name)
        }
        self.tally.differences.append(f"step {self._number} {run.import_type} {params}: {text}")


def begin(engine: Engine, import_type: ImportType, params: Mapping[str, Any], name: str) -> Run:
    """Begin a run that takes whatever share of rejected and failed customers."""
    everything = {
        "instance": INSTANCES[import_type],
        "max_rejected_percent": 100,
        "max_failed_percent": 100,
    }
    parsed = RunParams.parse(everything | dict(params))
    return begin_run(engine, import_type.dag_id, name, import_type, parsed, "test")


def results_of(engine: Engine, run: Run) -> dict[str, Row[Any]]:
    """Return the results of a run by tenant."""
    query = select(import_results).where(import_results.c.run_id == run.key)
    with reading(engine) as connection:
        return {row.tenant_id: row for row in connection.execute(query)}


def shift_clock(engine: Engine, delta: timedelta) -> None:
    """Let everything that is remembered have happened so much later."""
    moments = {
        import_runs: ("started_at", "ended_at", "read_at"),
        known_tenants: ("read_at",),
        staged_customers: ("fetched_at",),
        tenant_links: ("read_at",),
    }
    with engine.begin() as connection:
        for table, names in moments.items():
            keys = list(table.primary_key.columns)
            for row in connection.execute(select(*keys, *(table.c[name] for name in names))).all():
                values = dict(zip(names, row[len(keys) :], strict=True))
                later = {name: as_utc(at) + delta for name, at in values.items() if at is not None}
                if later:
                    same = (key == value for key, value in zip(keys, row, strict=False))
                    connection.execute(update(table).where(*same).values(later))


def _is_struck(row: Row[Any]) -> bool:
    """Whether what went wrong in a disturbed run may be what was made to go wrong."""
    return row.outcome == "failed" or row.reason_code == "bss_refused"


def _class_of(row: Row[Any] | None) -> str | None:
    if row is None:
        return None
    return "done" if row.outcome in DONE else str(row.outcome)


def _unlike(have: list[dict[str, Any]], right: list[dict[str, Any]]) -> str:
    """Name what differs between accounts that should be the same."""
    if len(have) != len(right):
        return f"{len(have)} accounts, fresh {len(right)}"
    return ", ".join(
        f"{part} is {mine[part]}, fresh {theirs[part]}"
        for mine, theirs in zip(have, right, strict=True)
        for part in mine
        if mine[part] != theirs[part]
    )
