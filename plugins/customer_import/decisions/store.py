"""The table of decisions: what stands, what was, and how it changes; all of a change or nothing.

Changes wait for each other, so that none is checked against what another is about to change.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import and_, func, insert, or_, select

from customer_import.database.engine import lock_table, reading
from customer_import.database.tables import tenant_decisions, tenant_links
from customer_import.decisions.rules import Contradiction, Decision, Proposal, Standing, today
from customer_import.errors import CustomerImportError
from customer_import.runs.organisations import links_of
from customer_import.runs.run import as_utc
from customer_import.vocabulary import DecisionKind

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from sqlalchemy import Connection, Engine, Row

MOST_HISTORY = 200
_ASKED_AT_ONCE = 500
_MOST_NAME = 250
_decisions = tenant_decisions.c


class Refusal(NamedTuple):
    """A proposal that cannot be taken.

    Attributes:
        place: Which of those proposed, counted from 0.
        message: Why not.
        hint: What to do about it.
    """

    place: int
    message: str
    hint: str


class RefusedDecisionError(CustomerImportError):
    """Some proposals contradict others, or what is known of the BSS; nothing was decided."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = tuple(refusals)
        first = self.refusals[0]
        more = f" (and {len(refusals) - 1} more)" if len(refusals) > 1 else ""
        super().__init__(f"{first.message}{more}. Hint: {first.hint}")


class OvertakenError(CustomerImportError):
    """Somebody else decided about the same tenant since the page was read; nothing was decided."""

    def __init__(self, newer: Sequence[Decision]) -> None:
        self.newer = tuple(newer)
        first = self.newer[0]
        said = "revoked: it " if first.is_revoked else "decided: it "
        more = f" (and {len(newer) - 1} more decisions)" if len(newer) > 1 else ""
        super().__init__(
            f"Nothing was changed: meanwhile {first.by} {said}{first.says()}{more}. Look at what stands now, then "
            "decide again"
        )


@dataclass(frozen=True)
class Changes:
    """What a change came to.

    Attributes:
        made: Decisions that are new, or that replaced one.
        same: Those that stood already.
        over: Those whose last day is past; they are not stored.
        revoked: Decisions that stand no longer.
    """

    made: int = 0
    same: int = 0
    over: int = 0
    revoked: int = 0


@dataclass(frozen=True)
class Author:
    """Who decides, and when it was decided; ``at`` is now unless a file says since when."""

    name: str
    at: datetime | None = None


def read_standing(
    connection: Connection, instance: str, subjects: Collection[str] | None = None
) -> list[Decision]:
    """Return the decisions of an instance that stand today, by number.

    Args:
        connection: To read with.
        instance: Key of ``instances.yaml``.
        subjects: Only of these, some hundreds; all when left out.
    """
    newest = (
        select(func.max(_decisions.id))
        .where(_decisions.instance == instance)
        .group_by(_decisions.subject, _decisions.kind)
    )
    if subjects is not None:
        newest = newest.where(_decisions.subject.in_(subjects))
    statement = (
        select(tenant_decisions)
        .where(
            _decisions.id.in_(newest),
            _decisions.is_revoked.is_(False),
            or_(_decisions.until.is_(None), _decisions.until >= today()),
        )
        .order_by(_decisions.id)
    )
    return [_decision(row) for row in connection.execute(statement)]


def standing_by_subject(engine: Engine, instance: str) -> dict[str, list[Decision]]:
    """Return the decisions of an instance that stand today, by subject."""
    found: dict[str, list[Decision]] = {}
    with reading(engine) as connection:
        for decision in read_standing(connection, instance):
            found.setdefault(decision.subject, []).append(decision)
    return found


def read_history(connection: Connection, instance: str, subject: str) -> list[Decision]:
    """Return everything that was decided about a subject, newest first, at most two hundred rows."""
    statement = (
        select(tenant_decisions)
        .where(_decisions.instance == instance, _decisions.subject == subject)
        .order_by(_decisions.id.desc())
        .limit(MOST_HISTORY)
    )
    return [_decision(row) for row in connection.execute(statement)]


