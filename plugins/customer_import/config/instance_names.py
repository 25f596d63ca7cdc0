"""Names and titles of what is configured, read cheaply: at every parse of a DAG file and for the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from customer_import.config.paths import instances_path, mappings_folder
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from pathlib import Path

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where there is one: the file is read at every parse of a DAG file."""
_UNREADABLE = (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError)


def instance_titles(import_type: ImportType, path: Path | None = None) -> dict[str, str]:
    """Return the instances that take an import type with their titles; none when the file cannot be read.

    A broken file must not keep the DAG from being shown: the run's first task says what is wrong with it.
    """
    return {
        str(name): str(instance.get("title") or name)
        for name, instance in _read(path).items()
        if import_type in instance["import_types"]
    }


def with_schedules() -> dict[str, tuple[ImportType, ...]]:
    """Return the instances that have schedules, right or wrong, with their imports; none of an unreadable file.

    Where ``import_types`` is wrong itself, they are those that a schedule is for, too; where nobody can tell, all.
    """
    return {
        str(name): _imports_of(instance)
        for name, instance in _read_all().items()
        if "schedules" in instance
    }


def _imports_of(instance: dict[str, Any]) -> tuple[ImportType, ...]:  # Any: YAML
    given = instance.get("import_types")
    named = _words(given)
    is_list = isinstance(given, list) and named and len(named) == len(given)
    is_right = is_list and {*named} <= {*ImportType}
    if not is_right:
        named += _words(instance["schedules"])
    return tuple(each for each in ImportType if each in named) or tuple(ImportType)


def is_unreadable() -> bool:
    """Whether the file is there and nobody can tell what stands in it."""
    return instances_path().exists() and not _read_all()


def _words(value: object) -> list[str]:
    """Return the texts of a list, or of the keys of a mapping; one text alone may stand for a list."""
    if isinstance(value, str):
        return [value]
    return (
        [each for each in value if isinstance(each, str)] if isinstance(value, list | dict) else []
    )


def _read(path: Path | None = None) -> dict[str, Any]:  # Any: YAML
    return {
        name: instance
        for name, instance in _read_all(path).items()
        if isinstance(instance.get("import_types"), list)
    }


def _read_all(path: Path | None = None) -> dict[str, Any]:  # Any: YAML
    try:
        instances = _load(path or instances_path())["instances"]
        return {name: one for name, one in instances.items() if isinstance(one, dict)}
    except _UNREADABLE:
        return {}


def profile_names() -> tuple[str, ...]:
    """Return the names of the ordering-options profiles, in the file's order; none when the file cannot be read."""
    try:
        return tuple(map(str, _load(mappings_folder() / "ordering_options.yaml")["profiles"]))
    except _UNREADABLE:
        return ()


def _load(path: Path) -> Any:  # noqa: ANN401 - YAML of any shape
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader
