"""Names of what is configured, read cheaply: at every parse of a DAG file and for the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from customer_import.config.paths import instances_path, mappings_folder

if TYPE_CHECKING:
    from pathlib import Path

    from customer_import.vocabulary import ImportType

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where there is one: the file is read at every parse of a DAG file."""
_UNREADABLE = (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError)


def instance_names(import_type: ImportType) -> tuple[str, ...]:
    """Return the instances that take an import type, in the file's order; none when the file cannot be read.

    A broken file must not keep the DAG from being shown: the run's first task says what is wrong with it.
    """
    try:
        instances = _read(instances_path())["instances"]
        return tuple(
            name for name, instance in instances.items() if import_type in instance["import_types"]
        )
    except _UNREADABLE:
        return ()


def profile_names() -> tuple[str, ...]:
    """Return the names of the ordering-options profiles, in the file's order; none when the file cannot be read."""
    try:
        return tuple(map(str, _read(mappings_folder() / "ordering_options.yaml")["profiles"]))
    except _UNREADABLE:
        return ()


def _read(path: Path) -> Any:  # noqa: ANN401 - YAML of any shape
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader
