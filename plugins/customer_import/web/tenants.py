"""Reads the list of Microsoft tenants: what was found, where each stands, who may be selected.

The hierarchy is the newest run that listed all tenants, a ``discover`` run or an import. A ``discover`` run of some
tenants after it shows these as it found them, and leaves the others as they are. A tenant's status is worked out by
the database, so that it can be filtered and paged.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field
from sqlalchemy import and_, case, exists, false, func, or_, select, true

from customer_import.database.tables import (
    import_results,
    import_runs,
    staged_customers,
    tenant_links,
)
from customer_import.runs.organisations import links_of
from customer_import.runs.previews import WOULD_WRITE
from customer_import.runs.run import as_utc
from customer_import.text import trim
from customer_import.vocabulary import SUCCEEDED, ImportType, Mode, Outcome, StagedState, dag_of
from customer_import.web.decisions import standing_of
from customer_import.web.models import Page, ResellerView, TenantStatus, TenantView, View
from customer_import.web.name_search import NameSearch
from customer_import.web.paging import Order, read_page
from customer_import.web.results import MOST_STARTED
from customer_import.web.runs import asked_mode, is_for_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select

    from customer_import.web.airflow_internals import DagRunFact
    from customer_import.web.rights import Rights

NO_RESELLER = "none"
"""Stands for "no single reseller" where a reseller's MPN ID is asked for."""
_MOST_PARTS = 500
"""Lists of some tenants only that are looked into, newest first."""


class TenantFilter(View):
    """Which tenants of a hierarchy to show.

    Attributes:
        q: Part of name or domain, or a tenant id.
        status: Only these.
        reseller: MPN ID of their reseller, or ``none``.
    """

    q: str = Field(default="", max_length=200)
    status: TenantStatus | None = None
    reseller: str = Field(default="", max_length=50)


@dataclass(frozen=True)
class Hierarchy:
    """The runs whose list is shown.

    Attributes:
        run_key: The newest of them.
        list_key: The one that listed all tenants; the only one when none of some tenants came after it.
        run_keys: All of them.
        listed_at: When that one began, UTC.
        dag_id: Its DAG.
        airflow_run_id: Its DAG run.
        import_type: Whose customers.
        instance: The instance.
        readable: What the user may read: whose links may be shown.
    """

    run_key: int
    list_key: int
    run_keys: tuple[int, ...]
    listed_at: datetime
    dag_id: str
    airflow_run_id: str
    import_type: ImportType
    instance: str
    readable: Rights


def latest_hierarchy(
    connection: Connection,
    import_type: ImportType,
    instance: str,
    readable: Rights,
) -> Hierarchy | None:
    """Return the newest run that listed all tenants, with those of some tenants since; ``None`` when none did."""
    runs = import_runs.c
    statement = (
        select(import_runs)
        .where(runs.import_type == import_type, runs.instance == instance)
        .where(or_(runs.state.in_(SUCCEEDED), runs.batches.is_not(None)))
        .where(runs.mode != Mode.CHECK)
        .order_by(runs.id.desc())
    )
    whole = connection.execute(statement.where(is_for_all()).limit(1)).first()
    after = statement.where(runs.mode == Mode.DISCOVER, runs.id > (whole.id if whole else 0))
    found = list(connection.execute(after.limit(_MOST_PARTS)))
    if whole:
        found.append(whole)
    if not found:
        return None
    newest, base = found[0], found[-1]
    return Hierarchy(
        run_key=newest.id,
        list_key=base.id,
        run_keys=tuple(row.id for row in found),
        listed_at=as_utc(base.started_at),
        dag_id=base.dag_id,
        airflow_run_id=base.airflow_run_id,
        import_type=import_type,
        instance=instance,
        readable=readable,
    )


def _is_listed(hierarchy: Hierarchy) -> ColumnElement[bool]:
    """Return the condition for the customers of a hierarchy: of each what the newest of the runs says that read it."""
    columns = staged_customers.c
    if len(hierarchy.run_keys) == 1:
        return and_(columns.run_id == hierarchy.run_key, columns.is_discovered.is_(True))
    newer = staged_customers.alias("newer")
    is_replaced = exists().where(
        newer.c.run_id.in_(hierarchy.run_keys),
        newer.c.run_id > columns.run_id,
        newer.c.tenant_id == columns.tenant_id,
        newer.c.is_discovered.is_not(None),
        newer.c.state != StagedState.UNSELECTED.value,
    )
    return and_(
        columns.run_id.in_(hierarchy.run_keys), columns.is_discovered.is_(True), ~is_replaced
    )


