"""Who may see what: Airflow's own users and permissions decide, and no answer means no.

The DAGs are named here, never taken from a request: a query string chooses among what the user may
read.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, status

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
    """Return the import types whose DAG the user may start; only to show buttons, Airflow's API decides again."""
    return tuple(kind for kind in ImportType if may_start(user, kind.dag_id))


ReadableTypes = Annotated[tuple[ImportType, ...], Depends(readable_types)]
StartableTypes = Annotated[tuple[ImportType, ...], Depends(startable_types)]
