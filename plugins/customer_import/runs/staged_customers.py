"""Reads a run's discovered customers from staging in chunks, by tenant id.

Validation and transform share it, so that both see the same rows. It pages by key instead of
holding a cursor open: no read transaction outlives a chunk, and memory does not grow with the
number of customers. Tenant ids come in no order from Partner Center; in theirs, what the transform
stages goes to one end of each index instead of all over it. It interprets nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from customer_import.database.engine import reading
from customer_import.database.tables import import_results, staged_customers
from customer_import.vocabulary import StagedState, TaskId

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import ColumnElement, Engine

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
    source: bytes | None

    def without_source(self) -> StagedRow:
        """Return it without its longest part, for whoever has to keep many."""
        return StagedRow(*self[:-1], None)


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
    ]
    if is_validated:
        rejected = select(import_results.c.id).where(
            import_results.c.run_id == run_key,
            import_results.c.tenant_id == staged_customers.c.tenant_id,
            import_results.c.task_id == TaskId.VALIDATE_CUSTOMERS.value,
        )
        conditions.append(~rejected.exists())
    return conditions
