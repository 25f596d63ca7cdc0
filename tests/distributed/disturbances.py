"""What goes wrong in a deployment: a worker, the scheduler, the broker, the database, the API server, all at once.

Each one begins when the load is at work, and ends when the stack is well again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.distributed.deployment import API_SERVER, SANDBOX, WORKER
from tests.distributed.scene import LOAD

if TYPE_CHECKING:
    from tests.distributed.scene import Scene

_WELL_TIMEOUT_S = 300.0


def lose_worker(scene: Scene) -> None:
    """Kill a worker that loads, with all its processes, for good; start another one."""
    stack = scene.deployment.stack
    scene.wait_for_load("no load was at work", lambda: bool(scene.loads()))
    hosts = [task["hostname"] for _, task in scene.loads()]
    workers = sorted(stack.containers[WORKER], key=lambda one: hosts.count(one.name))
    processes = stack.remove(workers[-1])
    scene.kills += 1
    added = stack.add(WORKER)
    scene.say(
        f"{workers[-1].name} was killed with {processes} processes and "
        f"{hosts.count(workers[-1].name)} loads; {added.name} takes its place"
    )
    _wait_until_well(scene, WORKER)


def kill_scheduler(scene: Scene) -> None:
    """Kill the scheduler, which the supervisor starts again."""
    scheduler = scene.deployment.stack.one("airflow-scheduler")
    processes, before = scheduler.kill(), scheduler.restarts
    scene.kills += 1
    scene.wait("the scheduler was not started again", lambda: scheduler.restarts > before)
    scene.restarts += 1
    scene.say(f"the scheduler was killed with {processes} processes and started again")
    _wait_until_well(scene, "airflow-scheduler")


def restart(scene: Scene, name: str) -> None:
    """Stop a service in order and start it again."""
    scene.deployment.stack.restart(name)
    scene.restarts += 1
    scene.say(f"{name} was restarted")
    _wait_until_well(scene, name)


def take_api_server_away(scene: Scene, seconds: float) -> None:
    """Stop the API server for a while."""
    stack = scene.deployment.stack
    stack.stop({API_SERVER})
    before = scene.control.accounts()
    stack.pause(seconds)
    scene.say(
        f"the API server was away for {seconds:.0f} s; "
        f"{scene.control.accounts() - before} accounts were made without it"
    )
    stack.start(API_SERVER)
    scene.restarts += 1
    _wait_until_well(scene, API_SERVER)


def fail_and_clear(scene: Scene) -> None:
    """Mark a load at work failed, then clear it, as a person does; one beside others, for which the run's end waits."""
    api = scene.deployment.api
    scene.wait_for_load("no load was at work", lambda: bool(scene.loads()))
    loads = scene.loads()
    dag_ids = [dag_id for dag_id, _ in loads]
    dag_id, task = max(loads, key=lambda load: dag_ids.count(load[0]))
    which = (dag_id, scene.runs[dag_id], LOAD, task["map_index"])
    api.mark_failed(*which)
    api.clear(*which)

    def is_tried_again() -> bool:
        (now,) = (
            one
            for one in api.tasks(dag_id, scene.runs[dag_id])
            if one["task_id"] == LOAD and one["map_index"] == task["map_index"]
        )
        return now["try_number"] > task["try_number"] and now["state"] in {"running", "success"}

    seconds = scene.wait("the cleared load was not tried again", is_tried_again)
    scene.say(f"a load was marked failed and cleared; it was tried again after {seconds:.0f} s")


def stop_and_start(scene: Scene) -> None:
    """Stop the whole stack but the services that it imports from and into; start it; see when the load goes on."""
    stack = scene.deployment.stack
    killed = stack.stop(stack.containers.keys() - SANDBOX)
    before = scene.control.accounts()
    rise = stack.rising()

    def goes_on() -> bool:
        rise()
        return scene.control.accounts() > before

    scene.restart_s = scene.wait_for_load("the load did not go on", goes_on)
    scene.wait("the stack was not up", rise)
    scene.restarts += 1
    scene.say(
        f"the stack was stopped ({killed} containers outlasted their grace) and started; "
        f"the load went on after {scene.restart_s:.0f} s"
    )


def _wait_until_well(scene: Scene, name: str) -> None:
    stack = scene.deployment.stack
    scene.wait(f"{name} was not well again", lambda: stack.is_well(name), _WELL_TIMEOUT_S)
