"""Reads a run's discovered customers from staging in chunks, by tenant id.

Validation and transform share it, so that both see the same rows. It pages by key instead of
holding a cursor open: no read transaction outlives a chunk, and memory does not grow with the
number of customers. Tenant ids come in no order from Partner Center; in theirs, what the transform
stages goes to one end of each index instead of all over it. It interprets nothing.

A row without values was not read, or they were removed because they were old (``tasks.retention``). Such a row is never
handed out: its customer has been loaded and is done, or the run has to read it again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, func, select

from customer_import.database.engine import reading
from customer_import.database.tables import import_results, staged_customers
from customer_import.errors import ConfigurationError, DataQualityError
from customer_import.runs.reference_data import get_reference
from customer_import.vocabulary import Outcome, ReferenceName, StagedState, TaskId

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Engine

    from customer_import.runs.run import Run

_log = logging.getLogger(__name__)

CHUNK_SIZE = 1_000
"""What is made of more customers at once does not stay in a processor's cache, and takes half as long again."""


class StagedRow(NamedTuple):
    """A staged customer, as far as validation and transform look at it; columns of ``staged_customers``."""

    tenant_id: str
    tenant_name: str | None
    domain: str | None
    has_billing_profile: bool | None
    has_delegated_access: bool | None
    domain_prefix: str | None
    reseller_mpn_id: str | None
    reseller_name: str | None
    fetched_at: datetime | None
    source: bytes | None

    def without_source(self) -> StagedRow:
        """Return it without its longest part, for whoever has to keep many."""
        return StagedRow(*self[:-1], None)


def is_loaded(run_key: int) -> ColumnElement[bool]:
    """Return the condition for a run's customers on which the load's word stands."""
    loaded = select(import_results.c.id).where(
        import_results.c.run_id == run_key,
        import_results.c.tenant_id == staged_customers.c.tenant_id,
        import_results.c.task_id == TaskId.LOAD_CUSTOMERS.value,
        import_results.c.outcome != Outcome.FAILED.value,
    )
    return loaded.exists()


def lacks_values(run_key: int) -> ColumnElement[bool]:
    """Return the condition for a run's customers whose values the import still needs and does not have."""
    return and_(_is_removed(run_key), ~is_loaded(run_key))


def lacks_paths(engine: Engine, run: Run) -> tuple[str, ...]:
    """Return the paths that the mapping files name now and the run's customers were read without."""
    taken = get_reference(engine, run.key, ReferenceName.PATHS)
    return () if taken is None else tuple(sorted({*run.mappings.customer_paths} - {*taken}))


def was_read(run_key: int) -> ColumnElement[bool]:
    """Return the condition for a run's customers that have values and are still to be loaded."""
    staged = staged_customers.c
    return and_(
        staged.run_id == run_key,
        staged.state == StagedState.FETCHED.value,
        staged.is_discovered,
        staged.source.is_not(None),
        ~is_loaded(run_key),
    )


def check_paths(engine: Engine, run: Run) -> None:
    """Refuse customers that were read with other mapping files: what was not read looks as if it were empty.

    Raises:
        ConfigurationError: The mapping files name more by now.
    """
    if missing := lacks_paths(engine, run):
        message = (
            f"{', '.join(missing)} was not read of the customers of run {run.key}: the mapping files were changed "
            "after extract_customers. Nothing was changed"
        )
        hint = "clear extract_customers, which reads the customers again, or start the import anew"
        raise ConfigurationError(message, source="mapping files", hint=hint)


def _is_removed(run_key: int) -> ColumnElement[bool]:
    staged = staged_customers.c
    return and_(
        staged.run_id == run_key,
        staged.state == StagedState.FETCHED.value,
        staged.is_discovered,
        staged.source.is_(None),
    )


def has_values(engine: Engine, run_key: int, *, is_validated: bool = False) -> bool:
    """Tell whether a run has customers to work on; refuse those that cannot be told from blank ones.

    Args:
        engine: The staging database.
        run_key: The run.
        is_validated: Whether customers that validation rejected do not matter.

    Returns:
        False when all has been loaded and was removed since. Then there is nothing to do, which is logged, and
        what the run said and staged is to be left alone.

    Raises:
        DataQualityError: Values of customers that were not loaded are missing.
    """
    missing = [lacks_values(run_key), *([~_is_rejected(run_key)] if is_validated else [])]
    with reading(engine) as connection:
        count, removed = (
            connection.execute(
                select(func.count()).select_from(staged_customers).where(*conditions)
            ).scalar_one()
            for conditions in (missing, [_is_removed(run_key)])
        )
    if count:
        message = (
            f"what was read of {count} customers of run {run_key} is not there any more: it was removed because it "
            "was old. Nothing was changed. To go on with this run clear extract_customers, which reads them again; or "
            "start the import anew"
        )
        raise DataQualityError(message)
    if removed and not count_customers(engine, run_key, is_validated=is_validated):
        _log.warning(
            "What run %d read of %d customers was removed because it was old. Nothing was left to do with them, and "
            "nothing was done; the results stand. To import them again start the import anew.",
            run_key,
            removed,
        )
        return False
    return True


def read_customers(
    engine: Engine, run_key: int, chunk_size: int, *, is_validated: bool
) -> Iterator[Sequence[StagedRow]]:
    """Yield the run's fetched customers that have no outcome yet, ordered by tenant id.

    Args:
        engine: The staging database.
        run_key: The run.
        chunk_size: Rows a chunk.
        is_validated: Whether to leave out the customers that validation rejected.

    Yields:
        Chunks, none of them empty.
    """
    statement = (
        select(*(staged_customers.c[name] for name in StagedRow._fields))
        .where(*_is_due(run_key, is_validated=is_validated))
        .order_by(staged_customers.c.tenant_id)
        .limit(chunk_size)
    )
    page = statement
    while True:
        with reading(engine) as connection:
            rows = list(map(StagedRow._make, connection.execute(page).all()))
        if not rows:
            return
        page = statement.where(staged_customers.c.tenant_id > rows[-1].tenant_id)
        yield rows
        del rows  # not beside the next chunk


def count_customers(engine: Engine, run_key: int, *, is_validated: bool) -> int:
    """Return how many customers ``read_customers`` yields."""
    statement = (
        select(func.count())
        .select_from(staged_customers)
        .where(*_is_due(run_key, is_validated=is_validated))
    )
    with reading(engine) as connection:
        return connection.execute(statement).scalar_one()


def _is_due(run_key: int, *, is_validated: bool) -> list[ColumnElement[bool]]:
    conditions = [
        staged_customers.c.run_id == run_key,
        staged_customers.c.state == StagedState.FETCHED.value,
        staged_customers.c.is_discovered,
        staged_customers.c.outcome.is_(None),
        staged_customers.c.source.is_not(None),
    ]
    if is_validated:
        conditions.append(~_is_rejected(run_key))
    return conditions


def _is_rejected(run_key: int) -> ColumnElement[bool]:
    rejected = select(import_results.c.id).where(
        import_results.c.run_id == run_key,
        import_results.c.tenant_id == staged_customers.c.tenant_id,
        import_results.c.task_id == TaskId.VALIDATE_CUSTOMERS.value,
    )
    return rejected.exists()
