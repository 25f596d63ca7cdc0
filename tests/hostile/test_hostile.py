"""The quick ones of the hostile cases; ``make hostile`` runs all of them, with bounds for a quiet machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from customer_import.garbage_collection import gc_frozen
from tests.hostile.calls import CALLS, short_waits
from tests.hostile.cases import CASES, KINDS
from tests.hostile.judge import Memory, judge
from tests.hostile.script import SIGN_INS
from tests.hostile.server import RunningServer, running
from tests.stalls import LONGEST_STALL_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

LEAST = 150


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running(tmp_path_factory.mktemp("hostile")) as server:
        yield server


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__.rpartition(".")[2])
async def test_what_is_hostile_becomes_what_is_right(
    server: RunningServer, kind: ModuleType
) -> None:
    memory, faults = Memory(), []
    with short_waits(), gc_frozen():
        for case in kind.cases():
            if case.is_fast:
                verdict = await judge(case, server, memory, 1_000 * LONGEST_STALL_S)
                faults += [verdict.line] if verdict.faults else []
    assert not faults, "\n".join(faults)


def test_there_are_enough_cases_for_every_call() -> None:
    assert len(CASES) >= LEAST
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.call for case in CASES} == set(CALLS) > SIGN_INS
