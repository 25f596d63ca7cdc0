"""The only module that talks to Great Expectations: runs suites on frames and says which rows break which rule.

The import costs seconds and floods the log, so it happens inside the constructor, quieted, once per
task; the context lives in memory, sends no analytics and draws no progress bars. Results hold
personal values; only row numbers leave this module.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from customer_import.errors import CustomerImportError
from customer_import.validation.rules import RuleResult, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationValidationResult

_RESULT_FORMAT = {
    "result_format": "COMPLETE",  # with row numbers; naming index columns instead costs ten times as much
    "partial_unexpected_count": 0,
    "return_unexpected_index_query": False,
}


class SuiteRunner:
    """Runs suites, each on any number of frames.

    Args:
        suites: What to run; names are unique.
    """

    def __init__(self, suites: Sequence[Suite]) -> None:
        gx = _import_quietly()
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        frames = context.data_sources.add_pandas("customers").add_dataframe_asset("chunk")
        self._batches = frames.add_batch_definition_whole_dataframe("all rows")
        self._suites = {
            suite.name: context.suites.add(_expectation_suite(suite)) for suite in suites
        }

    def run(self, suite: Suite, frame: pd.DataFrame) -> list[RuleResult]:
        """Check a frame.

        Args:
            suite: One of those that the runner was made with.
            frame: What ``suite.frame_of`` made, indexed 0..n-1.

        Returns:
            One result per rule, in the suite's order.

        Raises:
            CustomerImportError: An expectation could not be evaluated; that is a defect, not bad
                data.
        """
        if frame.empty:  # Great Expectations would pass everything
            return [RuleResult(rule, 0, np.empty(0, np.intp)) for rule in suite.rules]
        batch = self._batches.get_batch(batch_parameters={"dataframe": frame})
        outcome = batch.validate(self._suites[suite.name], result_format=_RESULT_FORMAT)
        found = {
            _rule_number(result): result for result in outcome.results
        }  # they come in any order
        missing = [rule for number, rule in enumerate(suite.rules) if number not in found]
        if missing:
            message = (
                f"suite {suite.name}: no result for rule {missing[0].name} of {missing[0].field}"
            )
            raise CustomerImportError(message)
        return [_rule_result(suite, number, found[number]) for number in range(len(suite.rules))]


def _import_quietly() -> Any:  # noqa: ANN401 - a module
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations as gx  # noqa: PLC0415 - seconds; see the module's docstring

    # This one sets its own level when it is imported.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    return gx


def _expectation_suite(suite: Suite) -> ExpectationSuite:
    from great_expectations import ExpectationSuite, expectations  # noqa: PLC0415

    return ExpectationSuite(
        name=suite.name,
        expectations=[
            getattr(expectations, rule.expectation.type)(
                **rule.expectation.arguments,
                severity=rule.severity.value,
                meta={
                    "number": number,
                    "rule": rule.name,
                    "field": rule.field,
                    "partner_center_field": rule.source,
                    "message": rule.message,
                    "mend": rule.mend,
                },
            )
            for number, rule in enumerate(suite.rules)
        ],
    )


def _rule_number(result: ExpectationValidationResult) -> int:
    configuration = result.expectation_config
    return (
        -1 if configuration is None or not configuration.meta else int(configuration.meta["number"])
    )


def _rule_result(suite: Suite, number: int, result: ExpectationValidationResult) -> RuleResult:
    rule = suite.rules[number]
    values: Mapping[str, Any] = result.result or {}  # Any: Great Expectations' own
    if "element_count" not in values or _has_raised(result.exception_info or {}):
        message = f"suite {suite.name}: rule {rule.name} of {rule.field} could not be evaluated"
        raise CustomerImportError(message)
    broken = np.sort(np.asarray(values.get("unexpected_index_list") or [], dtype=np.intp))
    return RuleResult(rule, int(values["element_count"]), broken)


def _has_raised(exception_info: Mapping[str, Any]) -> bool:
    """Tell whether anything was raised; the information is nested per metric when there are several."""
    nested = [value for value in exception_info.values() if isinstance(value, dict)]
    return bool(exception_info.get("raised_exception")) or any(
        value.get("raised_exception") for value in nested
    )
