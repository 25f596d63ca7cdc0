"""What the ids of BSS fields stand for: countries, states, the run's user and permission rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from customer_import.bss.models import Organisation
from customer_import.config.instances import load_instance
from customer_import.database.tables import import_runs, reference_data
from customer_import.errors import ConfigurationError
from customer_import.vocabulary import ImportType, ReferenceName

if TYPE_CHECKING:
    from sqlalchemy import Connection

_OWNERS = ("responsibleUserId", "permissionRuleId")


class Names:
    """Names by field and id, as a run looked them up.

    Args:
        connection: An open connection.
        run_key: The run.
    """

    def __init__(self, connection: Connection, run_key: int) -> None:
        self._names: dict[tuple[str, int], str] = {}
        body = connection.execute(
            select(reference_data.c.body).where(
                reference_data.c.run_id == run_key,
                reference_data.c.name == ReferenceName.ORGANISATION.value,
            )
        ).scalar_one_or_none()
        if not body:
            return
        organisation = Organisation.model_validate(body)
        for country in organisation.countries:
            self._names["countryId", country.id] = country.name
            for state in country.states:
                self._names["stateId", state.id] = state.name
        ids = (organisation.responsible_user_id, organisation.permission_rule_id)
        for field, number, name in zip(
            _OWNERS, ids, _owner_names(connection, run_key), strict=True
        ):
            if number is not None and name:
                self._names[field, number] = name

    def of(self, field: str, value: object) -> str | None:
        """Return the name of what a field's value stands for, when it is known."""
        key = (field.rpartition(".")[2], value)
        return self._names.get(key) if isinstance(value, int) else None  # type: ignore[arg-type]


def _owner_names(connection: Connection, run_key: int) -> tuple[str | None, str | None]:
    """Return the names of user and rule, of the run or else of its instance."""
    row = connection.execute(
        select(import_runs.c.params, import_runs.c.instance, import_runs.c.import_type).where(
            import_runs.c.id == run_key
        )
    ).one()
    try:
        bss = load_instance(row.instance, ImportType(row.import_type)).bss
    except ConfigurationError:
        return row.params.get("responsible_user"), row.params.get("permission_rule")
    user = row.params.get("responsible_user") or bss.responsible_user
    rule = row.params.get("permission_rule") or bss.permission_rule
    return user, rule or (f"default rule of {user}" if user else None)
