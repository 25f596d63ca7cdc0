"""The page Import Results: three tabs, a run, its table, one customer's details, the CSV file.

The whole state of the page is its query string, so that it survives a reload and can be sent to a
colleague.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations at run time
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse

from customer_import.errors import ConfigurationError
from customer_import.vocabulary import ImportType, Mode, Outcome, dag_id_of
from customer_import.web.access import Readable, Startable
from customer_import.web.audit import Access, AuditDep
from customer_import.web.charts import outcome_chart
from customer_import.web.database import ConnectionDep, EngineDep
from customer_import.web.decisions import find_decision_place, read_decided
from customer_import.web.download import Download, DownloadPlace
from customer_import.web.export import csv_pieces
from customer_import.web.instances import read_instances
from customer_import.web.models import Page, ShownState
from customer_import.web.name_search import plan_search
from customer_import.web.payloads import read_sent
from customer_import.web.rendering import render
from customer_import.web.requests import (
    Cursor,
    OptionalName,
    OptionalRunKey,
    ResultFilterDep,
    TenantName,
    found,
    not_found,
    of_dag,
)
from customer_import.web.results import ResultFilter, find_result, read_history, read_results
from customer_import.web.rights import Rights
from customer_import.web.runs import find_run, get_run, latest_run, list_runs, unrecorded_runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from customer_import.web.models import ResultView, RunView

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
PICKED_RUNS = 50
CHART_RUNS = 20
SHOWN_UNRECORDED = 5


@dataclass(frozen=True)
class Place:
    """Where on the page a request is: the tab, the run, the filter; and the instance whose runs there are to pick."""

    rights: Rights
    import_type: ImportType
    dag_id: str
    run: RunView | None
    wanted: ResultFilter
    instance: str | None = None

    @property
    def types(self) -> tuple[ImportType, ...]:
        """The tabs."""
        return self.rights.types

    @property
    def state(self) -> dict[str, Any]:
        """The page's query string, without the place in the list."""
        return {
            "dag_id": self.dag_id,
            "run_id": self.run.run_id if self.run else None,
            "instance": self.instance,
            "outcome": self.wanted.outcome,
            "q": self.wanted.q,
            "inside": "true" if self.wanted.inside else None,
            "sort": self.wanted.sort,
        }


def _place(
    rights: Readable,
    connection: ConnectionDep,
    wanted: ResultFilterDep,
    dag_id: OptionalName = None,
    run_id: OptionalName = None,
    run_key: OptionalRunKey = None,
    instance: OptionalName = None,
) -> Place:
    import_type, own = _of(rights, connection, dag_id)
    shown = rights.only(import_type, own or instance)
    if run_key:
        run = get_run(found(connection), rights.only(import_type), run_key)
        if run is None:
            raise not_found()
    elif run_id:
        run = find_run(connection, rights, dag_id or import_type.dag_id, run_id)
        if run is None:
            raise not_found()
    else:
        run = latest_run(connection, shown) if connection is not None else None
    chosen = run.dag_id if run else dag_id_of(import_type, own)
    return Place(rights, import_type, chosen, run, wanted, instance)


def _place_of_run(place: Annotated[Place, Depends(_place)]) -> Place:
    if place.run is None:
        raise not_found()
    return place


PlaceDep = Annotated[Place, Depends(_place)]
RunPlaceDep = Annotated[Place, Depends(_place_of_run)]


@router.get("/")
def show_results(
    place: PlaceDep, connection: ConnectionDep, startable: Startable, cursor: Cursor = None
) -> HTMLResponse:
    """Show one run's results; without a run the newest one."""
    runs = (
        list_runs(
            connection, place.rights.only(place.import_type, place.instance), limit=PICKED_RUNS
        ).items
        if connection is not None
        else ()
    )
    choices = read_instances(place.rights).taking(place.import_type)
    keys = {(place.import_type, name) for name in choices} or {(place.import_type, "")}
    return render(
        "results.html",
        unrecorded=unrecorded_runs(connection, place.rights, keys, place.instance)[
            :SHOWN_UNRECORDED
        ],
        chart=outcome_chart(runs[:CHART_RUNS]),
        runs=runs,
        choices=choices,
        **_table(place, connection, cursor),
        **_starts(place, startable),
    )


