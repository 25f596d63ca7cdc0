"""Who may see what: Airflow's own users and permissions decide, and no answer means no.

The DAGs are named here, never taken from a request: a query string chooses among what the user may
read.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request, status

from customer_import.vocabulary import dag_of
from customer_import.web.airflow_internals import (
    GetUserDep,
    readable_dag_ids,
    startable_dag_ids,
)
from customer_import.web.rights import Rights


def readable(user: GetUserDep) -> Rights:
    """Return of which imports the user may read DAG and DAG runs.

    Raises:
        HTTPException: 403, of none.
    """
    rights = Rights.to_dags(readable_dag_ids(user, dag_of))
    if not rights.types:
        raise HTTPException(
            status.HTTP_403_FORBIDDEN, "You may not read the runs of any of the import DAGs."
        )
    return rights


def startable(user: GetUserDep) -> Rights:
    """Return of which imports the user may start runs."""
    return Rights.to_dags(startable_dag_ids(user, dag_of))


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


Readable = Annotated[Rights, Depends(readable)]
Startable = Annotated[Rights, Depends(startable)]
