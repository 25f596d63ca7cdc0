"""One partner with a handful of customers, its BSS and the import's database, for whole imports.

Each test says which customers there are, then runs imports through the library, stage by stage as the DAG does.
Every finished run is compared with the sandbox's truth, customer by customer (``tests.imports.truth``).
"""

from __future__ import annotations

from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sqlalchemy import select

from customer_import.database.engine import reading
from customer_import.database.tables import import_results, tenant_links
from sandbox import FaultRule, SandboxConfig, SandboxServer
from sandbox.config import CustomerClass
from sandbox.population.generator import generate_customer
from sandbox.population.peculiarities import PECULIARITIES
from tests.imports.truth import unexplained
from tests.support.bss_state import faults_of
from tests.support.library_run import INSTANCES, finish, load, sandbox_environment, stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sqlalchemy import Engine, Row

    from customer_import.runs.run import Run
    from customer_import.tasks.finish.summary import Summary
    from customer_import.vocabulary import ImportType
    from sandbox import FaultKind
    from sandbox.bss.models import Account, Contact
    from sandbox.bss.organisation import Organisation
    from sandbox.population.models import Customer

SEED = 1
RESELLERS = 3
BY_NAME = {peculiarity.name: peculiarity for peculiarity in PECULIARITIES}


@dataclass(frozen=True)
class Report:
    """A finished run: its summary and its result rows by tenant."""

    summary: Summary
    results: dict[str, Row[Any]]

    def of(self, customer: Customer) -> Row[Any]:
        return self.results[customer.tenant_id]

    def counts(self) -> dict[str, int]:
        """Outcomes that occur."""
        return {name: count for name, count in self.summary.outcomes.items() if count}


