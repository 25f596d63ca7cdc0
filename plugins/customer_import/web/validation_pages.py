"""The page Validation: what Great Expectations found in a run, by suite and expectation.

Great Expectations' own Data Docs are not shown: docs/decisions/0014-validation-page.md.
"""

# ruff: noqa: TC001, TC002 - FastAPI reads the annotations at run time
from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import HTMLResponse
from pydantic import AfterValidator

from customer_import.web.access import Readable
from customer_import.web.database import ConnectionDep
from customer_import.web.models import Page
from customer_import.web.rendering import render
from customer_import.web.requests import Cursor, Name, not_found, of_dag, plain
from customer_import.web.runs import find_run
from customer_import.web.validation import RuleFilter, read_findings, read_suites

router = APIRouter(include_in_schema=False)

PAGE_SIZE = 50
_Part = Annotated[str, Query(max_length=100), AfterValidator(plain)]


def _rule_filter(suite: _Part = "", rule: _Part = "", field: _Part = "") -> RuleFilter:
    return RuleFilter(suite=suite[:50], rule=rule[:80], field=field)


@router.get("/validation")
def show_validation(
    rights: Readable,
    connection: ConnectionDep,
    dag_id: Name,
    run_id: Name,
    wanted: Annotated[RuleFilter, Depends(_rule_filter)],
    cursor: Cursor = None,
) -> HTMLResponse:
    """Show each expectation of a run with how many customers were checked and how many break it."""
    of_dag(dag_id, rights)
    run = find_run(connection, rights, dag_id, run_id)
    if run is None:
        raise not_found()
    shown: dict[str, Any] = {"suites": (), "page": Page()}
    if connection is not None and run.key is not None:
        shown["suites"] = read_suites(connection, run.key)
        if wanted.is_set:
            shown["page"] = read_findings(connection, run.key, wanted, cursor, PAGE_SIZE)
    chosen = next(
        (one for suite in shown["suites"] for one in suite.expectations if one.is_chosen(wanted)),
        None,
    )
    if wanted.is_set and chosen is None:
        raise not_found()
    state = {"dag_id": run.dag_id, "run_id": run.run_id}
    return render(
        "validation.html",
        run=run,
        chosen=chosen,
        cursor=cursor,
        run_state=state,
        state=state | wanted.model_dump(),
        **shown,
    )
