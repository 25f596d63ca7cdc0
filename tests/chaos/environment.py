"""The environment of a chaos run: an Airflow home of its own, set before Airflow is first imported."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sandbox.demo.settings import ROOT, airflow_environment

if TYPE_CHECKING:
    from pathlib import Path


def prepare(folder: Path) -> None:
    """Set this process's environment; worker processes inherit it."""
    home = folder / "airflow"
    home.mkdir()
    os.environ.update(airflow_environment(home, folder / "instances.yaml", port=8793))
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
    os.environ["PYTHONPATH"] = os.pathsep.join(str(part) for part in (ROOT / "plugins", ROOT))
    for name in ("AIRFLOW__API__BASE_URL", "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"):
        os.environ.pop(name, None)
