from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, select, update

from customer_import.database.tables import (
    import_results,
    import_runs,
    staged_accounts,
    staged_customers,
    validation_findings,
    validation_results,
)
from customer_import.errors import DataQualityError
from customer_import.runs.results import Replaces, Result, record_results
from customer_import.runs.staged_customers import StagedRow
from customer_import.runs.verdict import Verdict
from customer_import.tasks.finish.close import close_run
from customer_import.tasks.transform.transform import transform_customers
from customer_import.tasks.validate.validate import validate_customers
from customer_import.vocabulary import Outcome, ReasonCode, TaskId
from tests.tasks.validate.runs import ADDRESS, customer, stage_run, tenant

NO_COUNTRY = {ADDRESS + "country": None, ADDRESS + "state": None}
NO_EMAIL = {"billingProfile.email": None}


def mixed():
    return [
        customer(0),
        customer(1, source=NO_COUNTRY | {"companyProfile.companyName": None} | NO_EMAIL),
        customer(2, source=NO_EMAIL),
        customer(3, has_billing_profile=False),
        customer(4, outcome="skipped", source=NO_COUNTRY),
        customer(5, is_discovered=False, source=NO_COUNTRY),
        customer(6, state="failed", outcome="failed"),
    ]


def read(engine, table, *columns):
    with engine.connect() as connection:
        statement = select(*(table.c[name] for name in columns)) if columns else select(table)
        return [tuple(row) for row in connection.execute(statement.order_by(table.c.id))]


def test_verdicts_are_counted_and_recorded(engine):
    run = stage_run(engine, mixed())
    summary = validate_customers(run, engine, judged_at_once=3)
    assert (summary.evaluated, summary.rejected, summary.warned) == (4, 2, 1)
    assert summary.broken["customer.has_billing_profile customer.billingProfile"] == 1
    results = read(
        engine, import_results, "tenant_id", "outcome", "reason_code", "task_id", "attempts"
    )
    assert sorted(results) == [
        (tenant(1), "rejected", "validation", "validate_customers", 1),
        (tenant(3), "rejected", "no_billing_profile", "validate_customers", 1),
    ]


def test_a_rejection_tells_every_reason_and_keeps_the_warnings(engine):
    validate_customers(stage_run(engine, mixed()), engine)
    with engine.connect() as connection:
        row = connection.execute(
            select(import_results).where(import_results.c.tenant_id == tenant(1))
        ).one()
    assert "companyProfile.companyName" in row.reason
    assert ADDRESS + "country" in row.reason
    assert any("billingProfile.email" in warning for warning in row.warnings)
    assert (row.tenant_name, row.domain) == ("Company 1", "company1.example")


def test_every_rule_has_a_result_summed_over_chunks(engine):
    run = stage_run(engine, mixed())
    validate_customers(run, engine, judged_at_once=2)
    rows = read(
        engine, validation_results, "suite", "rule", "field", "evaluated", "unexpected", "success"
    )
    assert ("customer", "present", "tenant.id", 4, 0, True) in rows
    assert ("account", "required", "account.name", 3, 1, False) in rows
    assert ("account", "present", "account.email", 3, 2, False) in rows


def test_every_result_says_in_words_what_was_expected_without_any_value(engine):
    validate_customers(stage_run(engine, mixed()), engine)
    said = read(engine, validation_results, "suite", "rule", "field", "expectation", "expected")
    words = {(suite, rule, field): rest for suite, rule, field, *rest in said}
    assert words["customer", "unique", "tenant.id"] == [
        "ExpectColumnValuesToBeUnique",
        "tenant.id occurs once",
    ]
    assert words["account", "required", "account.name"][1] == "account.name is there"
    assert words["account", "max_length", "account.name"][1].startswith(
        "account.name length is at most "
    )
    assert words["contact", "has_name", "contact.name"][1] == "contact has a first or last name"
    assert words["account", "is_text", "account"][1] == "no account fields that are not text"
    assert (
        words["account", "email_pattern", "account.email"][1] == "account.email has the right form"
    )
    everything = [text for _, text in words.values()]
    assert all(everything)
    assert len(set(everything)) == len(everything)
    assert not any(mark in text for text in everything for mark in ("{", "Expect", "\\"))


def test_repeating_the_stage_changes_nothing(engine):
    run = stage_run(engine, mixed())

    def state():
        return (
            read(engine, validation_findings, "tenant_id", "suite", "rule", "field", "message"),
            read(engine, validation_results, "suite", "rule", "field", "evaluated", "unexpected"),
            read(engine, import_results, "tenant_id", "outcome", "reason"),
        )

    first = validate_customers(run, engine), state()
    assert (validate_customers(run, engine), state()) == first


