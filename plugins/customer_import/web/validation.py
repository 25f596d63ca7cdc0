"""Reads what validation found in a run: each expectation with its counts, and who breaks one."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from pydantic import Field
from sqlalchemy import and_, select

from customer_import.database.tables import (
    import_results,
    validation_findings,
    validation_results,
)
from customer_import.vocabulary import Severity
from customer_import.web.models import Page, View
from customer_import.web.paging import Order, read_page

if TYPE_CHECKING:
    from sqlalchemy import Connection

_ORDER = Order("validation", (validation_findings.c.id,), (int,))


class RuleFilter(View):
    """Of which expectation the customers are wanted; none as long as one of the three is empty."""

    suite: str = Field(default="", max_length=50)
    rule: str = Field(default="", max_length=80)
    field: str = Field(default="", max_length=100)

    @property
    def is_set(self) -> bool:
        """Whether an expectation was chosen."""
        return bool(self.suite and self.rule and self.field)


class ExpectationView(View):
    """One expectation in one run.

    Attributes:
        suite: Its suite.
        rule: Its name in the suite.
        field: The field that it is about.
        severity: What a breach does.
        expectation: Great Expectations' name of it; ``None`` for runs of older versions.
        expected: In words; the same.
        evaluated: Customers looked at.
        unexpected: Those that break it.
    """

    suite: str
    rule: str
    field: str
    severity: Severity
    expectation: str | None
    expected: str | None
    evaluated: int
    unexpected: int

    @property
    def is_rejecting(self) -> bool:
        """Whether a breach keeps the customer from being imported."""
        return self.severity is Severity.CRITICAL

    def is_chosen(self, wanted: RuleFilter) -> bool:
        """Whether it is the one whose customers are shown."""
        return (self.suite, self.rule, self.field) == (wanted.suite, wanted.rule, wanted.field)


class SuiteView(View):
    """A suite of expectations in one run."""

    name: str
    expectations: tuple[ExpectationView, ...]

    @property
    def evaluated(self) -> int:
        """Customers that the suite looked at."""
        return max(one.evaluated for one in self.expectations)

    @property
    def kept(self) -> int:
        """Expectations that nobody breaks."""
        return sum(not one.unexpected for one in self.expectations)


class FindingView(View):
    """A customer that breaks an expectation, and what it was told; never with the value.

    Attributes:
        tenant_id: The tenant.
        tenant_name: Its name; ``None`` when it was erased, or has no result yet.
        domain: The same.
        outcome: What became of it.
        message: The finding.
    """

    tenant_id: str
    tenant_name: str | None
    domain: str | None
    outcome: str | None
    message: str


def read_suites(connection: Connection, run_key: int) -> tuple[SuiteView, ...]:
    """Return the suites of a run in their order; none when nothing was validated."""
    columns = validation_results.c
    statement = (
        select(*(columns[name] for name in ExpectationView.model_fields))
        .where(columns.run_id == run_key)
        .order_by(columns.id)
    )
    found = [ExpectationView(**row._mapping) for row in connection.execute(statement)]
    return tuple(
        SuiteView(name=name, expectations=tuple(group))
        for name, group in groupby(found, lambda one: one.suite)
    )


def read_findings(
    connection: Connection, run_key: int, wanted: RuleFilter, cursor: str | None, limit: int
) -> Page[FindingView]:
    """Return one page of the customers that break an expectation.

    Raises:
        CursorError: The cursor is of another list.
    """
    found, result = validation_findings.c, import_results.c
    same = and_(result.run_id == found.run_id, result.tenant_id == found.tenant_id)
    statement = (
        select(
            found.id,
            found.tenant_id,
            result.tenant_name,
            result.domain,
            result.outcome,
            found.message,
        )
        .select_from(validation_findings.outerjoin(import_results, same))
        .where(
            found.run_id == run_key,
            found.suite == wanted.suite,
            found.rule == wanted.rule,
            found.field == wanted.field,
        )
    )
    page = read_page(connection, statement, _ORDER, cursor, limit)
    return page.showing(
        FindingView(
            tenant_id=row.tenant_id,
            tenant_name=row.tenant_name,
            domain=row.domain,
            outcome=row.outcome,
            message=row.message,
        )
        for row in page.rows
    )