@router.get("/live")
def show_live(place: RunPlaceDep, startable: Startable) -> HTMLResponse:
    """Return the header of a run anew; tells the page when the run has ended."""
    ended = place.run is not None and not place.run.is_active
    headers = {"HX-Trigger": "run-ended"} if ended else None
    starts = _starts(place, startable)
    return render(
        "_run.html", headers=headers, place=place, run=place.run, state=place.state, **starts
    )


@router.get("/rows")
def show_rows(
    place: RunPlaceDep, connection: ConnectionDep, startable: Startable, cursor: Cursor = None
) -> HTMLResponse:
    """Return the table anew."""
    values = _table(place, connection, cursor) | _starts(place, startable)
    return render("_rows.html", **values)


@router.get("/customer")
def show_customer(
    place: PlaceDep,
    connection: ConnectionDep,
    tenant_id: TenantName,
    audit: AuditDep,
    startable: Startable,
) -> HTMLResponse:
    """Show one customer: its result in this run, what was sent, what was decided, its history."""
    database, run = found(connection), place.run
    result = find_result(database, run.key, tenant_id) if run and run.key else None
    if run is None or result is None or run.instance is None or run.key is None:
        raise not_found()
    audit(Access.LOOK, run.import_type, run.run_id, tenant_id=tenant_id)
    try:
        sent, sent_error = read_sent(database, run.import_type, result), None
    except ConfigurationError as error:
        sent, sent_error = (), str(error)
    return render(
        "_customer.html",
        can_retry_one=_can_start(run, startable),
        run=run,
        result=result,
        sent=sent,
        sent_error=sent_error,
        history=read_history(database, place.rights, run.instance, tenant_id),
        place=find_decision_place(run.import_type, run.instance, startable),
        decided=read_decided(database, run.instance, tenant_id),
        instances=read_instances(),
    )


@router.get("/results.csv", dependencies=[DownloadPlace])
def download_results(place: PlaceDep, engine: EngineDep, audit: AuditDep) -> Download:
    """Return every row that the filter lets through as a CSV file."""
    if engine is None or place.run is None or place.run.key is None:
        raise not_found()
    audit(Access.EXPORT, place.import_type, place.run.run_id, format="csv")
    outcome = f"-{place.wanted.outcome}" if place.wanted.outcome else ""
    name = f"import-results-{place.import_type}-{place.run.key}{outcome}.csv"
    return Download(
        csv_pieces(engine, place.run.key, place.wanted),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _of(
    rights: Rights, connection: Connection | None, dag_id: str | None
) -> tuple[ImportType, str | None]:
    """The import of the wanted DAG, and the instance whose own it is; without a DAG the import of the newest run."""
    if dag_id:
        return of_dag(dag_id, rights)
    newest = latest_run(connection, rights) if connection is not None else None
    return (newest.import_type if newest else rights.types[0]), None


def _table(place: Place, connection: Connection | None, cursor: str | None) -> dict[str, Any]:
    run = place.run
    page: Page[ResultView] = Page()
    is_by_word = False
    if connection is not None and run is not None and run.key is not None:
        page = read_results(connection, run.key, place.wanted, cursor, PAGE_SIZE)
        search = plan_search(connection, place.wanted.q, is_inside=place.wanted.inside)
        is_by_word = search.is_by_word
    return {
        "place": place,
        "run": run,
        "state": place.state,
        "cursor": cursor,
        "instances": read_instances(),
        "page": page,
        "is_by_word": is_by_word,
    }


def _starts(place: Place, startable: Rights) -> dict[str, Any]:
    run = place.run
    if run is None or run.is_active or not startable.cover(run.import_type, run.instance):
        return {"can_retry": False, "can_retry_one": False, "can_import_previewed": False}
    return {
        "can_retry_one": _can_start(run, startable),
        "can_retry": run.mode is Mode.IMPORT and bool(run.outcomes.get(Outcome.FAILED)),
        "can_import_previewed": run.mode is Mode.PREVIEW
        and run.state is not ShownState.FAILED
        and startable.has(run.dag_id)  # a preview is imported by a run of its own DAG
        and bool(run.would_write),
    }


def _can_start(run: RunView, startable: Rights) -> bool:
    """Whether the user may import a customer of an ended run again."""
    takes_it = run.instance in read_instances().taking(run.import_type)
    return takes_it and not run.is_active and startable.cover(run.import_type, run.instance)