def test_a_mended_customer_loses_its_rejection(engine):
    run = stage_run(engine, [customer(0, source=NO_COUNTRY)])
    validate_customers(run, engine)
    with engine.begin() as connection:
        connection.execute(update(staged_customers).values(source=customer(0)["source"]))
    assert validate_customers(run, engine).rejected == 0
    assert read(engine, import_results) == []


@pytest.mark.parametrize("mode", ["import", "preview"])
@pytest.mark.parametrize("written", ["created", "updated"])
def test_a_cleared_validation_does_not_call_rejected_what_the_run_has_written(
    engine, written, mode
):
    run = stage_run(engine, [customer(0), customer(1)], mode=mode)
    outcome = written if mode == "import" else f"would_{written.removesuffix('d')}"
    verdict = Verdict(Outcome(outcome), ReasonCode.NEW, "It has an account.")
    loaded = Result.of(run, StagedRow(tenant(0), *[None] * 9), verdict, TaskId.LOAD_CUSTOMERS)
    with engine.begin() as connection:
        record_results(connection, [loaded], replaces=Replaces.ANY)
        connection.execute(
            update(staged_customers).values(source=customer(source=NO_COUNTRY)["source"])
        )
    validate_customers(run, engine)
    outcomes = dict(read(engine, import_results, "tenant_id", "outcome"))
    assert outcomes == {
        tenant(0): written if mode == "import" else "rejected",
        tenant(1): "rejected",
    }


def test_each_customer_is_rejected_or_staged_never_both_never_neither(engine):
    customers = [
        customer(n, source=NO_COUNTRY if n % 3 == 0 else NO_EMAIL if n % 3 == 1 else {})
        for n in range(40)
    ]
    run = stage_run(engine, customers, max_rejected_percent=100)
    validate_customers(run, engine, judged_at_once=25)
    transform_customers(run, engine, chunk_size=9)
    rejected = {row[0] for row in read(engine, import_results, "tenant_id")}
    with engine.connect() as connection:
        staged = set(connection.execute(select(staged_accounts.c.tenant_id)).scalars())
    assert rejected == {tenant(n) for n in range(0, 40, 3)}
    assert staged == {tenant(n) for n in range(40)} - rejected


@pytest.mark.parametrize(
    ("size", "rejected", "limit", "is_stopped"),
    [(20, 5, 20, True), (20, 4, 20, False), (19, 19, 20, False), (3, 1, 0, True), (3, 0, 0, False)],
)
def test_a_run_with_too_many_rejected_stops_after_recording_them(
    engine, size, rejected, limit, is_stopped
):
    customers = [customer(n, source=NO_COUNTRY if n < rejected else {}) for n in range(size)]
    run = stage_run(engine, customers, max_rejected_percent=limit)
    if is_stopped:
        with pytest.raises(DataQualityError, match=f"{rejected} of {size} discovered"):
            validate_customers(run, engine)
    else:
        validate_customers(run, engine)
    assert len(read(engine, import_results)) == rejected


def earlier_run(engine, *, discovered, state="success", **params):
    run = stage_run(engine, [], key=f"earlier-{discovered}-{state}", **params)
    with engine.begin() as connection:
        statement = update(import_runs).where(import_runs.c.id == run.key)
        connection.execute(statement.values(discovered=discovered, state=state))


def test_a_run_that_discovers_nobody_stops_when_the_last_one_had_customers(engine):
    earlier_run(engine, discovered=12)
    with pytest.raises(DataQualityError, match="discovered 12"):
        validate_customers(stage_run(engine, []), engine)


def test_a_person_can_say_once_that_nobody_is_right(engine):
    earlier_run(engine, discovered=12)
    told = stage_run(engine, [], key="told", expect_none=True)
    assert validate_customers(told, engine).evaluated == 0
    close_run(engine, told.key, {})
    assert validate_customers(stage_run(engine, [], key="after"), engine).evaluated == 0


@pytest.mark.parametrize(
    ("had_left", "left", "stayed", "is_stopped"),
    [(2, 2, 10, True), (0, 1, 1, False), (2, 2, 0, False), (2, 3, 0, False)],
    ids=["all others are lost", "the last one leaves", "nobody was left", "one leaves late"],
)
def test_who_had_left_by_the_last_run_is_nobody(engine, had_left, left, stayed, is_stopped):
    earlier_run(engine, discovered=had_left + stayed)
    with engine.begin() as connection:
        connection.execute(
            update(import_runs).values(summary={"reasons": {"customer_left": had_left}})
        )
        key = connection.execute(select(import_runs.c.id)).scalar_one()
        for number in range(had_left):
            connection.execute(insert(import_results).values(result_left(key, number)))
    run = stage_run(engine, [customer(number, **LEFT) for number in range(left)])
    if is_stopped:
        with pytest.raises(DataQualityError, match=f"discovered {stayed}"):
            validate_customers(run, engine)
    else:
        validate_customers(run, engine)


