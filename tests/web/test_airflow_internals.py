"""What Airflow does not promise, and the pages need: this says in words what an upgrade of Airflow broke."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

LIBRARY = Path(__file__).resolve().parents[2] / "plugins" / "customer_import"
DOOR = "web/airflow_internals.py"
COMMAND = "cli/airflow_context.py"
"""The command's own door; its contract: ``tests/cli/test_airflow_context.py``."""
PUBLIC = (
    "airflow.sdk",
    "airflow.configuration",
    "airflow.plugins_manager",
    "airflow.providers.http.hooks.http",
    "airflow.providers.standard.operators.hitl",
    "airflow.providers.standard.operators.trigger_dagrun",
    "airflow.providers.common.compat.openlineage",
)


def needed(module: str, name: str) -> Any:
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError):
        pytest.fail(f"Airflow no longer has {module}.{name}; find its successor for {DOOR}")


@pytest.mark.parametrize(
    ("module", "name", "parameters"),
    [
        ("airflow.api_fastapi.app", "get_auth_manager", ()),
        ("airflow.utils.session", "create_session", ()),
        ("airflow.api_fastapi.core_api.security", "get_user", ("request",)),
    ],
)
def test_airflow_still_has_the_function(module: str, name: str, parameters: tuple[str, ...]):
    taken = inspect.signature(needed(module, name)).parameters
    required = {key for key, one in taken.items() if one.default is inspect.Parameter.empty}
    assert set(parameters) <= taken.keys() or not parameters, f"{name} takes {sorted(taken)} now"
    assert name == "get_user" or not required, f"{name} needs {sorted(required)} now; see {DOOR}"


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("get_authorized_dag_ids", {"user", "method"}),
        ("is_authorized_dag", {"method", "access_entity", "details", "user"}),
    ],
)
def test_the_auth_manager_is_asked_as_before(method: str, parameters: set[str]):
    base = needed("airflow.api_fastapi.auth.managers.base_auth_manager", "BaseAuthManager")
    asked = getattr(base, method, None)
    assert asked is not None, f"BaseAuthManager has no {method} now; see {DOOR}"
    missing = parameters - inspect.signature(asked).parameters.keys()
    assert not missing, f"{method} no longer takes {sorted(missing)}; see {DOOR}"


@pytest.mark.parametrize(
    "column", ["id", "dag_id", "run_id", "state", "conf", "triggering_user_name", "queued_at"]
)
def test_a_dag_run_still_has_the_column(column: str):
    run = needed("airflow.models.dagrun", "DagRun")
    assert hasattr(run, column), f"DagRun has no {column} now; see {DOOR}"


@pytest.mark.parametrize(
    "column", ["event", "dag_id", "run_id", "owner", "owner_display_name", "extra", "dttm"]
)
def test_the_audit_log_still_has_the_column(column: str):
    assert hasattr(needed("airflow.models.log", "Log"), column), f"Log has no {column}; see {DOOR}"


def test_a_dag_still_says_whose_it_is():
    asked = getattr(needed("airflow.models.dag", "DagModel"), "get_team_name", None)
    assert asked is not None, f"DagModel has no get_team_name now; see {DOOR}"


def test_a_user_still_has_a_name():
    user = needed("airflow.api_fastapi.auth.managers.models.base_user", "BaseUser")
    assert hasattr(user, "get_name"), f"BaseUser has no get_name now; see {DOOR}"


def test_a_dag_still_says_whether_it_is_paused():
    assert hasattr(needed("airflow.models.dag", "DagModel"), "is_paused"), f"see {DOOR}"


def test_nothing_else_in_the_library_uses_airflow_but_what_it_promises():
    found = []
    for path in sorted(LIBRARY.rglob("*.py")):
        name = path.relative_to(LIBRARY).as_posix()
        for line in path.read_text(encoding="utf-8").splitlines():
            words = line.split()
            is_import = words[:1] in (["from"], ["import"]) and words[1].startswith("airflow.")
            if is_import and not words[1].startswith(PUBLIC) and name not in {DOOR, COMMAND}:
                found.append(f"{name}: {line.strip()}")
    assert found == []
