"""What runs changed in the BSS, or an import would change: BSS before, result and rule, field by field.

The values are read from staging, as long as they are kept, with today's mapping files: a rule that has changed
since is shown as it is today.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select

from customer_import.bss.patch import flatten, is_blank
from customer_import.config.mapping import load_mappings
from customer_import.database.tables import staged_accounts, staged_contacts
from customer_import.errors import ConfigurationError
from customer_import.runs.previews import before_by_field
from customer_import.vocabulary import FieldFate, Outcome
from customer_import.web.models import FieldChange
from customer_import.web.names import Names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from customer_import.config.mapping import FieldMapping
    from customer_import.web.models import ResultView

_CHANGED = {FieldFate.CHANGED, FieldFate.EMPTIED}


class ChangeReader:
    """Reads what changed of customers of one run.

    Args:
        connection: An open connection.
        run_key: The run.
    """

    def __init__(self, connection: Connection, run_key: int) -> None:
        self._run_key = run_key
        self._names = Names(connection, run_key)
        self._fields = _mapped_fields()

    def fill(self, connection: Connection, results: Sequence[ResultView]) -> list[ResultView]:
        """Return results of the run with what changed, where something did."""
        wanted = [one.tenant_id for one in results if _has_changes(one)]
        rows = (
            {row.tenant_id: row for row in connection.execute(self._statement(wanted))}
            if wanted
            else {}
        )
        return [
            one.model_copy(update={"changes": self._of_result(one, rows[one.tenant_id])})
            if one.tenant_id in rows
            else one
            for one in results
        ]

    def of(
        self, connection: Connection, fates: Mapping[str, Mapping[str, FieldFate]]
    ) -> dict[str, tuple[FieldChange, ...]]:
        """Return the changes of fields of some customers, as far as their values are kept.

        Args:
            connection: An open connection.
            fates: Tenant to what becomes of its fields, by name.
        """
        rows = connection.execute(self._statement(list(fates))) if fates else ()
        return {row.tenant_id: self._changes(row, fates[row.tenant_id]) for row in rows}

    def name_of(self, field: str, value: object) -> str | None:
        """Return the name of what a field's value stands for, when it is known."""
        return self._names.of(field, value)

    def _statement(self, tenant_ids: Sequence[str]) -> Any:  # noqa: ANN401 - a select of six columns
        accounts, contacts = staged_accounts.c, staged_contacts.c
        same = (contacts.run_id == accounts.run_id) & (contacts.tenant_id == accounts.tenant_id)
        return (
            select(
                accounts.tenant_id,
                accounts.payload.label("account"),
                accounts.sync_options,
                accounts.bss_before.label("account_before"),
                contacts.payload.label("contact"),
                contacts.bss_before.label("contact_before"),
            )
            .select_from(staged_accounts.join(staged_contacts, same))
            .where(accounts.run_id == self._run_key, accounts.tenant_id.in_(tenant_ids))
        )

    def _of_result(self, result: ResultView, row: Any) -> tuple[FieldChange, ...]:  # noqa: ANN401 - a row
        return self._changes(row, result.fields)

    def _changes(
        self,
        row: Any,  # noqa: ANN401 - a row
        fates: Mapping[str, FieldFate] | None,
    ) -> tuple[FieldChange, ...]:
        before = before_by_field(row.account_before, row.contact_before)
        contact = dict(flatten(orjson.loads(row.contact)))
        after: dict[str, Any] = {
            **dict(flatten(orjson.loads(row.account))),
            **orjson.loads(row.sync_options),
            **{f"contact.{name}": value for name, value in contact.items()},
            "contact.isBillTo": True,
            "tenant id": row.tenant_id,
            "contact": "is created",
        }
        if fates is None:  # a result of a version that did not name them
            gets = (FieldFate.EMPTIED, FieldFate.CHANGED)
            fates = {name: gets[not is_blank(after.get(name))] for name in before}
        return tuple(
            FieldChange(
                field=name,
                before=as_text(before.get(name)),
                after=as_text(after.get(name)) if fate is FieldFate.CHANGED else None,
                before_name=self._names.of(name, before.get(name)),
                after_name=self._names.of(name, after.get(name))
                if fate is FieldFate.CHANGED
                else None,
                rule=self._rule(name, fate),
            )
            for name, fate in fates.items()
            if fate in _CHANGED
        )

    def _rule(self, name: str, fate: FieldFate) -> str | None:
        field = self._fields.get(name)
        if field is None or fate is FieldFate.CHANGED:
            return field.on_update if field else None
        return "clear" if field.on_empty == "clear" else "address"


def _has_changes(result: ResultView) -> bool:
    if result.fields is None:
        return result.outcome in {Outcome.UPDATED, Outcome.WOULD_UPDATE}
    return not _CHANGED.isdisjoint(result.fields.values())


def as_text(value: object) -> str | None:
    """Return a BSS value as it is shown."""
    if value is None:
        return None
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _mapped_fields() -> Mapping[str, FieldMapping]:
    """Return the mapped fields by the names that results use; none when a mapping file is wrong."""
    try:
        mappings = load_mappings()
    except ConfigurationError:
        return {}
    contact = {f"contact.{name}": field for name, field in mappings.contact.items()}
    return {**mappings.account, **mappings.sync_options, **contact}
