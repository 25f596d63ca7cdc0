"""Judges a run as a whole: a run that looks wrong stops before anything is written to the BSS.

Single customers are not its business; by the time it looks, every one of them has its verdict.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sqlalchemy import func, or_, select, true

from customer_import.database.engine import reading
from customer_import.database.tables import import_results, import_runs, staged_customers
from customer_import.decisions.store import read_standing
from customer_import.errors import DataQualityError
from customer_import.runs.latest import count_remaining, find_last_complete
from customer_import.runs.parameters import RunParams
from customer_import.runs.shares import is_too_many
from customer_import.vocabulary import LEFT, SUCCEEDED, Mode, StagedState

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Engine

    from customer_import.runs.run import Run

log = logging.getLogger(__name__)


def check_rejected(engine: Engine, run: Run, rejected: int) -> None:
    """Stop a run with too many rejected customers.

    Args:
        engine: The staging database.
        run: Its parameter ``max_rejected_percent`` is the limit, in percent of the customers that
            the run discovered.
        rejected: Customers that validation rejected.

    Raises:
        DataQualityError: There are more than that (``runs.shares``).
    """
    limit = run.params.max_rejected_percent
    discovered = _count_discovered(engine, run.key)
    if is_too_many(rejected, discovered, limit):
        message = (
            f"{rejected} of {discovered} discovered customers ({rejected / max(discovered, 1):.1%}) are rejected, more "
            f"than the {limit:g} % that max_rejected_percent allows. Nothing was written to the BSS. See the reasons "
            "in Import Results; correct the data in Partner Center, or raise max_rejected_percent if they may stay out."
        )
        raise DataQualityError(message)


def check_failed(engine: Engine, run: Run) -> None:
    """Stop a run in which Partner Center gave no usable answer for too many customers.

    Args:
        engine: The staging database.
        run: Its parameter ``max_failed_percent`` is the limit, in percent of the customers that are or may be its own.

    Raises:
        DataQualityError: There are more than that.
    """
    limit = run.params.max_failed_percent
    # Those that nobody could classify may be of this import.
    ours = staged_customers.c.is_discovered.is_not(False)
    total = _count(engine, run.key, ours)
    failed = _count(engine, run.key, ours, staged_customers.c.state == StagedState.FAILED.value)
    if is_too_many(failed, total, limit, even_in_small=True):
        message = (
            f"Partner Center gave no usable answer for {failed} of {total} customers "
            f"({failed / max(total, 1):.1%}), more than the {limit:g} % that max_failed_percent allows. Most "
            "likely Partner Center was away, or the signed-in user's permissions changed: see the reasons in Import "
            "Results. "
            "Nothing was written to the BSS. Start the import again when it is mended."
        )
        raise DataQualityError(message)


def check_left(engine: Engine, run: Run) -> None:
    """Stop a run in which too many customers left since the last complete run: rather a right was lost.

    Args:
        engine: The staging database.
        run: Its parameter ``max_failed_percent`` is the limit, in percent of the discovered customers.

    Raises:
        DataQualityError: There are more than that.
    """
    before = find_last_complete(engine, run)
    if before is None:
        return
    discovered = _count_discovered(engine, run.key)
    newly = _count_discovered(
        engine, run.key, staged_customers.c.reason_code.in_(LEFT), _had_not_left(before.id)
    )
    limit = run.params.max_failed_percent
    if is_too_many(newly, discovered, limit, even_in_small=newly > 1):
        message = (
            f"Partner Center says of {newly} of {discovered} customers ({newly / max(discovered, 1):.1%}) that they "
            f"have left since run {before.id}, more than the {limit:g} % that max_failed_percent allows. Most likely "
            "the signed-in user lost a role, or the application its permissions. Nothing was written to the BSS. "
            "If they did leave, start the import again with a higher max_failed_percent."
        )
        raise DataQualityError(message)


def check_discovered(engine: Engine, run: Run) -> None:
    """Stop a run that discovered nobody although the last full run of its kind did.

    Who had left by then, and has not come back, is nobody. A run that was asked for some tenants or resellers only may
    well find none; it is not judged. A person says once, by ``expect_none``, that nobody is right; the run that was
    told so is the last one for those that follow. A decision ``empty`` says it of every run.

    Raises:
        DataQualityError: The last successful import of all customers, of the same type and
            instance, discovered some.
    """
    if run.params.is_selective or run.params.expect_none:
        return
    with reading(engine) as connection:
        decided = read_standing(connection, run.params.instance, [run.import_type.value])
    last, before = _last_full_discovery(engine, run)
    is_there = func.coalesce(staged_customers.c.reason_code.not_in(LEFT), true())
    discovered = _count_discovered(engine, run.key, or_(is_there, _had_not_left(last)))
    if decided and discovered:
        log.warning(
            "%d customers were discovered, but the %s import %s; %s Revoke that decision.",
            discovered,
            run.import_type,
            decided[0].says(),
            decided[0].credit(),
        )
    elif decided:
        log.info("No customer was discovered, which is right; %s", decided[0].credit())
    if decided or discovered:
        return
    if before:
        message = (
            f"No customer was discovered; the last {run.import_type} import of instance {run.params.instance} "
            f"discovered {before}. Check the Partner Center connection's rights and the instance's settings. "
            "Nothing was written to the BSS. If all of them have left, decide under Microsoft Tenants that there are "
            "none, or start the import once with expect_none."
        )
        raise DataQualityError(message)


def _had_not_left(run_key: int | None) -> ColumnElement[bool]:
    """Whether a staged customer is none of those of whom that run said that they had left."""
    results = import_results.c
    had_left = select(results.tenant_id).where(
        results.run_id == run_key, results.reason_code.in_(LEFT)
    )
    return staged_customers.c.tenant_id.not_in(had_left)


def _count_discovered(engine: Engine, run_key: int, *conditions: ColumnElement[bool]) -> int:
    return _count(engine, run_key, staged_customers.c.is_discovered.is_(True), *conditions)


def _count(engine: Engine, run_key: int, *conditions: ColumnElement[bool]) -> int:
    statement = (
        select(func.count())
        .select_from(staged_customers)
        .where(staged_customers.c.run_id == run_key, *conditions)
    )
    with reading(engine) as connection:
        return connection.execute(statement).scalar_one()


def _last_full_discovery(engine: Engine, run: Run) -> tuple[int | None, int]:
    """Return the key of the last import that was asked for all customers, and how many there were who had not left."""
    runs = import_runs.c
    statement = (
        select(runs.id, runs.params, runs.discovered, runs.summary)
        .where(
            import_runs.c.id != run.key,
            import_runs.c.import_type == run.import_type.value,
            import_runs.c.instance == run.params.instance,
            import_runs.c.mode == Mode.IMPORT.value,
            import_runs.c.state.in_(SUCCEEDED),
        )
        .order_by(import_runs.c.started_at.desc(), import_runs.c.id.desc())
    )
    with reading(engine) as connection:
        for row in connection.execute(statement):
            if not RunParams.parse(row.params).is_selective:
                return row.id, count_remaining(row) or 0
    return None, 0
