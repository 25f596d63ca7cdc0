"""Real Airflow with the real DAG files, against one sandbox."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.config import SandboxConfig
from sandbox.server import SandboxServer
from tests.support.library_run import sandbox_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.sdk import DAG

DAGS = Path(__file__).resolve().parents[2] / "dags"


@pytest.fixture
def sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, airflow_database: None
) -> Iterator[SandboxServer]:
    from airflow.models import Variable

    with SandboxServer(SandboxConfig(customers=240)) as server:
        for name, value in sandbox_environment(server.info, tmp_path).items():
            # Variables live in Airflow's database: a run writes the rotated refresh token back there.
            if name.startswith("AIRFLOW_VAR_"):
                Variable.set(name.removeprefix("AIRFLOW_VAR_").lower(), value)
            else:
                monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The import's database by its Airflow connection."""
    from sqlalchemy import make_url

    url = make_url(request.getfixturevalue(f"{request.param}_database_url"))
    if request.param == "sqlite":
        connection: dict[str, Any] = {"conn_type": "sqlite", "host": url.database}
    else:
        connection = {
            "conn_type": "postgres",
            "login": url.username,
            "schema": url.database,
            "extra": dict(url.query),
        }
    import orjson

    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", orjson.dumps(connection).decode())
    return str(request.param)


@pytest.fixture
def load_dag(sandbox: SandboxServer) -> Callable[[str], DAG]:
    """Parse a DAG file as the DAG processor does; retries do not wait."""
    from airflow.dag_processing.dagbag import DagBag

    def load(dag_id: str) -> DAG:
        bag = DagBag(str(DAGS), bundle_path=DAGS, bundle_name="dags-folder")
        assert bag.import_errors == {}
        dag = bag.dags[dag_id]
        for task in dag.tasks:
            if not task.is_mapped:
                task.retry_delay = timedelta(0)
        return dag

    return load


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    os.environ["NO_PROXY"] = "*"
