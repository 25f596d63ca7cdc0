"""Two imports at work on the same tenants at the same time, each in its own process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.vocabulary import ImportType, Outcome
from tests.chaos.state import BssState, compare_bss, compare_results, results_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.arena import Arena, Case

_AT_REST = frozenset({Outcome.UNCHANGED, Outcome.SKIPPED})
_WRITING = frozenset({Outcome.CREATED, Outcome.UPDATED})


def overlap_same(arena: Arena) -> Iterator[Case]:
    """Run one import twice at once."""
    yield from _overlap(arena, (ImportType.DIRECT, ImportType.DIRECT))


def overlap_shared(arena: Arena) -> Iterator[Case]:
    """Run the direct and the indirect import at once; they share tenants."""
    yield from _overlap(arena, (ImportType.DIRECT, ImportType.INDIRECT))


def _overlap(arena: Arena, types: tuple[ImportType, ImportType]) -> Iterator[Case]:
    first, second = types
    # Which of two imports creates a shared tenant is open, so either order's state is right.
    orders = [arena.undisturbed(first, second), arena.undisturbed(second, first)]
    alone = [arena.undisturbed(kind).results for kind in types]
    with arena.case(f"overlap {first} with {second}") as case:
        jobs = [case.job(kind, f"{kind}_{number}") for number, kind in enumerate(types)]
        processes = [case.begin(job) for job in jobs]
        for process, job in zip(processes, jobs, strict=True):
            process.join()
            if process.exitcode != 0:
                case.finish(job)
        actual = BssState.of(arena.sandbox)
        compare_bss(case.found, arena.sandbox, actual, [order.state for order in orders])
        outcomes = [results_of(case.engine, job.run_id) for job in jobs]
        shared = {
            tenant
            for tenant in alone[0].keys() & alone[1].keys()
            if alone[0][tenant] in _WRITING and alone[1][tenant] in _WRITING
        }
        for mine, expected in zip(outcomes, alone, strict=True):
            compare_results(
                case.found,
                {tenant: mine[tenant] for tenant in mine.keys() - shared},
                {tenant: expected[tenant] for tenant in expected.keys() - shared},
            )
        for tenant in sorted(shared):
            pair = [found.get(tenant) for found in outcomes]
            if None in pair:
                case.found.add("lost", f"{tenant} has no result")
            elif sorted(name in _WRITING for name in pair) != [False, True] or not any(
                name in _AT_REST for name in pair
            ):
                case.found.add("wrong", f"{tenant} is {pair[0]} and {pair[1]}")
        case.overlaps = 1
        case.notes.append(f"{len(shared)} tenants shared")
        for kind in dict.fromkeys(types):
            case.run_again(kind)
        case.close(*jobs)
        yield case
