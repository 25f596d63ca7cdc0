"""An instance's limits hold for all load tasks together, on one machine or many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from customer_import.runs.run import open_run
from customer_import.tasks.load.account_listing import list_accounts
from customer_import.tasks.load.load import load_batch
from sandbox import FaultKind
from tests.support.machines import run_on_machines
from tests.tasks.load.scene import customers, fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.request_log import RequestEntry
    from tests.tasks.load.scene import Scene


def load_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, machines: Sequence[str], size: int
) -> list[RequestEntry]:
    """Load a batch of ``size`` new customers on each machine at once; return the BSS requests, tokens apart."""
    scene.sandbox.requests.keeps_entries = True
    run = scene.begin()
    for batch in range(len(machines)):
        scene.stage(run, customers(size), batch)
    list_accounts(run, scene.engine)

    def load(batch: int) -> None:
        load_batch(open_run(scene.engine, run.key), scene.engine, batch, attempt=1, map_index=batch)

    run_on_machines(monkeypatch, machines, load)
    assert scene.outcomes(run) == ["created"] * size * len(machines)
    assert scene.faults() == {}
    return [
        entry
        for entry in scene.sandbox.requests.entries
        if entry.endpoint.startswith("bss.") and "token" not in entry.endpoint
    ]


@pytest.mark.parametrize("engine", ["sqlite", "postgres"], indirect=True)
def test_four_load_tasks_of_two_machines_send_no_more_a_second_than_the_instance_allows(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
):
    scene.configure(requests_per_second=20)
    sent = sorted(entry.at for entry in load_on(scene, monkeypatch, ["a", "b", "a", "b"], 12))
    busiest = max(sum(at <= later < at + 1 for later in sent) for at in sent)
    assert 10 < busiest <= 20


@pytest.mark.parametrize("engine", ["postgres"], indirect=True)  # SQLite is for one machine
@pytest.mark.parametrize(
    ("concurrency", "machines", "least", "most"),
    [
        pytest.param(None, ["a", "b"], 17, 32, id="each machine has its own"),
        pytest.param(None, ["a", "a"], 9, 16, id="tasks of a machine share its own"),
        pytest.param(8, ["a", "b"], 5, 8, id="what the instance sets holds over all machines"),
    ],
)
def test_requests_under_way_follow_the_machines_unless_the_instance_says_how_many(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    concurrency: int | None,
    machines: list[str],
    least: int,
    most: int,
):
    scene.configure(concurrency=concurrency)
    scene.sandbox.faults.replace([fault("bss.*", FaultKind.DELAY, delay_s=0.2)])
    entries = load_on(scene, monkeypatch, machines, 40)
    ends = [(entry.at, entry.at + entry.duration_ms / 1000) for entry in entries]
    assert least <= max(sum(at <= moment < end for at, end in ends) for moment, _ in ends) <= most
