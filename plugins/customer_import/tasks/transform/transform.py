"""The task ``transform_customers``: discovered and valid customers in, staged accounts and contacts in batches out.

Rows stream through in chunks, one transaction each; a run that repeats the task replaces what it
staged before. Cut text and unknown states were already reported by validation, which sees the same
text: here they are only counted.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import delete

from customer_import.database.bulk import insert_rows
from customer_import.database.engine import refresh_statistics
from customer_import.database.tables import staged_accounts, staged_contacts
from customer_import.failpoints import reached
from customer_import.garbage_collection import gc_frozen
from customer_import.machines import has_several
from customer_import.mapping.source_columns import source_columns
from customer_import.runs.reference_data import read_organisation
from customer_import.runs.run import record_progress
from customer_import.runs.staged_customers import (
    CHUNK_SIZE,
    check_paths,
    count_customers,
    has_values,
    read_customers,
)
from customer_import.tasks.transform.entities import Entities, build_entities

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from customer_import.runs.run import Run

_log = logging.getLogger(__name__)

_ONE_TASK = 200
"""Customers that one load task writes sooner than several have begun."""
_LEAST_BATCH = 50
"""Customers of a batch, at least, in a larger run: beginning a task costs as much as some of them."""
_LOCAL_BATCH = 500
"""The same on one machine, where more tasks bring nothing: so many are begun anew when one of them is lost."""


@dataclass(frozen=True)
class TransformSummary:
    """What the task did, in numbers.

    Attributes:
        accounts: Accounts staged, each with its contact.
        batches: Load batches, numbered from 0.
        batch_size: Accounts a batch; the last one may have fewer.
        unknown_states: Customers whose state was left out.
        cut: Target field (``account.name``) to the customers whose text was cut.
    """

    accounts: int
    batches: int
    batch_size: int
    unknown_states: int = 0
    cut: dict[str, int] = field(default_factory=dict)


def transform_customers(run: Run, engine: Engine, chunk_size: int = CHUNK_SIZE) -> TransformSummary:
    """Stage the account and the contact of every valid customer of a run.

    Args:
        run: The run.
        engine: The staging database.
        chunk_size: Customers a transaction.

    Raises:
        ConfigurationError: The run has no organisation: ``start_run`` did not finish. Or the mapping files name more
            than was read.
        DataQualityError: What was read is not there any more.
        CustomerImportError: A staged customer cannot be read.
    """
    if not has_values(engine, run.key, is_validated=True):
        return TransformSummary(0, 0, _batch_size(run, 0))
    check_paths(engine, run)
    organisation = read_organisation(engine, run.key)
    total = count_customers(engine, run.key, is_validated=True)
    batch_size = _batch_size(run, total)
    _delete_earlier(engine, run.key)
    staged = unknown_states = 0
    cut: Counter[str] = Counter()
    with gc_frozen():
        for rows in read_customers(engine, run.key, chunk_size, is_validated=True):
            entities = build_entities(source_columns(rows, run, organisation), run, organisation)
            with engine.begin() as connection:
                _stage(connection, run.key, entities, staged, batch_size)
                reached("before_transform_commit")
            reached("after_transform_commit")
            staged += len(rows)
            unknown_states += entities.unknown_states
            cut.update(entities.cut)
            del entities  # the next ones are made in its place, not beside it
    refresh_statistics(engine, staged_accounts, staged_contacts)
    batches = -(-staged // batch_size)
    record_progress(engine, run.key, batches=batches)
    _log.info(
        "Transformed %d customers, %d batches of up to %d; %d texts cut, %d states left out.",
        staged,
        batches,
        batch_size,
        cut.total(),
        unknown_states,
    )
    return TransformSummary(staged, batches, batch_size, unknown_states, dict(cut))


def _batch_size(run: Run, customers: int) -> int:
    """Return how many customers a load task gets: docs/decisions/0016-workers.md."""
    least = run.instance.load_batch_size
    if least is None:
        spread = _ONE_TASK if customers <= _ONE_TASK else _LEAST_BATCH
        least = spread if has_several() else _LOCAL_BATCH
    return max(least, -(-customers // run.instance.max_load_batches))


def _delete_earlier(engine: Engine, run_key: int) -> None:
    with engine.begin() as connection:
        for table in (staged_accounts, staged_contacts):
            connection.execute(delete(table).where(table.c.run_id == run_key))


def _stage(
    connection: Connection, run_key: int, entities: Entities, first: int, batch_size: int
) -> None:
    size = len(entities.tenant_ids)
    batches = [number // batch_size for number in range(first, first + size)]
    run_keys = [run_key] * size
    insert_rows(
        connection,
        staged_accounts,
        ("run_id", "tenant_id", "batch", "payload", "sync_options", "content_hash"),
        zip(
            run_keys,
            entities.tenant_ids,
            batches,
            entities.accounts,
            entities.sync_options,
            entities.content_hashes,
            strict=True,
        ),
    )
    insert_rows(
        connection,
        staged_contacts,
        ("run_id", "tenant_id", "payload"),
        zip(run_keys, entities.tenant_ids, entities.contacts, strict=True),
    )
