"""Reads a YAML file of ``include/`` into a frozen model, or says in words where and why it cannot.

Deliberately knows nothing of what the files mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from customer_import.config.paths import INCLUDE_VARIABLE, include_folder
from customer_import.errors import ConfigurationError
from customer_import.hints import choose

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    from pydantic_core import ErrorDetails


class FrozenModel(BaseModel):
    """Base of every configuration model: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


ModelT = TypeVar("ModelT", bound=FrozenModel)


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's safe loader, refusing a key that stands twice (plain YAML keeps the last one silently)."""

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - the base class has the same signature
    ) -> dict[Hashable, object]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                problem = f"the key {key!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_model(path: Path, model: type[ModelT]) -> ModelT:
    """Read a YAML file into a model.

    Args:
        path: The file.
        model: The frozen model that describes it.

    Returns:
        The validated model.

    Raises:
        ConfigurationError: The file is missing, is not YAML, or does not fit the model; every fault is named
            with its path, the first with its hint.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        message = f"cannot be read ({error.strerror})"
        raise ConfigurationError(
            message,
            source=path.name,
            hint=f"put the file in {include_folder().name}/, or set {INCLUDE_VARIABLE}",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else None
        problem = getattr(error, "problem", None) or "is not valid UTF-8 YAML"
        raise ConfigurationError(
            str(problem), source=path.name, path=where, hint="correct that line"
        ) from error
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        first, *more = [_describe(fault) for fault in faults]
        message = "; ".join([first[1], *(f"at {where}: {what}" for where, what in more)])
        hint = _hint(faults[0], model)
        raise ConfigurationError(message, source=path.name, path=first[0], hint=hint) from error


def _describe(fault: ErrorDetails) -> tuple[str, str]:
    where = ".".join(str(part) for part in fault["loc"]) or "the top level"
    if fault["type"] == "extra_forbidden":
        return where, f"the key {fault['loc'][-1]!r} is not known"
    if fault["type"] == "missing":
        return where, f"the key {fault['loc'][-1]!r} is missing"
    return where, fault["msg"].removeprefix("Value error, ")


def _hint(fault: ErrorDetails, model: type[BaseModel]) -> str:
    if fault["type"] == "missing":
        return "add the key"
    if fault["type"] == "extra_forbidden":
        key = str(fault["loc"][-1])
        return choose(key, _all_keys(model), otherwise="remove it; known keys")
    return "correct the value"


def _all_keys(model: type[BaseModel], seen: frozenset[type] = frozenset()) -> set[str]:
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        keys.add(field.alias or name)
        for part in _model_arguments(field.annotation):
            if part not in seen:
                keys |= _all_keys(part, seen | {part})
    return keys


def _model_arguments(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[type[BaseModel]] = []
    for argument in getattr(annotation, "__args__", ()):
        found += _model_arguments(argument)
    return found
