"""What is worth a notice: pure rules, case by case."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from customer_import.config.notices import NoticesConfig
from customer_import.config.schedules import PRESETS, ScheduleConfig
from customer_import.notices.rules import (
    Credential,
    last_due,
    next_due,
    of_expiring,
    of_run,
    overdue,
)
from customer_import.tasks.finish.summary import Summary
from customer_import.vocabulary import Mode, NoticeKind, Outcome

ALL = [kind.value for kind in NoticeKind]
BY = [{"notifier": "a.b.C"}]


def config(**values: Any) -> NoticesConfig:
    return NoticesConfig.model_validate({"by": BY, **values})


def summary(mode: str = "import", state: str = "success", **outcomes: int) -> Summary:
    return Summary(
        run_key=7,
        dag_id="import_direct_customers",
        airflow_run_id="manual__7",
        import_type="direct",
        instance="contoso",
        mode=mode,
        scope="full",
        scope_reason=None,
        state=state,
        listed=9,
        discovered=9,
        carried=0,
        vanished=0,
        unclassified=0,
        outcomes={outcome.value: 0 for outcome in Outcome} | outcomes,
        reasons={},
        broken_rules={},
        warnings=0,
        durations_s={},
        waiting=outcomes.get("ambiguous", 0),
    )


@pytest.mark.parametrize(
    ("ended", "wanted", "told"),
    [
        (summary(unchanged=9), {}, {}),
        (summary(created=2), {}, {}),
        (summary(created=2), {"of": ALL}, {"new_customers": "2 customers created"}),
        (summary(failed=1), {}, {"problems": "1 customer failed or rejected"}),
        (summary(rejected=2, failed=1), {"problems_from": 4}, {}),
        (summary(rejected=3, failed=1), {"problems_from": 4}, {"problems": "4 customers failed or rejected"}),
        (summary(ambiguous=5), {}, {"waiting": "5 customers waiting for a decision"}),
        (summary(ambiguous=5), {"of": ["failed"]}, {}),
        (summary(state="failed"), {}, {"failed": "failed"}),
        (summary("preview", failed=3, ambiguous=3), {}, {}),
        (summary("check", "failed"), {}, {"failed": "failed"}),
    ],
)  # fmt: skip
def test_a_run_is_worth_what_its_instance_wants_to_know(
    ended: Summary, wanted: dict[str, Any], told: dict[str, str]
):
    found = of_run(ended, "Contoso", config(**wanted), "https://airflow.example/x")
    notices = {kind.value: notice for kind, notice in found.items() if notice}
    titles = {kind: notice.title for kind, notice in notices.items()}
    assert titles == {kind: f"Contoso, direct customers: {words}" for kind, words in told.items()}
    for notice in notices.values():
        assert notice.text.startswith("Run manual__7 ended as ")
        assert notice.run_key == 7


def test_a_preview_says_nothing_of_what_only_an_import_can_settle():
    kinds = of_run(summary("preview"), "Contoso", config(of=ALL), "").keys()
    assert kinds == {NoticeKind.FAILED}


@pytest.mark.parametrize(
    ("ended", "is_for_all", "is_over"),
    [
        (summary(unchanged=9), True, set(NoticeKind) - {NoticeKind.OVERDUE, NoticeKind.EXPIRING}),
        (summary("preview"), True, {NoticeKind.FAILED}),
        (summary("discover"), True, set()),
        (summary(created=1), False, set()),
        (summary(state="failed"), True, set()),
    ],
)
def test_trouble_is_over_only_by_a_run_that_would_have_had_it(
    ended: Summary, is_for_all: bool, is_over: set[NoticeKind]
):
    found = of_run(ended, "Contoso", config(of=ALL), "", is_for_all=is_for_all)
    assert {kind for kind, notice in found.items() if notice is None} == is_over


NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "due"),
    [
        ("30 4 * * *", "Europe/Athens", datetime(2026, 7, 1, 1, 30, tzinfo=UTC)),
        ("0 12 * * *", "UTC", NOW),
        ("@weekly", "UTC", datetime(2026, 6, 28, tzinfo=UTC)),
    ],
)
def test_a_schedule_was_due_by_its_own_clock(cron: str, zone: str, due: datetime):
    assert last_due(ScheduleConfig(cron=cron, timezone=zone), NOW) == due


@pytest.mark.parametrize(
    "cron", ["0 4 31 2 *", "0 4 30 feb *", "R 4 * * *", "R(0-30) 4 * * *", "0 r/2 * * *"]
)
def test_a_schedule_that_never_comes_or_is_drawn_by_lot_is_refused(cron: str):
    with pytest.raises(ValueError, match="is no time of a schedule"):
        ScheduleConfig(cron=cron)


def test_a_schedule_may_name_months_weekdays_and_leap_days():
    for cron in ("0 4 * mar,apr fri", "0 4 l * *", "0 4 29 2 *", "0 4 * * thu#1"):
        assert ScheduleConfig(cron=cron).fields == cron


def test_every_preset_that_may_be_written_is_known():
    for preset in PRESETS:
        assert last_due(ScheduleConfig(cron=preset), NOW) <= NOW


def test_a_schedule_is_due_next_by_its_own_clock_and_not_now():
    noon = ScheduleConfig(cron="0 12 * * *", timezone="Europe/Athens")
    assert next_due(noon, NOW) > NOW
    assert next_due(noon, last_due(noon, NOW)) == last_due(noon, NOW) + timedelta(days=1)


def test_a_schedule_whose_runs_import_nothing_is_never_overdue():
    began = datetime(2026, 6, 1, tzinfo=UTC)
    for mode in set(Mode) - {Mode.IMPORT}:
        schedule = ScheduleConfig(cron="0 4 * * *", mode=mode)
        due = overdue(schedule, watched_since=began, last_good=None, config=config(), now=NOW)
        assert due is None, mode


@pytest.mark.parametrize(
    ("since", "good", "is_overdue"),
    [
        (datetime(2026, 7, 1, 11, tzinfo=UTC), None, False),  # it was not watched when it was due
        (datetime(2026, 6, 1, tzinfo=UTC), None, True),
        (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 6, 30, 4, tzinfo=UTC), True),
        (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 7, 1, 4, tzinfo=UTC), False),
    ],
)
def test_overdue_is_what_did_not_end_well_hours_after_its_time(
    since: datetime, good: datetime | None, is_overdue: bool
):
    due = overdue(
        ScheduleConfig(cron="0 4 * * *"),
        watched_since=since,
        last_good=good,
        config=config(),
        now=NOW,
    )
    assert due == (datetime(2026, 7, 1, 4, tzinfo=UTC) if is_overdue else None)


def test_nothing_is_overdue_before_its_hours_have_passed():
    five_past = datetime(2026, 7, 1, 9, tzinfo=UTC)
    good = datetime(2026, 6, 30, 4, tzinfo=UTC)
    schedule = ScheduleConfig(cron="0 4 * * *")
    began = datetime(2026, 6, 1, tzinfo=UTC)
    assert (
        overdue(schedule, watched_since=began, last_good=good, config=config(), now=five_past)
        is None
    )


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        (date(2026, 7, 16), None),
        (date(2026, 7, 15), "ends on 2026-07-15"),
        (date(2026, 7, 1), "ends on 2026-07-01"),
        (date(2026, 6, 30), "has ended"),
    ],
)
def test_what_ends_within_two_weeks_is_told_with_what_to_do(ends: date, words: str | None):
    secret = Credential("the secret", ends, "make a new one")
    notice = of_expiring("Contoso", [secret], date(2026, 7, 1), "")
    if words is None:
        assert notice is None
    else:
        assert notice is not None
        assert notice.title == f"Contoso: the secret {words}"
        assert "make a new one" in notice.text
