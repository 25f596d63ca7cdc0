"""The parameters of the three DAGs as Airflow's trigger form shows them.

Plain dicts of ``airflow.sdk.Param`` arguments, one per name; ``runs.parameters.RunParams`` says what they mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from customer_import.config.instance_names import instance_titles, profile_names
from customer_import.vocabulary import ImportType, Mode, OnExisting, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

WHAT = WHICH = "Run Parameters"
"""The section that Airflow's form has open; the others are to be opened."""
HOW = "How"
RECORDS = "New records in the BSS"


def import_params(
    import_type: ImportType,
    scope: Scope = Scope.FULL,
    mode: Mode = Mode.IMPORT,
    *,
    requires_approval: bool = False,
    instance: Mapping[str, str] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the parameters of a DAG, by name.

    Args:
        import_type: The DAG's.
        scope: What the form proposes.
        mode: The same.
        requires_approval: The same.
        instance: Name and title of the only instance that the DAG is for; by default all that take the import type.
    """
    instances = instance or instance_titles(import_type)
    params: dict[str, dict[str, Any]] = {
        "mode": {
            "default": mode.value,
            "type": "string",
            "enum": [mode.value for mode in Mode],
            "values_display": {
                Mode.IMPORT.value: "Import: write to the BSS",
                Mode.PREVIEW.value: "Preview: read everything, write nothing, say what an import would do",
                Mode.DISCOVER.value: "Discover: only list and classify the tenants",
                Mode.CHECK.value: "Check: test both connections, compare customers, links and accounts, write nothing",
            },
            "title": "Mode",
            "description": "How far the run goes. Before the first import of an instance, look at a preview.",
            "section": WHAT,
        },
        "instance": {
            "default": next(iter(instances), None),
            "type": "string" if instances else ["null", "string"],
            "title": "Instance",
            "description": "From which Partner Center into which BSS"
            + (
                f": {', '.join(f'{name} ({title})' for name, title in instances.items())}."
                if instances
                else "."
            ),
            "section": WHAT,
        }
        # Any may be named where all are offered: the run's first task says what a wrong name may have meant.
        | {"examples" if instance is None else "enum": list(instances)},
        "tenants": _names(
            "Only these tenants", "Tenant ids or primary domains, one a line. Empty: all."
        ),
        "exclude_tenants": _names(
            "Not these tenants", "Tenant ids or primary domains, one a line."
        ),
    }
    if import_type is ImportType.INDIRECT:
        params["reseller_mpn_ids"] = _names(
            "Only these resellers", "MPN IDs, one a line. Empty: all resellers."
        )
    return params | {
        "previewed_run": _text(
            "Only what this preview says",
            "Run id of a finished preview of this DAG: imports exactly the customers that it would create or update. "
            "Who changed since is skipped. Leave the other names empty.",
        )
        | {"section": WHICH},
        "scope": {
            "default": scope.value,
            "type": "string",
            "enum": [choice.value for choice in Scope],
            "values_display": {
                Scope.FULL.value: "Full: read every customer",
                Scope.CHANGED.value: "Changed: read what changed since the last complete run",
                Scope.VERIFY.value: "Verify: read every customer, and compare each with its BSS account",
            },
            "title": "Scope",
            "description": (
                "Changed asks Partner Center's list and audit records what is new, gone or changed, and "
                "re-reads the others in slices (full_read_every_days). The first run, and one after a "
                "changed configuration, is full all the same. Verify also finds what was changed in the BSS; it "
                "costs three BSS requests a customer."
            ),
            "section": HOW,
        },
        "on_existing": {
            "default": OnExisting.UPDATE.value,
            "type": "string",
            "enum": [choice.value for choice in OnExisting],
            "values_display": {
                OnExisting.UPDATE.value: "Update what changed",
                OnExisting.SKIP.value: "Leave as they are",
            },
            "title": "Customers imported before",
            "description": "What to do with a customer that is in the BSS already and has changed in Partner Center.",
            "section": HOW,
        },
        "require_approval": {
            "default": requires_approval,
            "type": "boolean",
            "title": "Ask before writing",
            "description": (
                "The run waits before it writes to the BSS until a person approves what it is going to do, under "
                "Required Actions. The instance may ask for it in any case (require_approval, max_overwritten_percent)."
            ),
            "section": HOW,
        },
        "max_rejected_percent": {
            "default": 20,
            "type": "number",
            "minimum": 0,
            "maximum": 100,
            "title": "Most rejected customers, in percent",
            "description": "With more, or with a field that would be emptied for more, the run stops before it writes "
            "anything: data or mapping are probably wrong. With more when the BSS refused some, it fails at its end.",
            "section": HOW,
        },
        "max_failed_percent": {
            "default": 5,
            "type": "number",
            "minimum": 0,
            "maximum": 100,
            "title": "Most failed customers, in percent",
            "description": (
                "With more that fail, or that left since the run before, something is wrong with the service or "
                "its permissions: the run stops before it writes anything, or is failed at its end."
            ),
            "section": HOW,
        },
        "expect_none": {
            "default": False,
            "type": "boolean",
            "title": "Nobody is right",
            "description": (
                "Set it once when the last customer of this import has left: a run that discovers nobody stops "
                "otherwise. Later runs remember it."
            ),
            "section": HOW,
        },
        "accept_organisation": {
            "default": False,
            "type": "boolean",
            "title": "The BSS organisation is right",
            "description": (
                "Set it once when the BSS connection leads to another organisation than before, or has a new address "
                "or client key, and that is right: a run stops otherwise. Later runs remember it."
            ),
            "section": HOW,
        },
        "responsible_user": _text(
            "Responsible user",
            "BSS user name that owns new records. Empty: the instance's. Used if the instance's API takes it.",
        ),
        "permission_rule": _text(
            "Permission rule",
            "BSS permission rule, by name. Empty: the instance's, else the responsible user's default rule.",
        ),
        "ordering_options": _text(
            "Ordering options",
            "Profile of include/mappings/ordering_options.yaml for new accounts. Empty: the instance's.",
        )
        | {"examples": list(profile_names())},
    }


def _names(title: str, description: str) -> dict[str, Any]:
    return {
        "default": [],
        "type": ["null", "array"],
        "items": {"type": "string"},
        "title": title,
        "description": description,
        "section": WHICH,
    }


def _text(title: str, description: str) -> dict[str, Any]:
    return {
        "default": None,
        "type": ["null", "string"],
        "title": title,
        "description": description,
        "section": RECORDS,
    }
