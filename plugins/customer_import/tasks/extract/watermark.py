"""Decides whether a run may read only what changed, and since when.

A run is *complete* when it looked at every customer of the import type and succeeded. The last complete run
is the watermark of the next: what changed is what changed since it started.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

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
OVERLAP = timedelta(hours=1)
"""Audit records of that long before the last complete run count again: for clocks that run apart and late records."""


@dataclass(frozen=True)
class Watermark:
    """The last complete run.

    Attributes:
        run_key: Its key.
        started_at: When it started, UTC.
        fingerprint: What decided then, besides the customers' data.
    """

    run_key: int
    started_at: datetime
    fingerprint: Mapping[str, str]


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

    @property
    def since(self) -> datetime | None:
        """From when on audit records count."""
        return self.watermark.started_at - OVERLAP if self.watermark else None


def find_watermark(engine: Engine, run: Run) -> Watermark | None:
    """Return the last complete run of the same instance and import type."""
    row = find_last_complete(engine, run)
    return Watermark(row.id, as_utc(row.started_at), row.fingerprint or {}) if row else None


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
        return Decision(Scope.FULL, "the run was asked to read every customer")
    if run.params.mode is Mode.DISCOVER:
        return Decision(Scope.FULL, "a run that only discovers classifies every customer")
    if watermark is None:
        return Decision(Scope.FULL, "there is no complete run before this one")
    if (gap := now - watermark.started_at) >= timedelta(days=AUDIT_DAYS) - OVERLAP:
        reason = (
            f"the last complete run was {gap.days} days ago, audit records reach back {AUDIT_DAYS}"
        )
        return Decision(Scope.FULL, reason)
    if changed := differences(watermark.fingerprint, fingerprint):
        names = " and ".join(changed)
        return Decision(Scope.FULL, f"{names} changed since the last complete run")
    day = f"{watermark.started_at:%Y-%m-%d %H:%M} UTC"
    return Decision(Scope.CHANGED, f"changes since run {watermark.run_key} of {day}", watermark)


def stored_scope(engine: Engine, run_key: int) -> tuple[Scope, str] | None:
    """Return the scope that an earlier attempt decided on, with its reason."""
    columns = (import_runs.c.scope, import_runs.c.scope_reason)
    with reading(engine) as connection:
        row: Any = connection.execute(select(*columns).where(import_runs.c.id == run_key)).one()
    return (Scope(row.scope), row.scope_reason) if row.scope else None
