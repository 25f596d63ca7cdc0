"""Our compose file with its sandbox: what ``.env`` says in tests, and which of Airflow's times are shortened."""

from __future__ import annotations

import base64
import os
import secrets
from functools import partial
from typing import TYPE_CHECKING

from requests.adapters import HTTPAdapter

from sandbox.demo.settings import DAG_INSTANCES, ROOT
from sandbox.info import SandboxInfo
from tests.distributed.compose_file import Service, read_compose
from tests.distributed.control import SandboxControl
from tests.distributed.host import take_ports
from tests.distributed.places import LOOPBACK
from tests.distributed.stack import UP_TIMEOUT_S, Stack
from tests.support.airflow_api import SOON, WatchingApi

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Engine

API_SERVER, WORKER = "airflow-apiserver", "airflow-worker"
SANDBOX = frozenset({"sandbox", "sandbox-connections"})
_PASSWORDS = {
    name: secrets.token_hex(16)
    for name in (
        "POSTGRES_PASSWORD",
        "CUSTOMER_IMPORT_DB_PASSWORD",
        "REDIS_PASSWORD",
        "AIRFLOW_ADMIN_PASSWORD",
        "FLOWER_PASSWORD",
        "AIRFLOW_SECRET_KEY",
        "AIRFLOW_JWT_SECRET",
    )
}
_SHORTENED = SOON | {
    # A task that a dead worker had taken and not begun: after 600 s by default.
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "60",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "5",
    # One machine has it all.
    "AIRFLOW__API__WORKERS": "1",
}


def read_deployment(
    ports: Mapping[tuple[str, int], int], settings: Mapping[str, str] | None = None
) -> dict[str, Service]:
    """Read our compose file with its sandbox.

    Args:
        ports: As ``take_ports`` gives them.
        settings: Further variables of ``.env``.
    """
    fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    address = f"http://{LOOPBACK}:{ports[API_SERVER, 8080]}"
    env_file = {
        **_PASSWORDS,
        "AIRFLOW_FERNET_KEY": fernet_key,
        "AIRFLOW_BASE_URL": address,
        "AIRFLOW_UID": str(os.getuid()),
        "CUSTOMER_IMPORT_INSTANCES": "/opt/sandbox/instances.yaml",
        **(settings or {}),
    }
    return read_compose(ROOT / "docker-compose.yaml", env_file, profiles=["sandbox"])


class Deployment:
    """The stack with what talks to it from outside.

    Args:
        folder: For what it writes.
        workers: How many Airflow workers.
        settings: Variables of ``.env``.
    """

    def __init__(self, folder: Path, workers: int, settings: Mapping[str, str]) -> None:
        ports = take_ports()
        services = read_deployment(ports, settings)
        self.stack = Stack(folder, services, ports, {WORKER: workers}, extra=_shortened)
        address = f"http://{LOOPBACK}:{ports[API_SERVER, 8080]}"
        self.api = WatchingApi(address, "admin", _PASSWORDS["AIRFLOW_ADMIN_PASSWORD"])
        self.volume = folder / "volumes/sandbox-info"

    def begin(self) -> SandboxControl:
        """Start everything, wait until the DAGs are there, and let them run; return the sandbox's control."""
        self.stack.up()
        self.api.log_in()
        # A call that tries again while the API server is away would keep the stack from going on.
        self.api.http.mount(self.api.url, HTTPAdapter())
        for dag_id in DAG_INSTANCES:
            is_there = partial(self.api.has_dag, dag_id)
            self.stack.wait(f"{dag_id} was not parsed", is_there, UP_TIMEOUT_S)
            self.api.unpause(dag_id)
        return SandboxControl(SandboxInfo.read(self.volume / "info.json"))

    def engine(self) -> Engine:
        """Open the import's database."""
        from customer_import.database.engine import open_engine

        url = self.stack.one("airflow-scheduler").launch.environment[
            "AIRFLOW_CONN_CUSTOMER_IMPORT_DB"
        ]
        return open_engine(url.replace("postgres://", "postgresql+psycopg2://", 1))


def _shortened(service: Service) -> Mapping[str, str]:
    return _SHORTENED if "AIRFLOW__CORE__EXECUTOR" in service.environment else {}
