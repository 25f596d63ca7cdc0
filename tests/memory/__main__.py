"""``python -m tests.memory``: many runs of all kinds, each compared with a fresh import of the same world.

The exit status is 0 only when nothing differed.
"""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.environment import prepare

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.memory", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--database", choices=("sqlite", "postgres"), action="append")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    differences = 0
    for kind in options.database or ("sqlite", "postgres"):
        folder = Path(tempfile.mkdtemp(prefix="customer-import-memory-"))
        try:
            differences += _history(folder, kind, options)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if differences else 0


def _history(folder: Path, kind: str, options: argparse.Namespace) -> int:
    prepare(folder)
    logging.disable(logging.ERROR)
    from tests.memory.history import History
    from tests.memory.world import two_partners
    from tests.support.databases import open_databases  # Airflow reads its environment at import

    began = time.monotonic()
    rng = random.Random(options.seed)  # noqa: S311 - no secret
    with (
        two_partners(folder, options.customers) as partners,
        open_databases(kind, folder) as (old, fresh),
    ):
        history = History(partners, old, fresh, rng)
        history.first_imports()
        while history.tally.done["runs"] < options.runs:
            history.step()
        tally = history.tally
    done = ", ".join(f"{count} {name}" for name, count in sorted(tally.done.items()))
    print(f"memory on {kind}: {done}, {time.monotonic() - began:.0f} s")  # noqa: T201
    for text in tally.differences[:20]:
        print(f"  {text}")  # noqa: T201
    print(  # noqa: T201
        f"memory: comparisons={tally.comparisons} differences={len(tally.differences)}", flush=True
    )
    return len(tally.differences)


if __name__ == "__main__":
    sys.exit(main())
