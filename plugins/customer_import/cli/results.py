"""The latest run of each import type, as a table for people or as JSON for programs."""

from __future__ import annotations

from typing import Any

from customer_import.cli.database import ready_engine
from customer_import.runs.latest import latest_runs
from customer_import.vocabulary import Outcome

Run = dict[str, Any]

_FACTS = ("instance", "mode", "state", "discovered")


def read_runs() -> list[Run]:
    """Read the runs from the configured database; raises as ``ready_engine`` does."""
    return latest_runs(ready_engine())


def as_table(runs: list[Run]) -> str:
    """Return a table with one column a run; counts that are 0 in all of them are left out."""
    counts = [name for name in (*Outcome, "unclassified") if any(run[name] for run in runs)]
    rows = [["", *(run["import_type"] for run in runs)]]
    rows += [[name, *(str(run[name]) for run in runs)] for name in (*_FACTS, *counts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    ids = [f"{run['import_type']}: run {run['run_id']}" for run in runs]
    return "\n".join([*lines, "", *ids])
