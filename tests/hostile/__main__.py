"""``python -m tests.hostile``: run the cases, a line for each with what it cost, and say what they come to.

The exit status is 0 only when there were enough cases, each had the outcome that is right, and the event loop never
stood still, nor was more memory taken, for longer than the bounds allow.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.demo.settings import airflow_environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.hostile.judge import Verdict

LEAST_CASES = 150


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.hostile", description=__doc__)
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--told", action="store_true", help="show what each call gave or raised")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="customer-import-hostile-"))
    try:
        # Airflow reads its environment when it is first imported.
        os.environ.update(airflow_environment(folder, folder / "instances.yaml", port=8793))
        verdicts = asyncio.run(_run(folder, options.case, is_told=options.told))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    failed = sum(bool(verdict.faults) for verdict in verdicts)
    stall_ms = max((verdict.stall_ms for verdict in verdicts), default=0.0)
    memory_mb = max((verdict.memory_mb for verdict in verdicts), default=0.0)
    _say(
        f"hostile: cases={len(verdicts)} failed={failed} stall_ms_max={stall_ms:.0f} "
        f"memory_mb_max={memory_mb:.0f}"
    )
    is_enough = len(verdicts) >= LEAST_CASES or bool(options.case)
    return 0 if is_enough and not failed else 1


async def _run(folder: Path, wanted: str, *, is_told: bool) -> list[Verdict]:
    from tests.hostile.calls import short_waits
    from tests.hostile.cases import CASES
    from tests.hostile.judge import Memory, judge
    from tests.hostile.server import running

    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it tells of each write to a closed end
    verdicts = []
    with running(folder) as server, short_waits():
        gc.collect()
        gc.freeze()  # as the import's tasks do
        memory = Memory()
        for case in CASES:
            if wanted in case.name:
                verdicts.append(await judge(case, server, memory))
                _say(verdicts[-1].line)
                if is_told:
                    _say(f"    {verdicts[-1].told[:400]}")
    return verdicts


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
