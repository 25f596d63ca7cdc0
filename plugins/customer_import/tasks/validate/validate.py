"""The task ``validate_customers``: each customer is checked, and rejected with reasons or left for the transform.

Rows stream through in chunks, of which only what the rules look at is kept until there is enough to
judge; findings, results and rejections are then written in one transaction. A run that repeats the
task first removes what it wrote before. When all is written, the run as a whole is judged
(``run_checks``).
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from sqlalchemy import delete

from customer_import.database.bulk import insert_rows
from customer_import.database.engine import upsert
from customer_import.database.tables import import_results, validation_findings, validation_results
from customer_import.failpoints import reached
from customer_import.garbage_collection import gc_frozen
from customer_import.mapping.selection import select_fields
from customer_import.mapping.source_columns import source_columns
from customer_import.runs.outcome_log import log_outcomes
from customer_import.runs.reference_data import read_country_rules, read_organisation
from customer_import.runs.results import Replaces, Result, record_results
from customer_import.runs.staged_customers import (
    CHUNK_SIZE,
    check_paths,
    count_customers,
    has_values,
    read_customers,
)
from customer_import.runs.verdict import Verdict
from customer_import.tasks.validate.account_suite import account_suite
from customer_import.tasks.validate.contact_suite import contact_suite
from customer_import.tasks.validate.country_checks import CountryChecks
from customer_import.tasks.validate.customer_suite import customer_suite
from customer_import.tasks.validate.judgement import Evidence, Judgement, judge
from customer_import.tasks.validate.options_suite import options_suite
from customer_import.tasks.validate.rules import Chunk
from customer_import.tasks.validate.run_checks import (
    check_discovered,
    check_failed,
    check_left,
    check_rejected,
)
from customer_import.vocabulary import Outcome, Severity, TaskId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine

    from customer_import.bss.models import Organisation
    from customer_import.runs.run import Run
    from customer_import.runs.staged_customers import StagedRow
    from customer_import.tasks.validate.judgement import Finding
    from customer_import.tasks.validate.rules import Suite

_log = logging.getLogger(__name__)

JUDGED_AT_ONCE = 20_000
"""An expectation costs some 6 ms, however few customers it looks at; this many take some 25 MB."""


@dataclass(frozen=True)
class ValidateSummary:
    """What the task found, in numbers.

    Attributes:
        evaluated: Customers checked.
        rejected: Customers that break a critical rule.
        warned: Customers that are not rejected and have a warning.
        broken: ``suite.rule field`` to the customers that break it; rules that nobody breaks are
            left out.
    """

    evaluated: int
    rejected: int
    warned: int
    broken: dict[str, int] = dataclass_field(default_factory=dict)


class _Tally:
    """Sums over the whole run."""

    def __init__(self) -> None:
        self.evaluated: Counter[str] = Counter()
        self.rejected: Counter[str] = Counter()
        self.warned: Counter[str] = Counter()
        self.rows: Counter[str] = Counter()
        self.looked_at: Counter[tuple[str, str, str]] = Counter()
        self.broken: Counter[tuple[str, str, str]] = Counter()

    def add(self, judgement: Judgement, size: int) -> None:
        """Add the judgement on ``size`` customers."""
        self.rows.update(
            evaluated=size,
            rejected=len(judgement.rejected),
            warned=len(judgement.warned.keys() - judgement.rejected.keys()),
        )
        for suite, results in judgement.results.items():
            self.evaluated[suite] += max((result.evaluated for result in results), default=0)
            for result in results:
                key = (suite, result.rule.name, result.rule.field)
                self.looked_at[key] += result.evaluated
                self.broken[key] += len(result.broken)
        touched: set[tuple[str, Severity, int]] = {
            (f.suite, f.rule.severity, f.row) for f in judgement.findings
        }
        for suite, severity, _ in touched:
            (self.rejected if severity is Severity.CRITICAL else self.warned)[suite] += 1


def validate_customers(
    run: Run, engine: Engine, judged_at_once: int = JUDGED_AT_ONCE
) -> ValidateSummary:
    """Check every discovered customer of a run and record the judgement.

    Args:
        run: The run.
        engine: The staging database.
        judged_at_once: Customers a transaction.

    Raises:
        ConfigurationError: The run has no organisation: ``start_run`` did not finish. Or the mapping files name more
            than was read.
        DataQualityError: What was read is not there any more. Or nothing was discovered though the last run had
            customers, or too many failed, left or are rejected; the judgement is written all the same.
        CustomerImportError: A rule could not be evaluated, or a staged customer cannot be read.
    """
    if not has_values(engine, run.key):
        return ValidateSummary(0, 0, 0)
    check_paths(engine, run)
    organisation = read_organisation(engine, run.key)
    checks = CountryChecks(read_country_rules(engine, run.key), organisation)
    options = options_suite(run)
    suites = (
        customer_suite(run),
        account_suite(run, checks),
        contact_suite(run),
        *([options] if options.rules else []),
    )
    _delete_earlier(engine, run.key, suites)
    tally = _Tally()
    if count_customers(engine, run.key, is_validated=False):
        _validate(run, engine, organisation, suites, tally, judged_at_once)
    _record_results(engine, run.key, suites, tally)
    by_task = import_results.c.task_id == TaskId.VALIDATE_CUSTOMERS.value
    log_outcomes(engine, run.key, by_task)
    _log_suites(suites, tally)
    rows = tally.rows
    _log.info(
        "Validated %d customers: %d rejected, %d with warnings.",
        rows["evaluated"],
        rows["rejected"],
        rows["warned"],
    )
    check_failed(engine, run)
    check_discovered(engine, run)
    check_left(engine, run)
    check_rejected(engine, run, rows["rejected"])
    broken = {
        f"{suite}.{rule} {field}": count
        for (suite, rule, field), count in tally.broken.items()
        if count
    }
    return ValidateSummary(rows["evaluated"], rows["rejected"], rows["warned"], broken)


def _validate(
    run: Run,
    engine: Engine,
    organisation: Organisation,
    suites: Sequence[Suite],
    tally: _Tally,
    judged_at_once: int,
) -> None:
    from customer_import.tasks.validate.expectations import SuiteRunner  # noqa: PLC0415 - only when there is work for it

    runner = SuiteRunner(suites)
    customers: list[StagedRow] = []
    evidence = Evidence(suites)

    def judge_gathered() -> None:
        judgement = judge(evidence, runner.run)
        with engine.begin() as connection:
            _record_judgement(connection, run, customers, judgement)
            reached("before_validation_commit")
        reached("after_validation_commit")
        tally.add(judgement, len(customers))

    with gc_frozen():
        for rows in read_customers(
            engine, run.key, min(CHUNK_SIZE, judged_at_once), is_validated=False
        ):
            evidence.add(_chunk(rows, run, organisation))
            customers += (row.without_source() for row in rows)
            if len(customers) >= judged_at_once:
                judge_gathered()
                customers, evidence = [], Evidence(suites)
        if customers:
            judge_gathered()


def _chunk(rows: Sequence[StagedRow], run: Run, organisation: Organisation) -> Chunk:
    source = source_columns(rows, run, organisation)
    return Chunk(
        source=source,
        account=select_fields(source.texts, run.mappings.account, run.import_type),
        contact=select_fields(source.texts, run.mappings.contact, run.import_type),
        sync_options=select_fields(source.texts, run.mappings.sync_options, run.import_type),
        has_billing_profile=np.array([bool(row.has_billing_profile) for row in rows], np.bool_),
    )


def _delete_earlier(engine: Engine, run_key: int, suites: Sequence[Suite]) -> None:
    names = [suite.name for suite in suites]
    with engine.begin() as connection:
        for table in (validation_findings, validation_results):
            connection.execute(
                delete(table).where(table.c.run_id == run_key, table.c.suite.in_(names))
            )
        connection.execute(
            delete(import_results).where(
                import_results.c.run_id == run_key,
                import_results.c.task_id == TaskId.VALIDATE_CUSTOMERS.value,
            )
        )


def _record_judgement(
    connection: Connection, run: Run, rows: Sequence[StagedRow], judgement: Judgement
) -> None:
    insert_rows(
        connection,
        validation_findings,
        ("run_id", "tenant_id", "suite", "rule", "field", "severity", "message"),
        (
            (
                run.key,
                rows[finding.row].tenant_id,
                finding.suite,
                finding.rule.name,
                finding.rule.field,
                finding.rule.severity.value,
                finding.message,
            )
            for finding in judgement.findings
        ),
    )
    now = datetime.now(UTC)
    results = [
        Result.of(
            run,
            rows[row],
            _rejection(critical),
            TaskId.VALIDATE_CUSTOMERS,
            warnings=(finding.message for finding in judgement.warned.get(row, ())),
            read_at=rows[row].fetched_at,
            recorded_at=now,
        )
        for row, critical in judgement.rejected.items()
    ]
    record_results(connection, results, replaces=Replaces.UNWRITTEN)


def _rejection(critical: Sequence[Finding]) -> Verdict:
    reason = " ".join(finding.message for finding in critical)
    return Verdict(Outcome.REJECTED, critical[0].rule.reason_code, reason)


def _record_results(engine: Engine, run_key: int, suites: Sequence[Suite], tally: _Tally) -> None:
    rows = []
    for suite in suites:
        for rule in suite.rules:
            key = (suite.name, rule.name, rule.field)
            rows.append(
                {
                    "run_id": run_key,
                    "suite": suite.name,
                    "rule": rule.name,
                    "field": rule.field,
                    "severity": rule.severity.value,
                    "evaluated": tally.looked_at[key],
                    "unexpected": tally.broken[key],
                    "success": tally.broken[key] == 0,
                    "expectation": rule.expectation.type,
                    "expected": rule.expectation.words(),
                }
            )
    with engine.begin() as connection:
        upsert(connection, validation_results, rows)


def _log_suites(suites: Sequence[Suite], tally: _Tally) -> None:
    for suite in suites:
        _log.info(
            "Suite %s: %d customers checked against %d rules, %d break a critical one, %d a warning.",
            suite.name,
            tally.evaluated[suite.name],
            len(suite.rules),
            tally.rejected[suite.name],
            tally.warned[suite.name],
        )
