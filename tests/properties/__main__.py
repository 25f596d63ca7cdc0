"""``python -m tests.properties [examples [database]]``: try every property, print examples tried and failures.

The database, ``sqlite`` or ``postgres``, is the one that the ledger is compared with its model on.
"""

from __future__ import annotations

import os
import sys

import pytest

EXAMPLES = 10_000
_TIMEOUT_S = 7_200


class _Failures:
    """A pytest plugin that counts failed tests."""

    def __init__(self) -> None:
        self.failed = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed += report.failed


def main() -> int:
    """Run the properties; return the exit status."""
    examples = sys.argv[1] if len(sys.argv) > 1 else str(EXAMPLES)
    os.environ["PROPERTY_EXAMPLES"] = examples
    os.environ["PROPERTY_DATABASE"] = sys.argv[2] if len(sys.argv) > 2 else "sqlite"
    failures = _Failures()
    status = pytest.main(
        ["tests/properties", "-q", "-p", "no:cacheprovider", "--timeout", str(_TIMEOUT_S)],
        plugins=[failures],
    )
    from tests.properties.counting import tried  # it reads the number above
    from tests.properties.ledger_attempts import walked

    for name, number in sorted(tried.items()):
        print(f"{number:>8} examples  {name.replace('_', ' ')}")  # noqa: T201 - a command line
    counts = " ".join(f"{name}={walked[name]}" for name in ("steps", "sequences", "differences"))
    print(f"ledger: {counts}")  # noqa: T201 - a command line
    total = f"properties={len(tried)} examples={tried.total()} failures={failures.failed}"
    print(f"fuzz: {total}")  # noqa: T201 - a command line
    return int(status) or int(failures.failed > 0) or int(not tried)


if __name__ == "__main__":
    sys.exit(main())
