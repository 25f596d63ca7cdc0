"""Imports at work in the stack: started, watched, and compared in the end with undisturbed ones."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from sandbox import FaultKind, FaultRule, SandboxConfig, SandboxServer
from sandbox.demo.settings import DAG_INSTANCES
from tests.chaos.state import BssState, Differences, compare_bss, results_of
from tests.distributed.stack import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.distributed.control import SandboxControl
    from tests.distributed.deployment import Deployment
    from tests.distributed.reference import Reference

LOAD = "load_customers"
RUN_TIMEOUT_S = 1_800.0
_LOOK_EVERY_S = 5.0
_ENDED = frozenset({"success", "failed"})


@dataclass
class Scene:
    """What disturbances need, and what they come to.

    Attributes:
        runs: DAG id to run id.
        kills: Processes that were killed one by one or with their container.
        restarts: Of services, by the supervisor or by hand.
        restart_s: From the start of the stopped stack until the load went on.
    """

    deployment: Deployment
    control: SandboxControl
    reference: Reference
    runs: dict[str, str] = field(default_factory=dict)
    found: Differences = field(default_factory=Differences)
    kills: int = 0
    restarts: int = 0
    restart_s: float = 0.0
    started: float = field(default_factory=time.monotonic)

    def trigger(self, dag_ids: Iterable[str] = DAG_INSTANCES) -> None:
        for dag_id in dag_ids:
            conf = {"instance": DAG_INSTANCES[dag_id]}
            self.runs[dag_id] = self.deployment.api.trigger(dag_id, conf)

    def pace(self, delay_s: float) -> None:
        """Let every answer of the BSS wait; 0 ends it."""
        rule = FaultRule(endpoint="bss.*", kind=FaultKind.DELAY, delay_s=delay_s)
        self.control.set_faults(*([rule] if delay_s else []))

    def wait(
        self, what: str, is_true: Callable[[], bool], timeout_s: float = RUN_TIMEOUT_S
    ) -> float:
        """Wait while the stack goes on; the API server may be away for a while.

        Raises:
            StackError: It did not become true in time.
        """

        def is_so() -> bool:
            try:
                return is_true()
            except (requests.ConnectionError, requests.Timeout):
                return False
            except requests.HTTPError as error:
                if error.response.status_code >= 500:
                    return False
                raise

        return self.deployment.stack.wait(what, is_so, timeout_s)

    def wait_for_load(self, what: str, is_true: Callable[[], bool]) -> float:
        """Wait for something that the load does.

        Raises:
            StackError: It did not do it in time, or a run failed.
        """
        api = self.deployment.api
        next_look = time.monotonic() + _LOOK_EVERY_S

        def is_so() -> bool:
            nonlocal next_look
            if is_true():
                return True
            if time.monotonic() > next_look:
                next_look = time.monotonic() + _LOOK_EVERY_S
                for dag_id, run_id in self.runs.items():
                    if api.run_state(dag_id, run_id) == "failed":
                        message = f"{what}: {dag_id} failed"
                        raise StackError(message)
            return False

        return self.wait(what, is_so)

    def wait_for_share(self, share: float) -> None:
        """Wait until a share of the accounts that the imports create is there."""
        wanted = share * self.reference.accounts
        self.wait_for_load(
            f"{share:.0%} were not loaded", lambda: self.control.accounts() >= wanted
        )

    def loads(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the load tasks that are at work, with their DAG ids."""
        return [
            (dag_id, task)
            for dag_id, run_id in self.runs.items()
            for task in self.deployment.api.tasks(dag_id, run_id)
            if task["task_id"] == LOAD and task["state"] == "running" and task["pid"]
        ]

    def workers(self) -> set[str]:
        """Return the workers that any attempt of a load task was on."""
        api = self.deployment.api
        return {
            attempt["hostname"]
            for dag_id, run_id in self.runs.items()
            for task in api.tasks(dag_id, run_id)
            if task["task_id"] == LOAD
            for attempt in api.tries(dag_id, run_id, LOAD, task["map_index"])
            if attempt["hostname"]
        }

    def say(self, text: str) -> None:
        seconds = time.monotonic() - self.started
        print(f"{seconds:5.0f} s  {text}", flush=True)  # noqa: T201 - a command line

    def wait_for_end(self) -> None:
        """Wait until all runs have ended; one that fails is wrong."""
        api = self.deployment.api
        for dag_id, run_id in self.runs.items():
            self.wait(f"{dag_id} did not end", lambda: api.run_state(dag_id, run_id) in _ENDED)  # noqa: B023 - awaited here
            if api.run_state(dag_id, run_id) != "success":
                self.found.add("wrong", f"{dag_id} failed")
            self.say(f"{dag_id} has ended")

    def compare(self) -> None:
        """Compare the results with those of the undisturbed imports."""
        engine = self.deployment.engine()
        try:
            for dag_id, run_id in self.runs.items():
                actual = results_of(engine, run_id)
                for tenant, outcomes in self.reference.outcomes[dag_id].items():
                    if tenant not in actual:
                        self.found.add("lost", f"{tenant} has no result")
                    elif actual[tenant] not in outcomes:
                        text = f"{tenant} is {actual[tenant]}, not {' or '.join(outcomes)}"
                        self.found.add("wrong", text)
                for tenant in actual.keys() - self.reference.outcomes[dag_id].keys():
                    self.found.add("wrong", f"{tenant} has a result that it should not have")
        finally:
            engine.dispose()
        for figure, count in self.control.check().items():
            self.found.add("wrong", f"the sandbox's check: {figure} {count}", count)

    def compare_bss(self, config: SandboxConfig) -> None:
        """Compare what the BSS was left with; the sandbox of the stack must have been stopped.

        Args:
            config: That sandbox's, with its data folder.
        """
        with SandboxServer(config) as sandbox:
            compare_bss(self.found, sandbox, BssState.of(sandbox), self.reference.states)


def failed(error: Exception) -> str:
    """Return an error of the stack for the findings."""
    return str(error) if isinstance(error, StackError) else f"{type(error).__name__}: {error}"
