"""What is wrong with a value of a configuration, said to the person who wrote it.

What a value must be is read from the model's JSON schema and not from pydantic's messages, which speak of Python
classes and differ from type to type: one sentence for whatever a model may refuse, now or later. Pure; where the values
come from (a file, a trigger form) is the caller's business.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from customer_import.hints import choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

Schema = dict[str, Any]

_SECRET = re.compile(r"secret|passw|token|credential|(api|client|private)_?key", re.IGNORECASE)
_KEY = "[key]"  # pydantic's last part of a path to a wrong key
_LONGEST_VALUE = 60
_NAMES = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}


@dataclass(frozen=True)
class Fault:
    """One wrong value.

    Attributes:
        path: The way to it, key by key.
        message: What is wrong with it.
        hint: What to do about it.
    """

    path: tuple[str | int, ...]
    message: str
    hint: str


class WrongValueError(ValueError):
    """A validator of a model refuses a value in words of its own.

    Args:
        message: What is wrong.
        hint: What to do about it.
        path: The way from the value that the validator was given to what is wrong in it.
    """

    def __init__(self, message: str, hint: str, path: tuple[str | int, ...] = ()) -> None:
        self.hint = hint
        self.path = path
        super().__init__(message)


def explain(
    error: ValidationError, model: type[BaseModel], noun: str = "key", *, shows_values: bool = True
) -> list[Fault]:
    """Return what is wrong, in the order of the model.

    Args:
        error: As the model raised it.
        model: The model.
        noun: What a value's name is called where it comes from.
        shows_values: Whether the words may repeat a wrong value; that of a key that looks secret never is.
    """
    schema = model.model_json_schema()
    faults = error.errors(include_url=False)
    paths = [fault["loc"] for fault in faults]
    return [
        _explain(fault, schema, noun, shows_values=shows_values)
        for fault in faults
        if not _follows(fault, paths)
    ]


def _follows(fault: ErrorDetails, paths: list[tuple[str | int, ...]]) -> bool:
    """Tell a list that is too short only because pydantic left out its wrong parts."""
    own = fault["loc"]
    return fault["type"] == "too_short" and any(
        path[: len(own)] == own and len(path) > len(own) for path in paths
    )


def _explain(fault: ErrorDetails, schema: Schema, noun: str, *, shows_values: bool) -> Fault:
    path = fault["loc"]
    if fault["type"] == "missing":
        return Fault(path, f"the {noun} {path[-1]!r} is missing", f"add the {noun}")
    if fault["type"] == "extra_forbidden":
        known = _at(schema, path[:-1]).get("properties", {})
        hint = choose(str(path[-1]), known, otherwise=f"remove it; known {noun}s")
        return Fault(path, f"the {noun} {path[-1]!r} is not known", hint)
    if fault["type"] == "value_error":
        path = path[:-1] if path[-1:] == (_KEY,) else path
        wrong = fault.get("ctx", {}).get("error")
        if isinstance(wrong, WrongValueError):
            return Fault((*path, *wrong.path), str(wrong), wrong.hint)
        return Fault(path, str(wrong), "correct the value")
    if path[-1:] == (_KEY,):
        message = f"the {noun} {_show(fault['input'])} must be text that is not empty"
        hint = "give it a name" if _is_empty(fault["input"]) else "put it in quotes"
        return Fault(path[:-1], message, hint)
    value, wanted = fault["input"], _at(schema, path)
    message = f"must be {_wanted(wanted)}"
    if _is_empty(value) or (shows_values and not _is_secret(path)):
        message += f", {_is(value)}"
    return Fault(path, message, _hint(value, wanted))


def _is_secret(path: Sequence[str | int]) -> bool:
    return any(isinstance(part, str) and _SECRET.search(part) for part in path)


def _is(value: object) -> str:
    return "is empty" if _is_empty(value) else f"is {_show(value)}"


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [], {}, ())


def _show(value: object) -> str:
    """Return a value as a person wrote it; never what a list or a mapping holds."""
    if isinstance(value, bool | None):
        return json.dumps(value)
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, list | tuple | set):
        return "a list"
    text = repr(value) if isinstance(value, str | int | float) else repr(str(value))
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _hint(value: object, wanted: Schema) -> str:
    if isinstance(value, str) and "enum" in wanted:
        return choose(value, map(str, wanted["enum"]))
    if "properties" in wanted:
        return f"known keys: {', '.join(wanted['properties'])}"
    if wanted.get("type") == "string" and not isinstance(value, str | list | dict | None):
        return "put it in quotes"
    return "correct the value"


def _wanted(schema: Schema) -> str:
    """Say what a schema asks for."""
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if "const" in schema:
        return str(schema["const"])
    match schema.get("type"):
        case "object":
            required = schema.get("required") or ()
            return "keys with values" + (f" ({', '.join(required)})" if required else "")
        case "array":
            return "a list of one or more" if schema.get("minItems") else "a list"
        case "string":
            form = schema.get("format") or schema.get("pattern")
            not_empty = " that is not empty" if schema.get("minLength") else ""
            return f"text of the form {form}" if form else f"text{not_empty}"
        case kind:
            return _NAMES.get(str(kind), "another kind of value") + _limits(schema)


def _limits(schema: Schema) -> str:
    limits = [
        f"{words} {schema[key]}"
        for key, words in (
            ("exclusiveMinimum", "greater than"),
            ("minimum", "of at least"),
            ("exclusiveMaximum", "less than"),
            ("maximum", "at most"),
        )
        if key in schema
    ]
    return f" {' and '.join(limits)}" if limits else ""


def _at(root: Schema, path: Sequence[str | int]) -> Schema:
    """Return the schema of the value at a path; an empty one where the path leads out of the schema."""
    schema = root
    for part in path:
        schema = _resolve(root, schema)
        if part in schema.get("properties", {}):
            schema = schema["properties"][part]
        else:
            inner = schema.get("items" if isinstance(part, int) else "additionalProperties")
            schema = inner if isinstance(inner, dict) else {}
    return _resolve(root, schema)


def _resolve(root: Schema, schema: Schema) -> Schema:
    """Follow a reference; of a value that may be left empty, take what it is otherwise."""
    if "$ref" in schema:
        return _resolve(root, root["$defs"][schema["$ref"].rpartition("/")[2]])
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            return _resolve(root, choice)
    return schema
