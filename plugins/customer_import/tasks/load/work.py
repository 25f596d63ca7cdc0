"""What the work on one tenant needs, and what all tenants of a batch share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from customer_import.runs.results import Result
from customer_import.tasks.load.records import ChangedFields
from customer_import.vocabulary import TaskId

if TYPE_CHECKING:
    from customer_import.bss.client import BssClient
    from customer_import.bss.models import Organisation
    from customer_import.runs.run import Run
    from customer_import.runs.verdict import Verdict
    from customer_import.tasks.load.claims import Link
    from customer_import.tasks.load.customers import StagedCustomer
    from customer_import.tasks.load.ledger import Ledger


@dataclass(frozen=True)
class BatchContext:
    """What all tenants of a batch share.

    Attributes:
        run: The run.
        organisation: The BSS organisation's look-ups.
        client: Calls the BSS.
        ledger: Records.
        map_index: The task's index among the load tasks.
    """

    run: Run
    organisation: Organisation
    client: BssClient
    ledger: Ledger
    map_index: int

    def result(
        self,
        customer: StagedCustomer,
        verdict: Verdict,
        link: Link | None,
        warnings: list[str] | None = None,
    ) -> Result:
        """Return the result row of a tenant."""
        return Result.of(
            self.run,
            customer,
            verdict,
            TaskId.LOAD_CUSTOMERS,
            map_index=self.map_index,
            warnings=(*customer.warnings, *(warnings or ())),
            account_id=link.account_id if link else None,
            contact_id=link.contact_id if link else None,
            attempts=max(link.attempts, 1) if link else 1,
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
        kept: Names of those whose BSS value stays though Partner Center has none.
    """

    customer: StagedCustomer
    link: Link
    warnings: list[str] = field(default_factory=list)
    changed: ChangedFields = field(default_factory=ChangedFields)
    kept: tuple[str, ...] = ()
