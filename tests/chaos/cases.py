"""Which cases there are, and the arenas they run in: one sandbox at a time, shared by its cases."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from customer_import.vocabulary import ImportType
from tests.chaos.airflow_kills import Victim, airflow_arena, kill_in_airflow
from tests.chaos.ambiguous import lose_answers
from tests.chaos.arena import arena_of
from tests.chaos.kills import STEPS, kill_everywhere, kill_step
from tests.chaos.overlaps import overlap_same, overlap_shared
from tests.chaos.storm import storm
from tests.chaos.twins import accounts_by_hand, overlap_twins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.chaos.arena import Arena, Case

    Run = Callable[[Arena], Iterator[Case]]

_STORM_CUSTOMERS = 1_100
_SHARED_CUSTOMERS = 150


def cases(folder: Path, wanted: str, *, is_fast: bool) -> Iterator[Case]:
    """Run the cases whose name contains a text, one after the other."""
    for arena, named in _fast(folder) if is_fast else _all(folder):
        chosen = [run for name, run in named.items() if wanted in name]
        if not chosen:
            continue
        with arena:
            for run in chosen:
                yield from run(arena)


def _fast(folder: Path) -> Iterator[tuple[Arena, dict[str, Run]]]:
    yield (
        arena_of(ImportType.DIRECT, folder),
        {
            "kill everywhere": partial(kill_everywhere, import_type=ImportType.DIRECT),
            "ambiguous": partial(lose_answers, probability=0.1),
        },
    )


def _all(folder: Path) -> Iterator[tuple[Arena, dict[str, Run]]]:
    for import_type in ImportType:
        named: dict[str, Run] = {
            f"kill {import_type} {step.name}": partial(
                kill_step, import_type=import_type, step=step
            )
            for step in STEPS
        }
        if import_type is ImportType.DIRECT:
            named["ambiguous"] = partial(lose_answers, probability=0.45)
            named["overlap same"] = overlap_same
            named["overlap twins"] = overlap_twins
            named["by hand"] = accounts_by_hand
        yield arena_of(import_type, folder), named
    yield (
        arena_of(ImportType.DIRECT, folder / "shared", shared=_SHARED_CUSTOMERS),
        {"overlap shared": overlap_shared},
    )
    yield (
        arena_of(ImportType.DIRECT, folder / "storm", customers=_STORM_CUSTOMERS),
        {"storm": storm},
    )
    yield (
        airflow_arena(folder),
        {f"airflow {v.value}": partial(kill_in_airflow, victim=v) for v in Victim},
    )