@dataclass
class Scene:
    """Makes customers, runs imports and shows what they left behind."""

    engine: Engine
    sandbox: SandboxServer
    folder: Path
    made: int = 0
    expected: dict[str, set[str | None]] = field(default_factory=dict)

    # -- Partner Center ------------------------------------------------------------------------

    def sell(
        self,
        import_type: ImportType | CustomerClass,
        count: int = 1,
        *,
        peculiarity: str | None = None,
        **document: Any,
    ) -> list[Customer]:
        """Add customers of an import's class; ``document`` is merged into the by-id body."""
        source = self.sandbox.source
        sold = []
        for _ in range(count):
            customer = generate_customer(
                self.made,
                seed=SEED,
                made_as=CustomerClass(import_type.value),
                resellers=self.resellers,
                peculiarity=BY_NAME[peculiarity] if peculiarity else None,
            )
            self.made += 1
            source.add(customer)
            sold.append(self.edit(customer, **document) if document else customer)
        return sold

    def edit(self, customer: Customer, **document: Any) -> Customer:
        return self.change(customer, document=document)

    def change(self, customer: Customer, **changes: Any) -> Customer:
        """Change subscriptions, access, or the body under ``document``."""
        return self.sandbox.source.edit(customer.tenant_id, changes, is_audited=True)

    def resubscribe(self, customer: Customer, *mpn_ids: str | None) -> Customer:
        """Give a customer one active subscription per MPN ID; ``None`` for one without."""
        items = []
        for number, mpn_id in enumerate(mpn_ids):
            item = deepcopy(customer.subscriptions[0]) | {"status": "active"}
            item["id"] = f"{number:08X}{item['id'][8:]}"
            item.pop("partnerId", None)
            items.append(item | ({"partnerId": mpn_id} if mpn_id else {}))
        return self.change(customer, subscriptions=items)

    @property
    def resellers(self) -> tuple[Any, ...]:
        """The tenant reseller first."""
        return tuple(self.sandbox.source.resellers.values())

    # -- Configuration and faults --------------------------------------------------------------

    def configure(self, **values: Any) -> None:
        """Change keys of every instance; a dict is merged into the section of that name."""
        path = self.folder / "instances.yaml"
        raw = yaml.safe_load(path.read_text())
        for instance in raw["instances"].values():
            for name, value in values.items():
                old = instance.get(name)
                instance[name] = {**old, **value} if isinstance(old, dict) else value
        path.write_text(yaml.safe_dump(raw))

    def strike(self, endpoint: str, kind: FaultKind, **more: Any) -> None:
        """Let requests go wrong, beside what goes wrong already."""
        rule = FaultRule(endpoint=endpoint, kind=kind, **more)
        self.sandbox.faults.replace([*self.sandbox.faults.rules, rule])

    def expect(self, customers: Iterable[Customer], *outcomes: str | None) -> None:
        """Say what becomes of customers for a reason that the truth does not know; ``None``: no result."""
        for customer in customers:
            self.expected[customer.tenant_id] = set(outcomes)

    # -- Runs ----------------------------------------------------------------------------------

    def run(self, import_type: ImportType, **params: Any) -> Report:
        """Run a whole import and compare it with the truth."""
        return self.finish(self.load(self.stage(import_type, **params)))

    def stage(self, import_type: ImportType, **params: Any) -> Run:
        """Run everything before the load; small populations may be rejected as a whole."""
        return stage(self.engine, import_type, **{"max_rejected_percent": 100, **params})

    def load(self, run: Run, attempt: int = 1) -> Run:
        return load(self.engine, run, attempt)

    def finish(self, run: Run) -> Report:
        report = Report(finish(self.engine, run), self.results(run.key))
        self.verify(run, report)
        return report

    def verify(self, run: Run, report: Report) -> None:
        """Hold a run to what every run must keep."""
        summary = report.summary
        has_problems = any(
            summary.outcomes[outcome] for outcome in ("failed", "ambiguous", "rejected")
        )
        has_problems = has_problems or summary.unclassified > 0
        assert summary.state == ("success with problems" if has_problems else "success")
        assert summary.discovered == sum(summary.outcomes.values())
        assert summary.discovered + summary.unclassified == len(report.results)
        rows = list(report.results.values())
        assert unexplained(self.sandbox.source, run, rows, self.expected) == {}
        assert faults_of(self.sandbox) == {}

    # -- What is there -------------------------------------------------------------------------

    def results(self, run_key: int) -> dict[str, Row[Any]]:
        query = select(import_results).where(import_results.c.run_id == run_key)
        with reading(self.engine) as connection:
            return {row.tenant_id: row for row in connection.execute(query)}

    def links(self) -> dict[str, Row[Any]]:
        with reading(self.engine) as connection:
            return {row.tenant_id: row for row in connection.execute(select(tenant_links))}

    def bss(self, import_type: ImportType) -> Organisation:
        is_own = INSTANCES[import_type] == "sandbox_reseller"
        return self.sandbox.bss.organisations["tenant_reseller" if is_own else "provider"]

    def account_of(self, import_type: ImportType, customer: Customer) -> Account:
        bss = self.bss(import_type)
        found = [a for a in bss.accounts.values() if bss.marker(a) == customer.tenant_id]
        assert len(found) == 1
        return found[0]

    def contact_of(self, import_type: ImportType, customer: Customer) -> Contact:
        (contact,) = self.bss(import_type).contacts_of(self.account_of(import_type, customer).id)
        return contact

    def content(self, import_type: ImportType) -> dict[str | None, Any]:
        """Everything that the BSS holds, by tenant, without the numbers that it gave."""
        bss = self.bss(import_type)
        assert len({bss.marker(a) for a in bss.accounts.values()}) == len(bss.accounts)
        return {
            bss.marker(account): (
                account.values,
                [
                    {name: value for name, value in contact.values.items() if name != "accountId"}
                    for contact in bss.contacts_of(account.id)
                ],
                bss.sync_options.get((account.id, bss.setup.microsoft.id), {}),
            )
            for account in bss.accounts.values()
        }

    def writes(self) -> list[tuple[str, int]]:
        """Endpoint and status of every request at the BSS that changes something, oldest first."""
        return [
            (entry.endpoint.removeprefix("bss."), entry.status)
            for entry in self.sandbox.requests.entries
            if entry.endpoint.startswith("bss.")
            and entry.method != "GET"
            and not entry.endpoint.endswith("token")
        ]


@contextmanager
def open_scene(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch, **sandbox_config: Any
) -> Iterator[Scene]:
    """Start a partner without customers; retries and settling hardly wait."""
    config = SandboxConfig(
        customers=0, resellers=RESELLERS, seed=SEED, keeps_request_log=True, **sandbox_config
    )
    with SandboxServer(config) as sandbox:
        for name, value in sandbox_environment(sandbox.info, folder).items():
            monkeypatch.setenv(name, value)
        scene = Scene(engine, sandbox, folder)
        scene.configure(
            bss={"settle_delay_s": 0.05, "request_timeout_s": 2.0, "concurrency": 4},
            partner_center={"concurrency": 4, "max_attempts": 3},
        )
        yield scene


@pytest.fixture
def scene(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with open_scene(engine, tmp_path, monkeypatch) as scene:
        yield scene


def on(*databases: str) -> pytest.MarkDecorator:
    """Run the marked test on these databases only, to save time."""
    return pytest.mark.parametrize("engine", databases, indirect=True)
