"""Runs changed imports and shows what they read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from customer_import.database.tables import import_runs, known_tenants
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.runs.run import as_utc
from customer_import.tasks.extract.extract import extract_customers
from customer_import.vocabulary import ImportType
from sandbox.demo.settings import PARTNER_CENTER_CONNECTION
from tests.imports.scene import Report
from tests.support.library_run import finish

if TYPE_CHECKING:
    from customer_import.runs.run import Run
    from customer_import.tasks.extract.extract import ExtractSummary
    from tests.imports.scene import Scene

DIRECT = ImportType.DIRECT
READS = (
    "partner_center.customers.get",
    "partner_center.customers.subscriptions",
)
LIST, AUDIT = "partner_center.customers.list", "partner_center.audit_records"
ENDINGS = ("outcome", "reason_code", "warnings", "account_id", "contact_id", "tenant_name")


def changed(scene: Scene, import_type: ImportType = DIRECT, **params: Any) -> Report:
    """Run with scope ``changed``, and count the requests of this run only."""
    scene.sandbox.requests.clear()
    return scene.run(import_type, scope="changed", **params)


def unverified(scene: Scene, import_type: ImportType, **params: Any) -> Report:
    """Run with scope ``changed`` where the sandbox's own check would not know what is right."""
    scene.sandbox.requests.clear()
    run = scene.load(scene.stage(import_type, **{"scope": "changed", **params}))
    return Report(finish(scene.engine, run), scene.results(run.key))


def reads(scene: Scene) -> set[str]:
    """Tenants that Partner Center was asked about one by one since the counts were cleared."""
    return {
        entry.path.split("/")[3].lower()
        for entry in scene.sandbox.requests.entries
        if entry.endpoint in READS
    }


def extract_again(scene: Scene, run: Run) -> ExtractSummary:
    """Extract a run as its next attempt does, or as one does that was cleared."""
    hook = PartnerCenterHook(PARTNER_CENTER_CONNECTION, save_refresh_token=lambda _: None)
    return extract_customers(run, scene.engine, hook)


def endings(report: Report) -> dict[str, tuple[Any, ...]]:
    return {
        key: tuple(getattr(row, name) for name in ENDINGS) for key, row in report.results.items()
    }


def imported(scene: Scene, count: int = 6) -> list[Any]:
    """Customers that a complete run has imported, without any audit record."""
    customers = scene.sell(DIRECT, count)
    scene.sandbox.source.audit.clear()
    scene.run(DIRECT)
    return customers


def age(scene: Scene, days: float) -> None:
    """Let everything that the import remembers be that much older."""
    with scene.engine.begin() as connection:
        for table, column in (
            (import_runs, import_runs.c.started_at),
            (import_runs, import_runs.c.read_at),
            (known_tenants, known_tenants.c.read_at),
        ):
            keys = list(table.primary_key.columns)
            for row in connection.execute(select(*keys, column)).all():
                moment = as_utc(row[-1]) - timedelta(days=days)
                same = [key == value for key, value in zip(keys, row[:-1], strict=True)]
                connection.execute(update(table).where(*same).values({column: moment}))
