"""How accounts without tenant id are held against a customer: a table of names, signs and their weight."""

from __future__ import annotations

from typing import Any

import pytest

from customer_import.tasks.load.candidates import (
    LIKELY,
    MOST_CANDIDATES,
    WEIGHTS,
    Candidate,
    core_name,
    rank,
    signs_of,
)
from customer_import.tasks.load.reconcile import IndexedAccount, Match, reconcile
from customer_import.vocabulary import Sign

NAME, CORE, PREFIX = Sign.NAME, Sign.CORE_NAME, Sign.DOMAIN_PREFIX
ADDRESS, EMAIL = Sign.ADDRESS, Sign.EMAIL_DOMAIN
TENANT = "adae0be5-8d5e-4039-8315-1e0ea3af39ff"


@pytest.mark.parametrize(
    ("name", "core"),
    [
        ("Contoso", "contoso"),
        ("CONTOSO, Ltd.", "contoso"),
        ("Contoso GmbH", "contoso"),
        ("Contoso GmbH & Co. KG", "contoso"),
        ("Contoso S.A.S.", "contoso"),
        ("Contoso Sp. z o.o.", "contoso"),
        ("Contoso A/S", "contoso a s"),  # not taken for a legal form: the words stay
        ("Söhne & Töchter AG", "söhne & töchter"),
        ("ÉCOLE  Ltd", "école"),
        ("\uff23\uff4f\uff4e\uff54\uff4f\uff53\uff4f Inc", "contoso"),  # full-width letters
        ("Κοντόσο Α.Ε.", "κοντόσο"),
        ("ООО Контосо ООО", "ооо контосо"),  # at the end only: in front a form is often a name
        ("Contoso Α.Β.Ε.Ε.", "contoso"),
        ("Limited Company", "limited company"),  # nothing would be left
        ("SA Brain", "sa brain"),
        ("???", ""),
        ("", ""),
    ],
)
def test_a_name_without_its_legal_form(name: str, core: str) -> None:
    assert core_name(name) == core


def shared(mine: dict[str, Any], theirs: dict[str, Any]) -> set[Sign]:
    own, other = signs_of(**{"name": "A", **mine}), signs_of(**{"name": "B", **theirs})
    return {sign for sign, digest in own.items() if other.get(sign) == digest}


STREET = {"address": "Main St. 5", "postCode": "10 115", "city": "Berlin", "countryId": 1}


@pytest.mark.parametrize(
    ("mine", "theirs", "signs"),
    [
        ({"name": "Contoso Ltd"}, {"name": "contoso GmbH"}, {CORE}),
        ({"name": "???"}, {"name": "!!!"}, set()),
        ({"prefix": "Contoso"}, {"prefix": "contoso "}, {PREFIX}),
        ({"prefix": ""}, {"prefix": ""}, set()),
        ({"email": "ada@Contoso.example"}, {"email": "bob@contoso.example"}, {EMAIL}),
        ({"email": "contoso.example"}, {"email": "contoso.example"}, set()),  # no address
        ({"address": STREET}, {"address": STREET | {"address": "main st 5"}}, {ADDRESS}),
        ({"address": STREET}, {"address": STREET | {"city": "B."}}, {ADDRESS}),
        ({"address": STREET}, {"address": STREET | {"countryId": 2}}, set()),
        ({"address": STREET}, {"address": STREET | {"postCode": "10116"}}, set()),
        ({"address": STREET | {"address": None}}, {"address": STREET | {"address": None}}, set()),
        (
            {"address": STREET | {"postCode": None}},
            {"address": STREET | {"postCode": ""}},
            {ADDRESS},
        ),
        ({"prefix": "x"}, {"email": "a@x"}, set()),  # equal values of different kinds
    ],
)
def test_what_two_have_in_common(
    mine: dict[str, Any], theirs: dict[str, Any], signs: set[Sign]
) -> None:
    assert shared(mine, theirs) == signs


def candidate(number: int, *signs: Sign) -> Candidate:
    return Candidate(number, f"account {number}", frozenset(signs))


def test_the_best_candidate_comes_first_and_few_are_kept() -> None:
    ordered = [
        candidate(9, PREFIX, ADDRESS),
        candidate(2, PREFIX),
        candidate(3, NAME, CORE),  # one sign: the name
        candidate(1, CORE),
        candidate(4, ADDRESS, EMAIL),
        candidate(5, ADDRESS),
        candidate(6, EMAIL),
        candidate(7, EMAIL),
    ]
    assert list(rank(reversed(ordered))) == ordered
    assert [one.score for one in ordered] == [70, 50, 40, 30, 30, 20, 10, 10]
    assert ordered[2].as_dict() == {"account_id": 3, "name": "account 3", "signs": ["name"]}
    assert len(rank(candidate(n, EMAIL) for n in range(99))) == MOST_CANDIDATES
    assert set(WEIGHTS) == set(Sign)


@pytest.mark.parametrize("auto_create", [True, False])
@pytest.mark.parametrize(
    ("alike", "same_name", "code"),
    [
        ([], [], None),
        ([candidate(1, EMAIL)], [], None),
        ([candidate(1, ADDRESS)], [], None),
        ([candidate(1, ADDRESS, EMAIL)], [], "lookalike"),
        ([candidate(1, CORE)], [], "lookalike"),
        ([candidate(1, PREFIX)], [], "lookalike"),
        ([candidate(2, EMAIL)], [IndexedAccount(1, "contoso", None)], "same_name"),
        ([], [IndexedAccount(1, "contoso", "adae0be5-8d5e-4039-8315-1e0ea3af0000")], None),
    ],
)
def test_who_waits_and_who_is_created(
    alike: list[Candidate], same_name: list[IndexedAccount], code: str | None, *, auto_create: bool
) -> None:
    found = reconcile(TENANT, [], same_name, {}, alike, auto_create=auto_create)
    code = code or (None if auto_create else "in_queue")
    assert (found.verdict.reason_code if found.verdict else None) == code
    if code is None:
        assert found == Match()
    else:
        assert found.verdict
        assert found.verdict.outcome == ("skipped" if code == "in_queue" else "ambiguous")
        assert "matching queue" in found.verdict.reason
        named = [one.account_id for one in found.candidates]
        assert named == sorted(named)
        assert len(named) == len({*alike}) + len([x for x in same_name if not x.tenant_marker])
    assert LIKELY == WEIGHTS[CORE] == WEIGHTS[ADDRESS] + WEIGHTS[EMAIL]


def test_a_marker_that_is_found_is_adopted_whatever_looks_alike() -> None:
    mine = [IndexedAccount(1, "contoso", TENANT)]
    found = reconcile(TENANT, mine, [], {}, [candidate(2, PREFIX)], auto_create=False)
    assert (found.account_id, found.verdict) == (1, None)
