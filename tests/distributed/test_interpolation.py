"""Variables in a compose file."""

from __future__ import annotations

import pytest

from tests.distributed.interpolation import InterpolationError, interpolate

_VARIABLES = {"NAME": "value", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no variable", "no variable"),
        ("$NAME and ${NAME}s", "value and values"),
        ("$$NAME $${NAME}", "$NAME ${NAME}"),
        ("${ABSENT:-8080}:8080", "8080:8080"),
        ("${EMPTY:-default} ${EMPTY-default}", "default "),
        ("${ABSENT:-${NAME}/x}", "value/x"),
        ("${NAME:+there} ${EMPTY:+there} ${EMPTY+there}", "there  there"),
        ("${NAME:?is needed}", "value"),
        ("${EMPTY?is needed}", ""),
    ],
)
def test_variables_are_filled_in_as_compose_does(text: str, expected: str) -> None:
    assert interpolate(text, _VARIABLES) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("${ABSENT:?run make env}", "ABSENT has no value: run make env"),
        ("${EMPTY:?run make env}", "EMPTY has no value: run make env"),
        ("$ABSENT", "ABSENT has neither a value nor a default"),
        ("5 $", "write \\$\\$"),
        ("${NAME", "not closed"),
        ("${NAME!x}", "cannot be read"),
    ],
)
def test_what_cannot_be_filled_in_is_told(text: str, told: str) -> None:
    with pytest.raises(InterpolationError, match=told):
        interpolate(text, _VARIABLES)
