"""The JSON API of checks: their findings, and what to send to Airflow to have an import mend them. It only reads."""

# ruff: noqa: TC001 - FastAPI reads the annotations at run time
from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from customer_import.vocabulary import Mode, OnExisting, Scope
from customer_import.web.access import Startable
from customer_import.web.api import RunDep, api_router
from customer_import.web.audit import Access, AuditDep
from customer_import.web.changes import ChangeReader
from customer_import.web.database import ConnectionDep
from customer_import.web.drift import read_drift, repairable_tenants, with_changes
from customer_import.web.hierarchy import start_request
from customer_import.web.models import DriftView, Page, RunView, StartRequest
from customer_import.web.requests import Cursor, DriftFilterDep, Limit, found, not_found
from customer_import.web.runs import run_params

router = api_router()


def _check(run: RunDep) -> RunView:
    if run.mode is not Mode.CHECK:
        raise not_found()
    return run


CheckDep = Annotated[RunView, Depends(_check)]


@router.get("/runs/{run_key}/drift")
def get_drift(
    run: CheckDep,
    connection: ConnectionDep,
    wanted: DriftFilterDep,
    audit: AuditDep,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Page[DriftView]:
    """List what a check found, by name."""
    audit(Access.EXPORT, run.import_type, run.run_id, format="json")
    database, key = found(connection), run.key or 0
    page = read_drift(database, key, wanted, cursor, limit)
    items = with_changes(database, ChangeReader(database, key), page.items)
    return page.model_copy(update={"items": tuple(items)})


@router.get("/runs/{run_key}/repair")
def get_repair(
    run: CheckDep, connection: ConnectionDep, wanted: DriftFilterDep, startable: Startable
) -> StartRequest:
    """Return what to send to Airflow to import the matching customers that an import mends, and nobody else."""
    database, key = found(connection), run.key or 0
    params = run_params(database, key) | {
        "mode": Mode.IMPORT.value,
        "scope": Scope.VERIFY.value,
        "on_existing": OnExisting.UPDATE.value,
        "exclude_tenants": None,
    }
    tenants = repairable_tenants(database, key, wanted)
    return start_request(startable.dag_id(run.import_type, run.instance), tenants, params)
