"""Kills at every failpoint: the first, a middle and a late time that it is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.chaos.worker import Kill

if TYPE_CHECKING:
    from collections.abc import Iterator

    from customer_import.vocabulary import ImportType
    from tests.chaos.arena import Arena, Case

_MANY = 100
_IN_FLIGHT = 96
"""Customers that a few kills may leave under way; they do not pass the failpoint again."""


@dataclass(frozen=True)
class Step:
    """Points that belong together.

    Attributes:
        name: For people.
        failpoints: In the order of a run. The first one takes the import on to a position; the others
            are met right after it.
        starts_again: Whether each attempt meets all occurrences again, from the first one.
        counts: Counts that take the first failpoint to its positions, when they follow from nothing.
    """

    name: str
    failpoints: tuple[str, ...]
    starts_again: bool = False
    counts: tuple[int, ...] = ()

    def kills(self, reached: dict[str, int]) -> Iterator[Kill]:
        """Give the kills of one import.

        Args:
            reached: How often an undisturbed import reached each failpoint.
        """
        for position in range(len(self.counts) or 3):
            for number, failpoint in enumerate(self.failpoints):
                yield Kill(
                    failpoint, self._count(reached[failpoint], position, is_first=number == 0)
                )

    def _count(self, total: int, position: int, *, is_first: bool) -> int:
        middle = max(1, total // 2)
        if self.starts_again:
            return (1, middle, total)[position]
        if not is_first:
            return 1
        if self.counts:
            return self.counts[position]
        late = total - middle - _IN_FLIGHT if total > _MANY else total - middle + 1
        return (1, middle, late)[position]


STEPS = (
    Step("token", ("before_token", "after_token")),
    Step("page", ("before_page", "after_page"), starts_again=True),
    Step("detail", ("before_detail", "after_detail")),
    # Five full batches and a rest are the fewest there are.
    Step("staging", ("before_staging_commit", "after_staging_commit"), counts=(1, 2, 2)),
    Step(
        "validation",
        ("before_validation_commit", "after_validation_commit"),
        starts_again=True,
    ),
    Step("transform", ("before_transform_commit", "after_transform_commit"), starts_again=True),
    Step("account", ("before_account_post", "after_account_post", "after_account_outcome")),
    Step("contact", ("before_contact_post", "after_contact_post", "after_contact_outcome")),
    Step("sync options", ("before_sync_options_post", "after_sync_options_post")),
    Step("update", ("before_account_patch", "after_account_patch"), counts=(1,)),
    Step("result", ("after_outcome", "before_results_commit")),
    Step("summary", ("before_summary_commit", "after_summary"), starts_again=True),
)


def kill_step(arena: Arena, import_type: ImportType, step: Step) -> Iterator[Case]:
    """Kill an import at the failpoints of one step, three times each."""
    kills = tuple(step.kills(arena.undisturbed(import_type).failpoints))
    yield from _kill(arena, import_type, f"kill {import_type} {step.name}", kills)


def kill_everywhere(arena: Arena, import_type: ImportType) -> Iterator[Case]:
    """Kill one import at every failpoint once, one after the other."""
    kills = tuple(Kill(failpoint, 1) for step in STEPS for failpoint in step.failpoints)
    yield from _kill(arena, import_type, f"kill {import_type} everywhere once", kills)


def _kill(
    arena: Arena, import_type: ImportType, name: str, kills: tuple[Kill, ...]
) -> Iterator[Case]:
    undisturbed = arena.undisturbed(import_type)
    with arena.case(name) as case:
        job = case.job(import_type, "disturbed")
        case.run(job, kills)
        case.compare(job, undisturbed)
        case.run_again(import_type)
        case.close(job)
        yield case
