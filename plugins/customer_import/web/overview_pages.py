"""The page Overview, where the plugin begins: how every import of every instance stands."""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations at run time
from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from customer_import.web.access import Readable, Startable
from customer_import.web.database import ConnectionDep
from customer_import.web.instances import read_instances
from customer_import.web.overview import read_overview
from customer_import.web.rendering import render

router = APIRouter(include_in_schema=False)


@router.get("/overview")
def show_overview(
    rights: Readable, startable: Startable, connection: ConnectionDep
) -> HTMLResponse:
    """Show each import that the user may read."""
    instances = read_instances(rights)
    return render(
        "overview.html",
        imports=read_overview(connection, rights, instances),
        error=instances.error,
        startable=startable,
    )
