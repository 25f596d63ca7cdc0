"""What is asked of the ledger, what is answered, and what is written for it: pure.

A claim asks for a tenant. A save records a step of its holder's work, intent or outcome; a fence asks whether the
tenant is still held; a note records what needs no claim.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from customer_import.errors import CustomerImportError
from customer_import.tasks.load.claims import LEASE, Claim, ClaimRequest, ClaimState, Link

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from customer_import.runs.results import Result
    from customer_import.tasks.load.claims import Holder

Before = tuple[bytes | None, bytes | None]
"""BSS values of account and contact as JSON; ``None`` where nothing is to be kept."""


class LinkedElsewhereError(CustomerImportError):
    """The account of a link belongs to another tenant already; nothing was recorded.

    Attributes:
        account_id: The account.
        tenant_id: Whose it is.
    """

    def __init__(self, account_id: int, tenant_id: str) -> None:
        self.account_id = account_id
        self.tenant_id = tenant_id
        super().__init__(f"BSS account {account_id} is linked to tenant {tenant_id}")


@dataclass(frozen=True)
class Save:
    """The new state of a held link, and the tenant's result when that is the end of its work."""

    link: Link
    result: Result | None = None
    before: Before = (None, None)


@dataclass(frozen=True)
class Fence:
    """The question whether a tenant is still held."""

    tenant_id: str


@dataclass(frozen=True)
class Note:
    """Results of tenants that need no link, or BSS values as they were before an update.

    Of those that are ``confirmed``, the reading is as good as the one that was written.
    """

    results: tuple[Result, ...] = ()
    confirmed: tuple[str, ...] = ()
    tenant_id: str = ""
    before: Before = (None, None)


Entry = ClaimRequest | Save | Fence | Note
Answer = Claim | LinkedElsewhereError | bool


def answer_to(
    entry: Save | Fence | Note, held: Mapping[str, Link], owners: dict[int, str], me: Holder
) -> LinkedElsewhereError | bool:
    """Return whether an entry is carried out, or why not.

    Args:
        entry: What a holder asks.
        held: Links as they are, by tenant.
        owners: Account to the tenant that it is linked to, of accounts that links are about to get; those that get one
            are added.
        me: The holder.
    """
    match entry:
        case Save():
            link = entry.link
            if not _is_held(link.tenant_id, held, me):
                return False
            if link.account_id is not None and is_new_account(link, held):
                owner = owners.setdefault(link.account_id, link.tenant_id)
                if owner != link.tenant_id:
                    return LinkedElsewhereError(link.account_id, owner)
            return True
        case Fence():
            return _is_held(entry.tenant_id, held, me)
        case _:
            return True


def _is_held(tenant_id: str, held: Mapping[str, Link], me: Holder) -> bool:
    link = held.get(tenant_id)
    return link is not None and link.holder == str(me)


def tenants_of(entry: Entry) -> tuple[str, ...]:
    """Return the tenants whose links an entry beside a claim needs."""
    match entry:
        case Save():
            return (entry.link.tenant_id,)
        case Fence():
            return (entry.tenant_id,)
        case Note():
            return entry.confirmed
        case _:
            return ()


def _renewed(link: Link, now: datetime) -> Link:
    """Return a link whose lease, if it is held, counts from now: a save never shortens what a renewal gave."""
    return link if link.holder is None else replace(link, lease_until=now + LEASE)


def is_new_account(link: Link, held: Mapping[str, Link]) -> bool:
    """Whether a link is about to get another account."""
    there = held.get(link.tenant_id)
    return link.account_id is not None and there is not None and there.account_id != link.account_id


def links_to_write(
    entries: Sequence[Entry], answers: Sequence[Answer], now: datetime
) -> Iterable[Link]:
    """Yield the links that entries change; the lease of one that stays held counts from now."""
    for entry, answer in zip(entries, answers, strict=True):
        if isinstance(answer, Claim) and answer.state is ClaimState.GRANTED:
            yield _renewed(answer.link, now)
        elif isinstance(entry, Save) and answer is True:
            yield _renewed(entry.link, now)


def results_to_write(entries: Sequence[Entry], answers: Sequence[Answer]) -> Iterable[Result]:
    """Yield the results that entries record."""
    for entry, answer in zip(entries, answers, strict=True):
        if isinstance(entry, Note):
            yield from entry.results
        elif isinstance(entry, Save) and answer is True and entry.result is not None:
            yield entry.result
