"""The matching queue: who waits, with whom they may be, and what becomes of it when somebody decides."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from customer_import.database.engine import reading
from customer_import.decisions.rules import Proposal
from customer_import.decisions.store import Author, decide, read_standing, revoke
from customer_import.vocabulary import DecisionKind, ImportType
from customer_import.web.queue import open_queue
from tests.web.conftest import PREFIX
from tests.web.data import START, add_link, add_results, add_run, add_staged, tenant_id
from tests.web.markup import Markup

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

LogIn = Callable[[str], "TestClient"]
DIRECT = ImportType.DIRECT
PLACE = f"?dag_id={DIRECT.dag_id}&instance=sandbox"
LINKS = f"{PREFIX}/decisions/links{PLACE}"
T0, T1, T2 = map(tenant_id, range(3))
MARKUP = '<b onclick="alert(1)">contoso</b>'
CANDIDATES = [
    {"account_id": 4711, "name": MARKUP, "signs": ["domain_prefix", "core_name"]},
    {"account_id": 4712, "name": "adatum", "signs": ["email_domain"]},
]
ALIKE = {"outcome": "ambiguous", "reason_code": "lookalike", "candidates": CANDIDATES}
NEW = {"outcome": "skipped", "reason_code": "in_queue", "candidates": None}


def waits(engine: Engine, import_type: ImportType = DIRECT) -> list[str]:
    with reading(engine) as connection:
        queue = open_queue(connection, import_type, "sandbox")
        page = queue.page(connection, None, 50)
        assert queue.count(connection) == len(page.items)
    return [one.tenant_id for one in page.items]


def decided(engine: Engine) -> int:
    with reading(engine) as connection:
        return open_queue(connection, DIRECT, "sandbox").count_decided(connection)


def settle(engine: Engine, subject: str, kind: DecisionKind, **more: Any) -> None:
    wish = Proposal(instance="sandbox", subject=subject, kind=kind, **more)
    decide(engine, [wish], Author("ada"))


def test_nobody_leaves_the_queue_because_many_imports_of_others_came_after(engine: Engine) -> None:
    add_results(engine, add_run(engine), ALIKE, NEW)
    for _ in range(210):
        add_run(engine, params={"tenants": ["x"]})
    assert waits(engine) == [T0, T1]


def test_the_queue_is_what_the_newest_runs_said(engine: Engine) -> None:
    assert waits(engine) == []
    old = add_run(engine)
    add_results(engine, old, ALIKE, ALIKE, {}, recorded_at=START)
    add_results(
        engine,
        add_run(engine),
        ALIKE,
        {},
        NEW,
        {"outcome": "skipped", "reason_code": "already_imported"},
        {"outcome": "ambiguous", "reason_code": "several_resellers"},
    )
    assert waits(engine) == [T0, T2, tenant_id(4)]
    some = add_run(engine, params={"tenants": [T0]}, mode="preview")
    add_results(engine, some, {"outcome": "would_create"})
    assert waits(engine) == [T2, tenant_id(4)]
    failed = add_run(engine, state="failed")
    add_results(engine, failed, ALIKE)
    assert waits(engine) == [T0, T2, tenant_id(4)]
    other = add_run(engine, ImportType.INDIRECT)
    add_results(engine, other, ALIKE, import_type="indirect")
    assert waits(engine) == [T0, T2, tenant_id(4)]
    assert waits(engine, ImportType.INDIRECT) == [T0]
    add_results(engine, add_run(engine), {}, {}, {}, {})  # of a customer that left nothing is said
    assert waits(engine) == []


def test_who_is_decided_about_waits_no_longer_until_that_is_revoked_or_over(
    engine: Engine,
) -> None:
    add_results(engine, add_run(engine), ALIKE, NEW, ALIKE, recorded_at=datetime.now(UTC))
    settle(engine, T0, DecisionKind.LINK, value="4711")
    settle(engine, T1, DecisionKind.CREATE)
    settle(engine, T2, DecisionKind.RESELLER, value="4000001")  # no answer to the question
    assert (waits(engine), decided(engine)) == ([T2], 2)
    revoke(engine, "sandbox", [T0], DecisionKind.LINK, Author("ada"))
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date()
    settle(engine, T1, DecisionKind.CREATE, until=yesterday + timedelta(days=2))
    assert (waits(engine), decided(engine)) == ([T0, T2], 1)


def test_who_is_decided_about_while_the_run_works_waits_no_longer(engine: Engine) -> None:
    settle(engine, T0, DecisionKind.CREATE)
    later = datetime.now(UTC) + timedelta(minutes=1)  # the run did not know of it yet
    add_results(engine, add_run(engine), ALIKE, recorded_at=later)
    assert (waits(engine), decided(engine)) == ([], 1)


def test_a_decision_that_the_bss_contradicts_waits_until_it_is_another(engine: Engine) -> None:
    settle(engine, T0, DecisionKind.LINK, value="4711")
    said = {"outcome": "ambiguous", "reason_code": "decision_contradicted"}
    add_results(engine, add_run(engine), said, recorded_at=datetime.now(UTC))
    assert waits(engine) == [T0]
    settle(engine, T0, DecisionKind.LINK, value="4712")
    assert (waits(engine), decided(engine)) == ([], 1)


def test_who_was_carried_forward_keeps_the_candidates_of_the_reading(engine: Engine) -> None:
    add_results(engine, add_run(engine), NEW | {"candidates": CANDIDATES}, read_at=START)
    add_results(engine, add_run(engine), NEW, read_at=START)
    with reading(engine) as connection:
        (one,) = open_queue(connection, DIRECT, "sandbox").page(connection, None, 50).items
    assert [each.account_id for each in one.candidates] == [4711, 4712]
    add_results(engine, add_run(engine), NEW, read_at=START + timedelta(days=1))
    with reading(engine) as connection:
        (one,) = open_queue(connection, DIRECT, "sandbox").page(connection, None, 50).items
    assert one.candidates == ()


def test_the_page_names_candidates_and_why(log_in: LogIn, database: Engine) -> None:
    key = add_run(database, summary={"outcomes": {"ambiguous": 1}, "waiting": 1})
    add_staged(database, key, {})
    add_results(database, key, ALIKE)
    page = log_in("admin").get(f"{PREFIX}/queue{PLACE}").text
    for said in (
        "1 waits for a person",
        "https://bss.example.com/accounts/4711",
        "same domain prefix, same name but for the legal form",
        "same e-mail domain",
        'id="decide-selected"',
        f"tenant?instance=sandbox&amp;tenant_id={T0}",
    ):
        assert said in page, said
    assert page.index("/4711") < page.index("/4712")
    assert "checked" not in page  # nothing is chosen by itself
    assert MARKUP not in page
    assert Markup(page).forbidden == []
    seen_by_others = log_in("viewer").get(f"{PREFIX}/queue{PLACE}").text
    assert "accounts/4711" in seen_by_others
    assert "decide-selected" not in seen_by_others
    indirect = f"{PREFIX}/queue?dag_id={ImportType.INDIRECT.dag_id}&instance=sandbox"
    assert log_in("direct_reader").get(indirect).status_code == 404
    assert log_in("stranger").get(f"{PREFIX}/queue{PLACE}").status_code == 403


def test_who_waits_is_counted_on_the_other_pages(admin: TestClient, database: Engine) -> None:
    key = add_run(database, summary={"outcomes": {"ambiguous": 2}, "waiting": 2})
    add_staged(database, key, {}, {})
    add_results(database, key, ALIKE, ALIKE)
    assert "2 customers wait" in admin.get(f"{PREFIX}/tenants{PLACE}").text
    assert "2 in the matching queue" in admin.get(f"{PREFIX}/").text
    for page in (f"tenant?instance=sandbox&tenant_id={T0}", f"customer{PLACE}&tenant_id={T0}"):
        assert "accounts/4711" in admin.get(f"{PREFIX}/{page}").text


def test_an_empty_queue_says_why(admin: TestClient, database: Engine) -> None:
    url = f"{PREFIX}/queue{PLACE}"
    assert "No import or preview of this list has run yet." in admin.get(url).text
    add_run(database)
    page = admin.get(url).text
    assert "Nobody waits" in page
    assert "could not tell" in page


# -- links of many


def body(*links: tuple[str, int], **more: Any) -> dict[str, Any]:
    named = [{"tenant_id": tenant, "account": account} for tenant, account in links]
    return {"links": named, "seen": 0, **more}


def test_many_are_linked_each_to_its_own_account(admin: TestClient, database: Engine) -> None:
    add_staged(database, add_run(database), {}, {})
    answer = admin.post(LINKS, json=body((T0, 4711), (T1, 4712), reason="As agreed"))
    assert answer.json() == {"made": 2, "same": 0, "unseen": 0}
    with reading(database) as connection:
        stands = {each.subject: each for each in read_standing(connection, "sandbox")}
    assert {key: each.value for key, each in stands.items()} == {T0: "4711", T1: "4712"}
    assert {(each.by, each.reason) for each in stands.values()} == {("admin", "As agreed")}


@pytest.mark.parametrize(
    ("links", "more", "status", "words"),
    [
        ([(T0, 4711), (T1, 4711)], {}, 409, "one account is one tenant"),
        ([(T0, 4711), (T0, 4712)], {}, 409, "keep one of the two"),
        ([(T0, 4711), (T1, 1002)], {}, 409, f"linked to tenant {T2} already"),
        ([("nobody", 4711)], {}, 422, "not a tenant id"),
        ([(T0, 0)], {}, 422, "account"),
        ([], {}, 422, "links"),
        ([(T0, 4711)], {"until": "2020-01-01"}, 422, "the last day is past"),
        ([(T0, 4711)], {"kind": "link"}, 422, "kind"),
    ],
)
def test_links_are_taken_together_or_not_at_all(
    admin: TestClient,
    database: Engine,
    links: list[tuple[str, int]],
    more: dict[str, Any],
    status: int,
    words: str,
) -> None:
    add_link(database, 2)
    answer = admin.post(LINKS, json=body(*links, **more))
    assert answer.status_code == status
    assert words in answer.json()["detail"]
    with reading(database) as connection:
        assert read_standing(connection, "sandbox") == []


def test_the_second_of_two_people_at_the_queue_is_told(log_in: LogIn, database: Engine) -> None:
    settle(database, T0, DecisionKind.EXCLUDE, reason="Ours")
    answer = log_in("admin").post(LINKS, json=body((T1, 4712), (T0, 4711)))
    assert answer.status_code == 409
    assert "meanwhile ada decided: it is excluded" in answer.json()["detail"]
    with reading(database) as connection:
        assert [each.subject for each in read_standing(connection, "sandbox")] == [T0]


def test_links_of_others_and_of_other_sites_are_refused(log_in: LogIn, database: Engine) -> None:
    wish = body((T0, 4711))
    assert log_in("viewer").post(LINKS, json=wish).status_code == 403
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert log_in("admin").post(LINKS, json=wish, headers=headers).status_code == 403
    plain = {"Content-Type": "text/plain"}
    assert log_in("admin").post(LINKS, content="{}", headers=plain).status_code == 415
