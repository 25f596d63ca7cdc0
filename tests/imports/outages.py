"""Imports while one of the two services is away: what it costs, and that no customer pays for it.

``python -m tests.imports.outages 20 60`` measures outages of 20 and of 60 seconds, of each service.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from customer_import.vocabulary import ImportType
from sandbox import FaultKind, FaultRule
from tests.imports.scene import open_scene
from tests.support.library_run import load, stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.imports.scene import Report, Scene

BSS, PARTNER_CENTER = "bss", "partner_center"
CUSTOMERS = 354
_DIRECT = ImportType.DIRECT


@dataclass(frozen=True)
class Outage:
    """One outage and what it cost.

    Attributes:
        service: Who was away.
        seconds: For how long it answered nobody.
        report: Of the run.
        half_made: Accounts without a contact after the run.
        refused: Requests that met the outage.
        run_s: Duration of the task that met it.
    """

    service: str
    seconds: float
    report: Report
    half_made: int
    refused: int
    run_s: float

    def line(self, undisturbed_s: float) -> str:
        """Return the figures, one line."""
        return (
            f"outage of {self.service}, {self.seconds:.0f} s: {self.report.counts()}, half made {self.half_made}, "
            f"requests that met it {self.refused}, seconds beyond it {self.run_s - undisturbed_s - self.seconds:.1f}"
        )


def import_through(scene: Scene, service: str, seconds: float, *, after: int = 100) -> Outage:
    """Run a direct import of which a service is away for a while, in the middle of the task that needs it most.

    Args:
        scene: With its customers.
        service: Who goes away: ``BSS`` in the load, ``PARTNER_CENTER`` in the extraction.
        seconds: For how long; 0 for an undisturbed run.
        after: Requests of that task that are answered first.
    """
    started = time.monotonic()
    if service == PARTNER_CENTER:
        with _away(scene, service, seconds, after):
            run = stage(scene.engine, _DIRECT, max_rejected_percent=100)
            run_s = time.monotonic() - started
        load(scene.engine, run)
    else:
        run = stage(scene.engine, _DIRECT, max_rejected_percent=100)
        started = time.monotonic()
        with _away(scene, service, seconds, after):
            load(scene.engine, run)
            run_s = time.monotonic() - started
    report = scene.finish(run)
    bss = scene.bss(_DIRECT)
    refused = sum(scene.sandbox.faults.counts.values())
    half_made = sum(not bss.contacts_of(number) for number in bss.accounts)
    return Outage(service, seconds, report, half_made, refused, run_s)


@contextmanager
def _away(scene: Scene, service: str, seconds: float, after: int) -> Iterator[None]:
    """Let every request of a service be answered with 503 for a while, once it has answered some."""
    before = len(scene.sandbox.requests.entries)
    is_over = threading.Event()

    def go_away() -> None:
        while len(scene.sandbox.requests.entries) < before + after and not is_over.wait(0.01):
            pass
        scene.sandbox.faults.replace([FaultRule(endpoint=f"{service}.*", kind=FaultKind.STATUS)])
        time.sleep(seconds)
        scene.sandbox.faults.replace([])

    thread = threading.Thread(target=go_away)
    if seconds:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        if seconds:
            thread.join()


def _measure(service: str, seconds: float) -> Outage:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as monkeypatch:
        engine = open_engine(f"sqlite:///{name}/import.db")
        migrate(engine)
        with open_scene(engine, Path(name), monkeypatch) as scene:
            scene.configure(bss={"concurrency": 16}, partner_center={"concurrency": 16})
            scene.sell(_DIRECT, CUSTOMERS)
            return import_through(scene, service, seconds)


def main(lengths: list[float]) -> None:
    """Measure outages of each length, of each service."""
    logging.disable(logging.WARNING)
    for service in (BSS, PARTNER_CENTER):
        undisturbed_s = _measure(service, 0).run_s
        for seconds in lengths:
            sys.stdout.write(_measure(service, seconds).line(undisturbed_s) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main([float(text) for text in sys.argv[1:]] or [20.0, 60.0])
