"""Marks the customers that audit records name, and remembers the records that a run has read for.

Records may appear hours after the change that they tell of. So every run looks at a whole window of them, and each one
counts until a complete run has read for it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, select

from customer_import.database.engine import insert_missing
from customer_import.database.tables import audit_records_seen, import_runs, staged_customers
from customer_import.partner_center.audit import domain_prefixes
from customer_import.tasks.extract.due import listed, mark

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Engine, Select

    from customer_import.partner_center.audit import AuditRecord
    from customer_import.runs.run import Run

_SPARE = timedelta(days=1)
_seen = audit_records_seen.c
_staged = staged_customers.c


def take_records(engine: Engine, run: Run, records: Sequence[AuditRecord]) -> None:
    """Mark the tenants that a page of records names and no complete run has read for; unlisted ones are passed over.

    Args:
        engine: The run's database.
        run: The run.
        records: A page of them.
    """
    if not records:
        return
    with engine.begin() as connection:
        keys = {record.key for record in records}
        known = select(_seen.record_key).where(
            _seen.record_key.in_(keys), _seen.run_id.in_(_runs(run, import_runs.c.is_complete))
        )
        new = keys.difference(connection.execute(known).scalars())
        tenant_ids = {record.tenant_id for record in records if record.key in new}
        mark(connection, run, "audit", _staged.tenant_id.in_(tenant_ids))
        rows = [{"run_id": run.key, "record_key": key} for key in sorted(new)]
        insert_missing(connection, audit_records_seen, rows)
        if prefixes := domain_prefixes(records):
            connection.execute(
                listed(run, _staged.tenant_id == bindparam("tenant")).values(
                    domain_prefix=bindparam("prefix")
                ),
                [{"tenant": key, "prefix": prefix} for key, prefix in prefixes.items()],
            )


def forget_records(engine: Engine, run: Run, since: datetime) -> None:
    """Forget the records of runs that began before a window, with a day to spare for clocks that run apart."""
    old = _runs(run, import_runs.c.started_at < since - _SPARE)
    with engine.begin() as connection:
        connection.execute(delete(audit_records_seen).where(_seen.run_id.in_(old)))


def _runs(run: Run, condition: ColumnElement[bool]) -> Select[int]:
    return select(import_runs.c.id).where(
        import_runs.c.instance == run.params.instance,
        import_runs.c.import_type == run.import_type.value,
        condition,
    )
