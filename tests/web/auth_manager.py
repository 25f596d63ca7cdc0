"""The simple auth manager with users who may read some DAGs only; Airflow's own gives every viewer all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

READABLE = {
    "direct_reader": {"import_direct_customers"},
    "south_staff": {"import_direct_customers__south"},
    "stranger": {"another_dag"},
}
READS_NO_RUNS = "dag_reader"
"""May read every DAG, and the runs of none, as a role of the FAB auth manager can."""


class RestrictedAuthManager(SimpleAuthManager):
    def is_authorized_dag(
        self,
        *,
        method: Any,
        user: SimpleAuthManagerUser,
        access_entity: Any = None,
        details: Any = None,
    ) -> bool:
        if user.username == READS_NO_RUNS and access_entity is not None:
            return False
        allowed = READABLE.get(user.username)
        if allowed is not None and (details is None or details.id not in allowed):
            return False
        return super().is_authorized_dag(
            method=method, user=user, access_entity=access_entity, details=details
        )