@dataclass(frozen=True)
class Cover:
    """The tenants that a waiting or working import will still handle.

    Attributes:
        run_key: Its key once it works; a tenant with a result in it is done.
        names: Tenant ids and domains; empty means all.
    """

    run_key: int | None
    names: tuple[str, ...]


def active_covers(
    connection: Connection, facts: Sequence[DagRunFact], instance: str, default_instance: str | None
) -> list[Cover]:
    """Return what the active DAG runs of an import will still write for an instance."""
    covers = []
    for fact in facts:
        is_import = asked_mode(fact) is Mode.IMPORT
        _, own = dag_of(fact.dag_id) or (None, None)
        if not is_import or fact.conf.get("instance", own or default_instance) != instance:
            continue
        statement = select(import_runs.c.id).where(
            import_runs.c.dag_id == fact.dag_id, import_runs.c.airflow_run_id == fact.run_id
        )
        names = fact.conf.get("tenants") or ()
        if preview := fact.conf.get("previewed_run"):
            names = list(connection.execute(_previewed(fact.dag_id, str(preview))).scalars())
            if not names:
                continue  # the run refuses it
        listed = names.replace(",", "\n").splitlines() if isinstance(names, str) else names
        covers.append(
            Cover(
                connection.execute(statement).scalar_one_or_none(),
                tuple(trim(str(name)).lower() for name in listed)[:MOST_STARTED],
            )
        )
    return covers


def _previewed(dag_id: str, airflow_run_id: str) -> Select[str]:
    """Return the query for the tenants that a preview would create or update."""
    return (
        select(import_results.c.tenant_id)
        .join(import_runs, import_runs.c.id == import_results.c.run_id)
        .where(
            import_runs.c.dag_id == dag_id,
            import_runs.c.airflow_run_id == airflow_run_id,
            import_runs.c.mode == Mode.PREVIEW,
            import_results.c.outcome.in_(WOULD_WRITE),
        )
        .limit(MOST_STARTED)
    )


def read_tenants(
    connection: Connection,
    hierarchy: Hierarchy,
    covers: Sequence[Cover],
    wanted: TenantFilter,
    cursor: str | None,
    limit: int,
) -> Page[TenantView]:
    """Return one page of a hierarchy's tenants, by name.

    Raises:
        CursorError: The cursor is of another list.
    """
    columns = staged_customers.c
    order = Order("tenants", (columns.search_key, columns.tenant_id), (str, str))
    page = read_page(connection, _statement(hierarchy, covers, wanted), order, cursor, limit)
    decisions = standing_of(connection, hierarchy.instance, [row.tenant_id for row in page.rows])
    return page.showing(
        TenantView(
            tenant_id=row.tenant_id,
            tenant_name=row.tenant_name,
            domain=row.domain,
            reseller_mpn_id=row.reseller_mpn_id,
            reseller_name=row.reseller_name,
            account_id=row.account_id,
            status=TenantStatus(row.status),
            is_selectable=TenantStatus(row.status).is_selectable,
            reason=row.reason,
            reason_code=row.reason_code,
            decisions=decisions.get(row.tenant_id, ()),
        )
        for row in page.rows
    )


def selectable_tenants(
    connection: Connection, hierarchy: Hierarchy, covers: Sequence[Cover], wanted: TenantFilter
) -> list[str]:
    """Return the ids of the matching tenants that may be selected, one more than a run can be asked for at most."""
    found = _statement(hierarchy, covers, wanted).subquery()
    allowed = [status for status in TenantStatus if status.is_selectable]
    statement = (
        select(found.c.tenant_id)
        .where(found.c.status.in_(allowed))
        .order_by(found.c.search_key, found.c.tenant_id)
        .limit(MOST_STARTED + 1)
    )
    return list(connection.execute(statement).scalars())


