"""Which account a tenant is, and what is said when nobody can tell: to the letter, because people act on it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from customer_import.decisions.rules import Decision
from customer_import.runs.verdict import Verdict
from customer_import.tasks.load.candidates import Candidate, core_name, signs_of
from customer_import.tasks.load.marker import MARKER_LENGTH, is_tenant_id, marker_key
from customer_import.tasks.load.reconcile import (
    NAME_KEY_LENGTH,
    IndexedAccount,
    Match,
    account_gone,
    doubt_decision,
    doubt_link,
    linked_elsewhere,
    marker_moved,
    name_key,
    reconcile,
)
from customer_import.vocabulary import DecisionKind, Outcome, ReasonCode, Sign

TENANT = "adae0be5-8d5e-4039-8315-1e0ea3af39ff"
OTHER = "adae0be5-8d5e-4039-8315-1e0ea3af0000"
LIKELY = Candidate(7, "contoso", frozenset({Sign.CORE_NAME, Sign.EMAIL_DOMAIN}))
SLIGHT = Candidate(8, "fabrikam", frozenset({Sign.EMAIL_DOMAIN}))


def account(number: int, marker: str | None = None) -> IndexedAccount:
    return IndexedAccount(number, "contoso", marker)


def decision(kind: DecisionKind, value: str | None = None) -> dict[DecisionKind, Decision]:
    at = datetime(2026, 11, 27, tzinfo=UTC)
    made = Decision(
        id=1, by="ada", at=at, instance="default", subject=TENANT, kind=kind, value=value
    )
    return {kind: made}


def ambiguous(code: ReasonCode, reason: str) -> Verdict:
    return Verdict(Outcome.AMBIGUOUS, code, reason)


def test_the_account_that_carries_the_tenant_id_is_adopted() -> None:
    assert reconcile(TENANT, [account(3, TENANT)], [account(4)]) == Match(account_id=3)


def test_several_accounts_that_carry_the_tenant_id_are_named() -> None:
    reason = f"3 BSS accounts carry the tenant id {TENANT}: 2, 3, 10. Keep it on the right one, then import again."
    several = [account(number, TENANT) for number in (10, 3, 2)]
    expected = Match(verdict=ambiguous(ReasonCode.SEVERAL_ACCOUNTS, reason))
    assert reconcile(TENANT, several, []) == expected


@pytest.mark.parametrize(
    ("count", "ids"),
    [
        (10, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"),
        (11, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 1 more"),
        (12, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more"),
    ],
)
def test_of_many_accounts_ten_are_named(count: int, ids: str) -> None:
    several = [account(number + 1, TENANT) for number in range(count)]
    verdict = reconcile(TENANT, several, []).verdict
    assert verdict is not None
    assert f": {ids}. Keep" in verdict.reason


@pytest.mark.parametrize(
    ("markers", "without"),
    [((None, None), "a tenant id"), (("see CRM", None), "a tenant id that can be read")],
)
def test_accounts_of_the_same_name_without_tenant_id_are_left_to_a_person(
    markers: tuple[str | None, ...], without: str
) -> None:
    nobodys = [account(number, marker) for number, marker in enumerate(markers, 4)]
    reason = (
        f"BSS accounts of the same name exist without {without}: 4, 5. If one of them is this customer, decide on it "
        f"in the matching queue, or enter {TENANT} in its tenant id field; if none is, decide that a new one is "
        "created. Then import again."
    )
    found = reconcile(TENANT, [], [*nobodys, account(6, OTHER)])
    named = tuple(Candidate(number, "contoso", frozenset({Sign.NAME})) for number in (4, 5))
    assert found == Match(verdict=ambiguous(ReasonCode.SAME_NAME, reason), candidates=named)
    assert not found.is_free


def test_what_else_an_account_of_the_same_name_has_in_common_is_kept() -> None:
    found = reconcile(TENANT, [], [account(7)], None, [LIKELY, SLIGHT])
    assert found.candidates == (
        Candidate(7, "contoso", LIKELY.signs | {Sign.NAME}),
        SLIGHT,
    )


def test_accounts_that_look_alike_are_left_to_a_person() -> None:
    other = Candidate(9, "contoso", frozenset({Sign.DOMAIN_PREFIX}))
    reason = (
        "BSS accounts without a tenant id look like this customer: 9 (same domain prefix); 7 (same name but for the "
        "legal form, same e-mail domain). Decide in the matching queue which one it is, or that a new one is created. "
        "Then import again."
    )
    found = reconcile(TENANT, [], [account(6, OTHER)], {}, [LIKELY, SLIGHT, other])
    expected = ambiguous(ReasonCode.LOOKALIKE, reason)
    assert found == Match(verdict=expected, candidates=(other, LIKELY, SLIGHT))


@pytest.mark.parametrize("alike", [[], [SLIGHT]])
def test_who_is_new_waits_where_nobody_is_created_by_itself(alike: list[Candidate]) -> None:
    some = " BSS accounts that have something in common with it: 8." if alike else ""
    reason = (
        "This customer is new, and the instance creates nobody by itself (auto_create: false). It waits in the "
        "matching queue: decide there that it is created, which account it is, or that it is excluded."
    )
    found = reconcile(TENANT, [], [], {}, alike, auto_create=False)
    verdict = Verdict(Outcome.SKIPPED, ReasonCode.IN_QUEUE, reason + some)
    assert found == Match(verdict=verdict, candidates=tuple(alike))
    free = reconcile(TENANT, [], [], {}, alike)
    assert free == Match()
    assert free.is_free
    assert not Match(account_id=1).is_free


def test_who_was_decided_to_be_new_is_created_and_the_decision_named_where_it_mattered() -> None:
    creation = decision(DecisionKind.CREATE)
    made = creation[DecisionKind.CREATE]
    assert reconcile(TENANT, [], [account(4)], creation) == Match(decision=made)
    assert reconcile(TENANT, [], [], creation, [SLIGHT]) == Match()
    assert reconcile(TENANT, [], [], creation, auto_create=False) == Match(decision=made)


def test_who_was_decided_to_be_an_account_is_that_unless_another_carries_its_tenant_id() -> None:
    link = decision(DecisionKind.LINK, "4")
    made = link[DecisionKind.LINK]
    assert reconcile(TENANT, [], [account(5)], link) == Match(account_id=4, decision=made)
    twins = [account(5, TENANT), account(4, TENANT)]
    assert reconcile(TENANT, twins, [], link) == Match(account_id=4, decision=made)
    reason = (
        f"{made.told()} But BSS account 3, 5 carries its tenant id. Nothing was written. Revoke the decision or "
        "correct the BSS, then import again."
    )
    verdict = ambiguous(ReasonCode.DECISION_CONTRADICTED, reason)
    others = [account(5, TENANT), account(3, TENANT)]
    assert reconcile(TENANT, others, [], link) == Match(verdict=verdict, decision=made)


@pytest.mark.parametrize(
    ("marker", "exists", "why"),
    [
        (None, True, None),
        (TENANT, True, None),
        (TENANT, False, "BSS account 4 does not exist."),
        (OTHER, True, f"BSS account 4 carries the tenant id of another, {OTHER}."),
        (
            "see crm",
            True,
            "BSS account 4 has something in its tenant id field that is no tenant id.",
        ),
    ],
)
def test_what_the_bss_says_against_a_decision(
    marker: str | None, exists: bool, why: str | None
) -> None:
    made = decision(DecisionKind.LINK, "4")[DecisionKind.LINK]
    found = doubt_decision(made, TENANT.upper(), marker, exists=exists)
    if why is None:
        assert found is None
    else:
        hint = "Nothing was written. Revoke the decision or correct the BSS, then import again."
        reason = f"{made.told()} But {why} {hint}"
        assert found == ambiguous(ReasonCode.DECISION_CONTRADICTED, reason)


@pytest.mark.parametrize(
    ("marker", "carries"),
    [
        (None, None),
        (TENANT, None),
        (OTHER, f"carries the tenant id of another customer, {OTHER}"),
        ("see crm", "has something in its tenant id field that is no tenant id"),
    ],
)
def test_what_a_linked_account_says_against_its_link(
    marker: str | None, carries: str | None
) -> None:
    found = doubt_link(TENANT, 4, marker)
    if carries is None:
        assert found is None
    else:
        reason = (
            f"BSS account 4, which this customer is linked to, {carries}. Nothing was written. If the account is this "
            f"customer's, enter {TENANT} there; if it is not, delete this customer's row in tenant_links. Then import "
            "again."
        )
        assert found == ambiguous(ReasonCode.OTHER_MARKER, reason)


def test_what_is_said_of_links_that_hold_no_more() -> None:
    assert account_gone(4) == Verdict(
        Outcome.FAILED,
        ReasonCode.BSS_ERROR,
        "BSS account 4, which this customer is linked to, no longer exists. Restore it in the BSS; or decide which "
        "account the customer is, or that it is excluded; or, to have it created anew, delete its row in tenant_links.",
    )
    assert marker_moved(4, [5, 6]) == ambiguous(
        ReasonCode.OTHER_MARKER,
        "BSS account 4, which this customer is linked to, has lost its tenant id, and 5, 6 carries it. Nothing was "
        "written. Enter it in the right one; if that is not the linked one, delete this customer's row in "
        "tenant_links. Then import again.",
    )
    assert linked_elsewhere(4, OTHER) == ambiguous(
        ReasonCode.OTHER_LINK,
        f"BSS account 4 is linked to tenant {OTHER} already. Find out whose it is: correct the tenant id fields of "
        "both accounts, or delete the wrong row in tenant_links. Then import again.",
    )


def test_names_are_found_trimmed_and_in_any_case() -> None:
    assert name_key(" Straße \u200b") == "strasse"
    assert name_key("X" * 500) == "x" * NAME_KEY_LENGTH


def test_a_marker_is_a_key() -> None:
    assert marker_key(None) is None
    assert marker_key(" ") is None
    assert marker_key(f"urn:uuid:{{{TENANT}}}") == TENANT
    assert marker_key(TENANT.upper().replace("-", "")) == TENANT
    assert marker_key("See CRM" + "x" * 99) == ("see crm" + "x" * 99)[:MARKER_LENGTH]
    assert is_tenant_id(TENANT)
    assert not is_tenant_id(f"{TENANT}0")


def test_a_sign_is_a_digest_of_what_it_is_and_of_its_value() -> None:
    address: dict[str, Any] = {"address": "Main St. 5", "postCode": "10 115", "countryId": 1}
    signs = signs_of(name="", email="a@b@ Contoso.example", prefix=" X ", address=address)
    assert signs == {
        Sign.DOMAIN_PREFIX: DIGESTS[0],
        Sign.EMAIL_DOMAIN: DIGESTS[1],
        Sign.ADDRESS: DIGESTS[2],
    }
    by_city = address | {"postCode": None, "city": "10115"}
    assert signs_of(name="", address=by_city)[Sign.ADDRESS] == DIGESTS[2]
    assert signs_of(name="", address={"address": "Main St. 5", "countryId": 1}) == {}
    assert signs_of(name="", address={"postCode": "10115", "city": 5}) == {}
    assert signs_of(name="Q.X. Ltd") == signs_of(name="qx")
    assert core_name("A & B") == "a & b"
    assert core_name("A and") == "a"


# They are stored, and compared with those of accounts that an earlier version has read.
DIGESTS = (
    "ac082425d750deea8c01cf42d99d87fc",
    "1dc76477cbf09904cef5c24386c4597f",
    "a2b844a0757d92fbc93595fa48153a0c",
)
