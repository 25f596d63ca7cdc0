"""Where the configuration is found, for each way of installing the package: a checkout, copied folders, a wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROBE = """
import json
from customer_import.config import paths
from customer_import.config.mapping import load_mappings
from customer_import.errors import ConfigurationError
try:
    load_mappings()
    told = ""
except ConfigurationError as error:
    told = str(error)
found = [str(path()) for path in (paths.include_folder, paths.instances_path, paths.mappings_folder)]
print(json.dumps([*found, told]))
"""


def look(package: Path, **environment: str) -> list[str]:
    """Return where a copy of the package looks: include, instances, mappings; and what is wrong with a mapping."""
    names = ("CUSTOMER_IMPORT_", "AIRFLOW_HOME", "PYTHONPATH")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE],
        env=clean | {"PYTHONPATH": str(package.parent)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(answer.stdout.splitlines()[-1])
    return found


def copy_package(folder: Path) -> Path:
    return shutil.copytree(
        ROOT / "plugins" / "customer_import",
        folder / "customer_import",
        ignore=shutil.ignore_patterns("__pycache__"),
    )


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Return the package as a wheel leaves it: with the mapping files inside."""
    package = copy_package(tmp_path / "lib" / "site-packages")
    shutil.copytree(ROOT / "include" / "mappings", package / "default_mappings")
    return package


def test_a_checkout_reads_what_stands_beside_its_plugins(tmp_path: Path) -> None:
    include, instances, mappings, told = look(
        ROOT / "plugins" / "customer_import", AIRFLOW_HOME=str(tmp_path)
    )
    assert Path(include) == ROOT / "include"
    assert Path(instances) == ROOT / "include" / "instances.yaml"
    assert Path(mappings) == ROOT / "include" / "mappings"
    assert told == ""


def test_copied_folders_read_what_stands_beside_them_whatever_their_name(tmp_path: Path) -> None:
    package = copy_package(tmp_path / "our_plugins")
    include, _, mappings, told = look(package, AIRFLOW_HOME=str(tmp_path / "elsewhere"))
    assert Path(include) == tmp_path / "include"
    assert Path(mappings) == tmp_path / "include" / "mappings"
    assert str(tmp_path / "include" / "mappings" / "account.yaml") in told
    assert "put the file there, or set CUSTOMER_IMPORT_INCLUDE" in told


def test_a_wheel_reads_airflows_home_and_brings_mappings(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    include, instances, mappings, told = look(wheel, AIRFLOW_HOME=str(home))
    assert Path(include) == home / "include"
    assert Path(instances) == home / "include" / "instances.yaml"
    assert Path(mappings) == wheel / "default_mappings"
    assert told == ""


def test_mappings_of_ones_own_come_before_those_of_the_wheel(wheel: Path, tmp_path: Path) -> None:
    own = tmp_path / "home" / "include" / "mappings"
    shutil.copytree(ROOT / "include" / "mappings", own)
    assert Path(look(wheel, AIRFLOW_HOME=str(tmp_path / "home"))[2]) == own


def test_a_wrong_folder_in_the_variable_is_named_instead_of_the_wheels_mappings_taken(
    wheel: Path, tmp_path: Path
) -> None:
    wrong = tmp_path / "inculde"
    _, _, mappings, told = look(wheel, CUSTOMER_IMPORT_INCLUDE=str(wrong))
    assert Path(mappings) == wrong / "mappings"
    assert "CUSTOMER_IMPORT_INCLUDE leads there" in told


def test_a_variable_of_its_own_names_the_instances_file(wheel: Path, tmp_path: Path) -> None:
    file = tmp_path / "ours.yaml"
    assert Path(look(wheel, CUSTOMER_IMPORT_INSTANCES=str(file))[1]) == file
