"""The words for what a model refuses, also where no file of today leads."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, field_validator

from customer_import.config.files import FrozenModel
from customer_import.config.messages import explain
from customer_import.errors import ConfigurationError
from customer_import.runs.parameters import RunParams


class Inner(FrozenModel):
    size: Annotated[int, Field(gt=0)] | None = None


class Outer(FrozenModel):
    client_secret: int = 0
    share: Annotated[float, Field(ge=0, lt=1)] = 0
    day: date | None = None
    either: Literal["a", "b"] | None = None
    inner: Annotated[dict[str, tuple[Inner, ...]], Field(default_factory=dict)]
    odd: str = ""

    @field_validator("odd")
    @classmethod
    def _refuse(cls, value: str) -> str:
        if value:
            message = "it is odd"
            raise ValueError(message)
        return value


def words(**values: object) -> str:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(values)
    (fault,) = explain(caught.value, Outer)
    return f"{'.'.join(map(str, fault.path))}: {fault.message}. {fault.hint}"


def test_the_value_of_a_key_that_looks_secret_is_not_shown() -> None:
    assert words(client_secret="hunter2") == (
        "client_secret: must be a whole number. correct the value"
    )


def test_no_value_is_shown_where_none_may_be() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"share": "hunter2", "either": "bb"})
    share, either = explain(caught.value, Outer, shows_values=False)
    assert share.message == "must be a number of at least 0 and less than 1"
    assert (either.message, either.hint) == ("must be one of a, b", "did you mean 'b'?")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"share": 1}, "share: must be a number of at least 0 and less than 1, is 1. "),
        ({"share": float("nan")}, "share: must be a number of at least 0 and less than 1, is nan. "),
        ({"inner": {"x": [{"size": 0}]}}, "inner.x.0.size: must be a whole number greater than 0, is 0. "),
        ({"inner": {"x": [{"sise": 1}]}}, "inner.x.0.sise: the key 'sise' is not known. did you mean 'size'?"),
        ({"inner": {"x": 5}}, "inner.x: must be a list, is 5. "),
        ({"either": "c"}, "either: must be one of a, b, is 'c'. choose one of: a, b"),
        ({"odd": "x"}, "odd: it is odd. correct the value"),
        ({"odd": ["x"]}, "odd: must be text, is a list. correct the value"),
        ({"odd": date(2026, 11, 26)}, "odd: must be text, is '2026-11-26'. put it in quotes"),
        ({"odd": {}}, "odd: must be text, is empty. correct the value"),
        ({"day": "x"}, "day: must be text of the form date, is 'x'. "),
    ],
)  # fmt: skip
def test_the_words_follow_from_the_model(value: dict[str, object], said: str) -> None:
    assert words(**value).startswith(said)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "at instance: the parameter 'instance' is missing"),
        ({"instance": ""}, "at instance: must be text that is not empty, is empty"),
        ({"instance": "a", "mode": "imprt"}, "in the trigger form, did you mean 'import'?"),
        ({"instance": "a", "scop": ""}, "'scop' is not known. Hint: in the trigger form, did you mean 'scope'?"),
        ({"instance": "a", "tenants": 5}, "at tenants: must be a list, is 5"),
        ({"instance": "a", "max_rejected_percent": 101}, "must be a number of at least 0 and at most 100, is 101"),
    ],
)  # fmt: skip
def test_a_wrong_parameter_of_a_run_is_told_in_the_words_of_the_trigger_form(
    params: dict[str, object], said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        RunParams.parse(params)
    assert said in str(caught.value)
    assert str(caught.value).startswith("run parameters at ")
    assert "trigger form" in str(caught.value)