def list_resellers(
    connection: Connection, hierarchy: Hierarchy, *, first: int, limit: int
) -> list[ResellerView]:
    """Return the resellers of an indirect hierarchy by name, each with the number of its end customers."""
    columns = staged_customers.c
    statement = (
        select(columns.reseller_mpn_id, func.max(columns.reseller_name), func.count())
        .where(_is_listed(hierarchy))
        .group_by(columns.reseller_mpn_id)
        .order_by(
            func.max(columns.reseller_name).is_(None),
            func.max(columns.reseller_name),
            columns.reseller_mpn_id,
        )
        .offset(first)
        .limit(limit)
    )
    return [
        ResellerView(mpn_id=mpn, name=name, customers=n)
        for mpn, name, n in connection.execute(statement)
    ]


def _statement(hierarchy: Hierarchy, covers: Sequence[Cover], wanted: TenantFilter) -> Select[Any]:
    columns = staged_customers.c
    status = _status(hierarchy, covers)
    statement = (
        select(
            columns.search_key,
            columns.tenant_id,
            columns.tenant_name,
            columns.domain,
            columns.reseller_mpn_id,
            columns.reseller_name,
            tenant_links.c.account_id,
            status.label("status"),
            _latest(hierarchy, import_results.c.reason).label("reason"),
            _latest(hierarchy, import_results.c.reason_code).label("reason_code"),
        )
        .select_from(
            staged_customers.outerjoin(
                tenant_links,
                and_(
                    links_of(hierarchy.instance),
                    tenant_links.c.tenant_id == columns.tenant_id,
                    hierarchy.readable.rows(tenant_links.c),
                ),
            )
        )
        .where(_is_listed(hierarchy))
    )
    if wanted.q:
        statement = statement.where(NameSearch(wanted.q).condition(columns))
    if wanted.reseller:
        is_none = wanted.reseller == NO_RESELLER
        mpn = columns.reseller_mpn_id
        statement = statement.where(mpn.is_(None) if is_none else mpn == wanted.reseller)
    if wanted.status:
        statement = statement.where(status == wanted.status)
    return statement


def _status(hierarchy: Hierarchy, covers: Sequence[Cover]) -> ColumnElement[str]:
    """The first that holds; a failed update of a complete link is failed: it may be tried again."""
    latest = _latest(hierarchy, import_results.c.outcome)
    is_held = and_(
        tenant_links.c.holder.is_not(None), tenant_links.c.lease_until > datetime.now(UTC)
    )
    return case(
        (is_held, TenantStatus.IN_PROGRESS.value),
        (or_(false(), *map(_is_covered, covers)), TenantStatus.PENDING.value),
        (latest == Outcome.FAILED, TenantStatus.FAILED.value),
        (latest == Outcome.REJECTED, TenantStatus.REJECTED.value),
        (latest == Outcome.AMBIGUOUS, TenantStatus.AMBIGUOUS.value),
        (tenant_links.c.content_hash.is_not(None), TenantStatus.COMPLETED.value),
        (latest == Outcome.SKIPPED, TenantStatus.SKIPPED.value),
        else_=TenantStatus.NOT_IMPORTED.value,
    )


def _latest(hierarchy: Hierarchy, column: ColumnElement[Any]) -> ScalarSelect[Any]:
    return (
        select(column)
        .where(
            import_results.c.instance == hierarchy.instance,
            import_results.c.tenant_id == staged_customers.c.tenant_id,
            import_results.c.import_type == hierarchy.import_type,
        )
        .order_by(import_results.c.id.desc())
        .limit(1)
        .correlate(staged_customers)
        .scalar_subquery()
    )


def _is_covered(cover: Cover) -> ColumnElement[bool]:
    columns = staged_customers.c
    is_named = (
        or_(columns.tenant_id.in_(cover.names), func.lower(columns.domain).in_(cover.names))
        if cover.names
        else true()
    )
    if cover.run_key is None:
        return is_named
    is_done = exists().where(
        import_results.c.run_id == cover.run_key, import_results.c.tenant_id == columns.tenant_id
    )
    return and_(is_named, ~is_done)
