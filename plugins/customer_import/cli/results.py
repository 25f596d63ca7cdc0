"""``python -m customer_import.results``: the latest run of each import type, one JSON object a line."""

from __future__ import annotations

import os
import sys

import orjson

from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from customer_import.runs.latest import latest_runs


def main() -> int:
    """Print the runs; 1 when there are none."""
    # Outside a task Airflow reads connections from its database only in this context.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    engine = open_engine()
    migrate(engine)
    runs = latest_runs(engine)
    for run in runs:
        sys.stdout.write(orjson.dumps(run).decode() + "\n")
    if not runs:
        sys.stderr.write("No import has run yet. Start one in Airflow, or run: make demo\n")
    return 0 if runs else 1


if __name__ == "__main__":
    sys.exit(main())
