"""Closing a run: every discovered tenant gets an outcome, and the run shows that they add up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson
import pytest
from sqlalchemy import insert

from customer_import.database.tables import validation_findings
from customer_import.errors import ConservationError
from customer_import.reasons import REASONS
from customer_import.tasks.finish.close import close_run
from customer_import.tasks.finish.to_mend import MENDS, NAMED
from customer_import.vocabulary import ImportType, Outcome, ReasonCode
from tests.imports.scene import on

if TYPE_CHECKING:
    from tests.imports.scene import Scene
    from tests.tasks.finish.book import Book


def test_a_run_whose_outcomes_add_up_succeeds_and_says_what_it_did(book: Book):
    run = book.begin()
    one, two, three, four = book.list(run, 4)
    book.list(run, 2, is_discovered=False)
    book.record(run, [one], "created", reason_code="new")
    book.record(run, [two], "unchanged", reason_code="same", warnings=["The phone is missing."])
    book.record(run, [three], "skipped", reason_code="customer_left")
    book.record(run, [four], "rejected", reason_code="validation", warnings=["A."])

    summary = close_run(book.engine, run.key, {})

    assert (summary.state, summary.error) == ("success with problems", None)
    assert (summary.listed, summary.discovered) == (6, 4)
    assert {name: n for name, n in summary.outcomes.items() if n} == {
        "created": 1,
        "unchanged": 1,
        "skipped": 1,
        "rejected": 1,
    }
    assert summary.reasons == {"customer_left": 1, "validation": 1}
    assert summary.warnings == 1  # the rejected one has its reason
    assert summary.wrote
    stored = book.row(run)
    assert (stored.state, stored.discovered, stored.summary) == (
        summary.state,
        4,
        summary.as_dict(),
    )
    assert stored.ended_at is not None


def test_the_event_of_a_run_has_its_counts_and_nothing_that_people_wrote_or_are_called_by(
    book: Book,
):
    run = book.begin()
    one, two, three = book.list(run, 3)
    book.record(run, [one, two], "created", reason_code="new")
    book.record(run, [three], "ambiguous", reason_code="same_name", reason="Ask Ada.")

    event = close_run(book.engine, run.key, {"load_customers": "failed"}).as_event()

    assert event["outcomes"] == {outcome.value: 0 for outcome in Outcome} | {
        "created": 2,
        "ambiguous": 1,
    }
    assert (event["run_key"], event["airflow_run_id"]) == (run.key, run.airflow_run_id)
    assert (event["import_type"], event["instance"]) == ("direct", "default")
    assert (event["mode"], event["state"], event["waiting"]) == ("import", "failed", 1)
    assert {"error", "approval", "preview", "fields"} & set(event) == set()
    text = orjson.dumps(event).decode()
    assert "Ada" not in text
    assert not any(tenant in text for tenant in (one, two, three))


def test_rules_are_counted_by_tenant_and_durations_of_mapped_tasks_last_attempts_add_up(book: Book):
    run = book.begin()
    (tenant,) = book.list(run)
    book.record(run, [tenant], "rejected", reason_code="validation")
    finding = {"run_id": run.key, "tenant_id": tenant, "suite": "contact", "message": "Correct it."}
    with book.engine.begin() as connection:
        connection.execute(
            insert(validation_findings),
            [
                finding | {"rule": "has_name", "field": "firstName", "severity": "critical"},
                finding | {"rule": "has_name", "field": "lastName", "severity": "critical"},
                finding | {"rule": "has_phone", "field": "phone", "severity": "warning"},
            ],
        )
    book.attempt(run, "start_run", seconds=1.5)
    book.attempt(run, "load_customers", map_index=0, seconds=2.0)
    book.attempt(run, "load_customers", map_index=1, attempt=1, seconds=40.0, error="It broke.")
    book.attempt(run, "load_customers", map_index=1, attempt=2, seconds=3.25)
    book.attempt(run, "finish_run")

    summary = close_run(book.engine, run.key, {})

    assert summary.broken_rules == {"has_name": 1}
    assert summary.durations_s == {"start_run": 1.5, "load_customers": 5.25}


def test_a_result_of_a_tenant_that_was_not_discovered_fails_the_run(book: Book):
    run = book.begin()
    found = book.list(run, 2)
    (foreign,) = book.list(run, is_discovered=False)
    book.record(run, [*found, foreign], "created", reason_code="new")

    with pytest.raises(ConservationError, match=r"2 tenants were discovered, but 3 have"):
        close_run(book.engine, run.key, {})

    stored = book.row(run)
    assert stored.state == stored.summary["state"] == "failed"
    assert stored.summary["outcomes"]["created"] == 3
    assert "2 tenants were discovered" in stored.error


def test_a_result_that_was_lost_is_reported_as_not_reached_and_not_hidden(book: Book):
    run = book.begin()
    kept, lost = book.list(run, 2)
    book.record(run, [kept, lost], "created", reason_code="new")
    book.lose(run, lost)

    summary = close_run(book.engine, run.key, {})

    assert (summary.outcomes["created"], summary.outcomes["failed"]) == (1, 1)
    result = book.results(run)[lost]
    assert (result.outcome, result.reason_code) == ("failed", "not_reached")
    assert result.reason == "The run ended before this customer's turn. No task failed."


def test_tenants_whose_load_never_ran_are_failed_with_the_reason(book: Book):
    run = book.begin()
    reached, *others = book.list(run, 3)
    book.record(run, [reached], "created", reason_code="new")
    book.attempt(run, "load_customers", map_index=0, seconds=1.0)
    book.attempt(run, "load_customers", map_index=1, error="BSS: the password was refused")

    failed = {"load_customers_1": "failed", "finish": "upstream_failed"}
    summary = close_run(book.engine, run.key, failed)

    assert summary.state == "failed"
    assert summary.error == "load_customers[1]: BSS: the password was refused"
    assert summary.reasons == {"not_reached": 2}
    for tenant in others:
        result = book.results(run)[tenant]
        assert "the password was refused" in result.reason
        assert result.tenant_name.startswith("Example Company")
        assert (result.reseller_mpn_id, result.domain) == (
            "4847383",
            f"example{int(tenant[-4:])}.onmicrosoft.com",
        )


NO_WORD = "ended without a word (killed, or out of time); see its log"


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        ({}, None),
        ({"extract_customers": "failed"}, "extract_customers: it broke again"),
        (
            {"validate_customers": "upstream_failed", "extract_customers": "failed"},
            "extract_customers: it broke again",
        ),
        ({"load_customers_1": "failed"}, "load_customers[1]: it broke there"),
        ({"load_customers": "failed"}, "load_customers[1]: it broke there"),
        (
            {"load_customers_2": "failed"},
            f"task load_customers[2], attempt 2 of 2026-01-02 03:04 UTC, {NO_WORD}",
        ),
        ({"load_customers_3": "failed"}, f"task load_customers[3] {NO_WORD}"),
        ({"load_customers_0": "failed"}, f"task load_customers[0] {NO_WORD}"),
        ({"transform_customers": "upstream_failed"}, f"task transform_customers {NO_WORD}"),
    ],
)
def test_the_error_is_what_the_failed_task_s_last_attempt_said(
    book: Book, failed: dict[str, str], expected: str | None
):
    run = book.begin()
    killed_at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    book.attempt(run, "start_run", seconds=1.0)
    book.attempt(run, "extract_customers", attempt=1, error="it broke once")
    book.attempt(run, "extract_customers", attempt=2, error="it broke again")
    book.attempt(run, "load_customers", map_index=0, seconds=1.0)
    book.attempt(run, "load_customers", map_index=1, error="it broke there")
    book.attempt(run, "load_customers", map_index=2, attempt=1, error="it broke first")
    book.attempt(run, "load_customers", map_index=2, attempt=2, started_at=killed_at)

    summary = close_run(book.engine, run.key, failed)

    assert summary.error == expected
    assert summary.state == ("failed" if expected else "success")
    assert book.row(run).error == expected


@pytest.mark.parametrize(("mode", "discovered"), [("discover", 2), ("check", 0)])
def test_a_run_that_loads_nothing_gives_no_outcomes_and_succeeds(
    book: Book, mode: str, discovered: int
):
    run = book.begin(mode=mode)
    if discovered:
        book.list(run, discovered)

    summary = close_run(book.engine, run.key, {})

    assert (summary.state, summary.mode) == ("success", mode)
    assert summary.discovered == discovered
    assert sum(summary.outcomes.values()) == 0
    assert book.results(run) == {}
    assert not summary.wrote


def test_a_preview_counts_what_it_would_do(book: Book):
    run = book.begin(mode="preview")
    one, two = book.list(run, 2)
    book.record(run, [one], "would_create", reason_code="new")
    book.record(run, [two], "would_update", reason_code="changed")

    summary = close_run(book.engine, run.key, {})

    assert (summary.outcomes["would_create"], summary.outcomes["would_update"]) == (1, 1)
    assert not summary.wrote


def test_closing_again_changes_nothing(book: Book):
    run = book.begin()
    book.list(run, 2)

    first = close_run(book.engine, run.key, {"load_customers": "failed"})

    assert close_run(book.engine, run.key, {"load_customers": "failed"}) == first
    assert len(book.results(run)) == 2


@on("sqlite")
def test_the_summary_holds_no_customer(scene: Scene):
    customers = scene.sell(ImportType.DIRECT, 3) + scene.sell(
        ImportType.DIRECT, peculiarity="no_contact_name"
    )

    xcom = orjson.dumps(scene.run(ImportType.DIRECT).summary.as_dict()).decode().lower()

    for customer in customers:
        profile = customer.document["billingProfile"]
        address = profile["defaultAddress"]
        private = [customer.tenant_id, customer.company_name, customer.domain, profile["email"]]
        private += [address["phoneNumber"], address["addressLine1"], profile.get("lastName", "")]
        assert [value for value in private if value and value.lower() in xcom] == []


def test_the_log_names_who_waits_for_a_person_by_what_there_is_to_do(
    book: Book, caplog: pytest.LogCaptureFixture
):
    run = book.begin()
    rejected, ambiguous = book.list(run, 250), book.list(run, 2)
    book.record(run, rejected, "rejected", reason_code="validation", tenant_name="Example")
    book.record(run, ambiguous, "ambiguous", reason_code="same_name", tenant_name="Example")
    book.record(run, book.list(run), "created", reason_code="new")
    caplog.set_level("INFO")

    close_run(book.engine, run.key, {}, "https://airflow.example/customer-import/?run_id=1")

    text = caplog.text
    assert "Customers that need a person: 252" in text
    assert f"validation, 250: {MENDS[ReasonCode.VALIDATION]}" in text
    assert f"same_name, 2: {MENDS[ReasonCode.SAME_NAME]}" in text
    named = [each for each in (*rejected, *ambiguous) if f"({each})" in text]
    assert len(named) == NAMED
    assert set(ambiguous) <= set(named)
    assert "and 52 more" in text
    assert "https://airflow.example/customer-import/?run_id=1" in text


def test_every_reason_has_a_mend_or_needs_nobody():
    needs_nobody = {
        ReasonCode.EXCLUDED,
        ReasonCode.ALREADY_IMPORTED,
        ReasonCode.CUSTOMER_LEFT,
        ReasonCode.CUSTOMER_GONE,
        ReasonCode.CLAIMED_ELSEWHERE,
        ReasonCode.EXISTING_SKIPPED,
        ReasonCode.SUPERSEDED,
        ReasonCode.NEW,
        ReasonCode.ADOPTED,
        ReasonCode.CHANGED,
        ReasonCode.SAME,
    }
    assert set(ReasonCode) - MENDS.keys() == needs_nobody


def test_the_warnings_of_a_rejected_customer_are_not_counted_beside_its_reasons(book: Book):
    run = book.begin()
    first, second = book.list(run, 2)
    book.record(run, [first], "rejected", reason_code="validation", warnings=["a"])
    book.record(run, [second], "created", reason_code="new", warnings=["a", "b"])

    assert close_run(book.engine, run.key, {}).warnings == 1


@pytest.mark.parametrize(
    ("size", "failed", "limit", "state"),
    [
        (40, 3, 5, "failed"),
        (40, 2, 5, "success with problems"),
        (3, 3, 5, "failed"),
        (3, 2, 5, "success with problems"),
        (3, 3, 100, "success with problems"),
    ],
)
def test_a_run_in_which_too_many_failed_is_not_green(
    book: Book, size: int, failed: int, limit: int, state: str
):
    run = book.begin(max_failed_percent=limit)
    tenants = book.list(run, size)
    book.record(run, tenants[:failed], "failed", reason_code="bss_error")
    if failed < size:
        book.record(run, tenants[failed:], "created", reason_code="new")

    summary = close_run(book.engine, run.key, {})

    assert summary.state == state
    if state == "failed":
        assert f"{failed} of {size} customers failed" in (summary.error or "")
        assert "the BSS was away" in (summary.error or "")


@pytest.mark.parametrize(
    ("size", "refused", "invalid", "limit", "state"),
    [
        (20, 5, 0, 20, "failed"),
        (20, 4, 0, 20, "success with problems"),
        (20, 1, 4, 20, "failed"),
        (20, 0, 5, 20, "success with problems"),  # validation has judged that, or was overruled
        (19, 19, 0, 20, "success with problems"),
        (19, 1, 0, 0, "failed"),
        (20, 20, 0, 100, "success with problems"),
    ],
)
def test_a_run_of_which_the_bss_refused_too_much_is_not_green(
    book: Book, size: int, refused: int, invalid: int, limit: int, state: str
):
    run = book.begin(max_rejected_percent=limit)
    tenants = book.list(run, size)
    rejected = refused + invalid
    for some, outcome, code in (
        (tenants[:refused], "rejected", "bss_refused"),
        (tenants[refused:rejected], "rejected", "validation"),
        (tenants[rejected:], "created", "new"),
    ):
        if some:
            book.record(run, some, outcome, reason_code=code)

    summary = close_run(book.engine, run.key, {})

    assert summary.state == state
    if state == "failed":
        assert f"{rejected} of {size} customers" in (summary.error or "")
        assert f"{refused} of them" in (summary.error or "")
        assert "max_rejected_percent" in (summary.error or "")


def test_each_reason_of_a_failure_has_a_likely_cause(book: Book):
    failures = {code for code, meaning in REASONS.items() if Outcome.FAILED in meaning.outcomes}
    assert ReasonCode.LINK_DELETED in failures
    for code in failures - {ReasonCode.NOT_CLASSIFIED}:  # is not among the discovered
        run = book.begin()
        book.record(run, book.list(run, 3), "failed", reason_code=code.value)
        error = close_run(book.engine, run.key, {}).error or ""
        assert ("the BSS was away" in error) == (code is ReasonCode.BSS_ERROR), code
