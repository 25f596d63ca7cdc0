"""Reads runs and results for people and scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select

from customer_import.database.engine import reading
from customer_import.database.tables import import_results, import_runs
from customer_import.vocabulary import LEFT, SUCCEEDED, ImportType, Mode, Outcome, ReasonCode

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Row

    from customer_import.runs.run import Run

_UNCLASSIFIED = "unclassified"
_kind = case(
    (import_results.c.reason_code == ReasonCode.NOT_CLASSIFIED.value, _UNCLASSIFIED),
    else_=import_results.c.outcome,
).label("kind")
"""What a result counts as: its outcome, but that of a tenant which is not discovered."""


def find_last_complete(engine: Engine, run: Run) -> Row[*tuple[Any, ...]] | None:
    """Return the row of the last complete run of the same instance and type."""
    statement = (
        select(import_runs)
        .where(
            import_runs.c.import_type == run.import_type.value,
            import_runs.c.instance == run.params.instance,
            import_runs.c.is_complete.is_(True),
            import_runs.c.id != run.key,
        )
        .order_by(import_runs.c.id.desc())
        .limit(1)
    )
    with reading(engine) as connection:
        return connection.execute(statement).one_or_none()


def count_remaining(run: Row[*tuple[Any, ...]]) -> int | None:
    """Return how many of an ended run's discovered customers had not left; ``None`` when it did not come to discover.

    Args:
        run: With ``discovered`` and ``summary``.
    """
    if run.discovered is None:
        return None
    discovered: int = run.discovered
    reasons: dict[str, int] = (run.summary or {}).get("reasons", {})
    return discovered - sum(reasons.get(reason.value, 0) for reason in LEFT)


def is_unseen(
    connection: Connection, import_type: ImportType, instance: str, besides: int | None = None
) -> bool:
    """Whether neither an import nor a preview of an instance has ended well, so that nobody knows what one would do.

    Args:
        connection: An open read transaction.
        import_type: The import.
        instance: The instance.
        besides: A run that does not count.
    """
    runs = import_runs.c
    seen = select(runs.id).where(
        runs.import_type == import_type.value,
        runs.instance == instance,
        runs.mode.in_([Mode.IMPORT.value, Mode.PREVIEW.value]),
        runs.state.in_([state.value for state in SUCCEEDED]),
        runs.id != (besides or 0),
    )
    return connection.execute(seen.limit(1)).first() is None


def latest_runs(engine: Engine) -> list[dict[str, Any]]:
    """Return the newest import of each import type, with a count per outcome; without one, what only looked.

    Each is a dict of ``import_type``, ``run_id`` (Airflow's), ``instance``, ``mode``, ``state``, ``discovered``, one
    key per outcome, which together are those discovered, and ``unclassified``; a run that is still going has the
    counts so far.
    """
    runs = []
    with reading(engine) as connection:
        for import_type in ImportType:
            row = connection.execute(
                select(import_runs)
                .where(import_runs.c.import_type == import_type)
                .order_by((import_runs.c.mode == Mode.IMPORT).desc(), import_runs.c.id.desc())
                .limit(1)
            ).one_or_none()
            if row is None:
                continue
            counts = connection.execute(
                select(_kind, func.count().label("tenants"))
                .where(import_results.c.run_id == row.id)
                .group_by(_kind)
            )
            by_outcome: dict[str, int] = {row.kind: row.tenants for row in counts}
            runs.append(
                {
                    "import_type": row.import_type,
                    "run_id": row.airflow_run_id,
                    "instance": row.instance,
                    "mode": row.mode,
                    "state": row.state,
                    "discovered": row.discovered or 0,
                    **{outcome.value: by_outcome.get(outcome.value, 0) for outcome in Outcome},
                    _UNCLASSIFIED: by_outcome.get(_UNCLASSIFIED, 0),
                }
            )
    return runs
