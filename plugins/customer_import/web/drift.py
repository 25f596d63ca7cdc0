"""Reads what checks found: a page of one check's findings, one customer's, and whom an import would mend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field
from sqlalchemy import select

from customer_import.database.engine import reading
from customer_import.database.tables import drift_findings
from customer_import.runs.run import as_utc
from customer_import.vocabulary import DRIFT, DriftKind
from customer_import.web.models import DriftView, Page, View
from customer_import.web.name_search import NameSearch
from customer_import.web.paging import Order, read_page
from customer_import.web.results import MOST_STARTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Engine, Row, Select

    from customer_import.web.changes import ChangeReader

_findings = drift_findings.c
_ORDER = Order("drift", (_findings.search_key, _findings.id), (str, int), is_descending=False)
_CHUNK = 2_000


class DriftFilter(View):
    """Which findings of a check to show.

    Attributes:
        kind: Only these.
        q: Only customers with this in their name or domain, or with this tenant id.
    """

    kind: DriftKind | None = None
    q: str = Field(default="", max_length=200)


def read_drift(
    connection: Connection, run_key: int, wanted: DriftFilter, cursor: str | None, limit: int
) -> Page[DriftView]:
    """Return one page of a check's findings, by name.

    Raises:
        CursorError: The cursor is of another list.
    """
    others = (
        column for column in _findings if column.name not in {"search_key", "name_folded", "id"}
    )
    statement = _matching(select(_findings.search_key, _findings.id, *others), run_key, wanted)
    page = read_page(connection, statement, _ORDER, cursor, limit)
    return page.showing(map(view_finding, page.rows))


def iterate_drift(
    engine: Engine, run_key: int, wanted: DriftFilter, values: ChangeReader
) -> Iterator[DriftView]:
    """Give every matching finding of a check with its values, a chunk in memory at a time."""
    cursor = None
    while True:
        with reading(engine) as connection:
            page = read_drift(connection, run_key, wanted, cursor, _CHUNK)
            items = with_changes(connection, values, page.items)
        yield from items
        cursor = page.next_cursor
        if cursor is None:
            return


def read_customer_drift(
    connection: Connection, run_key: int, tenant_id: str
) -> tuple[DriftView, ...]:
    """Return what a check found about one customer."""
    statement = select(drift_findings).where(
        _findings.run_id == run_key, _findings.tenant_id == tenant_id
    )
    return tuple(map(view_finding, connection.execute(statement.order_by(_findings.id))))


def with_changes(
    connection: Connection, values: ChangeReader, findings: Sequence[DriftView]
) -> list[DriftView]:
    """Return findings with the values of the fields that differ, as long as they are kept."""
    fates: dict[str, dict[str, Any]] = {}
    for one in findings:
        fates.setdefault(one.tenant_id, {}).update(one.fields)
    changes = values.of(connection, {tenant: names for tenant, names in fates.items() if names})
    return [
        one.model_copy(
            update={
                "changes": tuple(
                    change
                    for change in changes.get(one.tenant_id, ())
                    if change.field in one.fields
                )
            }
        )
        for one in findings
    ]


def repairable_tenants(connection: Connection, run_key: int, wanted: DriftFilter) -> list[str]:
    """Return the matching customers that an import mends, one more than a run can be asked for at most."""
    kinds = [kind.value for kind, meaning in DRIFT.items() if meaning.is_repairable]
    statement = _matching(select(_findings.tenant_id).distinct(), run_key, wanted)
    statement = statement.where(_findings.kind.in_(kinds)).order_by(_findings.tenant_id)
    return list(connection.execute(statement.limit(MOST_STARTED + 1)).scalars())


def view_finding(row: Row[Any]) -> DriftView:  # Any: a row's columns differ in type
    """Return a row of ``drift_findings`` as it is shown."""
    kind = DriftKind(row.kind)
    meaning = DRIFT[kind]
    return DriftView(
        run_key=row.run_id,
        tenant_id=row.tenant_id,
        tenant_name=row.tenant_name,
        domain=row.domain,
        kind=kind,
        title=meaning.title,
        detail=row.detail,
        to_do=meaning.to_do,
        decisions=meaning.decisions,
        is_repairable=meaning.is_repairable,
        account_id=row.account_id,
        contact_id=row.contact_id,
        fields=row.fields or {},
        found_at=as_utc(row.found_at),
    )


def _matching(statement: Select[Any], run_key: int, wanted: DriftFilter) -> Select[Any]:
    statement = statement.where(_findings.run_id == run_key)
    if wanted.kind:
        statement = statement.where(_findings.kind == wanted.kind.value)
    if wanted.q:
        condition = NameSearch(wanted.q).condition(_findings)
        statement = statement.where(condition)
    return statement
