"""``python -m tests.large``: whole direct imports of ever more customers, in real Airflow on PostgreSQL.

Each size has a sandbox, databases and an Airflow of its own; the sandbox answers at once and has no rate limit, so that
what is measured is the import. The exit status is 0 when every run ended well, every customer has a result, the next
run wrote nothing, and neither memory nor the time for each customer grew.
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

    from tests.large.measure import Figures

SIZES = (1_000, 10_000, 100_000)
MOST_GROWTH = 1.2
MOST_PAGE_MS = 200.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.large", description=__doc__)
    parser.add_argument("--customers", type=int, nargs="+", default=SIZES)
    sizes = parser.parse_args(arguments).customers
    folder = Path(tempfile.mkdtemp(prefix="customer-import-large-"))
    prepare(folder)
    logging.disable(logging.ERROR)
    from tests.large.measure import measure  # Airflow reads its environment at import

    try:
        measured = []
        for size in sorted(sizes):
            measured.append(measure(folder / str(size), size))
            _print(measured[-1])
        return _judge(measured)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _print(figures: Figures) -> None:
    seconds = " ".join(f"{name}={value:.1f}" for name, value in figures.task_s.items())
    memory = " ".join(f"{name}={value:.0f}" for name, value in figures.task_mb.items())
    outcomes = " ".join(f"{name}: {counts}" for name, counts in figures.outcomes.items())
    print(  # noqa: T201 - a command line
        f"{figures.customers} customers: {figures.seconds['first']:.1f} s, "
        f"{figures.seconds_per_1000:.2f} s per 1,000; with nothing changed "
        f"{figures.seconds['next']:.1f} s, and {figures.seconds['changed']:.1f} s in the scope changed; "
        f"page {figures.page_ms:.0f} ms\n"
        f"  {outcomes}\n  seconds: {seconds}\n  peak MB: {memory}",
        flush=True,
    )


def _judge(measured: list[Figures]) -> int:
    few, many = measured[0], measured[-1]
    growth = max(many.task_mb[task] / few.task_mb[task] for task in few.task_mb)
    time_growth = many.seconds_per_1000 / measured[max(len(measured) - 2, 0)].seconds_per_1000
    faults = [fault for figures in measured for fault in figures.faults]
    for fault in faults:
        print(f"wrong: {fault}")  # noqa: T201
    print(  # noqa: T201
        f"large: customers={many.customers} seconds_per_1000={many.seconds_per_1000:.2f} "
        f"time_ratio={time_growth:.2f} memory_ratio={growth:.2f} page_ms={many.page_ms:.0f} "
        f"faults={len(faults)}"
    )
    is_flat = max(growth, time_growth) <= MOST_GROWTH and many.page_ms <= MOST_PAGE_MS
    return 0 if is_flat and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
