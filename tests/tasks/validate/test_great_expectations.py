"""What Great Expectations does not promise, and the suites need: this says in words what an upgrade of it broke."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest

DOOR = "tasks/validate/expectations.py"


@pytest.fixture(scope="module")
def validator() -> Any:
    try:
        return import_module("great_expectations.validator.v1_validator").Validator
    except (ImportError, AttributeError):
        pytest.fail(f"Great Expectations has no v1_validator.Validator now; see {DOOR}")


def test_a_validator_is_made_as_before(validator: Any):
    taken = list(inspect.signature(validator).parameters)
    assert taken[:3] == ["batch_definition", "result_format", "batch_parameters"], (
        f"Validator takes {taken} now; see {DOOR}"
    )


@pytest.mark.parametrize("method", ["validate_expectation", "validate_expectation_suite"])
def test_a_validator_is_asked_as_before(validator: Any, method: str):
    assert hasattr(validator, method), f"Validator has no {method} now; see {DOOR}"


def test_its_result_format_can_be_changed_between_questions(validator: Any):
    source = inspect.getsource(validator.__init__)
    assert "self.result_format" in source, f"Validator keeps no result_format now; see {DOOR}"
