"""The only module that talks to Great Expectations: runs suites on frames and says which rows break which rule.

The import costs seconds and floods the log, so it happens inside the constructor, quieted, once per
task; the context lives in memory, sends no analytics and draws no progress bars. Results hold
personal values; only row numbers leave this module.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from customer_import.errors import CustomerImportError
from customer_import.tasks.validate.deferred_modules import deferred
from customer_import.tasks.validate.rules import RowNumbers, Rule, RuleResult, Suite

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from great_expectations import ExpectationSuite
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.validator.v1_validator import Validator

_VERDICT: Final = "BOOLEAN_ONLY"
_ROW_NUMBERS = {
    "result_format": "COMPLETE",  # naming index columns instead costs ten times as much
    "partial_unexpected_count": 0,
    "return_unexpected_index_query": False,
}
_UNUSED = ("scipy.stats", "altair")
"""What only expectations about distributions call: half of the import's CPU time and 80 MB (2026-11-28)."""
_NO_ROWS: RowNumbers = np.empty(0, np.intp)


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
        self._whole_frame = frames.add_batch_definition_whole_dataframe("all rows")
        self._suites = {
            suite.name: context.suites.add(_expectation_suite(suite)) for suite in suites
        }

    def run(self, suite: Suite, frame: pd.DataFrame) -> list[RuleResult]:
        """Check a frame.

        Args:
            suite: One of those that the runner was made with.
            frame: The suite's columns, indexed 0..n-1.

        Returns:
            One result per rule, in the suite's order.

        Raises:
            CustomerImportError: An expectation could not be evaluated; that is a defect, not bad
                data.
        """
        if frame.empty:  # Great Expectations would pass everything
            return [RuleResult(rule, 0, _NO_ROWS) for rule in suite.rules]
        validator = self._validator(frame)
        outcome = validator.validate_expectation_suite(self._suites[suite.name])
        # They come in any order.
        verdicts = {_rule_number(result): result for result in outcome.results}
        results = []
        for number, rule in enumerate(suite.rules):
            verdict = verdicts.get(number)
            if verdict is None or _has_raised(verdict.exception_info or {}):
                raise _not_evaluated(suite, rule)
            broken = _NO_ROWS if verdict.success else self._broken(validator, suite, number)
            results.append(RuleResult(rule, len(frame), broken))
        return results

    def _validator(self, frame: pd.DataFrame) -> Validator:
        """Load a frame, once for all that is asked of it: ``Batch.validate`` would hash it again each time.

        ``Validator`` is private. The public ``ValidationDefinition.run`` gives the same verdicts in 0.534 s of CPU time
        where this takes 0.375 s, for 40,000 customers and the three suites (2 cores, 2026-11-26): see
        docs/decisions/0010-private-interfaces.md.
        """
        from great_expectations.validator.v1_validator import Validator  # noqa: PLC0415

        return Validator(self._whole_frame, _VERDICT, {"dataframe": frame})

    def _broken(self, validator: Validator, suite: Suite, number: int) -> RowNumbers:
        """Ask for the rows that break a rule; that costs as much again as the verdict, so only when there are some."""
        validator.result_format = _ROW_NUMBERS
        result = validator.validate_expectation(self._suites[suite.name].expectations[number])
        rows = (result.result or {}).get("unexpected_index_list")
        if rows is None:
            raise _not_evaluated(suite, suite.rules[number])
        return np.sort(np.asarray(rows, dtype=np.intp))


def _import_quietly() -> Any:  # noqa: ANN401 - a module
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    with deferred(*_UNUSED):
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
                meta={"number": number},  # copied a hundred times a run: all else is in the rule
            )
            for number, rule in enumerate(suite.rules)
        ],
    )


def _rule_number(result: ExpectationValidationResult) -> int:
    configuration = result.expectation_config
    return (
        -1 if configuration is None or not configuration.meta else int(configuration.meta["number"])
    )


def _not_evaluated(suite: Suite, rule: Rule) -> CustomerImportError:
    return CustomerImportError(
        f"suite {suite.name}: rule {rule.name} of {rule.field} could not be evaluated"
    )


def _has_raised(exception_info: Mapping[str, Any]) -> bool:
    """Tell whether anything was raised; the information is nested per metric when there are several."""
    nested = [value for value in exception_info.values() if isinstance(value, dict)]
    return bool(exception_info.get("raised_exception")) or any(
        value.get("raised_exception") for value in nested
    )
