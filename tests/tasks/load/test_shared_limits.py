"""An instance's limits hold for all load tasks together."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from customer_import.runs.run import open_run
from customer_import.tasks.load.account_listing import list_accounts
from customer_import.tasks.load.load import load_batch
from tests.tasks.load.scene import customers

if TYPE_CHECKING:
    from tests.tasks.load.scene import Scene

BATCHES = 4


@pytest.mark.parametrize("engine", ["sqlite", "postgres"], indirect=True)
def test_four_load_tasks_send_no_more_than_the_instance_allows(scene: Scene):
    scene.configure(requests_per_second=20, concurrency=8)
    scene.sandbox.requests.keeps_entries = True
    run = scene.begin()
    staged = [customers(12) for _ in range(BATCHES)]
    for batch, some in enumerate(staged):
        scene.stage(run, some, batch)
    list_accounts(run, scene.engine)

    def load(batch: int) -> None:
        load_batch(open_run(scene.engine, run.key), scene.engine, batch, attempt=1, map_index=batch)

    tasks = [threading.Thread(target=load, args=(batch,)) for batch in range(BATCHES)]
    for task in tasks:
        task.start()
    for task in tasks:
        task.join()

    assert scene.outcomes(run) == ["created"] * 12 * BATCHES
    assert scene.faults() == {}
    sent = sorted(
        entry.at
        for entry in scene.sandbox.requests.entries
        if entry.endpoint.startswith("bss.") and "token" not in entry.endpoint
    )
    busiest = max(sum(at <= later < at + 1 for later in sent) for at in sent)
    assert 10 < busiest <= 20
