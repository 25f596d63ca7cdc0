"""Who may see what: Airflow's own users and permissions decide, and no answer means no.

The DAGs are named here, never taken from a request: a query string chooses among what the user may
read.
"""

# ruff: noqa: TC002 - FastAPI reads the annotations at run time
from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, HTTPException, status

from customer_import.vocabulary import ImportType


def readable_types(user: GetUserDep) -> tuple[ImportType, ...]:
    """Return the import types whose DAG the user may read.

    Raises:
        HTTPException: 403, there is none.
    """
    dag_ids = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    readable = tuple(kind for kind in ImportType if kind.dag_id in dag_ids)
    if not readable:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "You may not read any of the import DAGs.")
    return readable


def startable_types(user: GetUserDep) -> tuple[ImportType, ...]:
    """Return the import types whose DAG the user may start; only to show buttons, Airflow's API decides again."""
    manager = get_auth_manager()
    return tuple(
        kind
        for kind in ImportType
        if manager.is_authorized_dag(
            method="POST",
            access_entity=DagAccessEntity.RUN,
            details=DagDetails(id=kind.dag_id),
            user=user,
        )
    )


ReadableTypes = Annotated[tuple[ImportType, ...], Depends(readable_types)]
StartableTypes = Annotated[tuple[ImportType, ...], Depends(startable_types)]
