"""A real Airflow API server in the test's process, with the plugin, three kinds of users and the import's database."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml
from sqlalchemy import make_url

from customer_import.config.paths import INSTANCES_VARIABLE
from customer_import.database.engine import open_engine
from customer_import.vocabulary import ImportType, dag_id_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

PREFIX = "/customer-import"
INSTANCES = {
    "sandbox": {
        "title": "Sandbox",
        "import_types": ["direct", "indirect"],
        "bss": {
            "account_url": "https://bss.example.com/accounts/{account_id}",
            "contact_url": "https://bss.example.com/accounts/{account_id}/contacts/{contact_id}",
        },
    },
    "sandbox_reseller": {
        "title": "Reseller",
        "import_types": ["tenant_reseller"],
        "reseller_mpn_id": "1234567",
    },
}


OWN_DAGS = tuple(dag_id_of(ImportType.DIRECT, name) for name in ("north", "south"))
"""DAGs of two instances with schedules."""


@pytest.fixture(scope="session")
def airflow_app(airflow_database: None) -> Iterator[FastAPI]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", "tests.web.auth_manager.RestrictedAuthManager")
        patch.setenv(
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS",
            "admin:admin,viewer:viewer,direct_reader:viewer,stranger:viewer,dag_reader:viewer,"
            "south_staff:user",
        )
        from airflow.api_fastapi.app import create_app, purge_cached_app

        _register_dags()
        purge_cached_app()
        yield create_app(apps="core")
        purge_cached_app()


def _register_dags() -> None:
    from airflow.models.dag import DagModel
    from airflow.models.dagbundle import DagBundleModel
    from airflow.utils.session import create_session

    with create_session() as session:
        session.merge(DagBundleModel(name="dags-folder"))
        session.flush()
        for dag_id in (*(kind.dag_id for kind in ImportType), "another_dag", *OWN_DAGS):
            session.merge(
                DagModel(dag_id=dag_id, bundle_name="dags-folder", fileloc="", is_paused=False)
            )


@pytest.fixture
def database_url(tmp_path: Path, airflow_app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of this test's database, which does not exist yet."""
    path = tmp_path / "customer_import.db"
    connection = json.dumps({"conn_type": "sqlite", "host": str(path)})
    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", connection)
    instances = tmp_path / "instances.yaml"
    instances.write_text(yaml.safe_dump({"version": 1, "instances": INSTANCES}), encoding="utf-8")
    monkeypatch.setenv(INSTANCES_VARIABLE, str(instances))
    return f"sqlite:///{path}"


@pytest.fixture
def database(database_url: str, migrated_sqlite: Path) -> Iterator[Engine]:
    """The migrated database that the pages read."""
    shutil.copy2(migrated_sqlite, make_url(database_url).database or "")
    engine = open_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def log_in(airflow_app: FastAPI, database_url: str) -> Callable[[str], TestClient]:
    """Log a user in, by cookie as a browser does."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    def log_in(username: str) -> TestClient:
        role = {"admin": "admin", "south_staff": "user"}.get(username, "viewer")
        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=username, role=role))
        client = TestClient(airflow_app, raise_server_exceptions=False)
        client.cookies.set("_token", token)
        return client

    return log_in


@pytest.fixture
def admin(log_in: Callable[[str], TestClient]) -> TestClient:
    return log_in("admin")


@pytest.fixture
def stranger_to_airflow(airflow_app: FastAPI, database_url: str) -> TestClient:
    """Somebody who has not logged in."""
    from fastapi.testclient import TestClient

    return TestClient(airflow_app, raise_server_exceptions=False)


@pytest.fixture
def add_dag_run(airflow_app: FastAPI) -> Iterator[Callable[..., None]]:
    """Put a DAG run into Airflow's metadata database; it is gone after the test."""
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunType
    from sqlalchemy import delete

    from tests.web.data import START

    def add(dag_id: str, run_id: str, state: str, conf: dict[str, object] | None = None) -> None:
        with create_session() as session:
            session.add(
                DagRun(
                    dag_id=dag_id,
                    run_id=run_id,
                    run_type=DagRunType.MANUAL,
                    run_after=START,
                    state=DagRunState(state),
                    conf=conf or {},
                    triggering_user_name="ada",
                )
            )

    yield add
    with create_session() as session:
        session.execute(delete(DagRun))