def test_who_has_come_back_is_somebody(engine):
    earlier_run(engine, discovered=11)
    with engine.begin() as connection:
        connection.execute(update(import_runs).values(summary={"reasons": {"customer_left": 1}}))
        key = connection.execute(select(import_runs.c.id)).scalar_one()
        connection.execute(insert(import_results).values(result_left(key, 0)))
    assert validate_customers(stage_run(engine, [customer(0)]), engine).evaluated == 1


@pytest.mark.parametrize(
    ("size", "failed", "limit", "is_stopped"),
    [
        (20, 2, 5, True),
        (20, 1, 5, False),
        (19, 18, 5, False),
        (19, 19, 5, True),
        (1, 1, 5, True),
        (1, 1, 100, False),
    ],
)
def test_a_run_that_could_not_read_too_many_stops_before_the_load(
    engine, size, failed, limit, is_stopped
):
    unread = {"state": "failed", "outcome": "failed", "reason_code": "extraction_error"}
    customers = [customer(n, **(unread if n < failed else {})) for n in range(size)]
    run = stage_run(engine, customers, max_failed_percent=limit)
    if is_stopped:
        with pytest.raises(DataQualityError, match=f"no usable answer for {failed} of {size}"):
            validate_customers(run, engine)
    else:
        validate_customers(run, engine)


def result_left(run_key, number):
    return {
        "run_id": run_key,
        "tenant_id": tenant(number),
        "import_type": "direct",
        "instance": "default",
        "outcome": "skipped",
        "reason_code": "customer_left",
        "recorded_at": datetime.now(UTC),
    }


LEFT = {"state": "left", "outcome": "skipped", "reason_code": "customer_left"}


def complete_run(engine, left):
    """A complete run of 40 customers, the first of which had left."""
    run = stage_run(engine, [], key="complete")
    with engine.begin() as connection:
        statement = update(import_runs).where(import_runs.c.id == run.key)
        connection.execute(statement.values(state="success", is_complete=True, discovered=40))
        for number in range(left):
            connection.execute(insert(import_results).values(result_left(run.key, number)))


@pytest.mark.parametrize(
    ("before", "now", "is_stopped"), [(0, 40, True), (10, 13, True), (10, 12, False), (0, 2, False)]
)
def test_a_run_that_too_many_left_since_the_last_stops(engine, before, now, is_stopped):
    complete_run(engine, left=before)
    run = stage_run(engine, [customer(n, **(LEFT if n < now else {})) for n in range(40)])
    if is_stopped:
        with pytest.raises(DataQualityError, match=f"of {now - before} of 40 customers"):
            validate_customers(run, engine)
    else:
        validate_customers(run, engine)


def test_customers_that_left_before_the_first_run_stop_nobody(engine):
    run = stage_run(engine, [customer(n, **(LEFT if n < 30 else {})) for n in range(40)])
    assert validate_customers(run, engine).evaluated == 10


def test_a_run_that_discovers_nobody_is_fine_the_first_time_or_for_a_selection(engine):
    assert validate_customers(stage_run(engine, []), engine).evaluated == 0
    earlier_run(engine, discovered=7, state="failed")
    earlier_run(engine, discovered=3, tenants=[tenant(0)])
    earlier_run(engine, discovered=5, mode="preview")
    assert validate_customers(stage_run(engine, [], key="second"), engine).evaluated == 0
    earlier_run(engine, discovered=12)
    selected = stage_run(engine, [], key="third", tenants=[tenant(1)])
    assert validate_customers(selected, engine).evaluated == 0


def test_the_log_has_a_line_per_suite_and_no_personal_data(engine, caplog):
    run = stage_run(engine, [customer(0, source={"billingProfile.email": "anna.svensson"})])
    with caplog.at_level(logging.INFO):
        validate_customers(run, engine)
    lines = [r.getMessage() for r in caplog.records if r.name.startswith("customer_import")]
    assert len(lines) == 6  # two of them the outcome of the rejected customer, with its header
    assert lines[-1] == "Validated 1 customers: 1 rejected, 0 with warnings."
    assert "anna" not in caplog.text
