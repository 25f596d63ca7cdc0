"""The instances as the pages read them: a file that is wrong is told, and read again when it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from customer_import.web.instances import read_instances
from tests.web.conftest import PREFIX

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine


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


@pytest.mark.parametrize("page", ["tenants", "tenants-live", "queue", "drift"])
def test_another_instance_than_was_asked_for_is_never_shown(
    page: str, admin: TestClient, database: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    address = f"{PREFIX}/{page}?dag_id=import_direct_customers"
    assert admin.get(f"{address}&instance=sandbox").status_code == 200
    for wrong in ("&instance=renamed", "&instance=sandbox_reseller"):
        answer = admin.get(f"{address}{wrong}", headers={"Accept": "text/html"})
        assert answer.status_code == 404, wrong
        assert "or you may not read it" in answer.text

    path = tmp_path / "wrong.yaml"
    good = "{title: Good, import_types: [direct]}"
    path.write_text(f"version: 1\ninstances: {{good: {good}, sandbox: {{titel: Sandbox}}}}\n")
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(path))
    answer = admin.get(f"{address}&instance=sandbox")
    assert answer.status_code == 200
    assert 'data-instance="good"' not in answer.text
    assert page == "tenants-live" or "titel" in answer.text
