"""What roles of Airflow's FAB auth manager may do, in its words: with one instance's DAGs, and with all imports.

Airflow decides by them, and the pages ask Airflow. A right to a kind of thing (DAG runs, task logs) holds only for
those DAGs to which a role has a right, so that the roles of one instance see nothing of another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Right = Literal["see", "start"]

VIEWER, STARTER = "Import Viewer", "Import Starter"
"""The two roles for all imports of all instances."""

DAG_RIGHTS: Final[Mapping[Right, dict[str, set[str]]]] = {
    "see": {"DAGs": {"can_read"}, "DAG Runs": {"can_read"}},
    "start": {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}},
}
"""By an instance's right: what it is to have it, for each of the instance's DAGs."""

_PAGES: Final[Mapping[str, set[str]]] = {
    "Website": {"can_read"},
    "Plugins": {"can_read"},  # else these pages are in no menu
    "Browse": {"menu_access"},
    "DAGs": {"menu_access"},
    "DAG Runs": {"can_read", "menu_access"},
    "DAG Versions": {"can_read"},
    "DAG Warnings": {"can_read"},
    "Task Instances": {"can_read"},
    "Task Logs": {"can_read"},
    "XComs": {"can_read"},  # counts, never customers
    "HITL Detail": {"can_read", "menu_access"},
    "My Profile": {"can_read", "can_edit"},
    "My Password": {"can_read", "can_edit"},
}
"""What everybody needs to look at runs in Airflow."""
_STARTING: Final[Mapping[str, set[str]]] = {
    "DAG Runs": {"can_edit"},  # end a run, or clear it
    "HITL Detail": {"can_edit"},  # approve a load
}
"""What those need besides who start runs."""


def roles_to_import(roles: Iterable[Mapping[str, Right]] = ()) -> list[dict[str, str]]:
    """Return all roles, as ``airflow roles import`` takes them; it leaves those alone that are there.

    Args:
        roles: The ``roles`` of each instance. They get no DAG: Airflow gives them those of their instances when it
            reads these.
    """
    everywhere: dict[str, list[Mapping[str, set[str]]]] = {
        VIEWER: [_PAGES, DAG_RIGHTS["see"]],
        STARTER: [_PAGES, DAG_RIGHTS["start"], _STARTING, {"Task Instances": {"can_edit"}}],
    }
    own: dict[str, list[Mapping[str, set[str]]]] = {}
    for instance in roles:
        for role, right in instance.items():
            own.setdefault(role, [_PAGES]).extend([_STARTING] if right == "start" else [])
    rights = own | everywhere
    return [entry for role in sorted(rights) for entry in _entries(role, rights[role])]


def _entries(role: str, rights: Iterable[Mapping[str, set[str]]]) -> list[dict[str, Any]]:
    together: dict[str, set[str]] = {}
    for resources in rights:
        for resource, actions in resources.items():
            together[resource] = together.get(resource, set()) | actions
    return [
        {"name": role, "resource": resource, "action": ",".join(sorted(actions))}
        for resource, actions in sorted(together.items())
    ]