def newest_number(connection: Connection, instance: str) -> int:
    """Return the number of the newest decision of an instance, 0 without any: the version of what is shown."""
    statement = select(func.max(_decisions.id)).where(_decisions.instance == instance)
    return connection.execute(statement).scalar_one() or 0


def decide(
    engine: Engine,
    proposals: Sequence[Proposal],
    author: Author,
    *,
    authors: Sequence[Author] | None = None,
    seen: int | None = None,
    revokes_others_of: Collection[str] = (),
    before_commit: Callable[[], None] = lambda: None,
) -> Changes:
    """Decide, all of it or nothing; what stands already stays as it is.

    Args:
        engine: The import's database.
        proposals: What is to be decided, of any instances.
        author: Who decides.
        authors: Who decided each of them, when that was somebody else.
        seen: The version that the person saw (``newest_number``).
        revokes_others_of: Instances of which whatever else stands is revoked.
        before_commit: Called when all is written and nothing is visible yet.

    Raises:
        OvertakenError: Somebody decided about one of the subjects after that version.
        RefusedDecisionError: A proposal contradicts another, what stands, or the links.
    """
    with _changing(engine) as connection:
        _check_seen(connection, proposals, seen)
        rows, changes = [], Changes()
        refusals: list[Refusal] = []
        for instance in dict.fromkeys([*(p.instance for p in proposals), *revokes_others_of]):
            chosen = [n for n, each in enumerate(proposals) if each.instance == instance]
            taken, refused, counted = _take(
                connection,
                instance,
                proposals,
                chosen,
                revokes_others=instance in revokes_others_of,
            )
            for place in taken:
                by = authors[place] if authors else author
                rows.append(_row(proposals[place], by, is_revoked=False))
            rows[:0] = [_row(each, author, is_revoked=True) for each in counted.others]
            refusals += refused
            changes = Changes(
                made=changes.made + len(taken),
                same=changes.same + counted.same,
                over=changes.over + counted.over,
                revoked=changes.revoked + len(counted.others),
            )
        if refusals:
            raise RefusedDecisionError(sorted(refusals))
        if rows:
            connection.execute(insert(tenant_decisions), rows)
        before_commit()
    return changes


def revoke(
    engine: Engine,
    instance: str,
    subjects: Collection[str],
    kind: DecisionKind,
    author: Author,
    *,
    reason: str | None = None,
    seen: int | None = None,
    before_commit: Callable[[], None] = lambda: None,
) -> Changes:
    """Revoke the decisions of a kind that stand about some subjects; the others of them stay as they are.

    Args:
        engine: The import's database.
        instance: Key of ``instances.yaml``.
        subjects: Tenant ids, or import types.
        kind: What is revoked.
        author: Who revokes.
        reason: In the person's words.
        seen: As with ``decide``.
        before_commit: As with ``decide``.

    Raises:
        OvertakenError: Somebody decided about one of the subjects after that version.
    """
    wanted = set(subjects)
    with _changing(engine) as connection:
        asked = [Proposal(instance=instance, subject=each, kind=kind) for each in wanted]
        _check_seen(connection, asked, seen)
        rows = [
            {**_row(each, author, is_revoked=True), "reason": reason, "until": None}
            for each in read_standing(connection, instance)
            if each.kind is kind and each.subject in wanted
        ]
        if rows:
            connection.execute(insert(tenant_decisions), rows)
        before_commit()
    return Changes(revoked=len(rows))


class _Counted(NamedTuple):
    same: int
    over: int
    others: list[Proposal]


