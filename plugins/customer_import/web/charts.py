"""The chart of outcomes over the last runs: geometry only, the template draws it as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer_import.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from customer_import.web.models import RunView

HEIGHT, BAR_WIDTH, GAP = 72, 22, 6


@dataclass(frozen=True)
class Segment:
    """One outcome's part of a bar; lengths in SVG units."""

    outcome: Outcome
    count: int
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """One run."""

    run: RunView
    x: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Chart:
    """Bars from the oldest run to the newest; the highest fills the chart."""

    bars: tuple[Bar, ...]
    width: float
    height: float = HEIGHT
    bar_width: float = BAR_WIDTH

    @property
    def used(self) -> tuple[Outcome, ...]:
        """The outcomes that occur, for the legend."""
        seen = {segment.outcome for bar in self.bars for segment in bar.segments}
        return tuple(outcome for outcome in Outcome if outcome in seen)


def outcome_chart(newest_first: Sequence[RunView]) -> Chart:
    """Return the chart of some runs."""
    runs = [run for run in reversed(newest_first) if run.outcomes]
    highest = max((sum(run.outcomes.values()) for run in runs), default=1)
    bars = tuple(
        Bar(run, number * (BAR_WIDTH + GAP), _segments(run.outcomes, highest))
        for number, run in enumerate(runs)
    )
    return Chart(bars, width=max(len(bars) * (BAR_WIDTH + GAP) - GAP, 1))


def _segments(outcomes: dict[Outcome, int], highest: int) -> tuple[Segment, ...]:
    segments = []
    floor = float(HEIGHT)
    for outcome, count in outcomes.items():
        height = HEIGHT * count / highest
        floor -= height
        segments.append(Segment(outcome, count, round(floor, 2), round(height, 2)))
    return tuple(segments)
