"""What the built package holds and declares, and that the images are made of files that are there."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import TYPE_CHECKING

import airflow
import jsonschema
import pytest
import yaml
from packaging.requirements import Requirement

from customer_import import __version__
from customer_import.provider import get_provider_info

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "plugins" / "customer_import"
INFO = f"customer_import-{__version__}.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the package as ``make wheel`` does."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True)
    return zipfile.ZipFile(next(folder.glob("*.whl")))


@pytest.fixture(scope="module")
def metadata(wheel: zipfile.ZipFile) -> Message:
    return message_from_bytes(wheel.read(f"{INFO}/METADATA"))


def test_the_wheel_holds_every_file_of_the_library_and_the_mappings(wheel: zipfile.ZipFile) -> None:
    source = {
        f"customer_import/{path.relative_to(SOURCE).as_posix()}"
        for path in SOURCE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    mappings = {
        f"customer_import/default_mappings/{path.name}"
        for path in (ROOT / "include" / "mappings").iterdir()
    }
    packed = {name for name in wheel.namelist() if not name.startswith(INFO)}
    assert packed - {"customer_import/example_instances.yaml"} == source | mappings
    assert {
        "customer_import/py.typed",
        "customer_import/database/migrations/script.py.mako",
        "customer_import/web/templates/base.html",
        "customer_import/web/static/app.css",
        "customer_import/default_mappings/account.yaml",
    } <= packed


def test_the_wheel_declares_command_pages_and_provider(wheel: zipfile.ZipFile) -> None:
    declared = wheel.read(f"{INFO}/entry_points.txt").decode().split("\n\n")
    assert sorted(text.strip() for text in declared) == [
        "[airflow.plugins]\ncustomer_import = customer_import.plugin:CustomerImportPlugin",
        "[apache_airflow_provider]\nprovider_info = customer_import.provider:get_provider_info",
        "[console_scripts]\ncustomer-import = customer_import.cli.main:app",
    ]


@pytest.mark.parametrize(
    ("version", "fits"),
    [("2.11.0", False), ("3.2.9", False), ("3.3.2", True), ("3.4.0", True), ("4.0.0", False)],
)
def test_an_airflow_that_does_not_fit_is_refused(
    metadata: Message, version: str, *, fits: bool
) -> None:
    needs = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    airflow_range = next(need.specifier for need in needs if need.name == "apache-airflow")
    assert airflow_range.contains(version) is fits


def test_every_dependency_says_from_which_version_and_none_is_pinned(metadata: Message) -> None:
    needs = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    assert needs
    for need in needs:
        operators = {specifier.operator for specifier in need.specifier}
        assert ">=" in operators, need
        assert "==" not in operators, need


def test_one_version_number(metadata: Message) -> None:
    assert metadata["Version"] == __version__
    assert get_provider_info()["versions"] == [__version__]


def test_airflows_schema_takes_what_the_provider_says() -> None:
    schema = Path(airflow.__file__).parent / "provider_info.schema.json"
    jsonschema.validate(get_provider_info(), json.loads(schema.read_text(encoding="utf-8")))


def test_locks_name_no_registry_and_have_hashes() -> None:
    locks = [ROOT / "requirements.txt", *sorted((ROOT / "requirements").iterdir())]
    assert len(locks) == 9
    for lock in locks:
        lines = lock.read_text(encoding="utf-8").splitlines()
        options = [
            line for line in lines if line.startswith("-") or "://" in line.partition("#")[0]
        ]
        assert options == [], lock.name
        pinned = [index for index, line in enumerate(lines) if line[:1].isalnum()]
        assert pinned
        assert [lines[i] for i in pinned if not lines[i + 1].startswith("    --hash=")] == []


def test_production_holds_neither_sandbox_nor_its_packages() -> None:
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = {line.partition("==")[0] for line in lock if line[:1].isalnum()}
    assert "apache-airflow" in names
    assert names & {"faker", "trustme", "pytest", "playwright"} == set()
    stages = (ROOT / "Dockerfile").read_text(encoding="utf-8").split("\nFROM ")
    assert [stage.split()[2] for stage in stages[2:]] == ["sandbox", "production"]
    base, sandbox, production = stages[1:]
    assert "sandbox" not in base + production.partition(" AS ")[0]
    assert "sandbox" in sandbox


def test_compose_builds_stages_that_the_dockerfile_has() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text(encoding="utf-8"))
    stages = {
        line.split()[-1]
        for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
        if line.startswith("FROM ")
    }
    targets = {
        name: service["build"]["target"]
        for name, service in compose["services"].items()
        if "build" in service
    }
    assert set(targets.values()) == {"sandbox", "production"} <= stages
    in_sandbox = {name for name, target in targets.items() if target == "sandbox"}
    assert in_sandbox == {"sandbox", "sandbox-connections"}
    for name, service in compose["services"].items():
        mounted = [str(volume) for volume in service.get("volumes", [])]
        assert not [volume for volume in mounted if volume.startswith("./plugins")], name
