"""``python -m tests.contract``: both descriptions against the sandbox, the import, bodies and a vendor's file.

The exit status is 0 only when nothing differs.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.environment import prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST_SAID = 60


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.contract", description=__doc__)
    parser.add_argument("--examples", type=int, default=40, help="requests per operation and mode")
    parser.add_argument("--spec", type=Path, help="a vendor's file instead of ours")
    parser.add_argument("--samples", type=Path, help="a folder with bodies of Partner Center")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="customer-import-contract-"))
    try:
        prepare(folder)
        logging.disable(logging.ERROR)
        return _run(folder, options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(folder: Path, options: argparse.Namespace) -> int:
    # Airflow reads its environment when it is first imported.
    from tests.contract.descriptions import OURS, Description
    from tests.contract.report import against_ours, against_vendor
    from tests.contract.world import played

    vendor = Description.read(options.spec) if options.spec else None
    ours = {service: Description.read(path) for service, path in OURS.items()}
    with ExitStack() as stack:
        stage = stack.enter_context(played(folder))
        if vendor is not None:
            violations, line = against_vendor(vendor, ours, stage)
        else:
            violations, line = against_ours(ours, stage, options.examples, options.samples)
    for words, count in list(violations.items())[:_MOST_SAID]:
        print(f"  {words} ({count})")  # noqa: T201 - a command line
    if len(violations) > _MOST_SAID:
        print(f"  and {len(violations) - _MOST_SAID} more")  # noqa: T201
    print(line, flush=True)  # noqa: T201
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
