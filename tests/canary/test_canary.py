"""Marked secrets and personal values go through whole imports in a real Airflow; none may be left in the open."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.faults import FaultKind
from tests.canary.imports import run_imports
from tests.canary.marks import STEMS
from tests.canary.places import MUST_HOLD_PERSONAL_DATA, held, search

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.canary.imports import Imports

pytestmark = pytest.mark.timeout(900)

FAULTS = {
    FaultKind.ANSWER_LATE,
    FaultKind.EMPTY_BODY,
    FaultKind.RESET_AFTER,
    FaultKind.RESET_BEFORE,
    FaultKind.STATUS,
    FaultKind.THROTTLE,
    FaultKind.TRUNCATE,
    FaultKind.UNAUTHORIZED,
    FaultKind.WRONG_JSON,
}


@pytest.fixture(scope="module")
def imports(tmp_path_factory: pytest.TempPathFactory) -> Imports:
    return run_imports(tmp_path_factory.mktemp("canary"))


def test_no_place_holds_a_secret_or_a_personal_value(
    imports: Imports, record_property: Callable[[str, object], None]
) -> None:
    places = search(imports.evidence, imports.marks)
    for place in places:
        record_property("place scanned", str(place))
    print(*places, sep="\n")  # noqa: T201 - shown when the test fails, and with -s
    assert [place.name for place in places if place.is_void] == []
    assert {place.name: set(place.hits) for place in places if place.hits} == {}


def test_the_marked_values_went_through_the_imports(imports: Imports) -> None:
    found = held(imports.evidence, imports.marks)
    assert found.keys() >= MUST_HOLD_PERSONAL_DATA
    assert found["staged_customers"] >= STEMS.keys()
    assert found["staged_accounts"] | found["staged_contacts"] >= STEMS.keys()
    pages = [marks for where, marks in found.items() if where not in MUST_HOLD_PERSONAL_DATA]
    assert pages, "the view of one customer shows what was sent, so pages can show it"


def test_one_import_succeeded_the_bss_refused_one_two_could_not_sign_in(imports: Imports) -> None:
    assert imports.states == {
        "storm": "success",
        "contacts refused": "failed",
        "sign-in refused 1": "failed",
        "sign-in refused 2": "failed",
    }
    with closing(sqlite3.connect(imports.evidence.database)) as database:
        refused = database.execute(
            "SELECT count(*) FROM import_results JOIN import_runs ON import_runs.id = run_id"
            " WHERE import_runs.import_type = 'indirect' AND reason LIKE '%POST /api/contacts%'"
        ).fetchone()
        (refusal,), *errors = database.execute(
            "SELECT error FROM import_runs WHERE state = 'failed' ORDER BY id"
        ).fetchall()
    assert refused[0] > 20
    assert "max_rejected_percent" in refusal
    assert ["Partner Center" in error for (error,) in errors] == [True, False]
    assert all("sign-in was refused" in error or "user" in error for (error,) in errors)


def test_faults_of_every_kind_struck_and_every_service_quoted_what_was_sent(
    imports: Imports,
) -> None:
    struck = {name.rpartition(" ")[2] for name in imports.faults}
    quoted = {name for name in imports.faults if name.endswith(FaultKind.QUOTE)}
    assert struck >= FAULTS
    assert quoted == {
        "bss.contacts.create quote",
        "bss.token quote",
        "entra.token quote",
        "partner_center.customers.get quote",
    }


def test_task_logs_were_written_at_debug(imports: Imports) -> None:
    logs = (imports.evidence.airflow / "logs").rglob("task_id=*/**/*.log")
    levels = [log.read_text(encoding="utf-8").count('"level":"debug"') for log in logs]
    assert len(levels) >= 12
    assert all(count > 10 for count in levels)


def test_no_process_is_left(imports: Imports) -> None:
    home = str(imports.evidence.airflow).encode()
    assert [path for path in Path("/proc").glob("[0-9]*/environ") if _holds(path, home)] == []


def _holds(path: Path, home: bytes) -> bool:
    try:
        return home in path.read_bytes()
    except OSError:
        return False