def _take(
    connection: Connection,
    instance: str,
    proposals: Sequence[Proposal],
    places: Sequence[int],
    *,
    revokes_others: bool,
) -> tuple[list[int], list[Refusal], _Counted]:
    """Tell which proposals of an instance are new, which are refused, and count the rest."""
    stood = read_standing(connection, instance)
    standing = Standing(stood)
    others: list[Proposal] = []
    day = today()
    if revokes_others:
        named = {
            (proposals[place].subject, proposals[place].kind)
            for place in places
            if not proposals[place].is_over(day)
        }
        others = [each for each in stood if (each.subject, each.kind) not in named]
        for each in others:
            standing.drop(each)
    owners = _owners(connection, instance, [proposals[place] for place in places])
    taken: list[int] = []
    refusals: list[Refusal] = []
    named_here: dict[tuple[str, DecisionKind], Proposal] = {}
    same = over = 0
    for place in places:
        proposal = proposals[place]
        key = (proposal.subject, proposal.kind)
        twin, present = named_here.get(key), standing.find(*key)
        if proposal.is_over(day):
            over += 1
        elif twin is not None and twin.content != proposal.content:
            message = f"{proposal.subject} {twin.says()}, as another of these decisions says"
            refusals.append(Refusal(place, message, "keep one of the two"))
        elif twin is not None or (present and present.content == proposal.content):
            same += 1
        elif wrong := standing.contradiction(proposal) or _not_free(proposal, owners):
            refusals.append(Refusal(place, *wrong))
        else:
            taken.append(place)
            standing.put(proposal)
        named_here.setdefault(key, proposal)
    return taken, refusals, _Counted(same, over, others)


def _owners(connection: Connection, instance: str, proposals: Sequence[Proposal]) -> dict[str, str]:
    """Return whose the accounts are, by the links, that proposals name."""
    wanted = [
        int(each.value) for each in proposals if each.kind is DecisionKind.LINK and each.value
    ]
    links = tenant_links.c
    found = {}
    for first in range(0, len(wanted), _ASKED_AT_ONCE):
        some = wanted[first : first + _ASKED_AT_ONCE]
        statement = select(links.account_id, links.tenant_id).where(
            and_(links_of(instance), links.account_id.in_(some))
        )
        found.update({str(row.account_id): row.tenant_id for row in connection.execute(statement)})
    return found


def _not_free(proposal: Proposal, owners: dict[str, str]) -> Contradiction | None:
    if proposal.kind is not DecisionKind.LINK:
        return None
    owner = owners.get(proposal.value or "", proposal.subject)
    if owner == proposal.subject:
        return None
    message = f"BSS account {proposal.value} is linked to tenant {owner} already"
    return Contradiction(message, "look whether the number is right")


def _check_seen(connection: Connection, proposals: Sequence[Proposal], seen: int | None) -> None:
    if seen is None:
        return
    about = {(each.instance, each.subject) for each in proposals}
    statement = select(tenant_decisions).where(_decisions.id > seen).order_by(_decisions.id.desc())
    newer = [_decision(row) for row in connection.execute(statement)]
    newer = [each for each in newer if (each.instance, each.subject) in about]
    if newer:
        raise OvertakenError(newer)


@contextmanager
def _changing(engine: Engine) -> Iterator[Connection]:
    """Open a write transaction in which nobody else decides."""
    with engine.begin() as connection:
        lock_table(connection, tenant_decisions)
        yield connection


def _row(proposal: Proposal, author: Author, *, is_revoked: bool) -> dict[str, object]:
    return {
        "instance": proposal.instance,
        "subject": proposal.subject,
        "kind": proposal.kind.value,
        "value": proposal.value,
        "reseller_name": proposal.reseller_name,
        "reason": proposal.reason,
        "is_revoked": is_revoked,
        "decided_by": author.name[:_MOST_NAME],
        "decided_at": author.at or datetime.now(UTC),
        "until": proposal.until,
    }


def _decision(row: Row[Any]) -> Decision:
    return Decision(
        id=row.id,
        instance=row.instance,
        subject=row.subject,
        kind=DecisionKind(row.kind),
        value=row.value,
        reseller_name=row.reseller_name,
        reason=row.reason,
        until=row.until,
        by=row.decided_by,
        at=as_utc(row.decided_at).astimezone(UTC),
        is_revoked=bool(row.is_revoked),
    )
