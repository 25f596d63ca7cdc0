"""The trigger form: what it offers, and that a broken instances file does not hide the DAGs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from customer_import.config.instance_names import instance_titles
from customer_import.pipeline.parameters import import_params
from customer_import.runs.parameters import RunParams
from customer_import.vocabulary import ImportType, Mode

if TYPE_CHECKING:
    from pathlib import Path

FILE = """
version: 1
instances:
  second: {title: B, import_types: [direct, indirect]}
  first: {title: A, import_types: [direct]}
  reseller: {title: C, import_types: [tenant_reseller], reseller_mpn_id: "4847383"}
"""
BROKEN = {
    "empty": "",
    "a list": "- a",
    "no instances": "version: 1",
    "a text": "instances: hello",
    "an instance without import types": "instances: {a: {title: A}}",
    "an instance that is nothing": "instances: {a: null}",
    "import types that are a number": "instances: {a: {import_types: 5}}",
    "no YAML": "instances: {a: [",
    "not UTF-8": b"instances: {\xff: 1}",
}


@pytest.fixture
def instances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "instances.yaml"
    path.write_text(FILE)
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(path))
    return path


def test_instances_that_take_the_import_are_offered_in_the_files_order(instances: Path):
    assert list(instance_titles(ImportType.DIRECT).items()) == [("second", "B"), ("first", "A")]
    assert instance_titles(ImportType.INDIRECT) == {"second": "B"}
    assert instance_titles(ImportType.TENANT_RESELLER) == {"reseller": "C"}
    spec = import_params(ImportType.DIRECT)["instance"]
    assert (spec["default"], spec["examples"]) == ("second", ["second", "first"])
    assert "second (B), first (A)" in spec["description"]


def test_the_form_begins_with_what_to_do(instances: Path):
    assert list(import_params(ImportType.DIRECT))[:2] == ["mode", "instance"]


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_instances_file_offers_nothing_and_hides_no_dag(
    instances: Path, content: str | bytes
):
    instances.write_bytes(content.encode() if isinstance(content, str) else content)
    assert instance_titles(ImportType.DIRECT) == {}
    spec = import_params(ImportType.DIRECT)["instance"]
    assert (spec["default"], spec["type"]) == (None, ["null", "string"])


def test_a_missing_instances_file_offers_nothing(instances: Path):
    instances.unlink()
    assert instance_titles(ImportType.DIRECT) == {}


@pytest.mark.parametrize("import_type", list(ImportType))
def test_every_parameter_reads_well_and_its_default_is_a_valid_run(
    instances: Path, import_type: ImportType
):
    specs = import_params(import_type)
    for spec in specs.values():
        assert {"title", "description", "section", "type", "default"} <= spec.keys()
    params = RunParams.parse({name: spec["default"] for name, spec in specs.items()})
    assert params == RunParams(instance=specs["instance"]["default"])
    assert ("reseller_mpn_ids" in specs) == (import_type is ImportType.INDIRECT)
    assert specs["mode"]["enum"] == list(specs["mode"]["values_display"]) == [m.value for m in Mode]
    assert specs.keys() <= RunParams.model_fields.keys()
