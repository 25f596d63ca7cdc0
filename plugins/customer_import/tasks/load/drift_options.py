"""Compares the sync options of a batch of a check with what was written; no list has them, so each account is asked."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import select, update

from customer_import.database.engine import reading
from customer_import.database.tables import drift_findings, staged_accounts, staged_customers
from customer_import.errors import RejectedRequestError
from customer_import.runs.drift import DriftFinding, forget_findings, record_findings
from customer_import.runs.reference_data import read_organisation
from customer_import.tasks.load.bss_access import open_bss
from customer_import.tasks.load.drift import WHOLE
from customer_import.tasks.load.drift_links import written_of
from customer_import.tasks.load.report import LoadSummary
from customer_import.tasks.load.sync_options import OptionChanges, option_changes
from customer_import.tasks.load.triage import holds_content
from customer_import.vocabulary import DriftKind, FieldFate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine, Row

    from customer_import.bss.client import BssClient
    from customer_import.runs.run import Run

_COMPARED_AT_ONCE = 250
_PREFIX = "syncOptions."


def compare_options(run: Run, engine: Engine, batch: int) -> LoadSummary:
    """Find the customers of a batch whose sync options differ from what was written; called again, it finds them anew.

    Raises:
        AuthenticationError: The BSS refused the credentials.
        RetriableError: The BSS did not answer properly; the task may be tried again.
    """
    started = time.monotonic()
    rows = _written(run, engine, batch)
    system_id = read_organisation(engine, run.key).sync_system_id
    requests = 0
    if rows and system_id is not None:
        requests = asyncio.run(_compare(run, engine, batch, rows, system_id))
    return LoadSummary(batch, {}, time.monotonic() - started, requests)


async def _compare(
    run: Run, engine: Engine, batch: int, rows: Sequence[Row[Any]], system_id: int
) -> int:
    async with open_bss(run, engine, batch) as client:
        for start in range(0, len(rows), _COMPARED_AT_ONCE):
            some = rows[start : start + _COMPARED_AT_ONCE]
            found = await asyncio.gather(*(_changes(client, run, row, system_id) for row in some))
            await asyncio.to_thread(_store, run, engine, some, found)
        return client.requests


async def _changes(
    client: BssClient, run: Run, row: Row[Any], system_id: int
) -> OptionChanges | None:
    """Return what differs; ``None`` when the account is gone by now."""
    try:
        options = await client.sync_options(row.account_id, system_id)
    except RejectedRequestError:
        return None
    there = {*(row.left_out or ()), *(row.owed or ())}
    wanted = {
        name: value for name, value in orjson.loads(row.sync_options).items() if name not in there
    }
    return option_changes(wanted, options, run.mappings.sync_options)


def _store(
    run: Run,
    engine: Engine,
    rows: Sequence[Row[Any]],
    found: Sequence[OptionChanges | None],
) -> None:
    kind = DriftKind.SYNC_OPTIONS_DIFFER
    findings = []
    with engine.begin() as connection:
        forget_findings(connection, run.key, kind, [row.tenant_id for row in rows])
        for row, changes in zip(rows, found, strict=True):
            if changes is None or not changes.before:
                continue
            fates = {
                name: FieldFate.EMPTIED if name in changes.cleared else FieldFate.CHANGED
                for name in sorted(changes.before)
            }
            findings.append(
                DriftFinding(
                    row.tenant_id,
                    kind,
                    f"Differs: {', '.join(fates)}.",
                    row.tenant_name,
                    row.domain,
                    row.account_id,
                    row.contact_id,
                    fates,
                )
            )
            named = {_PREFIX + name: value for name, value in changes.before.items()}
            before = {**orjson.loads(row.bss_before or b"{}"), **named}
            connection.execute(
                update(staged_accounts)
                .where(
                    staged_accounts.c.run_id == run.key,
                    staged_accounts.c.tenant_id == row.tenant_id,
                )
                .values(bss_before=orjson.dumps(before))
            )
        record_findings(connection, run.key, findings)


def _written(run: Run, engine: Engine, batch: int) -> list[Row[Any]]:
    """Return the batch's customers whose account is theirs, and holds what is staged."""
    in_doubt = select(drift_findings.c.tenant_id).where(
        drift_findings.c.run_id == run.key,
        drift_findings.c.kind.in_([kind.value for kind in WHOLE]),
    )
    same = (staged_customers.c.run_id == staged_accounts.c.run_id) & (
        staged_customers.c.tenant_id == staged_accounts.c.tenant_id
    )
    statement = (
        written_of(run, staged_accounts.c.batch == batch)
        .add_columns(staged_customers.c.tenant_name, staged_customers.c.domain)
        .join(staged_customers, same)
        .where(staged_accounts.c.tenant_id.not_in(in_doubt))
        .order_by(staged_accounts.c.tenant_id)
    )
    with reading(engine) as connection:
        rows = connection.execute(statement).all()
    return [
        row
        for row in rows
        if holds_content(row.link_hash, row.content_hash) and orjson.loads(row.sync_options)
    ]
