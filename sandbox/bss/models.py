"""Accounts and contacts as the BSS stores them, close to its create models.

Reads are made from these (`bss.read_model`), patches are applied to them, so what may be written
is defined in one place.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Json = dict[str, Any]  # a JSON object of the BSS API


class Origin(StrEnum):
    """How a record came about."""

    API = "api"
    EXISTING = "existing"


@dataclass(frozen=True, slots=True)
class Account:
    """An account.

    Attributes:
        id: Number of the account.
        values: The create model without its custom fields.
        address_id: GUID of the billing address.
        custom_fields: Values by field id.
        created_at: When it was made, aware.
        updated_at: When it was changed last, aware.
        address_updated_at: When its billing address was changed last, aware.
        origin: Whether a client made it.
        existing_kind: What an account from before any import is there for.
    """

    id: int
    values: Json
    address_id: str
    custom_fields: dict[int, str]
    created_at: datetime
    updated_at: datetime
    address_updated_at: datetime
    origin: Origin = Origin.API
    existing_kind: str = ""

    @property
    def name(self) -> str:
        """The account's name."""
        return str(self.values["name"])


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact of an account.

    Attributes:
        id: Number of the contact.
        values: The create model.
        created_at: When it was made, aware.
        updated_at: When it was changed last, aware.
    """

    id: int
    values: Json
    created_at: datetime
    updated_at: datetime

    @property
    def account_id(self) -> int:
        """The account that the contact belongs to."""
        return int(self.values["accountId"])


@dataclass(frozen=True, slots=True)
class Violation:
    """A request that no correct client would have sent."""

    at: datetime
    endpoint: str
    reason: str


def read_violation(value: Json) -> Violation:
    """Read a violation back from its JSON form."""
    return Violation(datetime.fromisoformat(value["at"]), value["endpoint"], value["reason"])


@dataclass(slots=True)
class Counters:
    """What an organisation counts beside its records."""

    violations: list[Violation] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    synchronizations: int = 0
