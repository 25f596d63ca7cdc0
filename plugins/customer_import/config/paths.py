"""Where the configuration files are. Light, because DAG files read it at every parse."""

from __future__ import annotations

import os
from pathlib import Path

INCLUDE_VARIABLE = "CUSTOMER_IMPORT_INCLUDE"
"""Environment variable that names another ``include`` folder."""
INSTANCES_VARIABLE = "CUSTOMER_IMPORT_INSTANCES"
"""Environment variable that names another instances file."""

_PACKAGE = Path(__file__).resolve().parents[1]
_PACKAGED_MAPPINGS = _PACKAGE / "default_mappings"
"""Only a wheel has this folder: the mapping files as the project ships them."""


def include_folder() -> Path:
    """Return the ``include`` folder.

    It is ``$CUSTOMER_IMPORT_INCLUDE``; else ``$AIRFLOW_HOME/include`` for an installed wheel, and the folder beside
    ``plugins/`` for a checkout or copied folders.
    """
    if override := os.environ.get(INCLUDE_VARIABLE):
        return Path(override)
    if _PACKAGED_MAPPINGS.is_dir():
        return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "include"
    return _PACKAGE.parents[1] / "include"


def instances_path() -> Path:
    """Return the instances file: ``$CUSTOMER_IMPORT_INSTANCES``, else ``include/instances.yaml``."""
    override = os.environ.get(INSTANCES_VARIABLE)
    return Path(override) if override else include_folder() / "instances.yaml"


def mappings_folder() -> Path:
    """Return the folder of the mapping files: ``include/mappings``, else those that came with the package.

    A folder that ``$CUSTOMER_IMPORT_INCLUDE`` names and that is not there is a mistake, and no reason to take others.
    """
    include = include_folder()
    own = include / "mappings"
    is_mistake = bool(os.environ.get(INCLUDE_VARIABLE)) and not include.is_dir()
    if own.is_dir() or is_mistake or not _PACKAGED_MAPPINGS.is_dir():
        return own
    return _PACKAGED_MAPPINGS
