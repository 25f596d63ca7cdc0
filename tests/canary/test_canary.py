"""Marked secrets and personal values go through whole imports with faults; nothing of them may be left in the open.

They may stand in the staging tables only, which retention empties. Everything else is searched: the log of every task
at DEBUG, with tracebacks, and every other table of the import's database.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, inspect, text

from demo.settings import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MAY_HOLD = frozenset({"staged_customers", "staged_accounts", "staged_contacts"})
"""Tables whose purpose is to hold what was read and what is sent."""

IMPORTS = """
import logging, sys
from pathlib import Path
from tests.chaos.environment import prepare
folder = Path(sys.argv[1])
prepare(folder)
from tests.canary.imports import run
run(folder)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs the imports in a process of their own; returns where database, logs and canaries lie."""
    folder = tmp_path_factory.mktemp("canary")
    path = os.pathsep.join(str(part) for part in (ROOT / "plugins", ROOT / "include", ROOT))
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    (folder / "stdout.log").write_text(done.stdout, encoding="utf-8")
    (folder / "stderr.log").write_text(done.stderr, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-3_000:]
    return folder


@pytest.fixture(scope="module")
def canaries(folder: Path) -> list[str]:
    found = (folder / "canaries.txt").read_text(encoding="utf-8").splitlines()
    assert len(found) > 100
    return found


def hits(content: str, canaries: list[str]) -> list[str]:
    lowered = content.lower()
    return [canary[:4] for canary in canaries if canary.lower() in lowered]


@pytest.mark.timeout(900)
def test_no_log_holds_a_secret_or_a_personal_value(folder: Path, canaries: list[str]) -> None:
    logs = sorted(folder.rglob("*.log"))
    written = {log: log.read_text(encoding="utf-8", errors="replace") for log in logs}
    assert sum(map(len, written.values())) > 10_000
    assert {log.name: hits(content, canaries) for log, content in written.items()} == {
        log.name: [] for log in logs
    }
    logging.getLogger(__name__).info("places scanned: %d logs", len(logs))


@pytest.mark.timeout(900)
def test_no_table_but_staging_holds_a_secret_or_a_personal_value(
    folder: Path, canaries: list[str]
) -> None:
    engine = create_engine(f"sqlite:///{next(folder.rglob('customer_import.db'))}")
    scanned, found = 0, {}
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            rows = connection.execute(text(f'SELECT * FROM "{table}"')).all()  # noqa: S608 - of the schema
            content = "\n".join(
                value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                for row in rows
                for value in row
            )
            scanned += 1
            if bad := hits(content, canaries):
                found[table] = bad
    assert set(found) <= MAY_HOLD
    assert "staged_customers" in found, "the canaries did not get into the import at all"
    assert scanned > 8
