"""Finds the tenants that runs have seen, by primary domain or by id."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from customer_import.database.tables import import_results, import_runs, staged_customers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection, Select

    from customer_import.vocabulary import ImportType

_LOOKED_AT_RUNS = 10
"""Each of them lists the partner's tenants; older ones are looked into for names that these do not have."""
_ASKED_AT_ONCE = 500


def find_by_domain(
    connection: Connection, instance: str, domains: Collection[str]
) -> dict[str, set[str]]:
    """Return domain to the ids of the tenants that have it, as each was seen last.

    Args:
        connection: To read with.
        instance: Key of ``instances.yaml``.
        domains: Primary domains, lower-cased.
    """
    staged, results = staged_customers.c, import_results.c
    newest = _newest_runs(instance)
    seen = (
        select(staged.tenant_id, staged.domain, func.max(staged.run_id).label("run_id"))
        .where(staged.run_id.in_(newest), staged.domain.is_not(None))
        .group_by(staged.tenant_id, staged.domain)
        .order_by(func.max(staged.run_id))
    )
    last = {row.tenant_id: row.domain.lower() for row in connection.execute(seen)}
    found: dict[str, set[str]] = {}
    for tenant_id, domain in last.items():
        if domain in domains:
            found.setdefault(domain, set()).add(tenant_id)
    for some in _parts([domain for domain in domains if domain not in found]):
        statement = select(results.tenant_id, func.lower(results.domain).label("domain")).where(
            results.instance == instance, func.lower(results.domain).in_(some)
        )
        for row in connection.execute(statement.distinct()):
            if row.tenant_id not in last:
                found.setdefault(row.domain, set()).add(row.tenant_id)
    return found


def find_seen(connection: Connection, instance: str, tenant_ids: Collection[str]) -> set[str]:
    """Return those of some tenants that have a result of an instance, or that one of its newest runs listed."""
    staged, results = staged_customers.c, import_results.c
    runs = _newest_runs(instance)
    found: set[str] = set()
    for some in _parts(sorted(tenant_ids)):
        for statement in (
            select(results.tenant_id).where(
                results.instance == instance, results.tenant_id.in_(some)
            ),
            select(staged.tenant_id).where(staged.run_id.in_(runs), staged.tenant_id.in_(some)),
        ):
            found.update(connection.execute(statement.distinct()).scalars())
    return found


def was_discovered(
    connection: Connection, instance: str, import_type: ImportType, tenant_id: str
) -> bool:
    """Whether a tenant has a result of an import, or one of its newest runs discovered it."""
    staged, results, runs = staged_customers.c, import_results.c, import_runs.c
    own = _newest_runs(instance).where(runs.import_type == import_type.value)
    for statement in (
        select(results.id).where(
            results.instance == instance,
            results.tenant_id == tenant_id,
            results.import_type == import_type.value,
        ),
        select(staged.position).where(
            staged.run_id.in_(own), staged.tenant_id == tenant_id, staged.is_discovered.is_(True)
        ),
    ):
        if connection.execute(statement.limit(1)).first() is not None:
            return True
    return False


def find_name(connection: Connection, instance: str, tenant_id: str) -> str | None:
    """Return a tenant's company name as one of the newest runs of an instance listed it."""
    staged = staged_customers.c
    statement = (
        select(staged.tenant_name)
        .where(staged.run_id.in_(_newest_runs(instance)), staged.tenant_id == tenant_id)
        .order_by(staged.run_id.desc())
        .limit(1)
    )
    return connection.execute(statement).scalar_one_or_none()


def _newest_runs(instance: str) -> Select[int]:
    return (
        select(import_runs.c.id)
        .where(import_runs.c.instance == instance, import_runs.c.listed.is_not(None))
        .order_by(import_runs.c.id.desc())
        .limit(_LOOKED_AT_RUNS)
    )


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for first in range(0, len(names), _ASKED_AT_ONCE):
        yield names[first : first + _ASKED_AT_ONCE]
