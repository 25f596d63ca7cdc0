"""Reads what ``start_run`` and ``extract_customers`` looked up once per run, as models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.bss.models import Organisation
from customer_import.errors import ConfigurationError
from customer_import.partner_center.models import CountryRules
from customer_import.run import get_reference

if TYPE_CHECKING:
    from sqlalchemy import Engine


def read_organisation(engine: Engine, run_id: int) -> Organisation:
    """Return the BSS organisation of a run.

    Raises:
        ConfigurationError: The run has none.
    """
    body = get_reference(engine, run_id, "organisation")
    if body is None:
        message = f"run {run_id} has no BSS organisation"
        raise ConfigurationError(
            message, source="reference_data", mend="start the DAG run again from its first task"
        )
    return Organisation.model_validate(body)


def read_country_rules(engine: Engine, run_id: int) -> dict[str, CountryRules]:
    """Return Partner Center's rules by upper-case ISO 3166-1 alpha-2 code; empty when the run has none."""
    body = get_reference(engine, run_id, "country_rules") or {}
    return {code.upper(): CountryRules.model_validate(rules) for code, rules in body.items()}
