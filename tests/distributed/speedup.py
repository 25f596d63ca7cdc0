"""What more workers bring: the same direct import with one, two and four of them, undisturbed, no setting touched."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from customer_import.vocabulary import ImportType
from tests.distributed.deployment import Deployment
from tests.distributed.reference import Reference
from tests.distributed.scene import LOAD, Scene
from tests.distributed.stack import StackError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORKERS = (1, 2, 4)
LATENCY_MS = 200
_DAG_ID = ImportType.DIRECT.dag_id


def load_seconds(folder: Path, customers: int) -> Iterator[tuple[int, float]]:
    """Return how long the load takes with each number of workers, from its first task's start to its last one's end.

    Raises:
        StackError: An import did not end well.
    """
    settings = {"SANDBOX_CUSTOMERS": str(customers), "SANDBOX_LATENCY_MS": str(LATENCY_MS)}
    for workers in WORKERS:
        own = folder / f"workers-{workers}"
        own.mkdir()
        deployment = Deployment(own, workers, settings)
        with deployment.stack as stack:
            scene = Scene(deployment, deployment.begin(), Reference((), {}, 0))
            scene.trigger([_DAG_ID])
            scene.wait_for_end()
            if scene.found.notes:
                raise StackError(scene.found.notes[0])
            tasks = deployment.api.tasks(_DAG_ID, scene.runs[_DAG_ID])
            loads = [task for task in tasks if task["task_id"] == LOAD]
            began, ended = (
                [datetime.fromisoformat(task[when]) for task in loads]
                for when in ("start_date", "end_date")
            )
            stack.stop()
        yield workers, (max(ended) - min(began)).total_seconds()
