"""Names of the configured instances, read cheaply: at every parse of a DAG file and for the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from customer_import.config.paths import instances_path

if TYPE_CHECKING:
    from customer_import.vocabulary import ImportType

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's where there is one: the file is read at every parse of a DAG file."""


def instance_names(import_type: ImportType) -> tuple[str, ...]:
    """Return the instances that take an import type, in the file's order; none when the file cannot be read.

    A broken file must not keep the DAG from being shown: the run's first task says what is wrong with it.
    """
    try:
        text = instances_path().read_text(encoding="utf-8")
        instances = yaml.load(text, Loader=_Loader)["instances"]  # noqa: S506 - a safe loader
        return tuple(
            name for name, instance in instances.items() if import_type in instance["import_types"]
        )
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return ()
