"""Writes a batch's results into the task log: one line per tenant, and a table of counts."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, select

from customer_import.database.engine import reading
from customer_import.database.tables import import_results, staged_accounts
from customer_import.runs.outcome_log import log_outcomes
from customer_import.vocabulary import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine, Select

    from customer_import.runs.run import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadSummary:
    """What a batch came to; keys and counts only.

    Attributes:
        batch: Number of the batch.
        outcomes: Count per outcome over the whole batch, earlier attempts of the task included.
        seconds: Duration of this attempt.
        requests: Requests that this attempt sent to the BSS.
    """

    batch: int
    outcomes: Mapping[str, int]
    seconds: float
    requests: int


def log_results(engine: Engine, run: Run, batch: int) -> None:
    """Log the outcome line of every tenant of a batch."""
    of_batch = select(staged_accounts.c.tenant_id).where(
        staged_accounts.c.run_id == run.key, staged_accounts.c.batch == batch
    )
    log_outcomes(engine, run.key, import_results.c.tenant_id.in_(of_batch))


def summarise(
    engine: Engine, run: Run, batch: int, *, seconds: float, requests: int
) -> LoadSummary:
    """Count a batch's outcomes and log them as the closing table."""
    statement = _of_batch(select(import_results.c.outcome, func.count()), run, batch)
    with reading(engine) as connection:
        rows = connection.execute(statement.group_by(import_results.c.outcome)).all()
    counts: dict[str, int] = {row[0]: row[1] for row in rows}
    ordered = {str(name): counts[name] for name in Outcome if name in counts}
    log.info("Batch %d, %d tenants:", batch, sum(ordered.values()))
    for name, number in ordered.items():
        log.info("  %-13s %7d", name, number)
    rate = sum(ordered.values()) / seconds if seconds else 0.0
    log.info("%.1f s, %d BSS requests, %.1f tenants/s", seconds, requests, rate)
    return LoadSummary(batch, ordered, seconds, requests)


def _of_batch(statement: Select[Any], run: Run, batch: int) -> Select[Any]:
    same = and_(
        import_results.c.run_id == staged_accounts.c.run_id,
        import_results.c.tenant_id == staged_accounts.c.tenant_id,
    )
    return statement.select_from(staged_accounts.join(import_results, same)).where(
        staged_accounts.c.run_id == run.key, staged_accounts.c.batch == batch
    )
