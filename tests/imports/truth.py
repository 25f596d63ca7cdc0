"""What a run must say of every customer, from the sandbox's truth alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Row

    from customer_import.runs.run import Run
    from sandbox.partner_center.source import Source
    from sandbox.population.models import Customer

UNMENDED = {"no_contact_name", "country_unknown", "billing_profile_null", "email_refused"}
"""Peculiarities that a person has to correct in Partner Center."""
NO_RESELLER = {"relationship_none", "relationship_advisor"}
IMPORTED = {"created", "updated", "unchanged"}
PREVIEWED = {"would_create", "would_update", "unchanged"}


def unexplained(
    source: Source,
    run: Run,
    rows: Sequence[Row[Any]],
    expected: Mapping[str, set[str | None]],
) -> dict[str, str]:
    """Return, by tenant, what a run's results say against the truth; empty when they agree.

    Args:
        source: Partner Center's customers.
        run: The run.
        rows: Its rows of ``import_results``.
        expected: Outcomes by tenant, for what a test did that the truth does not know; ``None`` stands for no result.
    """
    found = {row.tenant_id: row for row in rows}
    assert len(found) == len(rows)
    customers = {customer.tenant_id: customer for customer in source.customers.values()}
    wrong = dict.fromkeys(found.keys() - customers.keys(), "not a customer")
    for tenant, customer in customers.items():
        row = found.get(tenant)
        wanted = expected.get(tenant) or _expected(source, run, customer) | _allowed(row)
        if (row.outcome if row else None) not in wanted:
            says = f"{row.outcome}, {row.reason_code}: {row.reason}" if row else "no result"
            wrong[tenant] = f"{customer.peculiarities} {says}; expected {wanted}"
    return wrong


def _expected(source: Source, run: Run, customer: Customer) -> set[str | None]:
    truth, odd = source.truth(customer), set(customer.peculiarities)
    is_indirect = run.import_type is ImportType.INDIRECT
    is_under_nobody = is_indirect and "unknown_partner_id" in odd
    is_own = run.import_type.value in truth.classes
    if truth.access != "open" or is_under_nobody:
        # An import that never knew whose customer it was reports it too.
        return {"skipped"} if is_own or is_under_nobody else {"skipped", None}
    if not is_own:
        return {None}
    if odd & NO_RESELLER:
        return {"skipped"}
    if is_indirect and len(truth.reseller_mpn_ids) > 1:
        return {"ambiguous"}
    if odd & UNMENDED:
        return {"rejected"}
    return set(PREVIEWED if run.is_preview else IMPORTED)


def _allowed(row: Row[Any] | None) -> set[str | None]:
    """Skips that depend on the database and the parameters instead of the customer."""
    reasons = {"already_imported", "existing_skipped"}
    return {"skipped"} if row is not None and row.reason_code in reasons else set()
