"""The one door to what Airflow does not promise to keep: users and their rights, and its rows of DAG runs.

``tests/web/test_airflow_internals.py`` says what broke after an upgrade, and what other modules may import.

Why: docs/decisions/0010-private-interfaces.md.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, get_user
from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import exists, select

from customer_import.vocabulary import TaskId
from customer_import.web.models import ShownState

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from airflow.api_fastapi.auth.managers.base_auth_manager import ResourceMethod
    from sqlalchemy import ColumnElement

__all__ = [
    "DagRunFact",
    "GetUserDep",
    "active_dag_runs",
    "failed_to_start",
    "find_dag_run",
    "get_user",
    "is_paused",
    "paused_dag_ids",
    "readable_dag_ids",
    "record_access",
    "startable_dag_ids",
]

_MOST_ACTIVE = 100


def readable_dag_ids(user: GetUserDep, is_wanted: Callable[[str], object]) -> set[str]:
    """Return the wanted DAGs whose runs a user may read.

    The right to read a DAG is another than that to read its runs: the first shows what it does, the second what came
    of it.
    """
    return {dag_id for dag_id in _visible(user, is_wanted) if _may("GET", user, dag_id)}


def startable_dag_ids(user: GetUserDep, is_wanted: Callable[[str], object]) -> set[str]:
    """Return the wanted DAGs of which a user may start runs; Airflow's own API decides again when it is done."""
    return {dag_id for dag_id in _visible(user, is_wanted) if _may("POST", user, dag_id)}


def _visible(user: GetUserDep, is_wanted: Callable[[str], object]) -> set[str]:
    visible = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    return {dag_id for dag_id in visible if is_wanted(dag_id)}


def record_access(
    user: GetUserDep, event: str, dag_id: str, run_id: str | None, details: Mapping[str, str]
) -> None:
    """Write into Airflow's audit log what a user did.

    Airflow's own ``action_logging`` would write the whole query string, and names that were searched for with it.

    Args:
        user: Who.
        event: What, in at most 60 characters.
        dag_id: Who may read runs of this DAG may read the entry.
        run_id: The DAG run, if it is about one.
        details: What else says what it is about.
    """
    name = user.get_name()
    entry = Log(
        event=event,
        owner=name,
        owner_display_name=name,
        extra=json.dumps(dict(details)),
        dag_id=dag_id,
        run_id=run_id,
    )
    with create_session() as session:
        session.add(entry)


def _may(method: ResourceMethod, user: GetUserDep, dag_id: str) -> bool:
    return get_auth_manager().is_authorized_dag(
        method=method,
        access_entity=DagAccessEntity.RUN,
        details=DagDetails(id=dag_id, team_name=DagModel.get_team_name(dag_id)),
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
    run_after: datetime | None = None  # when it was due; of one started by hand, when that was


def find_dag_run(dag_id: str, run_id: str) -> DagRunFact | None:
    """Return one DAG run, or ``None`` when Airflow does not have it."""
    return next(iter(_read(DagRun.dag_id == dag_id, DagRun.run_id == run_id)), None)


def active_dag_runs(dag_ids: Collection[str]) -> list[DagRunFact]:
    """Return the runs of some DAGs that wait or work, oldest first; at most a hundred."""
    return _read(DagRun.dag_id.in_(dag_ids), DagRun.state.in_(["queued", "running"]))


def failed_to_start(dag_ids: Collection[str], most: int) -> list[DagRunFact]:
    """Return the newest failed runs of some DAGs whose first task did not succeed, newest first."""
    has_begun = exists().where(
        TaskInstance.dag_id == DagRun.dag_id,
        TaskInstance.run_id == DagRun.run_id,
        TaskInstance.task_id == TaskId.START_RUN.value,
        TaskInstance.state == "success",
    )
    return _read(
        DagRun.dag_id.in_(dag_ids), DagRun.state == "failed", ~has_begun, newest_first=most
    )


def is_paused(dag_id: str) -> bool:
    """Whether a new run of the DAG would wait until somebody unpauses it."""
    with create_session() as session:
        return bool(session.scalar(select(DagModel.is_paused).where(DagModel.dag_id == dag_id)))


def paused_dag_ids(dag_ids: Collection[str]) -> set[str]:
    """Return which of some DAGs are paused."""
    statement = select(DagModel.dag_id).where(
        DagModel.dag_id.in_(dag_ids), DagModel.is_paused.is_(True)
    )
    with create_session() as session:
        return set(session.scalars(statement))


def _read(*conditions: ColumnElement[bool], newest_first: int | None = None) -> list[DagRunFact]:
    statement = (
        select(
            DagRun.dag_id,
            DagRun.run_id,
            DagRun.state,
            DagRun.conf,
            DagRun.triggering_user_name,
            DagRun.queued_at,
            DagRun.run_after,
        )
        .where(*conditions)
        .order_by(DagRun.id.desc() if newest_first else DagRun.id)
        .limit(newest_first or _MOST_ACTIVE)
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
                run_after,
            )
            for dag_id, run_id, state, conf, user, queued_at, run_after in session.execute(
                statement
            )
        ]
