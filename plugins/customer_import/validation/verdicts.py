"""From broken rules to verdicts: which customers are rejected, which have warnings, and in what words. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from customer_import.validation.rules import Chunk, RowNumbers, Rule, RuleResult, Severity, Suite

RunSuite = Callable[[Suite, pd.DataFrame], list[RuleResult]]
"""Runs a suite on its frame; ``SuiteRunner.run``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken rule of one customer.

    Attributes:
        row: The customer's row in the chunk.
        suite: Name of the suite.
        rule: The rule.
        message: In words, without the value.
    """

    row: int
    suite: str
    rule: Rule
    message: str


@dataclass(frozen=True)
class Verdicts:
    """What validation found out about a chunk.

    Attributes:
        results: Per suite, one result per rule.
        findings: In the order of suites, rules and rows.
        rejected: Row to its critical findings, in that order.
        warned: Row to its warnings.
    """

    results: dict[str, list[RuleResult]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    rejected: dict[int, list[Finding]] = field(default_factory=dict)
    warned: dict[int, list[Finding]] = field(default_factory=dict)


def judge(chunk: Chunk, suites: Sequence[Suite], run_suite: RunSuite) -> Verdicts:
    """Run every suite on a chunk.

    Customers without a billing profile are spared the suites that need one: all that those could
    say follows from it.
    """
    results: dict[str, list[RuleResult]] = {}
    findings: list[Finding] = []
    rows_with_profile = np.flatnonzero(chunk.has_billing_profile)
    for suite in suites:
        frame = suite.frame_of(chunk)[suite.columns]
        rows = np.arange(len(frame))
        if suite.needs_billing_profile and len(rows_with_profile) < len(frame):
            rows = rows_with_profile
            frame = frame.iloc[rows].reset_index(drop=True)
        results[suite.name] = run_suite(suite, frame)
        for result in results[suite.name]:
            findings += _findings(suite.name, result, frame, rows)
    by_severity: dict[Severity, dict[int, list[Finding]]] = {
        severity: defaultdict(list) for severity in Severity
    }
    for finding in findings:
        by_severity[finding.rule.severity][finding.row].append(finding)
    return Verdicts(
        results, findings, dict(by_severity[Severity.CRITICAL]), dict(by_severity[Severity.WARNING])
    )


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
