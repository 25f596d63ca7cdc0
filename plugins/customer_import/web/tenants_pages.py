"""The page Microsoft Tenants: the list from which imports are started.

It starts no run itself: the browser asks Airflow's REST API as the logged-in user, so Airflow's
permissions decide.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations at run time
from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse

from customer_import.runs.latest import is_unseen
from customer_import.vocabulary import ImportType, Mode, dag_id_of
from customer_import.web.access import Readable, Startable
from customer_import.web.airflow_internals import active_dag_runs, find_dag_run, is_paused
from customer_import.web.choices import read_offers
from customer_import.web.database import ConnectionDep
from customer_import.web.decisions import find_decision_place, read_decided, standing_of
from customer_import.web.hierarchy import open_tenant_list
from customer_import.web.instances import Instances, read_instances
from customer_import.web.models import Page, TenantStatus
from customer_import.web.queue import open_queue
from customer_import.web.rendering import render
from customer_import.web.requests import Cursor, OptionalName, TenantFilterDep, of_dag
from customer_import.web.rights import Rights
from customer_import.web.runs import find_run, list_runs

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from customer_import.web.choices import Offer
    from customer_import.web.models import RunView
    from customer_import.web.tenants import Hierarchy

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 100
_RECENT = 20


@dataclass(frozen=True)
class Choice:
    """The chosen import type and instance, and what there is to choose from."""

    rights: Rights
    import_type: ImportType
    instance: str | None
    instances: Instances
    start_dag_id: str

    @property
    def types(self) -> tuple[ImportType, ...]:
        """The tabs."""
        return self.rights.types

    @property
    def state(self) -> dict[str, Any]:
        """The part of the page's query string that names the list."""
        return {"dag_id": self.import_type.dag_id, "instance": self.instance}


def _choice(
    rights: Readable,
    startable: Startable,
    dag_id: OptionalName = None,
    instance: OptionalName = None,
) -> Choice:
    import_type, own = of_dag(dag_id, rights) if dag_id else (rights.types[0], None)
    instances = read_instances(rights)
    chosen = instances.choose(import_type, instance or own)
    return Choice(rights, import_type, chosen, instances, startable.dag_id(import_type, chosen))


ChoiceDep = Annotated[Choice, Depends(_choice)]


@router.get("/tenants")
def show_tenants(
    choice: ChoiceDep,
    connection: ConnectionDep,
    startable: Startable,
    wanted: TenantFilterDep,
    cursor: Cursor = None,
    first: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
) -> HTMLResponse:
    """Show the tenants of the latest hierarchy; an indirect one begins with its resellers."""
    tenants = (
        open_tenant_list(connection, choice.import_type, choice.instance, choice.rights)
        if choice.instance
        else None
    )
    is_by_reseller = choice.import_type is ImportType.INDIRECT and not any(
        (wanted.q, wanted.status, wanted.reseller)
    )
    place = (
        find_decision_place(choice.import_type, choice.instance, startable)
        if choice.instance
        else None
    )
    resellers = tenants.resellers(first, PAGE_SIZE + 1) if tenants and is_by_reseller else []
    return render(
        "tenants.html",
        **_work(choice, connection),
        hierarchy=tenants.hierarchy if tenants else None,
        hierarchy_run=find_run(
            connection,
            choice.rights,
            tenants.hierarchy.dag_id,
            tenants.hierarchy.airflow_run_id,
        )
        if tenants
        else None,
        is_by_reseller=is_by_reseller,
        resellers=resellers[:PAGE_SIZE],
        first=first,
        next_first=first + PAGE_SIZE if len(resellers) > PAGE_SIZE else None,
        previous_first=max(first - PAGE_SIZE, 0) if first else None,
        page=tenants.page(wanted, cursor, PAGE_SIZE) if tenants and not is_by_reseller else Page(),
        cursor=cursor,
        wanted=wanted,
        filters=wanted.model_dump(),
        statuses=tuple(TenantStatus),
        can_start=startable.cover(choice.import_type, choice.instance),
        can_decide=place is not None and not place.barred,
        place=place,
        offers=_offers(choice, connection)
        if startable.cover(choice.import_type, choice.instance)
        else (),
        seen=read_decided(connection, choice.instance or "", "").seen,
        empty_decided=standing_of(connection, choice.instance, [choice.import_type.value]).get(
            choice.import_type.value, ()
        )
        if connection is not None and choice.instance
        else (),
        waiting=open_queue(connection, choice.import_type, choice.instance).count(connection)
        if connection is not None and choice.instance
        else 0,
        is_paused=is_paused(choice.start_dag_id),
        is_unseen=connection is None
        or is_unseen(connection, choice.import_type, choice.instance or ""),
        refresh=_refresh(choice, tenants.hierarchy if tenants else None, startable),
    )


@dataclass(frozen=True)
class Refresh:
    """A run that gets a list anew, as the page starts it; ``days`` is how old a list may be.

    Its id is of this list, so that Airflow starts it once, whoever looks at the page.
    """

    dag_id: str
    run_id: str
    instance: str
    days: float


def _refresh(
    choice: Choice, hierarchy: Hierarchy | None, startable: Rights, now: datetime | None = None
) -> Refresh | None:
    """Return the run that gets a list anew: one older than the instance says, for who may start it, not yet started."""
    name = choice.instance or ""
    config = choice.instances.by_name.get(name)
    if hierarchy is None or config is None or config.hierarchy_refresh_days is None:
        return None
    days = config.hierarchy_refresh_days
    is_old = (now or datetime.now(UTC)) - hierarchy.listed_at > timedelta(days=days)
    if not is_old or not startable.cover(choice.import_type, name):
        return None
    run_id = f"hierarchy__{choice.import_type}__after_{hierarchy.list_key}"
    if find_dag_run(choice.start_dag_id, run_id) is not None:
        return None
    return Refresh(choice.start_dag_id, run_id, name, days)


def _offers(choice: Choice, connection: Connection | None) -> tuple[Offer, ...]:
    instance = choice.instances.by_name.get(choice.instance or "")
    return read_offers(connection, choice.instance or "", instance) if instance else ()


@router.get("/tenants-live")
def show_tenants_live(choice: ChoiceDep, connection: ConnectionDep) -> HTMLResponse:
    """Return what is at work on the list anew; has the page reload when that has ended."""
    values = _work(choice, connection)
    headers = None if values["work"] else {"HX-Refresh": "true"}
    return render("_tenants_live.html", headers=headers, **values)


def _work(choice: Choice, connection: Connection | None) -> dict[str, Any]:
    """What runs now for this list, and the newest attempt to get it when that failed."""
    active = [
        run
        for fact in active_dag_runs(
            (dag_id_of(choice.import_type), dag_id_of(choice.import_type, choice.instance))
        )
        if (run := find_run(connection, choice.rights, fact.dag_id, fact.run_id))
        and run.instance in {choice.instance, None}
    ]
    return {
        "choice": choice,
        "state": choice.state,
        "work": active[:_RECENT],
        "failure": None if active else _failure(choice, connection),
    }


def _failure(choice: Choice, connection: Connection | None) -> RunView | None:
    if connection is None:
        return None
    runs = list_runs(connection, choice.rights.only(choice.import_type), limit=_RECENT).items
    newest = next((run for run in runs if run.instance == choice.instance), None)
    is_failed = newest and newest.mode is Mode.DISCOVER and newest.error
    return newest if is_failed else None
