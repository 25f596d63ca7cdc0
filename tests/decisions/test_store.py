"""Decisions are added, replaced and revoked, all or nothing; what was is kept."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from customer_import.database.engine import reading
from customer_import.database.tables import tenant_links
from customer_import.decisions.rules import Proposal
from customer_import.decisions.store import (
    Author,
    Changes,
    OvertakenError,
    RefusedDecisionError,
    decide,
    newest_number,
    read_history,
    read_standing,
    revoke,
)
from customer_import.vocabulary import DecisionKind

if TYPE_CHECKING:
    from sqlalchemy import Engine

EXCLUDE, LINK, CREATE, RESELLER, EMPTY = DecisionKind
ADA, BOB = Author("ada"), Author("bob")
T1, T2 = str(uuid.UUID(int=1)), str(uuid.UUID(int=2))


def proposal(kind: DecisionKind, subject: str = T1, **more: Any) -> Proposal:
    return Proposal(instance="default", subject=subject, kind=kind, **more)


def standing(engine: Engine) -> list[tuple[str, str, str | None]]:
    with reading(engine) as connection:
        found = read_standing(connection, "default")
    return [(each.subject, each.kind.value, each.value) for each in found]


def version(engine: Engine) -> int:
    with reading(engine) as connection:
        return newest_number(connection, "default")


def test_a_newer_decision_of_a_kind_replaces_and_the_history_is_kept(engine: Engine):
    decide(engine, [proposal(LINK, value="7")], ADA)
    assert decide(engine, [proposal(LINK, value="8", reason="moved")], BOB) == Changes(made=1)
    assert revoke(engine, "default", [T1], LINK, ADA, reason="wrong") == Changes(revoked=1)
    assert standing(engine) == []
    with reading(engine) as connection:
        rows = read_history(connection, "default", T1)
    assert [(row.by, row.value, row.is_revoked, row.reason) for row in rows] == [
        ("ada", "8", True, "wrong"),
        ("bob", "8", False, "moved"),
        ("ada", "7", False, None),
    ]
    assert all(abs(datetime.now(UTC) - row.at) < timedelta(minutes=1) for row in rows)


def test_what_stands_already_is_not_decided_again(engine: Engine):
    wanted = [proposal(EXCLUDE, reason="test"), proposal(EMPTY, "direct")]
    assert decide(engine, wanted, ADA) == Changes(made=2)
    assert decide(engine, wanted, BOB) == Changes(same=2)


def test_one_contradiction_and_nothing_is_decided(engine: Engine):
    decide(engine, [proposal(EXCLUDE, reason="test")], ADA)
    with pytest.raises(RefusedDecisionError) as caught:
        decide(engine, [proposal(CREATE, T2), proposal(LINK, value="7")], BOB)
    (refusal,) = caught.value.refusals
    assert refusal.place == 1
    assert "is excluded, as ada decided" in refusal.message
    assert standing(engine) == [(T1, "exclude", None)]


def test_decisions_made_at_once_are_held_against_each_other(engine: Engine):
    with pytest.raises(RefusedDecisionError, match="as another of these decisions says"):
        decide(engine, [proposal(LINK, value="7"), proposal(LINK, T2, value="7")], ADA)
    with pytest.raises(RefusedDecisionError, match="as another of these decisions says"):
        decide(engine, [proposal(LINK, value="7"), proposal(LINK, value="8")], ADA)
    assert standing(engine) == []


def test_an_account_that_another_tenant_is_linked_to_is_refused(engine: Engine):
    now = datetime.now(UTC)
    link = {"instance": "default", "tenant_id": T2, "import_type": "direct", "account_id": 7}
    with engine.begin() as connection:
        connection.execute(insert(tenant_links).values(**link, created_at=now, updated_at=now))
    with pytest.raises(RefusedDecisionError, match=f"account 7 is linked to tenant {T2} already"):
        decide(engine, [proposal(LINK, value="7")], ADA)
    assert decide(engine, [proposal(LINK, T2, value="7")], ADA).made == 1


def test_what_is_past_is_not_stored_and_what_ends_no_longer_stands(engine: Engine):
    day = datetime.now(UTC).date()
    past = proposal(EXCLUDE, reason="test", until=day - timedelta(days=1))
    assert decide(engine, [past], ADA) == Changes(over=1)
    assert decide(engine, [proposal(EXCLUDE, reason="test", until=day)], ADA) == Changes(made=1)
    assert standing(engine) == [(T1, "exclude", None)]


def test_a_whole_file_revokes_what_it_says_is_over(engine: Engine):
    decide(engine, [proposal(EXCLUDE, reason="test")], ADA)
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    past = proposal(EXCLUDE, reason="test", until=yesterday)
    changes = decide(engine, [past], BOB, revokes_others_of=["default"])
    assert changes == Changes(over=1, revoked=1)
    assert standing(engine) == []


def test_a_revoked_decision_does_not_bring_back_the_one_before(engine: Engine):
    decide(engine, [proposal(EXCLUDE, reason="one")], ADA)
    decide(engine, [proposal(EXCLUDE, reason="two")], ADA)
    revoke(engine, "default", [T1], EXCLUDE, ADA)
    assert revoke(engine, "default", [T1], EXCLUDE, ADA) == Changes()
    assert standing(engine) == []


def test_the_second_of_two_is_told_what_stands(engine: Engine):
    seen = version(engine)
    decide(engine, [proposal(EXCLUDE, reason="test")], ADA, seen=seen)
    with pytest.raises(OvertakenError, match="meanwhile ada decided: it is excluded"):
        decide(engine, [proposal(EXCLUDE, reason="other")], BOB, seen=seen)
    with pytest.raises(OvertakenError):
        revoke(engine, "default", [T1], EXCLUDE, BOB, seen=seen)
    assert decide(engine, [proposal(EXCLUDE, T2, reason="test")], BOB, seen=seen).made == 1
    revoke(engine, "default", [T1], EXCLUDE, BOB, seen=version(engine))
    assert standing(engine) == [(T2, "exclude", None)]


def test_of_two_at_once_one_is_refused(engine: Engine):
    meet, answers = threading.Barrier(2), []

    def link(tenant: str) -> None:
        meet.wait()
        try:
            decide(engine, [proposal(LINK, tenant, value="7")], ADA, seen=0)
            answers.append("made")
        except RefusedDecisionError:
            answers.append("refused")

    threads = [threading.Thread(target=link, args=(tenant,)) for tenant in (T1, T2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["made", "refused"]


def test_what_cannot_be_told_to_the_audit_log_is_not_decided(engine: Engine):
    def fail() -> None:
        raise OSError(28, "full")

    with pytest.raises(OSError, match="full"):
        decide(engine, [proposal(CREATE)], ADA, before_commit=fail)
    assert standing(engine) == []


def test_a_file_that_is_all_there_is_revokes_the_rest(engine: Engine):
    decide(engine, [proposal(EXCLUDE, reason="test"), proposal(CREATE, T2)], ADA)
    changes = decide(engine, [proposal(LINK, value="7")], BOB, revokes_others_of=["default"])
    assert changes == Changes(made=1, revoked=2)
    assert standing(engine) == [(T1, "link", "7")]
