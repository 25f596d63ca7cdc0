"""Reads the matching queue: customers that wait for a person to say which BSS account they are, or that they are new.

The queue is no table of its own: it is what the newest runs said of each customer, as long as nobody has decided since.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, func, not_, or_, select

from customer_import.database.tables import import_results, import_runs, tenant_decisions
from customer_import.decisions.rules import ANSWERS, today
from customer_import.runs.run import as_utc
from customer_import.vocabulary import MATCHED, SUCCEEDED, Mode, Outcome, ReasonCode
from customer_import.web.customer_views import WaitingView
from customer_import.web.paging import Order, read_page
from customer_import.web.results import view_candidates
from customer_import.web.runs import is_for_all

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row, Select

    from customer_import.vocabulary import ImportType
    from customer_import.web.models import Page

_results = import_results.c


@dataclass(frozen=True)
class Queue:
    """The queue of one import of an instance.

    Attributes:
        import_type: Whose customers.
        instance: The instance.
        run_keys: The newest run for all customers that came to its end, and those after it.
    """

    import_type: ImportType
    instance: str
    run_keys: tuple[int, ...]

    def count(self, connection: Connection) -> int:
        """Count those that wait."""
        count: int = connection.execute(self._waiting(func.count())).scalar_one()
        return count

    def count_decided(self, connection: Connection) -> int:
        """Count those about whom somebody has decided; the next import does it."""
        decided = self._statement(func.count()).where(self._is_decided())
        count: int = connection.execute(decided).scalar_one()
        return count

    def page(self, connection: Connection, cursor: str | None, limit: int) -> Page[WaitingView]:
        """Return one page of those that wait, by name.

        Raises:
            CursorError: The cursor is of another list.
        """
        order = Order("queue", (_results.search_key, _results.tenant_id), (str, str))
        columns = (*order.columns, *(each for each in _results if each.name not in _KEYS))
        page = read_page(connection, self._waiting(*columns), order, cursor, limit)
        carried = self._carried(connection, [row.tenant_id for row in page.rows])
        return page.showing(
            _view(row, carried.get((row.tenant_id, row.read_at))) for row in page.rows
        )

    def _waiting(self, *columns: Any) -> Select[Any]:  # noqa: ANN401 - columns and functions
        return self._statement(*columns).where(not_(self._is_decided()))

    def _statement(self, *columns: Any) -> Select[Any]:  # noqa: ANN401 - columns and functions
        later = import_results.alias("later")
        is_newest = ~exists().where(
            later.c.instance == self.instance,
            later.c.tenant_id == _results.tenant_id,
            later.c.import_type == self.import_type.value,
            later.c.id > _results.id,
        )
        waits = or_(
            _results.outcome == Outcome.AMBIGUOUS,
            and_(_results.outcome == Outcome.SKIPPED, _results.reason_code == ReasonCode.IN_QUEUE),
        )
        return select(*columns).where(_results.run_id.in_(self.run_keys), waits, is_newest)

    def _is_decided(self) -> ColumnElement[bool]:
        """Whether an answer stands that the run did not know: one that it knew of would have settled a match."""
        decisions, newer = tenant_decisions.c, tenant_decisions.alias("newer")
        is_replaced = exists().where(
            newer.c.instance == self.instance,
            newer.c.subject == decisions.subject,
            newer.c.kind == decisions.kind,
            newer.c.id > decisions.id,
        )
        is_unknown = or_(
            _results.reason_code.in_(MATCHED), decisions.decided_at > _results.recorded_at
        )
        return exists().where(
            decisions.instance == self.instance,
            decisions.subject == _results.tenant_id,
            decisions.kind.in_(sorted(ANSWERS)),
            decisions.is_revoked.is_(False),
            or_(decisions.until.is_(None), decisions.until >= today()),
            is_unknown,
            ~is_replaced,
        )

    def _carried(
        self, connection: Connection, tenant_ids: list[str]
    ) -> dict[tuple[str, Any], list[dict[str, Any]]]:
        """Return the candidates of the readings that later runs carried forward, by tenant and reading."""
        statement = (
            select(_results.tenant_id, _results.read_at, _results.candidates)
            .where(
                _results.instance == self.instance,
                _results.tenant_id.in_(tenant_ids),
                _results.import_type == self.import_type.value,
                _results.candidates.is_not(None),
            )
            .order_by(_results.id)
        )
        return {
            (row.tenant_id, row.read_at): row.candidates for row in connection.execute(statement)
        }


_KEYS = ("search_key", "tenant_id")


def open_queue(connection: Connection, import_type: ImportType, instance: str) -> Queue:
    """Return the queue of an import of an instance; nobody waits before its first run."""
    runs = import_runs.c
    statement = (
        select(runs.id)
        .where(
            runs.import_type == import_type.value,
            runs.instance == instance,
            runs.mode.in_((Mode.IMPORT.value, Mode.PREVIEW.value)),
            runs.listed.is_not(None),
        )
        .order_by(runs.id.desc())
    )
    whole = statement.where(runs.state.in_(SUCCEEDED), is_for_all()).limit(1).scalar_subquery()
    keys = connection.execute(statement.where(runs.id >= func.coalesce(whole, 0))).scalars()
    return Queue(import_type, instance, tuple(keys))


def _view(row: Row[Any], carried: list[dict[str, Any]] | None) -> WaitingView:
    return WaitingView(
        tenant_id=row.tenant_id,
        tenant_name=row.tenant_name,
        domain=row.domain,
        reason_code=ReasonCode(row.reason_code),
        reason=row.reason,
        recorded_at=as_utc(row.recorded_at),
        candidates=view_candidates(row.candidates or carried),
    )
