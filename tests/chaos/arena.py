"""A sandbox, and imports into it by worker processes: disturbed, restarted, compared with an undisturbed one."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
import time
import urllib.request
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import orjson
import yaml

from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from customer_import.vocabulary import ImportType
from sandbox import SandboxConfig, SandboxServer
from sandbox.config import ClassMix
from tests.chaos.state import (
    BssState,
    Differences,
    compare_bss,
    compare_results,
    results_of,
    writes_of,
)
from tests.chaos.worker import COUNTS_FILE, Job, Kill, attempt
from tests.support.library_run import INSTANCES, sandbox_environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.context import ForkServerProcess
    from pathlib import Path

    from sqlalchemy import Engine

VOLUME = 1_000
"""A case with fewer customers proves nothing: it is void."""
MIXES = {
    ImportType.DIRECT: ClassMix(direct=94, indirect=4, tenant_reseller=2),
    ImportType.INDIRECT: ClassMix(direct=2, indirect=96, tenant_reseller=2),
    ImportType.TENANT_RESELLER: ClassMix(direct=2, indirect=2, tenant_reseller=96),
}
CUSTOMERS = 1_150
EXISTING_ACCOUNTS = 30
BSS = {"request_timeout_s": 3.0, "settle_delay_s": 0.3, "max_attempts": 10}
PARTNER_CENTER = {"page_size": 200, "max_attempts": 10, "request_timeout_s": 5.0}
LOAD_BATCH_SIZE = 350
TWIN = "twin"
"""Another instance of the same Partner Center tenant and BSS organisation."""
LATE_S = 4.0
"""An answer that is later than this client waits."""
MOST_ATTEMPTS = 30
ATTEMPT_TIMEOUT_S = 600

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.chaos.worker"])


@dataclass(frozen=True)
class Undisturbed:
    """What an import leaves behind when nothing goes wrong.

    Attributes:
        state: Of the BSS.
        results: Outcome by tenant.
        failpoints: How often each failpoint was reached.
        seconds: How long it took.
    """

    state: BssState
    results: dict[str, str]
    failpoints: dict[str, int]
    seconds: float


@dataclass
class Case:
    """One disturbed import: its database, its workers, and what was found."""

    arena: Arena
    folder: Path
    name: str
    engine: Engine
    found: Differences = field(default_factory=Differences)
    kills: int = 0
    storms: int = 0
    ambiguous: int = 0
    overlaps: int = 0
    attempts: int = 0
    customers: int = 0
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)

    def job(self, import_type: ImportType, run_id: str, **settings: Any) -> Job:
        folder = self.folder / run_id
        folder.mkdir()
        url = self.engine.url.render_as_string(hide_password=False)
        return Job(folder, url, import_type, run_id, self.arena.environment, **settings)

    def run(self, job: Job, kills: Sequence[Kill] = ()) -> None:
        """Kill an import at each failpoint given, then let it come to its end."""
        for kill in kills:
            code = self._attempt(job, kill)
            if code == -signal.SIGKILL:
                self.kills += 1
            else:
                self.found.add(
                    "wrong", f"{kill.failpoint}:{kill.count} was not reached, exit {code}"
                )
                return
        self.finish(job)

    def finish(self, job: Job) -> None:
        """Let an import come to its end; a task that fails is tried again, as Airflow does."""
        for _ in range(MOST_ATTEMPTS):
            if self._attempt(job, None) == 0:
                return
        self.found.add("wrong", f"{job.run_id} did not end within {MOST_ATTEMPTS} attempts")

    def begin(self, job: Job, kill: Kill | None = None) -> ForkServerProcess:
        """Start an attempt beside others."""
        self.attempts += 1
        process = _processes.Process(target=attempt, args=(job, kill))
        process.start()
        return process

    def _attempt(self, job: Job, kill: Kill | None) -> int | None:
        process = self.begin(job, kill)
        process.join(ATTEMPT_TIMEOUT_S)
        if process.is_alive():
            process.kill()
            process.join()
            self.found.add("wrong", f"an attempt took more than {ATTEMPT_TIMEOUT_S} s")
        return process.exitcode

    def compare(self, job: Job, *expected: Undisturbed) -> None:
        """Compare BSS and results with those of an undisturbed import."""
        states = [undisturbed.state for undisturbed in expected]
        compare_bss(self.found, self.arena.sandbox, BssState.of(self.arena.sandbox), states)
        compare_results(self.found, results_of(self.engine, job.run_id), expected[0].results)

    def lost_results(self, actual: dict[str, str], expected: dict[str, str]) -> None:
        """Look for tenants without a result, where the outcome itself may differ."""
        for tenant in sorted(expected.keys() - actual.keys()):
            self.found.add("lost", f"{tenant} has no result")

    def run_again(self, import_type: ImportType) -> None:
        """Run the import once more; it must write nothing."""
        before = writes_of(self.arena.sandbox)
        job = self.job(import_type, f"again_{import_type}")
        self.finish(job)
        written = writes_of(self.arena.sandbox) - before
        if written:
            self.found.add("wrong", f"a further run wrote {written} times", written)

    def close(self, *jobs: Job) -> None:
        """End the case: see how many customers it had."""
        tenants = [results_of(self.engine, job.run_id) for job in jobs]
        self.customers = len(set().union(*tenants))
        self.seconds = time.monotonic() - self.started

    @property
    def is_void(self) -> bool:
        return self.customers < VOLUME

    @property
    def line(self) -> str:
        """What happened, in one line."""
        what = {
            "kills": self.kills,
            "ambiguous": self.ambiguous,
            "attempts": self.attempts,
            "customers": self.customers,
        }
        counts = ", ".join(f"{number} {name}" for name, number in what.items() if number)
        end = f"lost={self.found.lost} duplicates={self.found.duplicates} wrong={self.found.wrong}"
        notes = "".join(f"\n    {note}" for note in (*self.notes, *self.found.notes))
        void = f" void: fewer than {VOLUME:,} customers" if self.is_void else ""
        return f"{self.name}: {counts}, {self.seconds:.0f} s, {end}{void}{notes}"

    def failpoints(self, job: Job) -> dict[str, int]:
        """How often the last attempt of a run reached each failpoint."""
        counts: dict[str, int] = orjson.loads((job.folder / COUNTS_FILE).read_bytes())
        return counts


class Arena:
    """One sandbox with its population; every case begins with an empty BSS and an empty database.

    Args:
        folder: For databases and logs.
        config: The sandbox's.
        shared: Customers that belong to the direct and the indirect import alike, to be added.
    """

    def __init__(self, folder: Path, config: SandboxConfig, shared: int = 0) -> None:
        self.folder = folder
        self._shared = shared
        self.sandbox = SandboxServer(config)
        self.environment: dict[str, str] = {}
        self._template = folder / "empty.db"
        self._undisturbed: dict[tuple[ImportType, ...], Undisturbed] = {}
        self._numbers = count(1)

    def __enter__(self) -> Arena:
        self.folder.mkdir(parents=True, exist_ok=True)
        engine = open_engine(f"sqlite:///{self._template}")
        migrate(engine)
        engine.dispose()  # the last connection to close leaves everything in the one file
        self.sandbox.__enter__()
        self.environment = sandbox_environment(self.sandbox.info, self.folder)
        self._configure()
        for _ in range(self._shared):
            body = {"class": "direct", "peculiarity": "mixed_subscriptions"}
            self._control("POST", "customers", body)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.sandbox.__exit__(None, None, None)

    def _configure(self) -> None:
        """Set the instances' times and sizes: short ones, so that much goes wrong in little time."""
        path = self.folder / "instances.yaml"
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        instances = document["instances"]
        instances[TWIN] = deepcopy(instances[INSTANCES[ImportType.DIRECT]])
        for instance in instances.values():
            instance["load_batch_size"] = LOAD_BATCH_SIZE
            instance["bss"] = {**instance["bss"], **BSS}
            instance["partner_center"] = {**instance["partner_center"], **PARTNER_CENTER}
        path.write_text(yaml.safe_dump(document), encoding="utf-8")

    @contextmanager
    def case(self, name: str, database_url: str | None = None) -> Iterator[Case]:
        """Begin a case on an empty BSS with an empty database: a file of its own, or the one given."""
        self.sandbox.faults.replace(())
        self._control("POST", "reset")
        folder = self.folder / f"case-{next(self._numbers)}"
        folder.mkdir()
        if database_url is None:
            database = folder / "customer_import.db"
            shutil.copyfile(self._template, database)
            database_url = f"sqlite:///{database}"
        engine = open_engine(database_url)
        try:
            yield Case(self, folder, name, engine)
        finally:
            self.sandbox.faults.replace(())
            engine.dispose()

    def calm(self) -> None:
        """End all faults, and wait until the last late answer has left and is counted."""
        self.sandbox.faults.replace(())
        time.sleep(LATE_S + 0.5)

    def undisturbed(self, *import_types: ImportType) -> Undisturbed:
        """Return what imports leave behind, one after the other, when nothing goes wrong.

        The results are those of the first one.
        """
        if import_types not in self._undisturbed:
            with self.case(f"undisturbed {import_types}") as case:
                jobs = [case.job(kind, f"{kind}_{n}") for n, kind in enumerate(import_types)]
                for job in jobs:
                    case.run(job)
                if case.attempts != len(jobs) or not case.found.is_clean:
                    message = f"an undisturbed import failed: {jobs[0].folder}, {case.found.notes}"
                    raise RuntimeError(message)
                self._undisturbed[import_types] = Undisturbed(
                    BssState.of(self.sandbox),
                    results_of(case.engine, jobs[0].run_id),
                    case.failpoints(jobs[0]),
                    time.monotonic() - case.started,
                )
        return self._undisturbed[import_types]

    def _control(self, method: str, path: str, body: object = None) -> None:
        request = urllib.request.Request(  # noqa: S310 - our own sandbox
            f"{self.sandbox.info.control_url}/{path}", orjson.dumps(body or {}), method=method
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        opener.open(request, timeout=60).close()


def arena_of(
    import_type: ImportType, folder: Path, *, customers: int = CUSTOMERS, shared: int = 0
) -> Arena:
    """Return an arena whose population is mostly the customers of one import."""
    config = SandboxConfig(
        customers=customers,
        resellers=5,
        mix=MIXES[import_type],
        existing_accounts=EXISTING_ACCOUNTS,
    )
    return Arena(folder / import_type.value, config, shared)
