"""The page Matching Queue: customers that wait, each with the accounts that it may be, best first."""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations at run time
from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from customer_import.web.access import Startable
from customer_import.web.database import ConnectionDep
from customer_import.web.decisions import find_decision_place, read_decided
from customer_import.web.models import Page
from customer_import.web.queue import open_queue
from customer_import.web.rendering import render
from customer_import.web.requests import Cursor
from customer_import.web.tenants_pages import ChoiceDep

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50


@router.get("/queue")
def show_queue(
    choice: ChoiceDep, connection: ConnectionDep, startable: Startable, cursor: Cursor = None
) -> HTMLResponse:
    """Show who waits; who may not decide sees no buttons."""
    # Before the queue: what somebody decides meanwhile is told to who decides by this page.
    seen = read_decided(connection, choice.instance or "", "").seen
    queue = (
        open_queue(connection, choice.import_type, choice.instance)
        if connection is not None and choice.instance is not None
        else None
    )
    place = (
        find_decision_place(choice.import_type, choice.instance, startable)
        if choice.instance
        else None
    )
    shown: dict[str, Any] = {"waiting": 0, "decided": 0, "page": Page()}
    if queue is not None and connection is not None:
        shown = {
            "waiting": queue.count(connection),
            "decided": queue.count_decided(connection),
            "page": queue.page(connection, cursor, PAGE_SIZE),
        }
    return render(
        "queue.html",
        choice=choice,
        state=choice.state,
        place=place,
        can_decide=place is not None and not place.barred,
        seen=seen,
        has_runs=bool(queue and queue.run_keys),
        cursor=cursor,
        **shown,
    )
