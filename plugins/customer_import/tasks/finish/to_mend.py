"""The customers of a run that wait for a person, grouped by what that person has to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from customer_import.database.tables import import_results
from customer_import.vocabulary import ReasonCode

if TYPE_CHECKING:
    from sqlalchemy import Connection

NAMED = 200
"""So many customers are named in a log; Import Results has them all."""

MENDS: dict[ReasonCode, str] = {
    ReasonCode.VALIDATION: "correct the data in Partner Center; each reason says what is wrong",
    ReasonCode.NO_BILLING_PROFILE: "fill in the billing information in Partner Center",
    ReasonCode.BSS_REFUSED: "correct what the BSS refuses; each reason says what",
    ReasonCode.SAME_NAME: "decide in the matching queue which account the customer is, or that a new one is created",
    ReasonCode.LOOKALIKE: "decide in the matching queue which account the customer is, or that a new one is created",
    ReasonCode.IN_QUEUE: "decide in the matching queue which account the customer is, or that a new one is created",
    ReasonCode.SEVERAL_ACCOUNTS: "leave the tenant id at one account only",
    ReasonCode.OTHER_MARKER: "enter the right tenant id at the linked account in the BSS; each reason says which",
    ReasonCode.OTHER_LINK: "correct the tenant ids of both accounts, or delete the wrong link; each reason says which",
    ReasonCode.DECISION_CONTRADICTED: "revoke the decision, or correct the BSS; each reason says what contradicts it",
    ReasonCode.SEVERAL_RESELLERS: "settle which reseller the customer belongs to",
    ReasonCode.UNKNOWN_RESELLER: "see which reseller the MPN ID belongs to, and whether it is still this partner's",
    ReasonCode.NOT_A_RESELLER_RELATIONSHIP: "ask the customer to accept the reseller relationship",
    ReasonCode.CHANGED_SINCE_PREVIEW: "start a new preview, and import what it says",
    ReasonCode.NOT_APPROVED: "start the import again, and approve it under Required Actions",
    ReasonCode.CONFIGURATION: "correct the profile or the instance; each reason names the field",
    ReasonCode.BSS_ERROR: "start the import again; it continues where this one ended",
    ReasonCode.LINK_DELETED: "start the import again; it looks for the account by its tenant id",
    ReasonCode.NOT_CLASSIFIED: "start the import again; if it repeats, look at the customer in Partner Center",
    ReasonCode.EXTRACTION_ERROR: "start the import again; if it repeats, look at the customer in Partner Center",
    ReasonCode.NOT_REACHED: "mend what ended the run, then start the import again",
}
"""What a person does about a reason; the other reasons need nobody."""


@dataclass(frozen=True)
class ToMend:
    """Customers with the same reason.

    Attributes:
        reason_code: The reason.
        count: How many.
        named: Some of them: company name and tenant id.
    """

    reason_code: ReasonCode
    count: int
    named: tuple[str, ...]


def find_to_mend(connection: Connection, run_key: int) -> tuple[ToMend, ...]:
    """Return a run's customers that wait for a person, the rarest reason first; at most ``NAMED`` have names.

    A reason of hundreds is one fault; a rare one would be lost behind it.
    """
    table = import_results.c
    codes = [code.value for code in MENDS]
    count = func.count().label("count")
    groups = connection.execute(
        select(table.reason_code, count)
        .where(table.run_id == run_key, table.reason_code.in_(codes))
        .group_by(table.reason_code)
        .order_by(count, table.reason_code)
    ).all()
    found = []
    left = NAMED
    for code, number in groups:
        rows = connection.execute(
            select(table.tenant_name, table.tenant_id)
            .where(table.run_id == run_key, table.reason_code == code)
            .order_by(table.tenant_id)
            .limit(left)
        ).all()
        left -= len(rows)
        named = tuple(f"{name or 'without name'} ({key})" for name, key in rows)
        found.append(ToMend(ReasonCode(code), number, named))
    return tuple(found)
