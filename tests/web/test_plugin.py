"""The plugin that every task process executes stays light, says where the pages are, and is never registered twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from customer_import import __version__

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"fastapi", "sqlalchemy", "pandas"}
PROBE = """
import json, sys
import airflow
bare = set(sys.modules)
import airflow.plugins_manager
before = set(sys.modules)
from customer_import.plugin import CustomerImportPlugin
after = set(sys.modules)
places = [(view["destination"], view["href"]) for view in CustomerImportPlugin.external_views]
print(json.dumps({name: sorted(value) if isinstance(value, set) else value for name, value in
    {"bare": bare, "before": before, "after": after, "places": places}.items()}))
"""
COPY = """
import importlib.metadata
real = importlib.metadata.version
def version(name):
    if name == "customer-import":
        raise importlib.metadata.PackageNotFoundError(name)
    return real(name)
importlib.metadata.version = version
import customer_import_plugin as copy
copy.CustomerImportPlugin()
"""
TWICE = """
import logging, sys
import airflow.plugins_manager as manager
logging.basicConfig(stream=sys.stdout, format="%(message)s", level=logging.WARNING, force=True)
names = [plugin.name for plugin in manager._get_plugins()[0]]
views = [view["url_route"] for view in manager._get_ui_plugins()[0]]
print("plugins", names.count("customer_import"), "views", views.count("import-results"))
"""


def run(source: str, *arguments: str, **environment: str) -> str:
    command = [sys.executable, "-W", "ignore", "-c", source, *arguments]
    surroundings = os.environ | {"PYTHONPATH": str(ROOT / "plugins")} | environment
    return subprocess.run(
        command, env=surroundings, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture(scope="module")
def probe() -> dict[str, Any]:
    """Import Airflow and then the plugin in a fresh interpreter, and list its modules each time."""
    return json.loads(run(PROBE).splitlines()[-1])


def test_the_plugin_adds_nothing_but_itself_to_what_airflow_loads(probe: dict[str, Any]) -> None:
    bare, before, after = (set(probe[name]) for name in ("bare", "before", "after"))
    for title, modules in {
        "import airflow": bare,
        "import airflow.plugins_manager": before,
        "import customer_import.plugin": after,
    }.items():
        sys.stdout.write(f"{title}: {len(modules)} modules, {sorted(HEAVY & modules)} of them\n")
    assert after - before <= {"customer_import", "customer_import.plugin"}
    assert HEAVY & after == HEAVY & bare == {"sqlalchemy"}, "Airflow itself loads SQLAlchemy"


def test_pages_have_addresses_that_stay_below_a_sub_path(probe: dict[str, Any]) -> None:
    assert {destination for destination, _ in probe["places"]} == {"nav", "dag", "dag_run"}
    assert all(href.startswith("customer-import/") for _, href in probe["places"])


def test_copied_folders_alone_register_the_pages_and_say_nothing() -> None:
    assert run(COPY, AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins")) == ""


FORMER_ENTRY_FILE = """
from airflow.plugins_manager import AirflowPlugin
class CustomerImportPlugin(AirflowPlugin):
    name = "customer_import"
    external_views = [{"name": "Import Results", "href": "customer-import/", "url_route": "import-results"}]
"""
ENTRY_FILE = (ROOT / "plugins" / "customer_import_plugin.py").read_text(encoding="utf-8")


@pytest.mark.parametrize("is_lazy", ["True", "False"])
@pytest.mark.parametrize(
    ("entry_file", "has_package"),
    [(ENTRY_FILE, True), (ENTRY_FILE, False), (FORMER_ENTRY_FILE, True), (None, True)],
    ids=["copied folders", "entry file alone", "copied folders of before", "package alone"],
)
def test_a_copy_beside_an_installed_package_is_told_in_one_line_and_the_pages_are_there_once(
    entry_file: str | None, *, has_package: bool, is_lazy: str, tmp_path: Path
) -> None:
    copies = []
    if has_package:
        (tmp_path / "customer_import").mkdir()
        (tmp_path / "customer_import" / "__init__.py").touch()
        (tmp_path / ".airflowignore").write_text("customer_import/\n", encoding="utf-8")
        copies.append(str(tmp_path / "customer_import"))
    if entry_file:
        (tmp_path / "customer_import_plugin.py").write_text(entry_file, encoding="utf-8")
        copies.append(str(tmp_path / "customer_import_plugin.py"))
    *said, counted = run(
        TWICE,
        AIRFLOW__CORE__PLUGINS_FOLDER=str(tmp_path),
        AIRFLOW__CORE__LAZY_DISCOVER_PROVIDERS=is_lazy,
    ).splitlines()
    assert counted == "plugins 1 views 1"
    expected = (
        f"customer_import {__version__} is used from {ROOT / 'plugins'}, not the copy in Airflow's plugins folder. "
        f"Hint: delete {' and '.join(copies)}"
    )
    # Airflow has a line of its own about an entry file that registers the same name.
    assert [line for line in said if "already registered" not in line] == [expected]


@pytest.mark.parametrize("is_lazy", ["True", "False"])
@pytest.mark.parametrize("folder", ["plugins", "empty"])
def test_airflow_registers_the_pages_once(folder: str, is_lazy: str, tmp_path: Path) -> None:
    plugins = ROOT / "plugins" if folder == "plugins" else tmp_path
    said = run(
        TWICE,
        AIRFLOW__CORE__PLUGINS_FOLDER=str(plugins),
        AIRFLOW__CORE__LAZY_DISCOVER_PROVIDERS=is_lazy,
    )
    assert said.splitlines() == ["plugins 1 views 1"]
