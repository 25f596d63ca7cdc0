"""``python -m tests.benchmarks.profile``: where the time of a whole run goes, as a flame graph.

The sandbox answers at once: what is left is the import's own work, its tasks one after the other in one process.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from sandbox.demo.settings import ROOT
from tests.benchmarks.arena import arena

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.benchmarks.profile", description=__doc__)
    parser.add_argument("--customers", type=int, default=5_000)
    parser.add_argument("--output", type=Path, default=Path("profile.svg"))
    options = parser.parse_args(arguments)
    spy = [str(Path(sys.executable).parent / "py-spy"), "record", "--format", "flamegraph"]
    spy += ["--rate", "200", "--output", str(options.output.resolve()), "--"]
    with arena(customers=options.customers, latency_ms=0, mix="direct=1") as sandbox:
        subject = {
            "folder": str(sandbox.folder),
            "database": str(sandbox.folder / "run.db"),
            "scope": "full",
        }
        client = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.client", "recurring"]
        done = subprocess.run(
            [*spy, *client, orjson.dumps(subject).decode()],
            cwd=ROOT,
            env=sandbox.environment,
            check=False,
        )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
