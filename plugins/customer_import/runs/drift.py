"""What a check finds: in what Partner Center, links and BSS disagree about customers; one row per customer and kind.

Findings name fields and never hold a value. They are kept as long as results are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, select

from customer_import.database.engine import upsert
from customer_import.database.names import folded_name
from customer_import.database.tables import drift_findings, reference_data
from customer_import.vocabulary import DRIFT, DriftKind, ReferenceName

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from customer_import.vocabulary import FieldFate

_ROWS = 500
_findings = drift_findings.c


@dataclass(frozen=True)
class DriftFinding:
    """One thing in which Partner Center, links and BSS disagree about a customer.

    Attributes:
        tenant_id: The customer.
        kind: What it is.
        detail: The same in words, with numbers of accounts and names of fields.
        tenant_name: Company name as a run listed it last.
        domain: Primary domain, the same.
        account_id: The linked account.
        contact_id: The linked contact.
        fields: Names of the BSS fields or sync options that differ, with what an import would make of each.
    """

    tenant_id: str
    kind: DriftKind
    detail: str
    tenant_name: str | None = None
    domain: str | None = None
    account_id: int | None = None
    contact_id: int | None = None
    fields: Mapping[str, FieldFate] = field(default_factory=dict)


def record_findings(connection: Connection, run_key: int, findings: Sequence[DriftFinding]) -> None:
    """Write findings; one that is there already is replaced.

    Args:
        connection: An open write transaction.
        run_key: The run.
        findings: No customer twice with one kind.
    """
    now = datetime.now(UTC)
    for start in range(0, len(findings), _ROWS):
        some = findings[start : start + _ROWS]
        upsert(connection, drift_findings, [_row(run_key, one, now) for one in some])


def forget_findings(
    connection: Connection,
    run_key: int,
    kind: DriftKind | None = None,
    tenant_ids: Collection[str] | None = None,
) -> None:
    """Delete a run's findings, so that an attempt may find them anew; those of a kind and some customers only."""
    statement = delete(drift_findings).where(_findings.run_id == run_key)
    if kind is not None:
        statement = statement.where(_findings.kind == kind.value)
    if tenant_ids is not None:
        statement = statement.where(_findings.tenant_id.in_(tenant_ids))
    connection.execute(statement)


def count_findings(connection: Connection, run_key: int) -> dict[DriftKind, int]:
    """Count a run's findings by kind, in the order of ``DRIFT``; kinds that do not occur are left out."""
    rows = connection.execute(
        select(_findings.kind, func.count())
        .where(_findings.run_id == run_key)
        .group_by(_findings.kind)
    )
    counts: dict[str, int] = {row[0]: row[1] for row in rows}
    return {kind: counts[kind] for kind in DRIFT if kind in counts}


def summarise_drift(connection: Connection, run_key: int) -> dict[str, Any] | None:
    """Return what a check compared (``linked``, ``compared``, ``changed``) and ``found``; ``None`` of other runs."""
    body: dict[str, Any] | None = connection.execute(
        select(reference_data.c.body).where(
            reference_data.c.run_id == run_key, reference_data.c.name == ReferenceName.DRIFT.value
        )
    ).scalar_one_or_none()
    if body is None:
        return None
    found = count_findings(connection, run_key)
    return {**body, "found": {kind.value: count for kind, count in found.items()}}


def _row(run_key: int, finding: DriftFinding, now: datetime) -> dict[str, object]:
    fates = {name: fate.value for name, fate in finding.fields.items()}
    own = {"run_id": run_key, "kind": finding.kind.value, "fields": fates or None, "found_at": now}
    own["name_folded"] = folded_name(finding.tenant_name, finding.domain)
    return vars(finding) | own
