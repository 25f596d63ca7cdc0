"""Modules that are imported when something of them is used."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from customer_import.tasks.validate.deferred_modules import deferred

if TYPE_CHECKING:
    from pathlib import Path

UNUSED = """
import sys
from customer_import.tasks.validate.expectations import _import_quietly

gx = _import_quietly()
assert not {"scipy.stats", "altair"} & sys.modules.keys(), "imported, or left as a stand-in"

import pandas as pd

context = gx.get_context(mode="ephemeral")
batches = context.data_sources.add_pandas("p").add_dataframe_asset("a").add_batch_definition_whole_dataframe("b")
batch = batches.get_batch(batch_parameters={"dataframe": pd.DataFrame({"kind": ["a", "a", "b", "b"]})})
likely = {"values": ["a", "b"], "weights": [0.5, 0.5]}
rule = gx.expectations.ExpectColumnKLDivergenceToBeLessThan(column="kind", partition_object=likely, threshold=0.1)
result = batch.validate(rule)
assert result.success, result
assert "scipy.stats" in sys.modules
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that nobody has imported, with a value."""
    name = f"seldom_used_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_it_is_imported_at_its_first_use(module: str) -> None:
    with deferred(module):
        stand_in = importlib.import_module(module)
    assert module not in sys.modules
    assert stand_in.ANSWER == 42
    assert sys.modules[module] is not stand_in


def test_a_use_in_the_block_imports_it_as_well(module: str) -> None:
    with deferred(module):
        stand_in = importlib.import_module(module)
        assert stand_in.ANSWER == 42
    assert importlib.import_module(module) is not stand_in


def test_who_imports_it_afterwards_gets_the_module(module: str) -> None:
    with deferred(module):
        pass
    assert importlib.import_module(module).__spec__.origin.endswith(".py")  # type: ignore[union-attr]


def test_what_is_imported_stays() -> None:
    before = sys.modules["pathlib"]
    with deferred("pathlib"):
        assert sys.modules["pathlib"] is before
    assert sys.modules["pathlib"] is before


def test_a_name_that_it_lacks_is_an_attribute_error(module: str) -> None:
    with deferred(module):
        stand_in = importlib.import_module(module)
    with pytest.raises(AttributeError, match="QUESTION"):
        stand_in.QUESTION  # noqa: B018


def test_validation_leaves_out_what_no_rule_of_ours_calls_and_an_expectation_that_does_finds_it() -> (
    None
):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", UNUSED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
