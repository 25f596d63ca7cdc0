"""Reads results: a page of one run's, and one tenant's over all runs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from pydantic import Field
from sqlalchemy import select

from customer_import.database.engine import reading
from customer_import.database.tables import import_results, import_runs
from customer_import.runs.run import as_utc
from customer_import.vocabulary import ImportType, Mode, Outcome
from customer_import.web.models import CandidateView, HistoryEntry, Page, ResultView, View
from customer_import.web.name_search import plan_search
from customer_import.web.paging import KeyPage, Order, read_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Engine, Row

    from customer_import.web.changes import ChangeReader
    from customer_import.web.rights import Rights

_MOST_HISTORY = 200
MOST_STARTED = 5_000
"""Tenants that one run can be asked for by name; more would make an unwieldy DAG run configuration."""


class ResultOrder(StrEnum):
    """How results can be sorted; a search is by name unless told otherwise, because that is what its index holds."""

    NEWEST = "newest"
    OLDEST = "oldest"
    NAME = "name"
    NAME_DESCENDING = "name_descending"
    OUTCOME = "outcome"
    OUTCOME_DESCENDING = "outcome_descending"


class ResultFilter(View):
    """Which results of a run to show.

    Attributes:
        outcome: Only these.
        q: Only tenants with this in their name or domain, or with this tenant id. Where some have it at the
            beginning of a word, only those.
        inside: With ``q``, look inside words, too.
        sort: The order; ``None`` for the newest first, or by name in a search.
    """

    outcome: Outcome | None = None
    q: str = Field(default="", max_length=200)
    inside: bool = False
    sort: ResultOrder | None = None

    @property
    def order(self) -> ResultOrder:
        """The order that counts."""
        return self.sort or (ResultOrder.NAME if self.q else ResultOrder.NEWEST)


def read_results(
    connection: Connection, run_key: int, wanted: ResultFilter, cursor: str | None, limit: int
) -> Page[ResultView]:
    """Return one page of a run's results.

    Raises:
        CursorError: The cursor is of another list.
    """
    page = _read_keys(connection, run_key, wanted, cursor, limit)
    ids = [row.id for row in page.rows]
    rows = {
        row.id: row
        for row in connection.execute(select(import_results).where(import_results.c.id.in_(ids)))
    }
    return page.showing(view_result(rows[key]) for key in ids if key in rows)


def iterate_results(
    engine: Engine,
    run_key: int,
    wanted: ResultFilter,
    chunk_size: int = 2_000,
    values: ChangeReader | None = None,
) -> Iterator[ResultView]:
    """Give every matching result of a run, in its order, a chunk in memory at a time.

    No connection is held while whoever takes the results thinks about them. So of a run that still works they are not
    of one moment. ``values`` reads what changed.
    """
    cursor = None
    while True:
        with reading(engine) as connection:
            page = read_results(connection, run_key, wanted, cursor, chunk_size)
            items = values.fill(connection, page.items) if values else page.items
        yield from items
        cursor = page.next_cursor
        if cursor is None:
            return


def failed_tenants(connection: Connection, run_key: int) -> list[str]:
    """Return the ids of the tenants that failed in a run, one more than a run can be asked for at most."""
    statement = (
        select(import_results.c.tenant_id)
        .where(import_results.c.run_id == run_key, import_results.c.outcome == Outcome.FAILED)
        .order_by(import_results.c.id)
        .limit(MOST_STARTED + 1)
    )
    return list(connection.execute(statement).scalars())


def find_result(connection: Connection, run_key: int, tenant_id: str) -> ResultView | None:
    """Return one tenant's result in one run."""
    statement = select(import_results).where(
        import_results.c.run_id == run_key, import_results.c.tenant_id == tenant_id
    )
    row = connection.execute(statement).one_or_none()
    return view_result(row) if row else None


def read_history(
    connection: Connection,
    readable: Rights,
    instance: str,
    tenant_id: str,
    *conditions: ColumnElement[bool],
    most: int = _MOST_HISTORY,
) -> tuple[HistoryEntry, ...]:
    """Return a tenant's results over all runs of an instance, newest first, at most two hundred.

    Args:
        connection: To read with.
        readable: What the user may read.
        instance: The instance.
        tenant_id: The tenant.
        conditions: Only results with these.
        most: Entries.
    """
    statement = (
        select(
            import_results, import_runs.c.dag_id, import_runs.c.airflow_run_id, import_runs.c.mode
        )
        .join(import_runs, import_runs.c.id == import_results.c.run_id)
        .where(
            import_results.c.instance == instance,
            import_results.c.tenant_id == tenant_id,
            readable.rows(import_results.c),
            *conditions,
        )
        .order_by(import_results.c.id.desc())
        .limit(most)
    )
    return tuple(
        HistoryEntry(
            dag_id=row.dag_id,
            run_id=row.airflow_run_id,
            import_type=ImportType(row.import_type),
            mode=Mode(row.mode),
            result=view_result(row),
        )
        for row in connection.execute(statement)
    )


def view_result(row: Row[Any]) -> ResultView:  # Any: a row's columns differ in type
    """Return a row of ``import_results`` as it is shown."""
    return ResultView(
        run_key=row.run_id,
        tenant_id=row.tenant_id,
        tenant_name=row.tenant_name,
        domain=row.domain,
        reseller_mpn_id=row.reseller_mpn_id,
        reseller_name=row.reseller_name,
        outcome=Outcome(row.outcome),
        reason_code=row.reason_code,
        reason=row.reason,
        warnings=tuple(row.warnings or ()),
        account_id=row.account_id,
        contact_id=row.contact_id,
        attempts=row.attempts,
        task_id=row.task_id,
        map_index=row.map_index,
        read_at=as_utc(row.read_at) if row.read_at else None,
        recorded_at=as_utc(row.recorded_at),
        fields=row.fields,
        candidates=view_candidates(row.candidates),
    )


def view_candidates(stored: Sequence[Mapping[str, Any]] | None) -> tuple[CandidateView, ...]:
    """Return what ``import_results.candidates`` holds as it is shown."""
    return tuple(CandidateView.model_validate(one) for one in stored or ())


def _read_keys(
    connection: Connection, run_key: int, wanted: ResultFilter, cursor: str | None, limit: int
) -> KeyPage:
    """Read keys only: indexes hold them, so that skipping a million rows does not touch one."""
    order = _order(wanted.order)
    columns = {column.key: column for column in (*order.columns, import_results.c.id)}
    statement = select(*columns.values()).where(import_results.c.run_id == run_key)
    if wanted.outcome:
        statement = statement.where(import_results.c.outcome == wanted.outcome)
    if wanted.q:
        search = plan_search(connection, wanted.q, is_inside=wanted.inside)
        statement = statement.where(search.condition(import_results.c))
    return read_page(connection, statement, order, cursor, limit)


def _order(order: ResultOrder) -> Order:
    key, column = import_results.c.id, import_results.c
    is_descending = order in {
        ResultOrder.NEWEST,
        ResultOrder.NAME_DESCENDING,
        ResultOrder.OUTCOME_DESCENDING,
    }
    match order:
        case ResultOrder.NEWEST | ResultOrder.OLDEST:
            return Order(order, (key,), (int,), is_descending)
        case ResultOrder.NAME | ResultOrder.NAME_DESCENDING:
            return Order(order, (column.search_key, key), (str, int), is_descending)
        case _:
            return Order(order, (column.outcome, key), (str, int), is_descending)
