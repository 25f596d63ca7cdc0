"""Reads a YAML file of ``include/`` into a frozen model, or says in words where and why it cannot.

Deliberately knows nothing of what the files mean.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Generic, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from customer_import.config.messages import explain
from customer_import.config.paths import INCLUDE_VARIABLE, INSTANCES_VARIABLE, instances_path
from customer_import.errors import ConfigurationError
from customer_import.garbage_collection import gc_paused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from customer_import.config.messages import Fault


class FrozenModel(BaseModel):
    """Base of every configuration model: immutable, and an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _keep_truth_from_numbers(cls, raw: object) -> object:
        """Have ``no``, which is YAML's ``false``, refused where a number is wanted; pydantic takes it for 0."""
        if not isinstance(raw, dict):
            return raw
        fields = cls.model_fields
        wrong = [
            name
            for name, value in raw.items()
            if isinstance(value, bool) and name in fields and _is_number(fields[name].annotation)
        ]
        return raw | {name: str(raw[name]).lower() for name in wrong} if wrong else raw


def _is_number(annotation: object) -> bool:
    """Whether a value is a number, or a number or nothing."""
    if get_origin(annotation) is Annotated:
        return _is_number(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return any(map(_is_number, get_args(annotation)))
    return annotation in (int, float)


ModelT = TypeVar("ModelT", bound=FrozenModel)

_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"
_MOST_FAULTS = 5
"""In one message; a file in a wrong shape has hundreds."""


class _UniqueKeys(yaml.constructor.SafeConstructor):
    """Refuses a key that stands twice; plain YAML keeps the last one silently.

    A key beside ``<<`` may stand there too: YAML's merge says which one counts.
    """

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Check the keys as they are written, once: afterwards those that were merged stand beside them."""
        if not hasattr(self, "_checked"):
            self._checked: set[int] = set()
        if id(node) not in self._checked:
            self._checked.add(id(node))
            self._check_keys(node)
        super().flatten_mapping(node)

    def _check_keys(self, node: yaml.MappingNode) -> None:
        seen: set[object] = set()
        for key_node, _ in node.value:
            is_text = key_node.tag in (_TEXT, _MERGE)
            key = key_node.value if is_text else self.construct_object(key_node, deep=True)
            problem = ""
            if not isinstance(key, str | int | float | None):
                problem = "a key must be text"
            elif key in seen:
                problem = f"the key {key!r} stands twice"
            elif isinstance(key, str) and key != key.strip():
                # Models trim keys: with one without the blank it would be the same.
                problem = f"the key {key!r} begins or ends with a blank"
            if problem:
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)


class _Loader(_UniqueKeys, yaml.SafeLoader):
    """YAML's safe loader."""


class _FastLoader(_UniqueKeys, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by libyaml, where there is one: a file may hold tens of thousands of entries."""


@dataclass(frozen=True)
class Document(Generic[ModelT]):
    """A YAML file that was read.

    Attributes:
        content: What it says.
    """

    content: ModelT
    _source: str
    _node: yaml.Node | None

    def refuse(self, faults: Sequence[Fault]) -> ConfigurationError:
        """Return the error for what is wrong with the content, however it was found out.

        Args:
            faults: At least one.
        """
        return _error(faults, self._source, self._node)


def read_model(path: Path, model: type[ModelT]) -> ModelT:
    """Read a YAML file into a model; raises as ``read_document`` does."""
    return read_document(path, model).content


def read_document(
    path: Path, model: type[ModelT], *, is_of_include: bool = True
) -> Document[ModelT]:
    """Read a YAML file into a model, and keep where in the file everything stands.

    Args:
        path: The file.
        model: The frozen model that describes it.
        is_of_include: Whether it is looked for where the configuration is, and not where a person says.

    Raises:
        ConfigurationError: The file is missing, is empty, is not YAML, or does not fit the model; every fault is named
            with its path and line, the first with its hint.
    """
    return _fit(path, model, *_read_yaml(path, is_of_include=is_of_include))


def read_each(path: Path, model: type[ModelT], key: str) -> dict[str, ModelT | ConfigurationError]:
    """Read a YAML file whose ``key`` holds entries by name, each as if it were the only one.

    Args:
        path: The file.
        model: The frozen model that describes it.
        key: The entries' key.

    Returns:
        Name to the file with this entry alone, or to what is wrong with it: that is no fault of the others.

    Raises:
        ConfigurationError: As ``read_document`` does, of the file as a whole.
    """
    node, raw = _read_yaml(path)
    entries = raw.get(key) if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(entries, dict) or not entries:
        _fit(path, model, node, raw)
        return {}
    read: dict[str, ModelT | ConfigurationError] = {}
    for name, entry in entries.items():
        try:
            read[str(name)] = _fit(path, model, node, {**raw, key: {name: entry}}).content
        except ConfigurationError as error:
            read[str(name)] = error
    return read


def _fit(path: Path, model: type[ModelT], node: yaml.Node | None, raw: object) -> Document[ModelT]:
    try:
        return Document(model.model_validate(raw), path.name, node)
    except ValidationError as error:
        faults = explain(error, model)
    # Outside of the handler: pydantic's own text, which repeats the values, does not come along.
    if raw is None:
        message = "the file is empty"
        hint = f"it must hold the keys {', '.join(model.model_fields)}"
        raise ConfigurationError(message, source=str(path), hint=hint)
    raise _error(faults, path.name, node)


def _error(faults: Sequence[Fault], source: str, node: yaml.Node | None) -> ConfigurationError:
    first, *more = faults
    shown = more[: _MOST_FAULTS - 1]
    others = [f"at {_where(fault, node)}: {fault.message}" for fault in shown]
    if len(shown) < len(more):
        others.append(f"and {len(more) - len(shown)} more")
    message = "; ".join([first.message, *others])
    return ConfigurationError(message, source=source, path=_where(first, node), hint=first.hint)


def _read_yaml(path: Path, *, is_of_include: bool = True) -> tuple[yaml.Node | None, object]:
    """Return a file's nodes, which know their lines, and its content."""
    try:
        text = path.read_text(encoding="utf-8")
        try:
            return _load(_FastLoader(text))  # type: ignore[call-arg] # whose base is not known
        except yaml.YAMLError:
            return _load(_Loader(text))  # it says in better words what is wrong
    except OSError as error:
        message = f"the file cannot be read ({error.strerror})"
        hint = _leads_there(path) if is_of_include else "correct the path"
        raise ConfigurationError(message, source=str(path), hint=hint) from error
    except UnicodeDecodeError as error:
        message = "the file is not UTF-8 text"
        raise ConfigurationError(message, source=path.name, hint="save it as UTF-8") from error
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else None
        problem = str(getattr(error, "problem", None) or "the file is not valid YAML")
        problem = problem.replace("'<stream end>'", "the end of the file")
        hint = "look for a quote, a bracket, a tab or a wrong indentation there"
        raise ConfigurationError(problem, source=path.name, path=where, hint=hint) from error


def _load(loader: _Loader | _FastLoader) -> tuple[yaml.Node | None, object]:
    with gc_paused():  # every key and value is an object that stays
        node = loader.get_single_node()
        return node, None if node is None else loader.construct_document(node)


def _leads_there(path: Path) -> str:
    """Say which environment variable made this the path, or would make it another."""
    for variable in (INSTANCES_VARIABLE, INCLUDE_VARIABLE):
        folder = os.environ.get(variable)
        if folder and path.is_relative_to(folder):
            return f"{variable} leads there: correct it, or put the file there"
    variable = INSTANCES_VARIABLE if path == instances_path() else INCLUDE_VARIABLE
    return f"put the file there, or set {variable}"


def _where(fault: Fault, node: yaml.Node | None) -> str:
    where = ".".join(map(str, fault.path)) or "the top level"
    return f"{where} (line {_line(node, fault.path)})" if node else where


def _line(node: yaml.Node, path: Sequence[str | int]) -> int:
    """Return the line of the value at a path, or of what comes nearest to it."""
    line: int = node.start_mark.line
    for part in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            node = node.value[part]
            line = node.start_mark.line
        elif isinstance(node, yaml.MappingNode):
            pairs = reversed(node.value)  # own keys stand after those that were merged
            found = next((pair for pair in pairs if pair[0].value == str(part)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line, found[1]
    return line + 1
