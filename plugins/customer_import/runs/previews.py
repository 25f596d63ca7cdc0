"""A finished preview as the import that is started from it uses it: whom it is for, and what was said of each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import exists, select

from customer_import.database.engine import reading
from customer_import.database.tables import (
    import_results,
    import_runs,
    staged_accounts,
    staged_contacts,
)
from customer_import.errors import ConfigurationError
from customer_import.vocabulary import SUCCEEDED, FieldFate, Mode, Outcome

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from sqlalchemy import ColumnElement, Connection, Engine

    from customer_import.runs.parameters import RunParams

WOULD_WRITE = (Outcome.WOULD_CREATE, Outcome.WOULD_UPDATE)
_DONE = {Outcome.WOULD_CREATE: Outcome.CREATED, Outcome.WOULD_UPDATE: Outcome.UPDATED}
_ROWS = 1_000
_WRITTEN = {FieldFate.CHANGED, FieldFate.EMPTIED}


@dataclass(frozen=True)
class Expected:
    """What a preview said of a customer, or what an import did to it.

    Attributes:
        outcome: Its outcome.
        content_hash: Of all that was mapped.
        fields: Names of the BSS fields that are written, with what becomes of each.
        before: BSS values that are written over, by field.
    """

    outcome: Outcome
    content_hash: str
    fields: Mapping[str, str]
    before: Mapping[str, object] = field(repr=False)

    def was_done(self, done: Expected | None) -> bool:
        """Whether an import did to the customer what this preview said, field by field."""
        return (
            done is not None
            and done.outcome is _DONE[self.outcome]
            and done.content_hash == self.content_hash
            and not self.differing(done.fields, done.before)
        )

    def differing(self, fields: Mapping[str, str], before: Mapping[str, object]) -> tuple[str, ...]:
        """Return the names of the fields that are written otherwise than was said, or over another value."""
        if self.outcome is Outcome.WOULD_CREATE:
            return ()
        ours = written_fields(self.fields, self.before)
        theirs = written_fields(fields, before)
        return tuple(
            sorted(
                name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)
            )
        )


def written_fields(
    fields: Mapping[str, str], before: Mapping[str, object]
) -> dict[str, tuple[str, object]]:
    """Return the fields that are written: name to what becomes of it and the value that it had."""
    return {name: (fate, before.get(name)) for name, fate in fields.items() if fate in _WRITTEN}


def before_by_field(account: bytes | None, contact: bytes | None) -> dict[str, object]:
    """Return the BSS values that an update writes over, as staged, by the names that results use."""
    options = "syncOptions."
    named = {
        name.removeprefix(options): value
        for name, value in (orjson.loads(account) if account else {}).items()
    }
    contact_values = orjson.loads(contact) if contact else {}
    return named | {f"contact.{name}": value for name, value in contact_values.items()}


def find_preview(engine: Engine, dag_id: str, params: RunParams) -> int | None:
    """Return the run key of the preview that a run was started from; ``None`` when it was started from none.

    Raises:
        ConfigurationError: There is no such preview, it did not succeed, or its values are no longer there.
    """
    name = params.previewed_run
    if name is None:
        return None
    with reading(engine) as connection:
        run: Any = connection.execute(
            select(import_runs).where(
                import_runs.c.dag_id == dag_id, import_runs.c.airflow_run_id == name
            )
        ).one_or_none()
        if fault := _fault(connection, run, params.instance):
            raise ConfigurationError(
                fault,
                source="run parameters",
                path="previewed_run",
                hint="start a preview of this DAG, and import what it says from its page under Import Results",
            )
    return int(run.id)


def _fault(connection: Connection, run: Any, instance: str) -> str | None:  # noqa: ANN401 - a row
    """Return why a run cannot be imported as a preview, in words."""
    if run is None:
        return "this DAG has no such run"
    name = f"run {run.airflow_run_id!r}"
    faults = {
        f"{name} is no preview": run.mode != Mode.PREVIEW,
        f"{name} is a preview of the instance {run.instance!r}": run.instance != instance,
        f"{name} has not succeeded": run.state not in SUCCEEDED,
        f"the preview {name} found nothing to create or update": not _has(
            connection, _results(run.id)
        ),
        f"the values of {name} were removed because of their age": not _has(
            connection, staged_accounts.c.run_id == run.id
        ),
    }
    return next((fault for fault, is_so in faults.items() if is_so), None)


def previewed_tenants(engine: Engine, preview_key: int) -> frozenset[str]:
    """Return the tenants that a preview would create or update."""
    statement = select(import_results.c.tenant_id).where(_results(preview_key))
    with reading(engine) as connection:
        return frozenset(connection.execute(statement).scalars())


def read_expected(
    connection: Connection, run_key: int, tenant_ids: Collection[str] | None = None
) -> Iterator[tuple[str, Expected]]:
    """Give what a run said of its customers, or did to them, by tenant.

    Args:
        connection: An open connection.
        run_key: A preview, or an import.
        tenant_ids: Only these; all that reached the load when left out.
    """
    results, accounts, contacts = import_results.c, staged_accounts.c, staged_contacts.c
    same_account = (accounts.run_id == results.run_id) & (accounts.tenant_id == results.tenant_id)
    same_contact = (contacts.run_id == results.run_id) & (contacts.tenant_id == results.tenant_id)
    statement = (
        select(
            results.tenant_id,
            results.outcome,
            results.fields,
            accounts.content_hash,
            accounts.bss_before.label("account"),
            contacts.bss_before.label("contact"),
        )
        .select_from(
            import_results.join(staged_accounts, same_account).join(staged_contacts, same_contact)
        )
        .where(results.run_id == run_key)
    )
    if tenant_ids is not None:
        statement = statement.where(results.tenant_id.in_(tenant_ids))
    for row in connection.execute(statement.execution_options(yield_per=_ROWS)):
        before = before_by_field(row.account, row.contact)
        yield (
            row.tenant_id,
            Expected(Outcome(row.outcome), row.content_hash, row.fields or {}, before),
        )


def _results(preview_key: int) -> ColumnElement[bool]:
    return (import_results.c.run_id == preview_key) & import_results.c.outcome.in_(WOULD_WRITE)


def _has(connection: Connection, condition: ColumnElement[bool]) -> bool:
    return bool(connection.execute(select(exists().where(condition))).scalar_one())
