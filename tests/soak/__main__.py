"""``python -m tests.soak``: imports of what changed, one after the other in one Airflow, with faults on.

Before each run one customer in a hundred moves. The exit status is 0 when nobody was lost, nothing is there twice, no
process that lives on grew, and the last runs took as long as the tenth.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.environment import prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_GROWTH = 1.2
_EACH = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    parser.add_argument("--customers", type=int, default=500)
    parser.add_argument("--runs", type=int, default=200)
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="customer-import-soak-"))
    prepare(folder)
    logging.disable(logging.ERROR)
    from tests.soak.measure import soak  # Airflow reads its environment at import

    try:
        figures = soak(folder, options.customers, options.runs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name, values in figures.memory.items():
        series = " ".join(f"{value:.0f}" for value in values[::_EACH])
        print(f"memory of {name}, MB, each {_EACH}th run: {series}")  # noqa: T201 - a command line
    for name, rows in figures.rows_per_run().items():
        print(f"rows of {name}: {rows:.1f} more a run")  # noqa: T201
    for fault in figures.faults:
        print(f"wrong: {fault}")  # noqa: T201
    early, late = figures.run_seconds()
    growth = max(late / early for early, late in figures.memory_mb().values())
    print(  # noqa: T201
        f"soak: runs={len(figures.seconds)} customers={options.customers} changed={figures.changed} "
        f"memory_ratio={growth:.2f} seconds={early:.1f}->{late:.1f} slowest={max(figures.seconds):.1f} "
        f"faults_struck={figures.struck} lost={figures.lost} duplicates={figures.duplicates} "
        f"wrong={len(figures.faults)}"
    )
    is_flat = growth <= MOST_GROWTH and late / early <= MOST_GROWTH
    return 0 if is_flat and not figures.faults and not figures.lost + figures.duplicates else 1


if __name__ == "__main__":
    sys.exit(main())
