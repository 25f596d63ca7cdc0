"""The page that says of each reason code what it means and what to do."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse  # noqa: TC002 - FastAPI reads the annotations at run time

from customer_import.reasons import REASONS
from customer_import.web.access import readable
from customer_import.web.rendering import render

router = APIRouter(include_in_schema=False)


@router.get("/reasons", dependencies=[Depends(readable)])
def show_reasons() -> HTMLResponse:
    """Show every reason code; each has its place in the page (``#same_name``)."""
    return render("reasons.html", reasons=REASONS)
