"""Puts variables into the texts of a compose file, as Docker Compose does: ``$$``, ``$NAME``, ``${NAME:-text}``, ..."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = (":-", ":?", ":+", "-", "?", "+")


class InterpolationError(ValueError):
    """A text names a variable that is not there, or cannot be read."""


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Return a text with its variables filled in.

    Raises:
        InterpolationError: A variable has no value and no default, or the text cannot be read.
    """
    done: list[str] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        done.append(text[position:dollar])
        value, position = _expression(text, dollar, variables)
        done.append(value)
    return "".join(done) + text[position:]


def _expression(text: str, dollar: int, variables: Mapping[str, str]) -> tuple[str, int]:
    """Return what stands for the expression at a dollar sign, and where the text goes on."""
    after = text[dollar + 1 : dollar + 2]
    if after == "$":
        return "$", dollar + 2
    if after == "{":
        end = _closing_brace(text, dollar + 2)
        return _braced(text[dollar + 2 : end], variables), end + 1
    if name := _NAME.match(text, dollar + 1):
        return _value(name.group(), variables), name.end()
    message = f"a lone $ in {text!r}: write $$"
    raise InterpolationError(message)


def _closing_brace(text: str, start: int) -> int:
    depth = 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if not depth:
            return position
    message = f"a brace is not closed in {text!r}"
    raise InterpolationError(message)


def _braced(inner: str, variables: Mapping[str, str]) -> str:
    name = _NAME.match(inner)
    rest = inner[name.end() :] if name else inner
    operator = next((sign for sign in _OPERATORS if rest.startswith(sign)), None)
    if name is None or (rest and operator is None):
        message = f"${{{inner}}} cannot be read"
        raise InterpolationError(message)
    if operator is None:
        return _value(name.group(), variables)
    value = variables.get(name.group())
    is_there = bool(value) if operator.startswith(":") else value is not None
    word = rest[len(operator) :]
    match operator[-1]:
        case "+":
            return interpolate(word, variables) if is_there else ""
        case "-" if not is_there:
            return interpolate(word, variables)
        case "?" if not is_there:
            message = f"{name.group()} has no value: {word}"
            raise InterpolationError(message)
    return value or ""


def _value(name: str, variables: Mapping[str, str]) -> str:
    if name not in variables:
        message = f"{name} has neither a value nor a default"
        raise InterpolationError(message)
    return variables[name]
