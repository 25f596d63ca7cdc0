"""Tells Airflow's audit log who looked at personal data or took it away, and who decided about customers.

Which customer or which run: what somebody searched for is not told, because it may be a name.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends

from customer_import.web.airflow_internals import GetUserDep, record_access

if TYPE_CHECKING:
    from customer_import.vocabulary import ImportType


class Access(StrEnum):
    """What somebody did; the event in the audit log."""

    LOOK = "customer_import_look"
    """A customer's details were shown: names, e-mail address, phone number, postal address."""
    EXPORT = "customer_import_export"
    """Customers were handed to a spreadsheet or a program."""
    DECIDE = "customer_import_decide"
    """Something was decided about customers."""
    REVOKE = "customer_import_revoke"
    """A decision about customers was revoked."""


def _told(user: GetUserDep) -> Callable[..., None]:
    def tell(
        access: Access, import_type: ImportType, run_id: str | None = None, **details: str
    ) -> None:
        """Write an entry; without one nothing is shown or changed."""
        record_access(user, access.value, import_type.dag_id, run_id, details)

    return tell


AuditDep = Annotated[Callable[..., None], Depends(_told)]
