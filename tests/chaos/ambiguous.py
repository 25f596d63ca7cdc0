"""Writes that the BSS carries out while their answer is lost on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.vocabulary import ImportType
from sandbox import FaultKind, FaultRule
from tests.chaos.arena import LATE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.arena import Arena, Case

# Sync options are sent again without a look-up: half as often, or some customer's tries would all be struck.
_WRITES = {"bss.accounts.create": 1.0, "bss.contacts.create": 1.0, "bss.sync_options.post": 0.5}
_LOSSES = {
    FaultKind.RESET_AFTER: 0.7,
    FaultKind.TRUNCATE: 0.12,
    FaultKind.EMPTY_BODY: 0.12,
    FaultKind.ANSWER_LATE: 0.06,
}


def lose_answers(arena: Arena, probability: float) -> Iterator[Case]:
    """Run an import whose writes lose their answers; most by a reset, some otherwise.

    Args:
        arena: Where.
        probability: Share of the writes.
    """
    undisturbed = arena.undisturbed(ImportType.DIRECT)
    with arena.case(f"ambiguous writes, {probability:.0%} of them") as case:
        arena.sandbox.faults.replace(
            FaultRule(
                endpoint=endpoint,
                kind=kind,
                probability=probability * weight * share,
                delay_s=LATE_S,
            )
            for endpoint, weight in _WRITES.items()
            for kind, share in _LOSSES.items()
        )
        job = case.job(ImportType.DIRECT, "disturbed")
        case.run(job)
        arena.calm()
        case.ambiguous = sum(
            arena.sandbox.faults.counts[f"{endpoint} {kind}"]
            for endpoint in _WRITES
            for kind in _LOSSES
        )
        case.compare(job, undisturbed)
        case.run_again(ImportType.DIRECT)
        case.close(job)
        yield case
