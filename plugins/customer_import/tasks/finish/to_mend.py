"""The customers of a run that need a person, grouped by what that person has to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from customer_import.database.tables import import_results
from customer_import.reasons import REASONS
from customer_import.vocabulary import ReasonCode

if TYPE_CHECKING:
    from sqlalchemy import Connection

NAMED = 200
"""So many customers are named in a log; Import Results has them all."""

MENDS: dict[ReasonCode, str] = {
    code: meaning.mend for code, meaning in REASONS.items() if meaning.mend is not None
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
    """Return a run's customers that need a person, the rarest reason first; at most ``NAMED`` have names.

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
