"""Puts the pages' application together: login first, strict Content-Security-Policy."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import Depends, FastAPI, HTTPException, Request, status
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from starlette.exceptions import HTTPException as AnyHTTPException

from customer_import import PAGES_PREFIX, __version__
from customer_import.errors import DatabaseError
from customer_import.web import (
    api,
    customer_pages,
    decisions_pages,
    drift_api,
    drift_pages,
    overview_pages,
    queue_pages,
    reasons_pages,
    results_pages,
    static_files,
    tenants_pages,
    validation_pages,
)
from customer_import.web.airflow_internals import get_user
from customer_import.web.paging import CursorError
from customer_import.web.rendering import render

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import Response

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

_TITLES = {
    401: "Log in first",
    403: "Not allowed",
    404: "Nothing here",
    422: "This address is wrong",
    503: "Not now",
}
_LOGIN = "/api/v2/auth/login"
"""Airflow's own, below its root; it leads to the auth manager's."""
_COME_BACK_S = 10


def create_app() -> FastAPI:
    """Return the application; every route, static files and OpenAPI document too, needs a login."""
    app = FastAPI(
        title="Customer import",
        version=__version__,
        description=(
            "Runs, results and tenants of the Partner Center import. "
            "Log in as for Airflow's own REST API."
        ),
        dependencies=[Depends(get_user)],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,  # FastAPI would serve it to anybody; the API has an own route for it
    )
    modules = (
        overview_pages,
        results_pages,
        tenants_pages,
        queue_pages,
        customer_pages,
        drift_pages,
        validation_pages,
        reasons_pages,
        decisions_pages,
        api,
        drift_api,
        static_files,
    )
    for module in modules:
        app.include_router(module.router)
    app.add_exception_handler(CursorError, _bad_cursor)
    app.add_exception_handler(AnyHTTPException, _problem)
    app.add_exception_handler(RequestValidationError, _wrong_address)
    app.add_exception_handler(DatabaseError, _no_database)
    app.middleware("http")(_add_headers)
    return app


async def _add_headers(
    request: Request, call_next: Callable[[Request], Awaitable[Response]]
) -> Response:
    response = await call_next(request)
    response.headers.update(_HEADERS)
    if "cache-control" not in response.headers:
        response.headers["Cache-Control"] = (
            "no-store"  # results hold names; a shared browser must not keep them
        )
    return response


async def _bad_cursor(request: Request, error: Exception) -> Response:
    return await _problem(request, HTTPException(400, str(error)))


async def _problem(request: Request, error: Exception) -> Response:
    """Tell a person in a page and a program in JSON."""
    if not isinstance(error, AnyHTTPException):
        raise error
    if not _is_for_a_person(request):
        return await http_exception_handler(request, error)
    if error.status_code == status.HTTP_401_UNAUTHORIZED and request.method == "GET":
        return _to_login(request)
    title = _TITLES.get(error.status_code, "This does not work")
    return render(
        "problem.html",
        error.status_code,
        dict(error.headers or {}),
        title=title,
        detail=error.detail,
    )


def _is_for_a_person(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


def _to_login(request: Request) -> Response:
    """Lead to Airflow's login and from there back to where the request went."""
    root = request.scope.get("root_path", "").removesuffix(f"/{PAGES_PREFIX}")
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{root}{_LOGIN}?{urlencode({'next': back})}", status.HTTP_302_FOUND)


async def _wrong_address(request: Request, error: Exception) -> Response:
    """Name what is wrong in an address or a form, without the value."""
    if not isinstance(error, RequestValidationError):
        raise error
    if not _is_for_a_person(request):
        return await request_validation_exception_handler(request, error)
    wrong = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
    return await _problem(
        request, HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"{wrong}.")
    )


async def _no_database(request: Request, error: Exception) -> Response:
    """Say what is wrong with the import's database; Airflow's own may be well."""
    headers = {"Retry-After": str(_COME_BACK_S)}
    return await _problem(request, HTTPException(503, str(error), headers=headers))
