"""The entry file that every task process executes stays light, and says where the pages are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"fastapi", "sqlalchemy", "pandas"}
# Airflow 3.3 itself loads SQLAlchemy when it is imported: what counts is what the entry file adds.
PROBE = """
import json, sys
import airflow.plugins_manager
before = set(sys.modules)
import customer_import_plugin
views = customer_import_plugin.CustomerImportPlugin.external_views
places = [(view["destination"], view["href"]) for view in views]
print(json.dumps([sorted(set(sys.modules) - before), places]))
"""


def probe() -> tuple[list[str], list[list[str]]]:
    """Import the entry file in a fresh interpreter."""
    command = [sys.executable, "-W", "ignore", "-c", PROBE]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "plugins")}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    added, views = json.loads(answer.stdout.splitlines()[-1])
    return added, views


def test_the_entry_file_loads_nothing_heavy_and_names_relative_addresses() -> None:
    added, views = probe()
    assert HEAVY.isdisjoint(added)
    assert not [name for name in added if name.startswith("customer_import.")]
    assert {destination for destination, _ in views} == {"nav", "dag", "dag_run"}
    assert all(href.startswith("customer-import/") for _, href in views)
