"""Reads back what validation said about customers, for those who record results later."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import select

from customer_import.database.tables import validation_findings
from customer_import.vocabulary import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

_IDS_A_QUERY = 500


def warnings_of(
    connection: Connection, run_id: int, tenant_ids: Iterable[str]
) -> dict[str, list[str]]:
    """Return the warnings about some tenants of a run, in words.

    Args:
        connection: Any open connection.
        run_id: The run.
        tenant_ids: The tenants.

    Returns:
        Tenant id to its warnings in the order in which they were found; tenants without warnings
        are left out.
    """
    warnings: dict[str, list[str]] = {}
    remaining = iter(tenant_ids)
    while ids := list(islice(remaining, _IDS_A_QUERY)):
        statement = (
            select(validation_findings.c.tenant_id, validation_findings.c.message)
            .where(
                validation_findings.c.run_id == run_id,
                validation_findings.c.severity == Severity.WARNING.value,
                validation_findings.c.tenant_id.in_(ids),
            )
            .order_by(validation_findings.c.id)
        )
        for tenant_id, message in connection.execute(statement):
            warnings.setdefault(tenant_id, []).append(message)
    return warnings
