"""Airflow as tests watch it: its runs' attempts by the REST API, and settings by which it notices deaths soon."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from sandbox.demo.airflow_api import TIMEOUT_S, AirflowApi

SOON = {
    # How soon Airflow notices deaths. By default: 300 s without a task's heartbeat, 30 s without a
    # scheduler's, then up to 300 s until the next look.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "3",
}


@dataclass(frozen=True)
class Attempt:
    """The current attempt of a task instance.

    Attributes:
        task_id: The task.
        map_index: Which of a mapped task's instances; -1 for other tasks.
        number: From 1.
        state: Airflow's.
        pid: Of the process that runs the task's code; 0 before the first one.
    """

    task_id: str
    map_index: int
    number: int
    state: str | None
    pid: int

    @property
    def is_running(self) -> bool:
        return self.state == "running" and self.pid > 0

    @property
    def instance(self) -> tuple[str, int]:
        return self.task_id, self.map_index


class WatchingApi(AirflowApi):
    def attempts(self, dag_id: str, run_id: str) -> list[Attempt]:
        """Return the current attempt of every task instance of a run."""
        return [
            Attempt(
                one["task_id"], one["map_index"], one["try_number"], one["state"], one["pid"] or 0
            )
            for one in self.tasks(dag_id, run_id)
        ]

    def tasks(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return every task instance of a run as the REST API gives it."""
        found: list[dict[str, Any]] = self._get(f"dags/{dag_id}/dagRuns/{run_id}/taskInstances")[
            "task_instances"
        ]
        return found

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG, oldest first; none of a DAG that is not there."""
        if not self.has_dag(dag_id):
            return []
        found: list[dict[str, Any]] = self._get(f"dags/{dag_id}/dagRuns?order_by=id")["dag_runs"]
        return found

    def assets(self, name: str) -> list[dict[str, Any]]:
        """Return the assets of a name."""
        found: list[dict[str, Any]] = self._get(f"assets?name_pattern={name}")["assets"]
        return found

    def create_asset_event(self, asset_id: int, extra: dict[str, Any]) -> None:
        """Say that an asset has changed."""
        self.post("assets/events", {"asset_id": asset_id, "extra": extra})

    def asset_events(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """Return the asset events of a run."""
        asked = {"source_dag_id": dag_id, "source_run_id": run_id}
        found: list[dict[str, Any]] = self._get(f"assets/events?{urlencode(asked)}")["asset_events"]
        return found

    def log(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
        """Return the log of a task's first attempt, as JSON."""
        task = f"dags/{dag_id}/dagRuns/{quote(run_id)}/taskInstances/{task_id}"
        found = self._get(f"{task}/logs/1?map_index={map_index}&full_content=true")
        return orjson.dumps(found).decode()

    def tries(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> list[dict[str, Any]]:
        """Return every attempt of a mapped task's instance, the current one too."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/{map_index}/tries"
        found: list[dict[str, Any]] = self._get(path)["task_instances"]
        return found

    def mark_failed(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> None:
        """Mark a mapped task's instance failed, as a person does in the UI."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/{map_index}"
        answer = self.http.patch(
            f"{self.url}/api/v2/{path}", json={"new_state": "failed"}, timeout=TIMEOUT_S
        )
        answer.raise_for_status()

    def clear(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> None:
        """Clear a mapped task's instance and what comes after it, as a person does in the UI."""
        body = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [[task_id, map_index]],
            "only_failed": False,
            "include_downstream": True,
            "reset_dag_runs": True,
        }
        answer = self.http.post(
            f"{self.url}/api/v2/dags/{dag_id}/clearTaskInstances", json=body, timeout=TIMEOUT_S
        )
        answer.raise_for_status()
