"""The instances as the pages read them: a file that is wrong is told, and read again when it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.web.instances import read_instances

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_missing_file_is_told_and_found_when_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "instances.yaml"
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(path))

    missing = read_instances()
    path.write_text("version: 1\ninstances: {a: {title: A, import_types: [direct]}}\n")
    found = read_instances()

    assert missing.by_name == {}
    assert f"{path}: the file cannot be read" in (missing.error or "")
    assert "CUSTOMER_IMPORT_INSTANCES leads there" in (missing.error or "")
    assert (list(found.by_name), found.error) == (["a"], None)
