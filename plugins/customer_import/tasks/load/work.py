"""What the work on one tenant needs, and what all tenants of a batch share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from customer_import.runs.results import Result
from customer_import.tasks.load.twins import said_twins
from customer_import.vocabulary import MATCHED, DecisionKind, Outcome, TaskId

if TYPE_CHECKING:
    from customer_import.bss.client import BssClient
    from customer_import.bss.models import Organisation
    from customer_import.runs.run import Run
    from customer_import.runs.verdict import Verdict
    from customer_import.tasks.load.account_look import AccountLook
    from customer_import.tasks.load.claims import Link
    from customer_import.tasks.load.customers import StagedCustomer
    from customer_import.tasks.load.ledger import Ledger
    from customer_import.tasks.load.records import ChangedFields


_COMPARED = {Outcome.UPDATED, Outcome.UNCHANGED, Outcome.WOULD_UPDATE}
"""What is said of customers whose account was compared and dealt with."""


@dataclass(frozen=True)
class BatchContext:
    """What all tenants of a batch share.

    Attributes:
        run: The run.
        organisation: The BSS organisation's look-ups.
        client: Calls the BSS.
        ledger: Records.
        map_index: The task's index among the load tasks.
        look: Looks for accounts that came after the run's listing; without it the listing is believed.
    """

    run: Run
    organisation: Organisation
    client: BssClient
    ledger: Ledger
    map_index: int
    look: AccountLook | None = None

    def result(
        self,
        customer: StagedCustomer,
        verdict: Verdict,
        link: Link | None,
        warnings: list[str] | None = None,
        changed: ChangedFields | None = None,
    ) -> Result:
        """Return the result row of a tenant."""
        is_matched = verdict.reason_code in MATCHED
        if assigned := customer.decisions.get(DecisionKind.RESELLER):
            verdict = verdict._replace(reason=f"{verdict.reason} {assigned.told()}")
        return Result.of(
            self.run,
            customer,
            verdict,
            TaskId.LOAD_CUSTOMERS,
            map_index=self.map_index,
            warnings=(*customer.warnings, *twins_warning(customer, link), *(warnings or ())),
            account_id=link.account_id if link else None,
            contact_id=link.contact_id if link else None,
            attempts=max(link.attempts, 1) if link else 1,
            read_at=customer.read_at,
            recorded_at=self.ledger.now(),
            candidates=[one.as_dict() for one in customer.match.candidates] if is_matched else (),
            fields=changed.fates if changed is not None and verdict.outcome in _COMPARED else None,
        )


@dataclass
class Work:
    """The work on one held tenant.

    Attributes:
        customer: As staged.
        link: As the ledger has it, or is about to have it.
        warnings: What the load adds to the findings of validation.
        changed: Names of the BSS fields that differ; ``None`` before they are known.
        kept: Names of those whose BSS value stays though Partner Center has none.
        left_out: Names of the sync options that the organisation does not have, and of the fields that its API refuses.
        owed: Name to a warning of what a person still has to change after a move.
        has_written: Whether something that an update changes may have reached the BSS.
        written: What has been written so far, in words.
        is_adoption: Whether this attempt links the account, because it is the tenant's already.
        found: Names of the creations that gave no answer and were found; what is there may be somebody else's work.
    """

    customer: StagedCustomer
    link: Link
    warnings: list[str] = field(default_factory=list)
    changed: ChangedFields | None = None
    kept: tuple[str, ...] = ()
    has_written: bool = False
    left_out: tuple[str, ...] = ()
    owed: dict[str, str] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    is_adoption: bool = False
    found: set[str] = field(default_factory=set)

    def told(self) -> str:
        """Say what has been written, when the rest cannot be; nothing when nothing has."""
        account_id = self.link.account_id
        if self.link.is_begun:
            return f"BSS account {account_id} has been created all the same, and is not finished."
        if self.written:
            return f"Written to BSS account {account_id} all the same: {', '.join(self.written)}."
        return ""


def twins_warning(customer: StagedCustomer, link: Link | None) -> list[str]:
    """Say that other accounts carry the customer's tenant id; nothing when none does."""
    if not customer.twins or link is None or link.account_id is None:
        return []
    return [said_twins(link.account_id, customer.twins)]
