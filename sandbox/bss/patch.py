"""JSON Patch on a create model.

The vendor says that patchable paths are those of the create model, that ``add`` and ``replace``
act alike and that ``remove`` resets to the default. Custom fields may be patched as a whole list
at ``/customFields`` (fields not named stay) or one by one at ``/customFields/{id}``.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from sandbox.bss.errors import invalid

if TYPE_CHECKING:
    from sandbox.bss.models import Json

_OPERATIONS = frozenset({"add", "replace", "remove"})
_CUSTOM_FIELDS = "customFields"
_MAX_DEPTH = 2


def apply_patch(values: Json, patch: object, error: str) -> tuple[Json, list[Json]]:
    """Apply a patch to a copy of the values.

    Args:
        values: The create model as stored, without custom fields.
        patch: The request's body.
        error: Error type of a refusal.

    Returns:
        The new values, still to be validated, and the custom field values that were patched.

    Raises:
        WireError: 400 when the patch is none.
    """
    if not isinstance(patch, list):
        raise invalid(error, "patch", "A JSON Patch document is a list.")
    changed = copy.deepcopy(values)
    custom_fields: list[Json] = []
    for operation in patch:
        path = _path(operation, error)
        value = None if operation["op"] == "remove" else operation.get("value")
        if path[0] == _CUSTOM_FIELDS:
            custom_fields += _custom_field_values(path, value, error)
        else:
            _set(changed, path, value, error)
    return changed, custom_fields


def _path(operation: object, error: str) -> list[str]:
    if not isinstance(operation, dict) or operation.get("op") not in _OPERATIONS:
        raise invalid(error, "op", "The operation is not add, replace or remove.")
    path = operation.get("path")
    needs_value = operation["op"] != "remove"
    if not isinstance(path, str) or (needs_value and "value" not in operation):
        raise invalid(error, "path", "An operation needs a path, and a value unless it removes.")
    parts = path.split("/")[1:]
    if not path.startswith("/") or not 1 <= len(parts) <= _MAX_DEPTH or not all(parts):
        raise invalid(error, "path", "The path does not exist.")
    return parts


def _custom_field_values(path: list[str], value: object, error: str) -> list[Json]:
    if len(path) == 1:
        if not isinstance(value, list):
            raise invalid(error, _CUSTOM_FIELDS, "Custom fields come as a list.")
        return value
    if not path[1].isdigit():
        raise invalid(error, _CUSTOM_FIELDS, "A custom field is named by its id.")
    return [{"id": int(path[1]), "value": value}]


def _set(values: Json, path: list[str], value: object, error: str) -> None:
    if len(path) == 1:
        target = values
    elif path[0] == "billingAddress":
        target = values.setdefault("billingAddress", {})
    else:
        raise invalid(error, "path", "The path does not exist.")
    target[path[-1]] = value
