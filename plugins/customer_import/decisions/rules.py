"""Which decisions stand, which exclude each other, and how they are told. Pure.

Why: docs/decisions/0013-decisions.md.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NamedTuple

import orjson

from customer_import.text import short_name
from customer_import.vocabulary import DecisionKind

if TYPE_CHECKING:
    from collections.abc import Iterable

ANSWERS = frozenset({DecisionKind.EXCLUDE, DecisionKind.LINK, DecisionKind.CREATE})
"""What becomes of a tenant has one answer; whose customer it is, is another question."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What somebody wants to be decided.

    Attributes:
        instance: Key of ``instances.yaml``.
        subject: Tenant id; of ``empty`` the import type.
        kind: What is settled.
        value: Of ``link`` the BSS account, of ``reseller`` the MPN ID.
        reseller_name: Name of the reseller, where Partner Center does not list it.
        reason: In the person's words.
        until: The last day on which it stands, UTC; ``None`` for good.
    """

    instance: str
    subject: str
    kind: DecisionKind
    value: str | None = None
    reseller_name: str | None = None
    reason: str | None = None
    until: date | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """What two decisions of a kind about a subject may differ in."""
        return (self.value, self.reseller_name, self.reason, self.until)

    def is_over(self, day: date) -> bool:
        """Whether its last day is past."""
        return self.until is not None and self.until < day

    def says(self) -> str:
        """Return what it settles, in words that follow on a subject."""
        match self.kind:
            case DecisionKind.EXCLUDE:
                return "is excluded"
            case DecisionKind.LINK:
                return f"is BSS account {self.value}"
            case DecisionKind.CREATE:
                return "is none of the BSS accounts of its name"
            case DecisionKind.RESELLER:
                name = f" ({self.reseller_name})" if self.reseller_name else ""
                return f"belongs to reseller {self.value}{name}"
            case DecisionKind.EMPTY:
                return "has no customers"


@dataclass(frozen=True, kw_only=True)
class Decision(Proposal):
    """A row of ``tenant_decisions``.

    Attributes:
        id: Its number; later ones have higher numbers.
        by: Who decided.
        at: When, UTC.
        is_revoked: Whether it is the end of the one before it.
    """

    id: int
    by: str
    at: datetime
    is_revoked: bool = False

    def stands(self, day: date) -> bool:
        """Whether it holds on a day, as long as it is the newest of its subject and kind."""
        return not self.is_revoked and not self.is_over(day)

    def credit(self) -> str:
        """Return whose decision it is, until when, and why."""
        until = f", until {self.until}" if self.until else ""
        reason = f": {self.reason.rstrip('.')}" if self.reason else ""
        return f"{short_name(self.by)} decided so on {self.at:%Y-%m-%d}{until}{reason}."

    def told(self) -> str:
        """Return what it settles and whose decision it is, as a sentence."""
        return f"This customer {self.says()}; {self.credit()}"


class Contradiction(NamedTuple):
    """What speaks against a proposal, and what to do about it."""

    message: str
    hint: str


class Standing:
    """The decisions of one instance that stand, to be held against what somebody proposes.

    Args:
        decisions: At most one of each subject and kind.
    """

    def __init__(self, decisions: Iterable[Decision] = ()) -> None:
        self._of: dict[str, dict[DecisionKind, Proposal]] = defaultdict(dict)
        self._accounts: dict[str, str] = {}
        self._names: dict[str, dict[str, str]] = defaultdict(dict)
        for decision in decisions:
            self.put(decision)

    def find(self, subject: str, kind: DecisionKind) -> Proposal | None:
        """Return what stands of a subject and kind."""
        return self._of.get(subject, {}).get(kind)

    def all(self) -> list[Proposal]:
        """Return everything that stands."""
        return [each for kinds in self._of.values() for each in kinds.values()]

    def put(self, proposal: Proposal) -> None:
        """Let a proposal stand, in place of the one of its subject and kind."""
        self.drop(proposal)
        self._of[proposal.subject][proposal.kind] = proposal
        if proposal.kind is DecisionKind.LINK and proposal.value:
            self._accounts[proposal.value] = proposal.subject
        if proposal.kind is DecisionKind.RESELLER and proposal.value and proposal.reseller_name:
            self._names[proposal.value][proposal.subject] = proposal.reseller_name

    def drop(self, proposal: Proposal) -> None:
        """Let what stands of a proposal's subject and kind stand no longer."""
        former = self._of.get(proposal.subject, {}).pop(proposal.kind, None)
        if former is None or former.value is None:
            return
        if former.kind is DecisionKind.LINK:
            self._accounts.pop(former.value, None)
        self._names.get(former.value, {}).pop(former.subject, None)

    def contradiction(self, proposal: Proposal) -> Contradiction | None:
        """Return what stands against a proposal; another content of the same kind does not: it is replaced."""
        if proposal.kind in ANSWERS:
            for kind, other in self._of.get(proposal.subject, {}).items():
                if kind in ANSWERS and kind is not proposal.kind:
                    message = f"tenant {proposal.subject} {other.says()}, {_origin(other)}"
                    return Contradiction(message, "revoke that one first, or leave this one out")
        if proposal.kind is DecisionKind.LINK and proposal.value:
            owner = self._accounts.get(proposal.value, proposal.subject)
            if owner != proposal.subject:
                origin = _origin(self._of[owner][DecisionKind.LINK])
                message = f"BSS account {proposal.value} is tenant {owner}, {origin}"
                return Contradiction(message, "one account is one tenant: revoke the wrong one")
        if proposal.kind is DecisionKind.RESELLER and proposal.value and proposal.reseller_name:
            for subject, name in self._names.get(proposal.value, {}).items():
                if subject != proposal.subject and name != proposal.reseller_name:
                    message = (
                        f"the reseller with the MPN ID {proposal.value} is called {name!r}, "
                        f"{_origin(self._of[subject][DecisionKind.RESELLER])}"
                    )
                    return Contradiction(message, "give it one name")
        return None


def today(now: datetime | None = None) -> date:
    """Return the day by which decisions stand: UTC's."""
    return (now or datetime.now(UTC)).astimezone(UTC).date()


def pack(decisions: Iterable[Decision]) -> str | None:
    """Return the decisions about one tenant as text that is the same for the same decisions; ``None`` for none."""
    rows = [
        {
            "id": each.id,
            "kind": each.kind.value,
            "value": each.value,
            "reseller_name": each.reseller_name,
            "reason": each.reason,
            "until": each.until,
            "by": each.by,
            "at": each.at,
        }
        for each in sorted(decisions, key=lambda each: each.id)
    ]
    return orjson.dumps(rows).decode() if rows else None


def unpack(text: str | None, instance: str, subject: str) -> dict[DecisionKind, Decision]:
    """Return what ``pack`` made text of, by kind."""
    found = {}
    for row in orjson.loads(text) if text else ():
        until = date.fromisoformat(row.pop("until")) if row["until"] else row.pop("until")
        at, kind = datetime.fromisoformat(row.pop("at")), DecisionKind(row.pop("kind"))
        found[kind] = Decision(
            instance=instance, subject=subject, kind=kind, at=at, until=until, **row
        )
    return found


def _origin(proposal: Proposal) -> str:
    if isinstance(proposal, Decision):
        return f"as {short_name(proposal.by)} decided on {proposal.at:%Y-%m-%d}"
    return "as another of these decisions says"
