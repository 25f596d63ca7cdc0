"""Where the configuration files are. Light, because DAG files read it at every parse."""

from __future__ import annotations

import os
from pathlib import Path

INCLUDE_VARIABLE = "CUSTOMER_IMPORT_INCLUDE"
"""Environment variable that names another ``include`` folder."""
INSTANCES_VARIABLE = "CUSTOMER_IMPORT_INSTANCES"
"""Environment variable that names another instances file."""


def include_folder() -> Path:
    """Return the ``include`` folder: ``$CUSTOMER_IMPORT_INCLUDE``, else the one beside ``plugins/``."""
    override = os.environ.get(INCLUDE_VARIABLE)
    return Path(override) if override else Path(__file__).resolve().parents[3] / "include"


def instances_path() -> Path:
    """Return the instances file: ``$CUSTOMER_IMPORT_INSTANCES``, else ``include/instances.yaml``."""
    override = os.environ.get(INSTANCES_VARIABLE)
    return Path(override) if override else include_folder() / "instances.yaml"
