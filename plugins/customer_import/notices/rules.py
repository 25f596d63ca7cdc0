"""What is worth a notice, and its words: counts and a link, nothing about a customer. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from croniter import croniter

from customer_import.config.notices import OVERDUE_AFTER_HOURS
from customer_import.vocabulary import Mode, NoticeKind, Outcome, RunState

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from customer_import.config.notices import NoticesConfig
    from customer_import.config.schedules import ScheduleConfig
    from customer_import.tasks.finish.summary import Summary

SOON = timedelta(days=14)
_TROUBLED = (Outcome.FAILED, Outcome.REJECTED)


@dataclass(frozen=True)
class Notice:
    """What is told.

    Attributes:
        kind: What about.
        title: One line.
        text: A few lines.
        link: Where more stands.
        import_type: Whose import; empty for the instance as a whole.
        run_key: The run, if it is about one.
    """

    kind: NoticeKind
    title: str
    text: str
    link: str
    import_type: str = ""
    run_key: int | None = None


def of_run(
    summary: Summary, title: str, config: NoticesConfig, link: str, *, is_for_all: bool = True
) -> dict[NoticeKind, Notice | None]:
    """Return what a run's end is worth, by kind; ``None`` for a kind of which there is nothing any more.

    A kind that the run cannot tell anything of is not there: trouble is not over because a run that failed, that was
    for some customers, or that only listed them did not come to it.

    Args:
        summary: The run's.
        title: The instance's.
        config: What is told.
        link: Where the run's results are.
        is_for_all: Whether the run was for all customers.
    """
    troubled = sum(summary.outcomes[outcome] for outcome in _TROUBLED)
    counts = {
        NoticeKind.FAILED: int(summary.state == RunState.FAILED),
        NoticeKind.PROBLEMS: troubled if troubled >= config.problems_from else 0,
        NoticeKind.WAITING: summary.waiting,
        NoticeKind.NEW_CUSTOMERS: summary.outcomes[Outcome.CREATED],
    }
    if summary.mode != Mode.IMPORT:
        counts = {NoticeKind.FAILED: counts[NoticeKind.FAILED]}
    words = {
        NoticeKind.FAILED: "failed",
        NoticeKind.PROBLEMS: f"{_customers(troubled)} failed or rejected",
        NoticeKind.WAITING: f"{_customers(counts.get(NoticeKind.WAITING, 0))} waiting for a decision",
        NoticeKind.NEW_CUSTOMERS: f"{_customers(counts.get(NoticeKind.NEW_CUSTOMERS, 0))} created",
    }
    told = ", ".join(f"{count} {name}" for name, count in summary.outcomes.items() if count)
    text = f"Run {summary.airflow_run_id} ended as {summary.state}: {told or 'no customers'}."
    subject = _subject(title, summary.import_type)
    found = {
        kind: Notice(
            kind, f"{subject}: {words[kind]}", text, link, summary.import_type, summary.run_key
        )
        if count and kind in config.of
        else None
        for kind, count in counts.items()
    }
    can_end = is_for_all and summary.state != RunState.FAILED and summary.mode != Mode.DISCOVER
    return found if can_end else {kind: notice for kind, notice in found.items() if notice}


def last_due(schedule: ScheduleConfig, now: datetime) -> datetime:
    """Return when a schedule was due last, UTC; ``now`` counts."""
    there = now.astimezone(ZoneInfo(schedule.timezone)) + timedelta(seconds=1)
    times = croniter(schedule.fields, there)
    moment: datetime = times.get_prev(datetime)
    return moment.astimezone(UTC)


def next_due(schedule: ScheduleConfig, now: datetime) -> datetime:
    """Return when a schedule is due next, UTC; ``now`` does not count."""
    times = croniter(schedule.fields, now.astimezone(ZoneInfo(schedule.timezone)))
    moment: datetime = times.get_next(datetime)
    return moment.astimezone(UTC)


def overdue(
    schedule: ScheduleConfig,
    *,
    watched_since: datetime,
    last_good: datetime | None,
    config: NoticesConfig | None,
    now: datetime,
) -> datetime | None:
    """Return since when a scheduled import is overdue; ``None`` when it is not, or the schedule's runs import nothing.

    Args:
        schedule: When it is due.
        watched_since: When the schedule was seen first: it owes nothing from before.
        last_good: When the last import that ended well began.
        config: How long it may take; ``None``: as long as when nothing is said of it.
        now: UTC.
    """
    if schedule.mode is not Mode.IMPORT:
        return None
    hours = config.overdue_after_hours if config else OVERDUE_AFTER_HOURS
    due = last_due(schedule, now - timedelta(hours=hours))
    if due < watched_since or (last_good is not None and last_good >= due):
        return None
    return due


def of_overdue(
    title: str, import_type: str, due: datetime, last_good: datetime | None, link: str
) -> Notice:
    """Return the notice that an import is overdue."""
    good = (
        f"The last good one began {_moment(last_good)}."
        if last_good
        else "None has ended well yet."
    )
    text = f"An import was due {_moment(due)} and has not ended well since. {good}"
    subject = _subject(title, import_type)
    return Notice(NoticeKind.OVERDUE, f"{subject}: overdue", text, link, import_type)


@dataclass(frozen=True)
class Credential:
    """Something that ends.

    Attributes:
        name: What it is.
        ends: Its last day.
        hint: What to do.
    """

    name: str
    ends: date
    hint: str


def of_expiring(
    title: str, credentials: Iterable[Credential], today: date, link: str
) -> Notice | None:
    """Return the notice that credentials end within ``SOON``; ``None`` when none does.

    Args:
        title: The instance's.
        credentials: All that it has.
        today: UTC.
        link: Where more stands.
    """
    told = [each for each in credentials if each.ends - today <= SOON]
    if not told:
        return None
    words = [
        f"{each.name} {'has ended' if each.ends < today else f'ends on {each.ends}'}"
        for each in told
    ]
    text = f"Imports stop then. {' '.join(f'{each.name}: {each.hint}.' for each in told)}"
    return Notice(NoticeKind.EXPIRING, f"{title}: {', '.join(words)}", text, link)


def _subject(title: str, import_type: str) -> str:
    return f"{title}, {import_type.replace('_', ' ')} customers"


def _customers(count: int) -> str:
    return f"{count} customer{'' if count == 1 else 's'}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
