"""The simple auth manager with users who may read some DAGs only; Airflow's own gives every viewer all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

READABLE = {
    "direct_reader": {"import_direct_customers"},
    "stranger": {"another_dag"},
}


class RestrictedAuthManager(SimpleAuthManager):
    def is_authorized_dag(
        self, *, method: Any, user: SimpleAuthManagerUser, details: Any = None, **kwargs: Any
    ) -> bool:
        allowed = READABLE.get(user.username)
        if allowed is not None and (details is None or details.id not in allowed):
            return False
        return super().is_authorized_dag(method=method, user=user, details=details, **kwargs)
