"""Names and titles of the configured instances, read cheaply: at every parse of a DAG file and for the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from customer_import.config.paths import instances_path

if TYPE_CHECKING:
    from pathlib import Path

    from customer_import.vocabulary import ImportType

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where there is one: the file is read at every parse of a DAG file."""


def instance_titles(import_type: ImportType, path: Path | None = None) -> dict[str, str]:
    """Return the instances that take an import type with their titles; none when the file cannot be read.

    A broken file must not keep the DAG from being shown: the run's first task says what is wrong with it.
    """
    return {
        str(name): str(instance.get("title") or name)
        for name, instance in _read(path).items()
        if import_type in instance["import_types"]
    }


def has_schedules() -> bool:
    """Whether an instance may have a schedule: one has, or the file is there and nobody can tell."""
    path = instances_path()
    instances = _read(path)
    return any("schedules" in each for each in instances.values()) or (
        path.exists() and not instances
    )


def _read(path: Path | None = None) -> dict[str, Any]:  # Any: YAML
    try:
        text = (path or instances_path()).read_text(encoding="utf-8")
        instances = yaml.load(text, Loader=_Loader)["instances"]  # noqa: S506 - a safe loader
        return {
            name: instance
            for name, instance in instances.items()
            if isinstance(instance, dict) and isinstance(instance.get("import_types"), list)
        }
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return {}
