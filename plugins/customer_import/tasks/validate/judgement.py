"""From broken rules to a judgement: which customers are rejected, which have warnings, and in what words. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from customer_import.tasks.validate.rules import Chunk, RowNumbers, Rule, RuleResult, Suite
from customer_import.vocabulary import Severity

if TYPE_CHECKING:
    from customer_import.mapping.source_columns import Flags

RunSuite = Callable[[Suite, pd.DataFrame], list[RuleResult]]
"""Runs a suite on its frame; ``SuiteRunner.run``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule of one customer.

    Attributes:
        row: The customer's number among those judged together.
        suite: Name of the suite.
        rule: The rule.
        message: In words, without the value.
    """

    row: int
    suite: str
    rule: Rule
    message: str


@dataclass(frozen=True)
class Judgement:
    """What validation found out about customers that were judged together.

    Attributes:
        results: Per suite, one result per rule.
        findings: In the order of suites, rules and rows.
        rejected: Customer's number to its critical findings, in that order.
        warned: Customer's number to its warnings.
    """

    results: dict[str, list[RuleResult]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    rejected: dict[int, list[Finding]] = field(default_factory=dict)
    warned: dict[int, list[Finding]] = field(default_factory=dict)


class Evidence:
    """What suites look at, gathered from chunk after chunk: far less than the customers themselves.

    Args:
        suites: Names are unique.
    """

    def __init__(self, suites: Sequence[Suite]) -> None:
        self.suites = suites
        self._columns: dict[str, dict[str, list[Any]]] = {
            suite.name: defaultdict(list) for suite in suites
        }  # Any: parts of a column
        self._has_billing_profile: list[Flags] = []

    def add(self, chunk: Chunk) -> None:
        """Add a chunk's customers, after those that were added before."""
        self._has_billing_profile.append(chunk.has_billing_profile)
        for suite in self.suites:
            for name, values in suite.columns_of(chunk).items():
                self._columns[suite.name][name].append(values)

    def rows_of(self, suite: Suite) -> RowNumbers:
        """Return the customers that a suite looks at.

        Those without a billing profile are spared the suites that need one: all that those could
        say follows from it.
        """
        has_profile = np.concatenate(self._has_billing_profile)
        return np.flatnonzero(has_profile | (not suite.needs_billing_profile))

    def frame_of(self, suite: Suite) -> pd.DataFrame:
        """Return a suite's columns, a row for each of ``rows_of``, indexed 0..n-1."""
        columns = self._columns[suite.name].items()
        frame = pd.DataFrame({name: _joined(parts) for name, parts in columns})
        rows = self.rows_of(suite)
        return frame if len(rows) == len(frame) else frame.iloc[rows].reset_index(drop=True)


def judge(evidence: Evidence, run_suite: RunSuite) -> Judgement:
    """Run every suite on what was gathered; rows are numbered in the order of gathering."""
    results: dict[str, list[RuleResult]] = {}
    findings: list[Finding] = []
    for suite in evidence.suites:
        frame, rows = evidence.frame_of(suite), evidence.rows_of(suite)
        results[suite.name] = run_suite(suite, frame)
        for result in results[suite.name]:
            findings += _findings(suite.name, result, frame, rows)
    by_severity: dict[Severity, dict[int, list[Finding]]] = {
        severity: defaultdict(list) for severity in Severity
    }
    for finding in findings:
        by_severity[finding.rule.severity][finding.row].append(finding)
    return Judgement(
        results, findings, dict(by_severity[Severity.CRITICAL]), dict(by_severity[Severity.WARNING])
    )


def _joined(parts: list[Any]) -> Any:  # noqa: ANN401 - one kind of column, in parts and whole
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    return list(chain.from_iterable(parts))


def _findings(
    suite: str,
    result: RuleResult,
    frame: pd.DataFrame,
    rows: RowNumbers,
) -> list[Finding]:
    rule = result.rule
    broken = rows[result.broken].tolist()
    if rule.detail_column is None:
        message = rule.text()
        return [Finding(row, suite, rule, message) for row in broken]
    details = frame[rule.detail_column].iloc[result.broken]
    return [
        Finding(row, suite, rule, rule.text(detail))
        for row, detail in zip(broken, details, strict=True)
    ]
