"""What a run looks up once and its tasks share: the BSS organisation, country rules, resellers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from customer_import.bss.models import Organisation
from customer_import.database.engine import reading, upsert
from customer_import.database.tables import reference_data
from customer_import.errors import ConfigurationError
from customer_import.partner_center.models import CountryRules
from customer_import.vocabulary import ReferenceName

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


def read_organisation(engine: Engine, run_key: int) -> Organisation:
    """Return the BSS organisation of a run.

    Raises:
        ConfigurationError: The run has none.
    """
    body = get_reference(engine, run_key, ReferenceName.ORGANISATION)
    if body is None:
        message = f"run {run_key} has no BSS organisation"
        raise ConfigurationError(
            message, source="reference_data", hint="start the DAG run again from its first task"
        )
    return Organisation.model_validate(body)


def read_country_rules(engine: Engine, run_key: int) -> dict[str, CountryRules]:
    """Return Partner Center's rules by upper-case ISO 3166-1 alpha-2 code; empty when the run has none."""
    body = get_reference(engine, run_key, ReferenceName.COUNTRY_RULES) or {}
    return {code.upper(): CountryRules.model_validate(rules) for code, rules in body.items()}


def put_reference(engine: Engine, run_key: int, name: ReferenceName, body: object) -> None:
    """Store one piece of reference data of a run as JSON, replacing an earlier one."""
    with engine.begin() as connection:
        upsert(connection, reference_data, [{"run_id": run_key, "name": name.value, "body": body}])


def get_reference(engine: Engine, run_key: int, name: ReferenceName) -> Any:  # noqa: ANN401 - JSON of the caller's shape
    """Return a piece of reference data of a run, or ``None``."""
    with reading(engine) as connection:
        return find_reference(connection, run_key, name)


def find_reference(connection: Connection, run_key: int, name: ReferenceName) -> Any:  # noqa: ANN401 - the same
    """Return the same by an open connection."""
    return connection.execute(
        select(reference_data.c.body).where(
            reference_data.c.run_id == run_key, reference_data.c.name == name.value
        )
    ).scalar_one_or_none()
