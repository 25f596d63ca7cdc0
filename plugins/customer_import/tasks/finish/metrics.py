"""What a closed run adds to Airflow's metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.telemetry import Metric, count, set_level
from customer_import.vocabulary import Mode, RunState

if TYPE_CHECKING:
    from customer_import.tasks.finish.summary import Summary


def tell_metrics(summary: Summary, *, is_of_all: bool) -> None:
    """Count a run and its customers; set how many wait for a person.

    Args:
        summary: What the run came to.
        is_of_all: Whether it was for all customers; of some nobody can tell how many wait in all, nor by a run that
            failed and did not come to them.
    """
    # Collectors have a label "instance" of their own.
    whose = {"import_type": summary.import_type, "import_instance": summary.instance}
    count(Metric.RUNS, **whose, mode=summary.mode, state=summary.state)
    for outcome, customers in summary.outcomes.items():
        count(Metric.CUSTOMERS, customers, **whose, mode=summary.mode, outcome=outcome)
    has_ended_well = summary.state != RunState.FAILED
    if is_of_all and has_ended_well and summary.mode in {Mode.IMPORT, Mode.PREVIEW}:
        set_level(Metric.WAITING, summary.waiting, **whose)
