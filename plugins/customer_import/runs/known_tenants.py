"""Stores, when a run is closed, what its reads came to, for the next run to carry forward.

Also a failed run's reads count: what it found out is true. Only that those who are not listed vanished takes a complete
run. What a run was not started for is not remembered, since such a tenant is not read to the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, func, literal, select

from customer_import.database.engine import upsert_from_select
from customer_import.database.tables import (
    import_results,
    import_runs,
    known_tenants,
    staged_customers,
)
from customer_import.runs.fingerprint import combined
from customer_import.runs.parameters import RunParams
from customer_import.vocabulary import READ_STATES, Mode, StagedState

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Row

    from customer_import.runs.run import Run

_FROM_RESULT = ("outcome", "reason_code", "reason", "warnings", "account_id", "contact_id")
_FROM_STAGED = (
    "tenant_id",
    "tenant_name",
    "listed_hash",
    "is_discovered",
    "reseller_mpn_id",
    "reseller_name",
    "is_in_both_lists",
    "excluded_mpn_ids",
    "classification",
    "decisions",
)


def of_import(run: Run) -> ColumnElement[bool]:
    """Return the condition for what is known of a run's instance and import type."""
    known = known_tenants.c
    return and_(known.instance == run.params.instance, known.import_type == run.import_type.value)


def same_tenant(run: Run) -> ColumnElement[bool]:
    """Return the condition that joins a run's staged customers with what is known of them."""
    staged = staged_customers.c
    same = known_tenants.c.tenant_id == staged.tenant_id
    return and_(of_import(run), same, staged.run_id == run.key)


def is_complete(run: Row[Any], *, has_failed: bool) -> bool:
    """Tell whether a run looked at every customer but those left out by name: then the next may ask what changed since.

    Whom it left out is forgotten like whoever is not listed, and so is read by the next run that does not.

    Args:
        run: Its row in ``import_runs``.
        has_failed: Whether one of its tasks failed.
    """
    if has_failed or run.mode != Mode.IMPORT or run.scope is None:
        return False
    return not RunParams.parse(run.params).is_selective


def store_known_tenants(connection: Connection, run: Row[Any], *, complete: bool) -> None:
    """Write what a run read into ``known_tenants``, where no later run has; repeating it changes nothing.

    Args:
        connection: An open write transaction; the run's results are complete.
        run: Its row in ``import_runs``.
        complete: Whether the run looked at every customer; then tenants that it did not see are deleted.
    """
    if run.mode != Mode.IMPORT or run.fingerprint is None:
        return
    staged, results = staged_customers.c, import_results.c
    values: dict[str, Any] = {
        "instance": literal(run.instance),
        "import_type": literal(run.import_type),
        "config_hash": literal(combined(run.fingerprint)),
        "run_id": staged.run_id,
        "read_at": func.coalesce(staged.fetched_at, _read_at(run)),
        **{name: staged[name] for name in _FROM_STAGED},
        **{name: results[name] for name in _FROM_RESULT},
        # One that failed may be of another import, and then has no result.
        "outcome": func.coalesce(results.outcome, staged.outcome),
    }
    same = and_(results.run_id == staged.run_id, results.tenant_id == staged.tenant_id)
    read = (
        select(*values.values())
        .select_from(staged_customers.outerjoin(import_results, same))
        .where(
            staged.run_id == run.id,
            staged.state.in_(READ_STATES),
            ~_is_forgotten(run, values["read_at"]),
        )
    )
    upsert_from_select(connection, known_tenants, list(values), read, ordered_by="read_at")
    _forget_moved(connection, run)
    if complete:
        _delete_vanished(connection, run)


def _is_forgotten(run: Row[Any], read_at: ColumnElement[datetime]) -> ColumnElement[bool]:
    """Whether a complete run, which read later, forgot a tenant: an older reading does not bring it back."""
    known, runs = known_tenants.c, import_runs.c
    is_known = exists().where(
        known.instance == run.instance,
        known.import_type == run.import_type,
        known.tenant_id == staged_customers.c.tenant_id,
    )
    later = exists().where(
        runs.instance == run.instance,
        runs.import_type == run.import_type,
        runs.is_complete.is_(True),
        runs.id != run.id,
        runs.read_at > read_at,
    )
    return ~is_known & later


def _forget_moved(connection: Connection, run: Row[Any]) -> None:
    """Delete tenants that the run was not started for and saw with another reseller: the next run reads them."""
    known, staged = known_tenants.c, staged_customers.c
    moved = select(staged.tenant_id).where(
        staged.run_id == run.id,
        staged.tenant_id == known.tenant_id,
        staged.state == StagedState.UNSELECTED.value,
        known.read_at <= staged.fetched_at,
        known.is_discovered.is_not(True)
        | known.reseller_mpn_id.is_distinct_from(staged.reseller_mpn_id),
    )
    connection.execute(
        delete(known_tenants).where(
            known.instance == run.instance, known.import_type == run.import_type, exists(moved)
        )
    )


def _delete_vanished(connection: Connection, run: Row[Any]) -> None:
    """Delete tenants that are no longer listed: one that comes back is new, and is read.

    Whom a later run has read meanwhile is listed again.
    """
    known = known_tenants.c
    listed = select(staged_customers.c.tenant_id).where(
        staged_customers.c.run_id == run.id, staged_customers.c.tenant_id == known.tenant_id
    )
    connection.execute(
        delete(known_tenants).where(
            known.instance == run.instance,
            known.import_type == run.import_type,
            known.read_at <= _read_at(run),
            ~exists(listed),
        )
    )


def _read_at(run: Row[Any]) -> ColumnElement[datetime]:
    return literal(run.read_at or run.started_at, type_=known_tenants.c.read_at.type)
