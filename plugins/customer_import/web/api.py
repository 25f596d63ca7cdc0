"""The JSON API for people who script: runs, results, tenants, histories.

It only reads. A run is started through Airflow's own REST API; ``retry`` and ``selectable`` say what to send
there.
"""

# ruff: noqa: TC001 - FastAPI reads the annotations at run time
from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request

from customer_import.partner_center.models import is_guid
from customer_import.vocabulary import ImportType, Mode, Scope
from customer_import.web.access import Readable, Startable
from customer_import.web.audit import Access, AuditDep
from customer_import.web.changes import ChangeReader
from customer_import.web.database import ConnectionDep
from customer_import.web.hierarchy import TenantList, open_tenant_list, start_request
from customer_import.web.instances import read_instances
from customer_import.web.models import (
    HistoryEntry,
    Page,
    ResultView,
    RunView,
    StartRequest,
    TenantView,
)
from customer_import.web.requests import (
    Cursor,
    InstanceName,
    Limit,
    Name,
    ResultFilterDep,
    RunKey,
    TenantFilterDep,
    TenantId,
    found,
    not_found,
    of_instance,
)
from customer_import.web.results import failed_tenants, read_history, read_results
from customer_import.web.runs import get_run, list_runs, run_params

_RESPONSES: dict[int | str, dict[str, Any]] = {
    400: {"description": "The cursor belongs to another list"},
    401: {"description": "Nobody is logged in"},
    403: {"description": "The user may read the runs of none of the import DAGs"},
    404: {"description": "There is no such thing that the user may read"},
    503: {
        "description": "The import's database does not answer; Retry-After says when to come back"
    },
}


def api_router() -> APIRouter:
    """Return a router of the API."""
    return APIRouter(prefix="/api", tags=["customer import"], responses=_RESPONSES)


router = api_router()


def _run(run_key: RunKey, rights: Readable, connection: ConnectionDep) -> RunView:
    run = get_run(found(connection), rights, run_key)
    if run is None:
        raise not_found()
    return run


def _tenant_list(
    instance: Name, import_type: ImportType, rights: Readable, connection: ConnectionDep
) -> TenantList | None:
    chosen = of_instance(import_type, instance, rights)
    return open_tenant_list(connection, chosen, instance, rights)


RunDep = Annotated[RunView, Depends(_run)]
TenantListDep = Annotated[TenantList | None, Depends(_tenant_list)]


