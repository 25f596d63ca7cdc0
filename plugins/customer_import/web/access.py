"""Who may see what: Airflow's own users and permissions decide, and no answer means no.

The DAGs are named here, never taken from a request: a query string chooses among what the user may
read.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request, status

from customer_import.vocabulary import ImportType
from customer_import.web.airflow_internals import GetUserDep, may_start, readable_dag_ids


def readable_types(user: GetUserDep) -> tuple[ImportType, ...]:
    """Return the import types whose DAG and DAG runs the user may read.

    Raises:
        HTTPException: 403, there is none.
    """
    dag_ids = readable_dag_ids(user, [kind.dag_id for kind in ImportType])
    readable = tuple(kind for kind in ImportType if kind.dag_id in dag_ids)
    if not readable:
        raise HTTPException(
            status.HTTP_403_FORBIDDEN, "You may not read the runs of any of the import DAGs."
        )
    return readable


def startable_types(user: GetUserDep) -> tuple[ImportType, ...]:
    """Return the import types whose DAG the user may start."""
    return tuple(kind for kind in ImportType if may_start(user, kind.dag_id))


def from_these_pages(request: Request) -> None:
    """Let nothing through that another site's page may have sent with the user's cookie.

    A page of another site can send no JSON without being asked first, and browsers say where a request comes from.
    Programs say nothing of that, and bring a token of their own.

    Raises:
        HTTPException: 403, it comes from elsewhere; 415, it is no JSON.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(status.HTTP_415_UNSUPPORTED_MEDIA_TYPE, "Send application/json.")
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        is_own = site in {"same-origin", "none"}
    else:  # not sent over plain HTTP
        own = {
            request.headers.get("host"),
            urlsplit(conf.get("api", "base_url", fallback="")).netloc,
        }
        is_own = origin is None or urlsplit(origin).netloc in own - {""}
    if not is_own:
        raise HTTPException(
            status.HTTP_403_FORBIDDEN,
            "This was sent from a page of another site; nothing was changed.",
        )


ReadableTypes = Annotated[tuple[ImportType, ...], Depends(readable_types)]
StartableTypes = Annotated[tuple[ImportType, ...], Depends(startable_types)]
