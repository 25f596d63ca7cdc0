"""The entry file that every task process executes stays light, and says where the pages are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"fastapi", "sqlalchemy", "pandas"}
PROBE = """
import json, sys
import airflow
bare = set(sys.modules)
import airflow.plugins_manager
before = set(sys.modules)
import customer_import_plugin
after = set(sys.modules)
views = customer_import_plugin.CustomerImportPlugin.external_views
places = [(view["destination"], view["href"]) for view in views]
print(json.dumps({name: sorted(value) if isinstance(value, set) else value for name, value in
    {"bare": bare, "before": before, "after": after, "places": places}.items()}))
"""


@pytest.fixture(scope="module")
def probe() -> dict[str, Any]:
    """Import Airflow and then the entry file in a fresh interpreter, and list its modules each time."""
    command = [sys.executable, "-W", "ignore", "-c", PROBE]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "plugins")}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


def test_the_entry_file_adds_nothing_but_itself_to_what_airflow_loads(
    probe: dict[str, Any],
) -> None:
    bare, before, after = (set(probe[name]) for name in ("bare", "before", "after"))
    for title, modules in {
        "import airflow": bare,
        "import airflow.plugins_manager": before,
        "import customer_import_plugin": after,
    }.items():
        sys.stdout.write(f"{title}: {len(modules)} modules, {sorted(HEAVY & modules)} of them\n")
    assert after - before == {"customer_import_plugin"}
    assert HEAVY & after == HEAVY & bare == {"sqlalchemy"}, "Airflow itself loads SQLAlchemy"


def test_pages_have_addresses_that_stay_below_a_sub_path(probe: dict[str, Any]) -> None:
    assert {destination for destination, _ in probe["places"]} == {"nav", "dag", "dag_run"}
    assert all(href.startswith("customer-import/") for _, href in probe["places"])
