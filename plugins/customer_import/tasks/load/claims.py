"""Who may write a tenant: claims on links, decided without a database.

A claim is a holder's name on the link row and a lease that the holder renews while it works; a
holder that lost its claim can record nothing more. Moments are the database's where it has a clock,
else the host's.

Why: docs/decisions/0003-claims.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

LEASE = timedelta(seconds=120)
MOST_LEASE = 5 * LEASE
"""A lease that ends later was given by a clock that went wrong; hosts may differ by the rest."""
RENEW_EVERY_S = 30.0


class Step(StrEnum):
    """How far one write has come."""

    NONE = "none"
    INTENT = "intent"
    DONE = "done"


@dataclass(frozen=True)
class Holder:
    """A fencing token: one attempt of the task that loads one batch of one run.

    ``nonce`` tells it from that of a run which was deleted and made again under the same name, and ``began``, when the
    run began (milliseconds since 1970), which of the two is the later one: attempts are then counted anew.
    """

    run_key: int
    batch: int
    attempt: int
    nonce: str = ""
    began: int = 0

    def __str__(self) -> str:
        """Return it as it stands in the database."""
        token = f"{self.run_key}/{self.batch}/{self.attempt}/{self.nonce}".rstrip("/")
        return f"{token}/{self.began}" if self.began else token

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read it back; one of an earlier version does not say when its run began."""
        run_key, batch, attempt, *more = text.split("/")
        nonce, began = more[0] if more else "", int(more[1]) if len(more) > 1 else 0
        return cls(int(run_key), int(batch), int(attempt), nonce, began)

    def is_same_task(self, other: Holder) -> bool:
        """Whether both are attempts of the same task."""
        return (self.run_key, self.batch) == (other.run_key, other.batch)

    def is_after(self, other: Holder) -> bool:
        """Whether this is a later attempt of the same task, perhaps of the run as it was begun again."""
        is_later = (self.began, self.attempt) > (other.began, other.attempt)
        return self.is_same_task(other) and is_later


@dataclass(frozen=True)
class Link:
    """A row of ``tenant_links``; the fields are its columns. Moments are UTC."""

    id: int
    organisation: str
    instance: str
    tenant_id: str
    import_type: str
    reseller_mpn_id: str | None
    account_id: int | None
    contact_id: int | None
    account_step: Step
    contact_step: Step
    sync_options_step: Step
    intent_at: datetime | None
    content_hash: str | None
    left_out: list[str] | None
    owed: list[str] | None
    is_adopted: bool
    created_by_run: int | None
    read_at: datetime | None
    written_by_run: int | None
    holder: str | None
    lease_until: datetime | None
    attempts: int

    @property
    def is_complete(self) -> bool:
        """Whether all three steps were done once."""
        return self.content_hash is not None

    @property
    def is_begun(self) -> bool:
        """Whether the import has made its account and not yet finished it: it is still being created."""
        return self.account_id is not None and not self.is_complete and not self.is_adopted


_OPEN = "+open"


def opened(content_hash: str | None) -> str | None:
    """Return what a link says of its content while it is being changed: that of no customer; complete if it was."""
    if content_hash is None or content_hash.endswith(_OPEN):
        return content_hash
    return f"{content_hash}{_OPEN}"


class ClaimState(StrEnum):
    """The answer to a claim."""

    GRANTED = "granted"
    BUSY = "busy"
    OTHER_IMPORT = "other_import"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class ClaimRequest:
    """A wish to write a tenant.

    Attributes:
        tenant_id: The tenant.
        import_type: The run's.
        is_in_both_lists: Whether the tenant belongs to the direct and the indirect import alike.
        creates: Whether the account's POST is the first thing to leave; its intent is then
            recorded together with the claim.
        read_at: When Partner Center gave what is to be written.
    """

    tenant_id: str
    import_type: str
    is_in_both_lists: bool
    creates: bool
    read_at: datetime | None = None


@dataclass(frozen=True)
class Claim:
    """The answer: its state, and the link as it is now.

    Attributes:
        state: Whether the tenant may be written.
        link: The link after the claim.
        has_intent: Whether this claim recorded the account's intent.
    """

    state: ClaimState
    link: Link
    has_intent: bool = False


def claim_state(link: Link, request: ClaimRequest, me: Holder, now: datetime) -> ClaimState:
    """Decide whether a holder may write a tenant.

    A later attempt of the same task takes over at once. An earlier attempt that meets a later one
    must end.
    """
    if link.holder is not None:
        other = Holder.parse(link.holder)
        if other.is_after(me):
            return ClaimState.SUPERSEDED
        is_running = link.lease_until is not None and now < link.lease_until <= now + MOST_LEASE
        if is_running and not other.is_same_task(me):
            return ClaimState.BUSY
    is_other_import = link.account_id is not None and link.import_type != request.import_type
    if is_other_import and request.is_in_both_lists:
        return ClaimState.OTHER_IMPORT
    return ClaimState.GRANTED


def decide(link: Link, request: ClaimRequest, me: Holder, now: datetime, *, instance: str) -> Claim:
    """Answer a claim: with the link as its holder has it, when it is granted.

    Args:
        link: As it is.
        request: Who is asked for.
        me: Who asks.
        now: UTC.
        instance: The holder's.
    """
    state = claim_state(link, request, me, now)
    if state is not ClaimState.GRANTED:
        return Claim(state, link)
    has_intent = request.creates and link.account_id is None and link.account_step is Step.NONE
    held = replace(
        link,
        holder=str(me),
        lease_until=now + LEASE,
        instance=instance,
        # Whose it was is forgotten only when what the move changes is written.
        import_type=request.import_type if link.account_id is None else link.import_type,
        attempts=link.attempts + 1,
    )
    if has_intent:
        held = replace(
            held,
            account_step=Step.INTENT,
            intent_at=now,
            created_by_run=me.run_key,
            read_at=request.read_at,
            written_by_run=me.run_key,
        )
    return Claim(state, held, has_intent)
