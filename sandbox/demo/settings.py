"""What the demo's Airflow needs to know: instances, connections, variables, environment.

Shared with the end-to-end tests, so that they run what a newcomer runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import yaml
from yarl import URL

if TYPE_CHECKING:
    from sandbox.info import OrganisationInfo, SandboxInfo

ROOT = Path(__file__).resolve().parents[2]
DAG_INSTANCES = {
    "import_direct_customers": "sandbox",
    "import_indirect_customers": "sandbox",
    "import_tenant_reseller_customers": "sandbox_reseller",
}
QUIET_LOGGERS = "airflow.dag_processing=WARNING, task=WARNING"
"""Airflow's own lines in a task log; people read these logs as import results."""
# Names of the sandbox's own: an Airflow with connections to the real services keeps them.
PARTNER_CENTER_CONNECTION = "sandbox_partner_center"
BSS_CONNECTION = "sandbox_bss"
BSS_RESELLER_CONNECTION = "sandbox_bss_reseller"
REFRESH_TOKEN_VARIABLE = "sandbox_partner_center_refresh_token"  # noqa: S105 - a name, not a secret


def write_instances(info: SandboxInfo, path: Path) -> None:
    """Write an instances file for a sandbox: the partner's own instance and its tenant reseller's."""
    partner_center = {"conn_id": PARTNER_CENTER_CONNECTION, "requests_per_minute": 60_000}
    bss = {
        "ordering_options": "standard",
        "accepts_responsible_user": True,
        "accepts_permission_rule": True,
        "settle_delay_s": 0.5,
    }
    instances = {
        "sandbox": {
            "title": "Sandbox",
            "import_types": ["direct", "indirect"],
            "partner_center": partner_center,
            "bss": {"conn_id": BSS_CONNECTION, **bss},
        },
        "sandbox_reseller": {
            "title": "Sandbox, tenant reseller",
            "import_types": ["tenant_reseller"],
            "reseller_mpn_id": info.tenant_reseller_mpn_id,
            "partner_center": partner_center,
            "bss": {"conn_id": BSS_RESELLER_CONNECTION, **bss},
        },
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        yaml.safe_dump({"version": 1, "instances": instances}, sort_keys=False), encoding="utf-8"
    )


def connections(info: SandboxInfo) -> list[dict[str, Any]]:
    """Return the Airflow connections of a sandbox, as the REST API takes them."""
    partner_center = _connection(
        PARTNER_CENTER_CONNECTION,
        "partner_center",
        info.partner_center_url,
        login=info.client_id,
        password=info.client_secret,
        extra={
            "tenant_id": info.partner_tenant_id,
            "authority": info.entra_url,
            "flow": "app_user",
            "refresh_token_variable": REFRESH_TOKEN_VARIABLE,
            "ca_file": info.ca_file,
        },
    )
    return [
        partner_center,
        _bss_connection(BSS_CONNECTION, info.bss_url, info.provider),
        _bss_connection(BSS_RESELLER_CONNECTION, info.bss_url, info.tenant_reseller),
    ]


def variables(info: SandboxInfo) -> dict[str, str]:
    """Return the Airflow variables of a sandbox; their names make Airflow mask them."""
    return {REFRESH_TOKEN_VARIABLE: info.refresh_token}


def airflow_environment(
    home: Path, instances: Path, port: int, log_ports: tuple[int, int] = (8793, 8794)
) -> dict[str, str]:
    """Return the environment of an Airflow that runs this project's DAGs from one folder.

    Args:
        home: Its AIRFLOW_HOME.
        instances: The instances file.
        port: Of the API server.
        log_ports: Of the servers of task logs and trigger logs.
    """
    url = f"http://localhost:{port}"
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")
    }
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return inherited | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        # The package is installed and registers itself; there is nothing to copy.
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": QUIET_LOGGERS,
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[0]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[1]),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "30",
        "CUSTOMER_IMPORT_INSTANCES": str(instances),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }


def _connection(
    name: str, conn_type: str, url: str, *, login: str, password: str, extra: dict[str, object]
) -> dict[str, Any]:
    """Return a connection; the sandbox speaks plain http, also to the containers beside it."""
    address = URL(url)
    return {
        "connection_id": name,
        "conn_type": conn_type,
        "schema": address.scheme,
        "host": address.host,
        "port": address.port,
        "login": login,
        "password": password,
        "extra": orjson.dumps({**extra, "allow_plain_http": True}).decode(),
    }


def _bss_connection(name: str, url: str, organisation: OrganisationInfo) -> dict[str, Any]:
    return _connection(
        name,
        "interworks_bss",
        url,
        login=organisation.username,
        password=organisation.password,
        extra={
            "client_key": organisation.client_key,
            "client_secret": organisation.client_secret,
        },
    )
