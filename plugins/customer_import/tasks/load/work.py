"""What the work on one tenant carries along, and what all tenants of a batch share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from customer_import.tasks.load.outcome import TenantResult

if TYPE_CHECKING:
    from customer_import.bss.client import BssClient
    from customer_import.bss.models import Organisation
    from customer_import.runs.run import Run
    from customer_import.tasks.load.claims import Link
    from customer_import.tasks.load.customers import StagedCustomer
    from customer_import.tasks.load.ledger import Ledger
    from customer_import.tasks.load.outcome import Verdict


@dataclass(frozen=True)
class BatchContext:
    """What all tenants of a batch share.

    Attributes:
        run: The run.
        organisation: The BSS organisation's look-ups.
        client: Calls the BSS.
        ledger: Records.
        task_id: The Airflow task, for the results.
        map_index: Its index among the load tasks.
    """

    run: Run
    organisation: Organisation
    client: BssClient
    ledger: Ledger
    task_id: str
    map_index: int

    def result(
        self,
        customer: StagedCustomer,
        verdict: Verdict,
        link: Link | None,
        warnings: list[str] | None = None,
    ) -> TenantResult:
        """Return the result row of a tenant."""
        return TenantResult(
            run_id=self.run.key,
            tenant_id=customer.tenant_id,
            import_type=self.run.import_type.value,
            instance=self.run.params.instance,
            tenant_name=customer.tenant_name,
            domain=customer.domain,
            reseller_mpn_id=customer.reseller_mpn_id,
            reseller_name=customer.reseller_name,
            outcome=verdict.outcome.value,
            reason_code=verdict.reason_code.value,
            reason=verdict.reason,
            warnings=[*customer.warnings, *(warnings or ())] or None,
            account_id=link.account_id if link else None,
            contact_id=link.contact_id if link else None,
            attempts=max(link.attempts, 1) if link else 1,
            task_id=self.task_id,
            map_index=self.map_index,
            recorded_at=self.ledger.now(),
        )


@dataclass
class Work:
    """The work on one held tenant.

    Attributes:
        customer: As staged.
        link: As the ledger has it, or is about to have it.
        warnings: What the load adds to the findings of validation.
        changed: Names of the BSS fields written so far.
    """

    customer: StagedCustomer
    link: Link
    warnings: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
