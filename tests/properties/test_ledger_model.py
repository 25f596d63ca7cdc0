"""The ledger against a model of it, step by step; what happens and what must hold is in ``ledger_machine``."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from customer_import.runs.run import record_run
from customer_import.vocabulary import ImportType
from tests.properties.counting import DATABASE_VARIABLE, EXAMPLES
from tests.properties.ledger_attempts import walked
from tests.properties.ledger_machine import MOST_RUNS, LedgerMachine
from tests.support.databases import open_databases
from tests.tasks.validate.runs import a_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from customer_import.runs.run import Run

STEPS = 5 * EXAMPLES
_RULES = 30
"""Of one sequence; most make several steps."""


@pytest.fixture
def _database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("customer_import.tasks.load.tenant.CLAIM_POLL_S", 30.0)
    kind = os.environ.get(DATABASE_VARIABLE, "sqlite")
    with open_databases(kind, tmp_path) as (database, _):
        LedgerMachine.engine = database.engine
        LedgerMachine.runs = _runs(database.engine)
        yield


@pytest.mark.usefixtures("_database")
def test_ledger_says_what_its_model_says() -> None:
    while walked["steps"] < STEPS:
        profile = settings(
            max_examples=max(1, (STEPS - walked["steps"]) // (2 * _RULES)),
            stateful_step_count=_RULES,
            phases=(Phase.generate,),  # to shrink a sequence takes many minutes
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(LedgerMachine, settings=profile)


@pytest.mark.usefixtures("_database")
def test_whoever_waits_to_send_while_the_clock_is_set_back_and_another_creates_sends_nothing() -> (
    None
):
    machine = LedgerMachine()
    machine.begin_run(is_indirect=False, content="1")
    machine.go_on_to(which=0, tenant=0, place="wait to send")
    machine.set_clock(days=-1)
    machine.begin_run(is_indirect=False, content="1")
    machine.teardown()


def _runs(engine: Engine) -> list[Run]:
    """Return runs of both imports by turns, enough for one sequence."""
    found = []
    for number in range(MOST_RUNS + 1):
        for kind in (ImportType.DIRECT, ImportType.INDIRECT):
            run = a_run(kind)
            key = record_run(engine, run.dag_id, f"run {number}", kind, run.params, None)
            found.append(replace(run, key=key))
    return found
