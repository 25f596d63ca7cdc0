"""A sandbox, a database and runs for the tests of the source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine, insert

from customer_import.config.instances import InstanceConfig
from customer_import.config.mapping import load_mappings
from customer_import.database.tables import import_runs
from customer_import.partner_center.hook import PartnerCenterHook
from customer_import.runs.parameters import RunParams
from customer_import.runs.run import Run
from customer_import.vocabulary import ImportType
from sandbox.config import SandboxConfig
from sandbox.server import SandboxServer

if TYPE_CHECKING:
    from sandbox.info import SandboxInfo

CONNECTION = "partner_center_test"
VARIABLE = "partner_center_refresh_token"
CUSTOMERS = 240
MakeRun = Callable[..., Run]


class Saved(list[str]):
    """Refresh tokens that a hook asked to keep."""


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(
        SandboxConfig(customers=CUSTOMERS, seed=7, keeps_request_log=True)
    ) as server:
        yield server


@pytest.fixture
def sandbox(shared_sandbox: SandboxServer) -> Iterator[SandboxServer]:
    """The sandbox, without faults and with an empty request log."""
    shared_sandbox.requests.clear()
    yield shared_sandbox
    shared_sandbox.faults.replace(())


@pytest.fixture
def engine(sqlite_engine: Engine) -> Engine:
    """SQLite only: what differs on PostgreSQL has a test of its own."""
    return sqlite_engine


@pytest.fixture
def saved() -> Saved:
    return Saved()


def connection_json(info: SandboxInfo, flow: str = "app_user", **changes: object) -> str:
    """An Airflow connection to a sandbox, as an environment variable holds it."""
    url = info.partner_center_url.removeprefix("http://")
    host, _, port = url.partition(":")
    extra = {
        "tenant_id": info.partner_tenant_id,
        "authority": info.entra_url,
        "flow": flow,
        "ca_file": info.ca_file,
    }
    if flow == "app_user":
        extra["refresh_token_variable"] = VARIABLE
    connection: dict[str, object] = {
        "conn_type": "partner_center",
        "host": host,
        "port": int(port),
        "schema": "http",
        "login": info.client_id,
        "password": info.client_secret,
        "extra": extra,
    }
    return json.dumps(connection | changes)


@pytest.fixture
def make_hook(
    sandbox: SandboxServer, saved: Saved, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., PartnerCenterHook]:
    """Makes hooks to the sandbox; ``changes`` replace parts of the connection."""

    def make(flow: str = "app_user", **changes: object) -> PartnerCenterHook:
        value = connection_json(sandbox.info, flow, **changes)
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONNECTION.upper()}", value)
        monkeypatch.setenv(f"AIRFLOW_VAR_{VARIABLE.upper()}", sandbox.info.refresh_token)
        return PartnerCenterHook(CONNECTION, save_refresh_token=saved.append)

    return make


@pytest.fixture
def make_run(sandbox: SandboxServer, engine: Engine) -> MakeRun:
    """Makes runs with their row; ``instance`` and ``params`` change the defaults."""
    mappings = load_mappings()

    def make(
        import_type: ImportType,
        instance: dict[str, object] | None = None,
        database: Engine = engine,
        **params: object,
    ) -> Run:
        own = {"reseller_mpn_id": sandbox.info.tenant_reseller_mpn_id}
        config = InstanceConfig.model_validate(
            {
                "title": "Test",
                "import_types": [import_type],
                "partner_center": {
                    "conn_id": CONNECTION,
                    "requests_per_minute": 100_000,
                    "concurrency": 16,
                    "page_size": 100,
                    "max_attempts": 3,
                },
                **(own if import_type is ImportType.TENANT_RESELLER else {}),
                **(instance or {}),
            }
        )
        parsed = RunParams.parse({"instance": "test", **params})
        now = datetime.now(UTC)
        with database.begin() as connection:
            key = connection.execute(
                insert(import_runs)
                .values(
                    dag_id=import_type.dag_id,
                    airflow_run_id=f"test-{now.isoformat()}",
                    import_type=import_type.value,
                    instance="test",
                    mode=parsed.mode.value,
                    state="running",
                    params=parsed.model_dump(mode="json"),
                    started_at=now,
                )
                .returning(import_runs.c.id)
            ).scalar_one()
        return Run(key, import_type.dag_id, "test", import_type, parsed, config, mappings, now)

    return make
