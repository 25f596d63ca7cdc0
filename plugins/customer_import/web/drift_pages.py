"""The page Drift: what a check found, customer by customer, and what a person does about it.

It changes nothing itself: a decision goes to the route of decisions, and a check or an import is started by the browser
through Airflow's REST API as the logged-in user.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations at run time
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from customer_import.vocabulary import DecisionKind, DriftKind, ImportType, Mode
from customer_import.web.access import Readable, Startable
from customer_import.web.audit import Access, AuditDep
from customer_import.web.changes import ChangeReader
from customer_import.web.database import ConnectionDep, EngineDep
from customer_import.web.decisions import find_decision_place, read_decided, standing_of
from customer_import.web.download import Download, DownloadPlace
from customer_import.web.drift import DriftFilter, read_customer_drift, read_drift, with_changes
from customer_import.web.export import drift_pieces
from customer_import.web.instances import Instances, read_instances
from customer_import.web.models import DriftView, Page
from customer_import.web.rendering import render
from customer_import.web.requests import (
    Cursor,
    DriftFilterDep,
    OptionalName,
    OptionalRunKey,
    TenantName,
    found,
    not_found,
    of_dag,
)
from customer_import.web.rights import Rights
from customer_import.web.runs import find_run, get_run, list_runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from customer_import.web.models import RunView

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
_PICKED = 50


@dataclass(frozen=True)
class DriftPlace:
    """Where on the page a request is: the import type, the instance, the check, the filter."""

    rights: Rights
    import_type: ImportType
    instance: str | None
    instances: Instances
    run: RunView | None
    runs: tuple[RunView, ...]
    wanted: DriftFilter
    start_dag_id: str

    @property
    def types(self) -> tuple[ImportType, ...]:
        """The tabs."""
        return self.rights.types

    @property
    def state(self) -> dict[str, Any]:
        """The page's query string, without the place in the list."""
        return {
            "dag_id": self.run.dag_id if self.run else self.import_type.dag_id,
            "instance": self.instance,
            "run_id": self.run.run_id if self.run else None,
            "kind": self.wanted.kind,
            "q": self.wanted.q,
        }


def _place(
    rights: Readable,
    startable: Startable,
    connection: ConnectionDep,
    wanted: DriftFilterDep,
    dag_id: OptionalName = None,
    instance: OptionalName = None,
    run_id: OptionalName = None,
    run_key: OptionalRunKey = None,
) -> DriftPlace:
    import_type, own = of_dag(dag_id, rights) if dag_id else (_newest(rights, connection), None)
    instances = read_instances(rights)
    run = None
    if run_key:
        run = get_run(found(connection), rights.only(import_type), run_key)
    elif run_id:
        run = find_run(connection, rights, dag_id or import_type.dag_id, run_id)
    if (run_key or run_id) and (run is None or run.mode is not Mode.CHECK):
        raise not_found()
    chosen = run.instance if run else instances.choose(import_type, instance or own)
    runs: tuple[RunView, ...] = ()
    if connection is not None and chosen:
        runs = list_runs(
            connection,
            rights.only(import_type),
            limit=_PICKED,
            modes=(Mode.CHECK,),
            instance=chosen,
        ).items
    run = run or next(iter(runs), None)
    start_dag_id = startable.dag_id(import_type, chosen)
    return DriftPlace(rights, import_type, chosen, instances, run, runs, wanted, start_dag_id)


def _newest(rights: Rights, connection: Connection | None) -> ImportType:
    """The import of the newest check; without one the first."""
    if connection is None:
        return rights.types[0]
    newest = list_runs(connection, rights, limit=1, modes=(Mode.CHECK,)).items
    return newest[0].import_type if newest else rights.types[0]


PlaceDep = Annotated[DriftPlace, Depends(_place)]


@router.get("/drift")
def show_drift(
    place: PlaceDep, connection: ConnectionDep, startable: Startable, cursor: Cursor = None
) -> HTMLResponse:
    """Show what a check found; without a run the newest check."""
    page: Page[DriftView] = Page()
    run, decided = place.run, {}
    if connection is not None and run is not None and run.key is not None:
        page = read_drift(connection, run.key, place.wanted, cursor, PAGE_SIZE)
        tenants = {one.tenant_id for one in page.items}
        decided = standing_of(connection, run.instance or "", tenants)
    decisions = _decision_place(place, startable)
    return render(
        "drift.html",
        place=place,
        state=place.state,
        run=run,
        page=page,
        cursor=cursor,
        decided=decided,
        can_start=startable.cover(place.import_type, place.instance or ""),
        can_decide=decisions is not None and not decisions.barred,
    )


@router.get("/drift/customer")
def show_customer_drift(
    place: PlaceDep,
    connection: ConnectionDep,
    startable: Startable,
    tenant_id: TenantName,
    audit: AuditDep,
) -> HTMLResponse:
    """Show what a check found about one customer, with values, and what was decided about it."""
    database, run = found(connection), place.run
    if run is None or run.key is None or run.instance is None:
        raise not_found()
    findings = read_customer_drift(database, run.key, tenant_id)
    if not findings:
        raise not_found()
    audit(Access.LOOK, run.import_type, run.run_id, tenant_id=findings[0].tenant_id)
    suggested = next((one for one in findings if one.decisions and not one.is_repairable), None)
    return render(
        "_drift_customer.html",
        findings=with_changes(database, ChangeReader(database, run.key), findings),
        run=run,
        instances=place.instances,
        can_start=startable.cover(place.import_type, place.instance or ""),
        place=_decision_place(place, startable),
        decided=read_decided(database, run.instance, findings[0].tenant_id),
        suggested=suggested.decisions[0] if suggested else None,
        suggested_account=_likeliest_account(suggested) if suggested else None,
    )


@router.get("/drift.csv", dependencies=[DownloadPlace])
def download_drift(place: PlaceDep, engine: EngineDep, audit: AuditDep) -> Download:
    """Return every finding that the filter lets through as a CSV file."""
    if engine is None or place.run is None or place.run.key is None:
        raise not_found()
    audit(Access.EXPORT, place.import_type, place.run.run_id, format="csv")
    kind = f"-{place.wanted.kind}" if place.wanted.kind else ""
    name = f"import-drift-{place.import_type}-{place.run.key}{kind}.csv"
    return Download(
        drift_pieces(engine, place.run.key, place.wanted),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _decision_place(place: DriftPlace, startable: Rights) -> Any:  # noqa: ANN401
    if place.instance is None:
        return None
    return find_decision_place(place.import_type, place.instance, startable)


def _likeliest_account(finding: DriftView) -> int | None:
    """The account to propose: of several that carry the tenant id the linked one."""
    is_doubled = finding.kind is DriftKind.MARKER_DOUBLED
    return finding.account_id if is_doubled and DecisionKind.LINK in finding.decisions else None
