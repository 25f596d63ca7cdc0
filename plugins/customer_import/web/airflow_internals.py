"""The one door to what Airflow does not promise to keep: users and their rights, and its rows of DAG runs.

``tests/web/test_airflow_internals.py`` says what broke after an upgrade, and what other modules may import.

Why: docs/decisions/0010-private-interfaces.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from sqlalchemy import select

from customer_import.web.models import ShownState

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import ColumnElement

__all__ = [
    "DagRunFact",
    "GetUserDep",
    "active_dag_runs",
    "find_dag_run",
    "get_user",
    "is_paused",
    "may_start",
    "readable_dag_ids",
]

_MOST_ACTIVE = 100


def readable_dag_ids(user: GetUserDep) -> set[str]:
    """Return the DAGs that a user may read."""
    return get_auth_manager().get_authorized_dag_ids(user=user, method="GET")


def may_start(user: GetUserDep, dag_id: str) -> bool:
    """Whether a user may start runs of a DAG; Airflow's own API decides again when it is done."""
    return get_auth_manager().is_authorized_dag(
        method="POST",
        access_entity=DagAccessEntity.RUN,
        details=DagDetails(id=dag_id),
        user=user,
    )


@dataclass(frozen=True)
class DagRunFact:
    """One DAG run as Airflow has it."""

    dag_id: str
    run_id: str
    state: ShownState
    conf: Mapping[str, Any]  # as the user gave it
    started_by: str | None
    queued_at: datetime | None


def find_dag_run(dag_id: str, run_id: str) -> DagRunFact | None:
    """Return one DAG run, or ``None`` when Airflow does not have it."""
    return next(iter(_read(DagRun.dag_id == dag_id, DagRun.run_id == run_id)), None)


def active_dag_runs(dag_id: str) -> list[DagRunFact]:
    """Return the DAG's runs that wait or work, oldest first; at most a hundred."""
    return _read(DagRun.dag_id == dag_id, DagRun.state.in_(["queued", "running"]))


def is_paused(dag_id: str) -> bool:
    """Whether a new run of the DAG would wait until somebody unpauses it."""
    with create_session() as session:
        return bool(session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == dag_id)))


def _read(*conditions: ColumnElement[bool]) -> list[DagRunFact]:
    statement = (
        select(
            DagRun.dag_id,
            DagRun.run_id,
            DagRun.state,
            DagRun.conf,
            DagRun.triggering_user_name,
            DagRun.queued_at,
        )
        .where(*conditions)
        .order_by(DagRun.id)
        .limit(_MOST_ACTIVE)
    )
    with create_session() as session:
        return [
            DagRunFact(
                dag_id,
                run_id,
                ShownState(state),
                conf if isinstance(conf, dict) else {},
                user,
                queued_at,
            )
            for dag_id, run_id, state, conf, user, queued_at in session.execute(statement)
        ]
