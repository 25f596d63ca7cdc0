"""Decides whether a run may read only what changed, and since when.

A run is *complete* when it looked at every customer of the import type and succeeded. The last complete run
is the watermark of the next: what changed is what changed since it started.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from customer_import.database.engine import reading
from customer_import.database.tables import import_runs
from customer_import.runs.fingerprint import differences
from customer_import.runs.latest import find_last_complete
from customer_import.runs.run import as_utc
from customer_import.vocabulary import Mode, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine

    from customer_import.runs.run import Run

AUDIT_DAYS = 90
"""How far audit records reach back (docs/api/partner-center.md section 11)."""
CLOCKS_APART = timedelta(minutes=5)
"""So far may the clocks of two hosts be apart without anything being said."""
AUDIT_WINDOW = timedelta(days=1)
"""Audit records of that long before the last complete run are looked at: they may come late, and clocks run apart."""


@dataclass(frozen=True)
class Watermark:
    """The last complete run.

    Attributes:
        run_key: Its key.
        started_at: When it started, UTC.
        fingerprint: What decided then, besides the customers' data.
        is_in_order: Whether no moment that was recorded after its start lies before it.
    """

    run_key: int
    started_at: datetime
    fingerprint: Mapping[str, str]
    is_in_order: bool = True


@dataclass(frozen=True)
class Decision:
    """Which customers a run reads.

    Attributes:
        scope: All, or those that changed.
        reason: Why, in words.
        watermark: The run that changes are counted from; only with scope ``changed``.
    """

    scope: Scope
    reason: str
    watermark: Watermark | None = None


def find_watermark(engine: Engine, run: Run) -> Watermark | None:
    """Return the last complete run of the same instance and import type."""
    row = find_last_complete(engine, run)
    if row is None:
        return None
    earliest = select(func.min(import_runs.c.started_at)).where(import_runs.c.id > row.id)
    with reading(engine) as connection:
        later = (connection.execute(earliest).scalar_one(), row.ended_at)
    started_at = as_utc(row.started_at)
    is_in_order = all(
        moment is None or not _is_before(as_utc(moment), started_at) for moment in later
    )
    return Watermark(row.id, started_at, row.fingerprint or {}, is_in_order)


def _is_before(moment: datetime, other: datetime) -> bool:
    return moment < other - CLOCKS_APART


def decide(
    run: Run,
    watermark: Watermark | None,
    fingerprint: Mapping[str, str],
    now: datetime | None = None,
) -> Decision:
    """Decide the scope of a run; the audit records may still turn it into a full one.

    Args:
        run: What was asked for.
        watermark: The last complete run.
        fingerprint: What decides now.
        now: UTC; the clock's by default.
    """
    now = now or datetime.now(UTC)
    if run.params.scope is not Scope.CHANGED:
        reason = "the run was asked to read every customer"
    elif run.params.mode is Mode.DISCOVER:
        reason = "a run that only discovers classifies every customer"
    elif run.is_check:
        reason = "a check compares every customer"
    elif watermark is None:
        reason = "there is no complete run before this one"
    elif not watermark.is_in_order or _is_before(now, watermark.started_at):
        reason = (
            f"the clock was ahead in run {watermark.run_key}, or was set back since: that run started at "
            f"{watermark.started_at:%Y-%m-%d %H:%M} UTC by its clock"
        )
    elif (gap := now - watermark.started_at) >= timedelta(days=AUDIT_DAYS) - AUDIT_WINDOW:
        reason = (
            f"the last complete run was {gap.days} days ago, audit records reach back {AUDIT_DAYS}"
        )
    elif changed := differences(watermark.fingerprint, fingerprint):
        reason = f"{' and '.join(changed)} changed since the last complete run"
    else:
        day = f"{watermark.started_at:%Y-%m-%d %H:%M} UTC"
        return Decision(Scope.CHANGED, f"changes since run {watermark.run_key} of {day}", watermark)
    return Decision(Scope.FULL, reason)


def stored_scope(engine: Engine, run_key: int) -> tuple[Scope, str] | None:
    """Return the scope that an earlier attempt decided on, with its reason."""
    columns = (import_runs.c.scope, import_runs.c.scope_reason)
    with reading(engine) as connection:
        row: Any = connection.execute(select(*columns).where(import_runs.c.id == run_key)).one()
    return (Scope(row.scope), row.scope_reason) if row.scope else None
