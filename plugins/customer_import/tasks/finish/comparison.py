"""Compares a complete run with the one before it.

Conservation compares a run with itself. Here what it discovered is held against what the run before discovered: whom
that one had is discovered again, or this run has seen why not: no longer listed, left out by name, or read and found to
be another import's or reseller's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, exists, func, select

from customer_import.database.tables import import_runs, staged_customers
from customer_import.vocabulary import READ_STATES

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import ColumnElement, Connection, Row

_VANISHED, _LEFT_OUT, _AWAY, _TO_ANOTHER, _UNTOLD, _LOST = (
    "vanished",
    "left out",
    "away",
    "to another",
    "untold",
    "lost",
)
_KEPT = "kept"


@dataclass(frozen=True)
class Comparison:
    """How a run's customers follow from those of the complete run before it.

    Attributes:
        run_key: That run.
        then: Customers that it discovered.
        new: Customers of this run that are not among them.
        vanished: Those of then that are no longer listed.
        left_out: Those of then that this run was asked to leave out.
        moved_away: Those of then that were read and are another import's.
        to_another: Those of then that were read and are now another reseller's.
        untold: Those of then of whom nobody could tell whose they are.
        lost: Those of then for whose change this run has no reason.
    """

    run_key: int
    then: int
    new: int
    vanished: int
    left_out: int
    moved_away: int
    to_another: int
    untold: int
    lost: int

    @property
    def now(self) -> int:
        """How many customers must be discovered."""
        gone = self.vanished + self.left_out + self.moved_away + self.untold
        return self.then + self.new - gone

    def fault(self, discovered: int) -> str | None:
        """Return in words that a run does not follow from the one before; ``None`` when it does.

        Args:
            discovered: Customers that it discovered.
        """
        if self.lost:
            return (
                f"{self.lost} of {self.then} customers that run {self.run_key} discovered are now taken for somebody "
                "else's without having been read. Start the import once with the scope full, and report this fault"
            )
        if discovered != self.now:
            return (
                f"{discovered} customers were discovered, but those of run {self.run_key} and what has changed since "
                f"come to {self.now}. Start the import once with the scope full, and report this fault"
            )
        return None


def compare(
    connection: Connection, run: Row[Any], left_out: Collection[str] = ()
) -> Comparison | None:
    """Compare a run with the last complete run; ``None`` when there is none, or it is not before this one.

    Args:
        connection: An open connection.
        run: Its row in ``import_runs``; it looked at every customer.
        left_out: Tenants that it was asked to leave out.
    """
    runs = import_runs.c
    before = connection.execute(
        select(runs.id, runs.ended_at)
        .where(
            runs.import_type == run.import_type,
            runs.instance == run.instance,
            runs.is_complete.is_(True),
            runs.id != run.id,
        )
        .order_by(runs.id.desc())
        .limit(1)
    ).one_or_none()
    if before is None or before.id > run.id or run.read_at is None:
        return None
    if before.ended_at > run.read_at:  # it was closed while this one read
        return None
    then, now = staged_customers.alias("then_customers"), staged_customers.alias("now_customers")
    joined = then.outerjoin(now, and_(now.c.run_id == run.id, now.c.tenant_id == then.c.tenant_id))
    kind = _kind(then.c, now.c, left_out)
    groups: dict[str, int] = {
        row[0]: row[1]
        for row in connection.execute(
            select(kind, func.count())
            .select_from(joined)
            .where(then.c.run_id == before.id, then.c.is_discovered.is_(True))
            .group_by(kind)
        )
    }
    had = exists(
        select(then.c.tenant_id).where(
            then.c.run_id == before.id,
            then.c.tenant_id == now.c.tenant_id,
            then.c.is_discovered.is_(True),
        )
    )
    new = connection.execute(
        select(func.count())
        .select_from(now)
        .where(now.c.run_id == run.id, now.c.is_discovered.is_(True), ~had)
    ).scalar_one()
    return Comparison(
        run_key=before.id,
        then=sum(groups.values()),
        new=new,
        vanished=groups.get(_VANISHED, 0),
        left_out=groups.get(_LEFT_OUT, 0),
        moved_away=groups.get(_AWAY, 0),
        to_another=groups.get(_TO_ANOTHER, 0),
        untold=groups.get(_UNTOLD, 0),
        lost=groups.get(_LOST, 0),
    )


def _kind(then: Any, now: Any, left_out: Collection[str]) -> ColumnElement[str]:  # noqa: ANN401 - SQLAlchemy's column collections
    is_same = now.reseller_mpn_id.is_not_distinct_from(then.reseller_mpn_id)
    is_read = now.state.in_(READ_STATES)
    return case(
        (now.tenant_id.is_(None) & then.tenant_id.in_(left_out), _LEFT_OUT),
        (now.tenant_id.is_(None), _VANISHED),
        (now.is_discovered.is_(True) & is_same, _KEPT),
        (now.is_discovered.is_(True) & is_read, _TO_ANOTHER),
        (now.is_discovered.is_(None), _UNTOLD),
        (now.is_discovered.is_(False) & is_read, _AWAY),
        else_=_LOST,
    )
