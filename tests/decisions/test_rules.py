"""Which decisions stand and which exclude each other, without a database."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from customer_import.config.messages import explain
from customer_import.decisions.entry import Entry
from customer_import.decisions.rules import Decision, Proposal, Standing, pack, unpack
from customer_import.vocabulary import DecisionKind

DAY = date(2026, 11, 27)
EXCLUDE, LINK, CREATE, RESELLER, EMPTY = DecisionKind


def proposal(kind: DecisionKind, subject: str = "t1", **more: Any) -> Proposal:
    return Proposal(instance="default", subject=subject, kind=kind, **more)


def decision(kind: DecisionKind, subject: str = "t1", **more: Any) -> Decision:
    values: dict[str, Any] = {"id": 1, "by": "ada", "at": datetime(2026, 11, 1, tzinfo=UTC)} | more
    return Decision(instance="default", subject=subject, kind=kind, **values)


def contradicted(new: Proposal, *stand: Decision) -> str | None:
    found = Standing(stand).contradiction(new)
    return found.message if found else None


@pytest.mark.parametrize(
    ("until", "is_revoked", "stands"),
    [
        (None, False, True),
        (DAY, False, True),
        (date(2026, 11, 26), False, False),
        (None, True, False),
    ],
)
def test_a_decision_stands_through_its_last_day_unless_revoked(until, is_revoked, stands):
    assert decision(EXCLUDE, until=until, is_revoked=is_revoked).stands(DAY) is stands


@pytest.mark.parametrize("other", [LINK, CREATE])
def test_what_becomes_of_a_tenant_has_one_answer(other):
    stands = decision(EXCLUDE, reason="own test tenant")
    assert contradicted(proposal(other, value="7"), stands) == (
        "tenant t1 is excluded, as ada decided on 2026-11-01"
    )


def test_another_content_of_the_same_kind_contradicts_nothing():
    assert contradicted(proposal(LINK, value="8"), decision(LINK, value="7")) is None


def test_whose_customer_a_tenant_is_is_another_question():
    assert contradicted(proposal(RESELLER, value="4000001"), decision(LINK, value="7")) is None


def test_an_account_is_one_tenant():
    message = contradicted(proposal(LINK, "t2", value="7"), decision(LINK, value="7"))
    assert message == "BSS account 7 is tenant t1, as ada decided on 2026-11-01"
    standing = Standing([decision(LINK, value="7")])
    standing.put(proposal(LINK, value="8"))
    assert standing.contradiction(proposal(LINK, "t2", value="7")) is None
    assert standing.contradiction(proposal(LINK, "t2", value="8")) is not None


def test_a_reseller_has_one_name():
    stands = decision(RESELLER, value="4000001", reseller_name="Alpha")
    same = proposal(RESELLER, "t2", value="4000001", reseller_name="Alpha")
    assert contradicted(same, stands) is None
    assert contradicted(proposal(RESELLER, "t2", value="4000001"), stands) is None
    other = proposal(RESELLER, "t2", value="4000001", reseller_name="Beta")
    assert "is called 'Alpha', as ada decided" in (contradicted(other, stands) or "")


def test_a_run_keeps_decisions_as_text_and_reads_the_same_from_it():
    two = [
        decision(RESELLER, id=5, value="4000001", reseller_name="Alpha", until=DAY),
        decision(LINK, id=3, value="7", reason="same company"),
    ]
    text = pack(two)
    assert text == pack(reversed(two))
    assert unpack(text, "default", "t1") == {each.kind: each for each in two}
    assert pack([]) is None
    assert unpack(None, "default", "t1") == {}


def test_an_outcome_names_who_decided_but_no_address():
    told = decision(EXCLUDE, by="ada@example.com", reason="A test tenant.", until=DAY).credit()
    assert told == "ada decided so on 2026-11-01, until 2026-11-27: A test tenant."


@pytest.mark.parametrize(
    ("entry", "message", "hint"),
    [
        ({"decision": "exclude"}, "needs the key 'reason'", "add the key"),
        ({"decision": "link"}, "needs the key 'account'", "add the key"),
        ({"decision": "link", "account": 0}, "a whole number of at least 1", "correct the value"),
        ({"decision": "create", "account": 7}, "account does not belong", "remove it, or decide"),
        ({"decision": "reseller", "mpn_id": "12a"}, "'12a' is not an MPN ID", "digits alone"),
        ({"decision": "exclud", "reason": "x"}, "must be one of exclude, link", "did you mean"),
        ({"decision": "exclude", "reson": "x"}, "'reson' is not known", "did you mean 'reason'?"),
        (
            {"decision": "exclude", "reason": "ask ada@example.com"},
            "holds an e-mail address",
            "name a role",
        ),
        ({"decision": "exclude", "reason": "x" * 501}, "longer than 500", "shorten it"),
        ({"decision": "exclude", "reason": "\u200b "}, "needs the key 'reason'", "add the key"),
    ],
)
def test_what_does_not_fit_is_told_in_words(entry, message, hint):
    with pytest.raises(ValidationError) as caught:
        Entry.model_validate(entry)
    fault = explain(caught.value, Entry)[0]
    assert message in fault.message
    assert hint in fault.hint
