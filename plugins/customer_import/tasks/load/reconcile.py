"""Decides for a tenant without link which BSS account it is: pure, from the run's account index.

Only the tenant marker decides. A name never adopts anybody, but an account of the same name
whose marker is missing or cannot be read leaves the tenant to a person.

Why: docs/decisions/0004-tenant-marker.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer_import.runs.verdict import Verdict
from customer_import.tasks.load.marker import is_tenant_id, marker_key
from customer_import.text import trim
from customer_import.vocabulary import Outcome, ReasonCode

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME_KEY_LENGTH = 400
_SHOWN_CANDIDATES = 10


@dataclass(frozen=True)
class IndexedAccount:
    """An account as the run's index has it."""

    account_id: int
    name_key: str
    tenant_marker: str | None


@dataclass(frozen=True)
class Match:
    """What the index says of a tenant.

    Attributes:
        account_id: The account that carries the tenant's marker, to be adopted.
        verdict: Set when a person has to decide.
    """

    account_id: int | None = None
    verdict: Verdict | None = None

    @property
    def is_free(self) -> bool:
        """Whether nothing speaks against creating an account."""
        return self.account_id is None and self.verdict is None


def name_key(name: str) -> str:
    """Return the key under which equal names are found: trimmed, case ignored."""
    return trim(name).casefold()[:NAME_KEY_LENGTH]


def reconcile(
    tenant_id: str, same_marker: Sequence[IndexedAccount], same_name: Sequence[IndexedAccount]
) -> Match:
    """Decide whether a tenant is adopted, created, or left to a person.

    Args:
        tenant_id: The tenant.
        same_marker: Accounts that carry its id.
        same_name: Accounts of the same name, whatever they carry.
    """
    if len(same_marker) == 1:
        return Match(account_id=same_marker[0].account_id)
    if same_marker:
        reason = (
            f"{len(same_marker)} BSS accounts carry the tenant id {tenant_id}: "
            f"{_ids(same_marker)}. Keep it on the right one, then import again."
        )
        return Match(verdict=Verdict(Outcome.AMBIGUOUS, ReasonCode.SEVERAL_ACCOUNTS, reason))
    nobodys = [account for account in same_name if not _is_somebodys(account)]
    if nobodys:
        is_filled = any(account.tenant_marker is not None for account in nobodys)
        without = "a tenant id that can be read" if is_filled else "a tenant id"
        reason = (
            f"BSS accounts of the same name exist without {without}: {_ids(nobodys)}. If one "
            f"of them is this customer, enter {tenant_id} in its tenant id field; if none is, "
            "rename it or enter its own tenant id. Then import again."
        )
        return Match(verdict=Verdict(Outcome.AMBIGUOUS, ReasonCode.SAME_NAME, reason))
    return Match()


def account_gone(account_id: int) -> Verdict:
    """Return the verdict on a customer whose linked account the BSS no longer has.

    It is not created again. Why: docs/decisions/0004-tenant-marker.md.
    """
    reason = (
        f"BSS account {account_id}, which this customer is linked to, no longer exists. Restore "
        "it in the BSS; or, to have the customer created anew, delete its row in tenant_links; "
        "or exclude the customer from the import."
    )
    return Verdict(Outcome.FAILED, ReasonCode.BSS_ERROR, reason)


def doubt_link(tenant_id: str, account_id: int, marker: str | None) -> Verdict | None:
    """Return the verdict on a customer whose linked account says that it is somebody else's.

    Args:
        tenant_id: The customer.
        account_id: The account that it is linked to.
        marker: What the account carries (``marker_key``).

    Returns:
        ``None`` when the account carries the customer's tenant id, or none.
    """
    if marker is None or marker == marker_key(tenant_id):
        return None
    carries = (
        f"carries the tenant id of another customer, {marker}"
        if is_tenant_id(marker)
        else "has something in its tenant id field that is no tenant id"
    )
    reason = (
        f"BSS account {account_id}, which this customer is linked to, {carries}. Nothing was "
        f"written. If the account is this customer's, enter {tenant_id} there; if it is not, "
        "delete this customer's row in tenant_links. Then import again."
    )
    return Verdict(Outcome.AMBIGUOUS, ReasonCode.OTHER_MARKER, reason)


def marker_moved(account_id: int, others: Sequence[int]) -> Verdict:
    """Return the verdict on a customer whose tenant id stands on another account than the linked one."""
    reason = (
        f"BSS account {account_id}, which this customer is linked to, has lost its tenant id, and "
        f"{', '.join(map(str, others))} carries it. Nothing was written. Enter it in the right "
        "one; if that is not the linked one, delete this customer's row in tenant_links. Then "
        "import again."
    )
    return Verdict(Outcome.AMBIGUOUS, ReasonCode.OTHER_MARKER, reason)


def linked_elsewhere(account_id: int, tenant_id: str) -> Verdict:
    """Return the verdict on a customer whose account is linked to another tenant."""
    reason = (
        f"BSS account {account_id} is linked to tenant {tenant_id} already. Find out whose it is: "
        "correct the tenant id fields of both accounts, or delete the wrong row in tenant_links. "
        "Then import again."
    )
    return Verdict(Outcome.AMBIGUOUS, ReasonCode.OTHER_LINK, reason)


def _is_somebodys(account: IndexedAccount) -> bool:
    """Whether an account says which tenant it is."""
    return account.tenant_marker is not None and is_tenant_id(account.tenant_marker)


def _ids(accounts: Sequence[IndexedAccount]) -> str:
    ids = sorted(account.account_id for account in accounts)
    shown = ", ".join(map(str, ids[:_SHOWN_CANDIDATES]))
    more = len(ids) - _SHOWN_CANDIDATES
    return f"{shown} and {more} more" if more > 0 else shown
