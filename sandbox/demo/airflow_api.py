"""A small client of Airflow's own REST API: what the demo asks of it, nothing more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

if TYPE_CHECKING:
    from collections.abc import Iterable

TIMEOUT_S = 60.0
READ_RETRIES = 4
_NOT_FOUND, _BROKEN = 404, 500
_CONFLICT = 409


class AirflowApi:
    """Talks to one Airflow as one user.

    Args:
        url: Base URL of the API server.
        username: Of the simple auth manager.
        password: The user's password.
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        self.url = url
        self.username, self.password = username, password
        self.http = requests.Session()
        self.http.trust_env = False  # it is on this machine; a proxy would not find it

    def is_ready(self) -> bool:
        """Whether every component that runs DAGs reports to be healthy."""
        try:
            health = self.http.get(f"{self.url}/api/v2/monitor/health", timeout=5).json()
        except (requests.RequestException, ValueError):
            return False
        parts = ("metadatabase", "scheduler", "dag_processor")
        return all((health.get(part) or {}).get("status") == "healthy" for part in parts)

    def log_in(self) -> None:
        """Get a token for the following calls."""
        answer = self.http.post(
            f"{self.url}/auth/token",
            json={"username": self.username, "password": self.password},
            timeout=TIMEOUT_S,
        )
        answer.raise_for_status()
        self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        # Airflow is up, so on a busy machine an answer may be late, or its SQLite locked: neither must end the demo.
        retries = Retry(
            READ_RETRIES,
            backoff_factor=1,
            allowed_methods=["GET", "PATCH"],
            status_forcelist=[_BROKEN],
            raise_on_status=False,
        )
        self.http.mount(self.url, HTTPAdapter(max_retries=retries))

    def hosts(self, connection_ids: Iterable[str]) -> dict[str, str | None]:
        """Return the host of each of these connections that Airflow has."""
        found = {}
        for name in connection_ids:
            answer = self.http.get(f"{self.url}/api/v2/connections/{name}", timeout=TIMEOUT_S)
            if answer.status_code != _NOT_FOUND:
                answer.raise_for_status()
                found[name] = answer.json()["host"]
        return found

    def put_connection(self, connection: dict[str, Any]) -> None:
        """Create a connection, or bring it up to date."""
        self._put("connections", connection, "connection_id")

    def put_variable(self, key: str, value: str) -> None:
        """Create a variable, or bring it up to date."""
        self._put("variables", {"key": key, "value": value}, "key")

    def has_dag(self, dag_id: str) -> bool:
        """Whether the DAG was parsed."""
        answer = self.http.get(f"{self.url}/api/v2/dags/{dag_id}", timeout=TIMEOUT_S)
        if answer.status_code == _NOT_FOUND:
            return False
        answer.raise_for_status()
        return True

    def import_errors(self) -> list[str]:
        """Return what is wrong with DAG files that could not be parsed."""
        return [error["stack_trace"] for error in self._get("importErrors")["import_errors"]]

    def unpause(self, dag_id: str) -> None:
        """Let the DAG's runs start."""
        answer = self.http.patch(
            f"{self.url}/api/v2/dags/{dag_id}", json={"is_paused": False}, timeout=TIMEOUT_S
        )
        answer.raise_for_status()

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run with these params and return its run id."""
        answer = self.post(f"dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
        run_id: str = answer["dag_run_id"]
        return run_id

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make something; when Airflow broke off, which undoes what it had begun, it is made again after a pause."""
        for pause_s in (1, 2, 4, 0):
            answer = self.http.post(f"{self.url}/api/v2/{path}", json=body, timeout=TIMEOUT_S)
            if answer.status_code != _BROKEN:
                break
            time.sleep(pause_s)
        answer.raise_for_status()
        made: dict[str, Any] = answer.json()
        return made

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a run as the REST API gives it."""
        found: dict[str, Any] = self._get(f"dags/{dag_id}/dagRuns/{run_id}")
        return found

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return ``queued``, ``running``, ``success`` or ``failed``."""
        state: str = self.run(dag_id, run_id)["state"]
        return state

    def task_states(self, dag_id: str, run_id: str) -> list[tuple[str, str | None]]:
        """Return (task id, state) of every task instance of a run."""
        instances = self._get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")["task_instances"]
        return [(instance["task_id"], instance["state"]) for instance in instances]

    def xcom(self, dag_id: str, run_id: str, task_id: str) -> Any:  # noqa: ANN401 - JSON of any shape
        """Return what a task returned; ``None`` when it returned nothing."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value?deserialize=true"
        answer = self.http.get(f"{self.url}/api/v2/{path}", timeout=TIMEOUT_S)
        if answer.status_code == _NOT_FOUND:
            return None
        answer.raise_for_status()
        return answer.json()["value"]

    def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON of any shape
        answer = self.http.get(f"{self.url}/api/v2/{path}", timeout=TIMEOUT_S)
        answer.raise_for_status()
        return answer.json()

    def _put(self, kind: str, body: dict[str, Any], key: str) -> None:
        for _ in range(READ_RETRIES):
            answer = self.http.patch(
                f"{self.url}/api/v2/{kind}/{body[key]}", json=body, timeout=TIMEOUT_S
            )
            if answer.status_code == _NOT_FOUND:
                answer = self.http.post(f"{self.url}/api/v2/{kind}", json=body, timeout=TIMEOUT_S)
            if answer.status_code != _BROKEN:
                break
            time.sleep(1)  # as above; what was created all the same is changed the next time
        answer.raise_for_status()
