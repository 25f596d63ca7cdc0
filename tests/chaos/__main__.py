"""``python -m tests.chaos``: run the cases, a line for each, and say what they come to.

The exit status is 0 only when there were enough kills, storms, ambiguous writes and overlaps, no case was void, and
nothing was lost, duplicated or wrong.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.chaos.environment import prepare

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.arena import Case

LEAST = {"kills": 108, "storms": 1, "ambiguous": 1_000, "overlaps": 2}
_FORBIDDEN = ("lost", "duplicates", "wrong")


@dataclass
class Tally:
    """Sums over all cases."""

    kills: int = 0
    storms: int = 0
    ambiguous: int = 0
    overlaps: int = 0
    lost: int = 0
    duplicates: int = 0
    wrong: int = 0
    void: int = 0

    def add(self, case: Case) -> None:
        for name in LEAST:
            setattr(self, name, getattr(self, name) + getattr(case, name))
        for name in _FORBIDDEN:
            setattr(self, name, getattr(self, name) + getattr(case.found, name))
        self.void += case.is_void

    @property
    def line(self) -> str:
        names = (*LEAST, *_FORBIDDEN)
        return "chaos: " + " ".join(f"{name}={getattr(self, name)}" for name in names)

    @property
    def is_good(self) -> bool:
        is_enough = all(getattr(self, name) >= least for name, least in LEAST.items())
        return is_enough and not self.void and not any(getattr(self, n) for n in _FORBIDDEN)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.chaos", description=__doc__)
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--fast", action="store_true", help="every failpoint once, few losses")
    parser.add_argument("--keep", action="store_true", help="keep databases and logs")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="customer-import-chaos-"))
    prepare(folder)
    from tests.chaos.cases import cases  # Airflow reads its environment at import

    tally = Tally()
    try:
        for case in cases(folder, options.case, is_fast=options.fast):
            tally.add(case)
            print(case.line, flush=True)  # noqa: T201 - a command line
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(tally.line, flush=True)  # noqa: T201 - a command line
    return 0 if tally.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
