"""What is kept about one customer: told on request, and erased on request.

Which columns say something about a customer is said with the tables (``PERSONAL``). Links and decisions stay, without
a name: they keep the customer from being created twice, and from being imported against a decision.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import delete, func, or_, select, text, update

from customer_import.database.engine import durable, reading
from customer_import.database.tables import (
    bss_accounts,
    drift_findings,
    import_results,
    import_runs,
    metadata,
    reference_data,
    staged_customers,
    tenant_decisions,
)
from customer_import.vocabulary import ReferenceName

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import ColumnElement, Connection, Engine, Row, Table


def find_tenants(connection: Connection, domain: str) -> set[str]:
    """Return the tenants that have a primary domain, or had it in a run that is kept.

    Args:
        connection: To read with.
        domain: In lower case.
    """
    return {
        tenant_id
        for table in (import_results, staged_customers, drift_findings)
        for tenant_id in connection.execute(
            select(table.c.tenant_id).where(func.lower(table.c.domain) == domain).distinct()
        ).scalars()
    }


def export_tenant(engine: Engine, tenant_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return every row about a tenant, by table; what is JSON is parsed.

    Args:
        engine: The import's database.
        tenant_id: The tenant, of whatever instance.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    with reading(engine) as connection:
        for table, about in _about(tenant_id):
            rows = connection.execute(select(table).where(about)).mappings()
            if told := [{name: _plain(value) for name, value in row.items()} for row in rows]:
                found[table.name] = told
    return found


def erase_tenant(engine: Engine, tenant_id: str) -> dict[str, int]:
    """Erase what is personal of a tenant in every table, and return the number of rows by table; all or nothing.

    A later run that lists the customer reads it anew.

    Args:
        engine: The import's database.
        tenant_id: The tenant, of whatever instance.
    """
    erased: dict[str, int] = {}
    with durable(engine).begin() as connection:
        if connection.dialect.name == "sqlite":
            connection.execute(text("PRAGMA secure_delete = ON"))  # the file keeps nothing of it
        for run in _named(connection, tenant_id):
            erased[import_runs.name] = erased.get(import_runs.name, 0) + 1
            _forget_names(connection, run, tenant_id)
        for table, about in _about(tenant_id):
            personal = [column for column in table.c if column.info.get("is_personal")]
            if not personal:
                continue
            is_there = or_(*(column.is_not(None) for column in personal))
            change: Any = (
                update(table).values(dict.fromkeys(personal))
                if all(column.nullable for column in personal)
                else delete(table)
            )
            if count := connection.execute(change.where(about, is_there)).rowcount:
                erased[table.name] = count
        listed = update(bss_accounts).where(
            bss_accounts.c.tenant_marker == tenant_id, bss_accounts.c.name_key != ""
        )
        if count := connection.execute(listed.values(name_key="")).rowcount:
            erased[bss_accounts.name] = count
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as raw:  # nor does its log
            raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return erased


def _about(tenant_id: str) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    """Give the tables that have rows about tenants, each with the condition for this one's."""
    for table in metadata.sorted_tables:
        if "tenant_id" in table.c:
            yield table, table.c.tenant_id == tenant_id
    yield tenant_decisions, tenant_decisions.c.subject == tenant_id


def _named(connection: Connection, tenant_id: str) -> list[Row[*tuple[Any, ...]]]:
    """Return the runs that were started with a name of the tenant, and what each name meant."""
    names = reference_data.c
    query = (
        select(import_runs.c.id, import_runs.c.params, names.body)
        .join(import_runs, import_runs.c.id == names.run_id)
        .where(names.name == ReferenceName.SELECTION.value)
    )
    return [
        row
        for row in connection.execute(query)
        if any(name != tenant_id and meant == tenant_id for name, meant in row.body.items())
    ]


def _forget_names(connection: Connection, run: Row[*tuple[Any, ...]], tenant_id: str) -> None:
    """Say the tenant's id where a run was started with another name of it."""
    known = {name for name, meant in run.body.items() if name != tenant_id and meant == tenant_id}
    meanings = {(tenant_id if name in known else name): meant for name, meant in run.body.items()}
    params = {
        key: [tenant_id if name in known else name for name in value]
        if isinstance(value, list)
        else value
        for key, value in run.params.items()
    }
    connection.execute(
        update(reference_data)
        .where(
            reference_data.c.run_id == run.id,
            reference_data.c.name == ReferenceName.SELECTION.value,
        )
        .values(body=meanings)
    )
    connection.execute(update(import_runs).where(import_runs.c.id == run.id).values(params=params))


def _plain(value: object) -> object:
    """Return a value as JSON has it."""
    if not isinstance(value, bytes):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value.decode("utf-8", "replace")