@router.get("/runs")
def get_runs(
    rights: Readable,
    connection: ConnectionDep,
    import_type: Annotated[ImportType | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[RunView]:
    """List runs, newest first."""
    wanted = rights.only(import_type) if import_type else rights
    if not wanted.types:
        raise not_found()
    return (
        list_runs(connection, wanted, cursor=cursor, limit=limit)
        if connection is not None
        else Page()
    )


@router.get("/runs/{run_key}")
def get_one_run(run: RunDep) -> RunView:
    """Return one run with its counts, and while it works its progress."""
    return run


@router.get("/runs/{run_key}/results")
def get_results(
    run: RunDep,
    connection: ConnectionDep,
    wanted: ResultFilterDep,
    audit: AuditDep,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[ResultView]:
    """List a run's results."""
    audit(Access.EXPORT, run.import_type, run.run_id, format="json")
    key = run.key or 0
    page = read_results(found(connection), key, wanted, cursor, limit)
    items = ChangeReader(found(connection), key).fill(found(connection), page.items)
    return page.model_copy(update={"items": tuple(items)})


@router.get("/runs/{run_key}/retry")
def get_retry(run: RunDep, connection: ConnectionDep, startable: Startable) -> StartRequest:
    """Return what to send to Airflow to import the run's failed tenants again, with the run's other parameters."""
    key = run.key or 0
    params = run_params(found(connection), key) | {
        "mode": Mode.IMPORT.value,
        "exclude_tenants": None,
        "previewed_run": None,
    }
    dag_id = startable.dag_id(run.import_type, run.instance)
    return start_request(dag_id, failed_tenants(found(connection), key), params)


@router.get("/runs/{run_key}/import-previewed")
def get_import_previewed(run: RunDep, connection: ConnectionDep) -> StartRequest:
    """Return what to send to Airflow to import exactly the customers that a preview would create or update."""
    if run.mode is not Mode.PREVIEW:
        raise not_found()
    params = run_params(found(connection), run.key or 0) | {
        "mode": Mode.IMPORT.value,
        "previewed_run": run.run_id,
    }
    names = ("tenants", "exclude_tenants", "reseller_mpn_ids")
    conf = {
        name: value
        for name, value in params.items()
        if name not in names and value not in (None, [], "")
    }
    return StartRequest(dag_id=run.dag_id, count=run.would_write, is_cut=False, conf=conf)


@router.get("/tenants")
def get_tenants(
    tenants: TenantListDep,
    wanted: TenantFilterDep,
    audit: AuditDep,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[TenantView]:
    """List the tenants of the latest hierarchy of an instance and import type, by name."""
    if tenants is None:
        return Page()
    run = tenants.hierarchy
    audit(Access.EXPORT, run.import_type, run.airflow_run_id, format="json")
    return tenants.page(wanted, cursor, limit)


@router.get("/tenants/selectable")
def get_selectable(
    tenants: TenantListDep, wanted: TenantFilterDep, startable: Startable
) -> StartRequest:
    """Return what to send to Airflow to import every matching tenant that may be selected."""
    if tenants is None:
        raise not_found()
    return tenants.start_request(wanted, startable)


@router.get("/tenants/{tenant_id}/history")
def get_history(
    tenant_id: TenantId,
    instance: Name,
    rights: Readable,
    connection: ConnectionDep,
    audit: AuditDep,
) -> tuple[HistoryEntry, ...]:
    """List one customer's results over all runs, newest first, at most 200."""
    history = (
        read_history(connection, rights, instance, tenant_id) if connection is not None else ()
    )
    for import_type in sorted({entry.import_type for entry in history}):
        audit(Access.EXPORT, import_type, tenant_id=tenant_id, format="json")
    return history


@router.get("/tenants/{tenant_id}/start")
def get_start(
    tenant_id: TenantId,
    instance: Name,
    import_type: ImportType,
    rights: Readable,
    startable: Startable,
    mode: Literal["import", "preview"] = "import",
) -> StartRequest:
    """Return what to send to Airflow to import one customer again, or to preview that; the BSS is compared anew."""
    chosen = of_instance(import_type, instance, rights)
    if instance not in read_instances().taking(chosen) or not is_guid(tenant_id):
        raise not_found()
    conf = {"instance": instance, "mode": mode, "scope": Scope.VERIFY.value}
    return start_request(startable.dag_id(chosen, instance), [tenant_id], conf)


@router.get("/instances/{instance}/start", include_in_schema=False)
def get_start_all(
    instance: InstanceName,
    import_type: ImportType,
    rights: Readable,
    startable: Startable,
    mode: Literal["import", "preview"] = "preview",
) -> StartRequest:
    """Return what to send to Airflow to preview, or to import, all customers of an instance; ``count`` is 0."""
    chosen = of_instance(import_type, instance, rights)
    if instance not in read_instances().taking(chosen):
        raise not_found()
    conf = {"instance": instance, "mode": mode}
    dag_id = startable.dag_id(chosen, instance)
    return StartRequest(dag_id=dag_id, count=0, is_cut=False, conf=conf)


@router.get("/openapi.json", include_in_schema=False)
def get_openapi(request: Request) -> dict[str, Any]:  # Any: an OpenAPI document
    """Return the description of this API."""
    document: dict[str, Any] = request.app.openapi()
    return {**document, "servers": [{"url": request.scope.get("root_path", "") or "/"}]}
