"""The roles that the command prints, as Airflow's own import of roles takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from customer_import.config.paths import INSTANCES_VARIABLE
from customer_import.config.roles import STARTER, VIEWER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Call

NORTH = """
  north:
    title: North
    import_types: [direct]
    schedules: {direct: {cron: "@daily"}}
    roles: {north staff: start, auditors: see}
"""
SOUTH = NORTH.replace("north", "south").replace("see", "start")
BROKEN = NORTH.replace("north", "west").replace("@daily", "@dayly")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "instances.yaml"
    monkeypatch.setenv(INSTANCES_VARIABLE, str(path))
    return path


def rights(out: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for entry in orjson.loads(out):
        assert entry.keys() == {"name", "resource", "action"}
        assert entry["resource"] not in found.setdefault(entry["name"], {})
        found[entry["name"]][entry["resource"]] = entry["action"]
    return found


def test_roles_for_everything_and_those_that_instances_name(path: Path, call: Call) -> None:
    path.write_text(f"version: 1\ninstances:{NORTH}{SOUTH}")
    said = call("roles")
    assert (said.code, said.err) == (0, "")
    found = rights(said.out)
    assert found.keys() == {VIEWER, STARTER, "north staff", "south staff", "auditors"}
    assert found[VIEWER]["DAGs"] == "can_read,menu_access"
    assert found[STARTER]["DAGs"] == "can_edit,can_read,menu_access"
    assert found[STARTER]["DAG Runs"] == "can_create,can_edit,can_read,menu_access"
    # Which DAGs a role of an instance may read is for Airflow to say, by those DAGs.
    for role in ("north staff", "south staff", "auditors"):
        assert found[role]["DAGs"] == "menu_access"
        assert "can_create" not in found[role]["DAG Runs"]
        assert found[role]["HITL Detail"] == "can_edit,can_read,menu_access"
    for each in found.values():
        assert {"Website", "Plugins", "My Password"} <= each.keys()
        assert each.keys() & {"Connections", "Variables", "Audit Logs", "Assets", "Users"} == set()


def test_a_role_that_may_only_see_changes_nothing(path: Path, call: Call) -> None:
    path.write_text(f"version: 1\ninstances:{NORTH}")
    own = rights(call("roles").out)["auditors"]
    changing = {resource: action for resource, action in own.items() if "edit" in action}
    assert changing.keys() == {"My Password", "My Profile"}


def test_what_is_wrong_is_told_and_keeps_nobody_from_a_role(path: Path, call: Call) -> None:
    path.write_text(f"version: 1\ninstances:{NORTH}{BROKEN}")
    said = call("roles")
    assert said.code == 0
    assert rights(said.out).keys() == {VIEWER, STARTER, "north staff", "auditors"}
    assert "did you mean @daily?" in said.err
    path.unlink()
    said = call("roles")
    assert said.code == 0
    assert rights(said.out).keys() == {VIEWER, STARTER}
    assert str(path) in said.err
