"""Decisions on the pages: shown to readers, made by who may start the imports, told to the audit log."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from customer_import.database.engine import reading
from customer_import.database.tables import tenant_decisions
from customer_import.decisions.rules import Proposal
from customer_import.decisions.store import Author, decide, newest_number, read_standing
from customer_import.vocabulary import DecisionKind, ImportType
from tests.web.conftest import PREFIX
from tests.web.data import add_link, add_results, add_run, add_staged, tenant_id

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

LogIn = Callable[[str], "TestClient"]
DAG = ImportType.DIRECT.dag_id
PLACE = f"?dag_id={DAG}&instance=sandbox"
MAKE, REVOKE = f"{PREFIX}/decisions{PLACE}", f"{PREFIX}/decisions/revoke{PLACE}"
T0, T1 = tenant_id(0), tenant_id(1)
EXCLUSION = {"decision": "exclude", "reason": "A test tenant", "tenant_ids": [T0], "seen": 0}


def stored(engine: Engine) -> list[tuple[str, str, bool, str]]:
    table = tenant_decisions.c
    columns = (table.subject, table.kind, table.is_revoked, table.decided_by)
    with reading(engine) as connection:
        return [tuple(row) for row in connection.execute(select(*columns).order_by(table.id))]


def seen(engine: Engine) -> int:
    with reading(engine) as connection:
        return newest_number(connection, "sandbox")


@pytest.mark.parametrize(
    "wanted",
    [
        {"decision": "exclude", "reason": "A test tenant"},
        {"decision": "link", "account": "4711"},
        {"decision": "create"},
        {
            "decision": "reseller",
            "mpn_id": "4000001",
            "reseller_name": "Alpha",
            "until": "2099-01-01",
        },
        {"decision": "empty", "import_type": "direct"},
    ],
)
def test_each_kind_is_made_and_revoked(admin: TestClient, database: Engine, wanted: dict[str, Any]):
    named = [] if wanted["decision"] == "empty" else [T0]
    pasted = [f"\u200b{name.upper()}\u2060" for name in named]
    answer = admin.post(MAKE, json=wanted | {"tenant_ids": pasted, "seen": 0})
    assert (answer.status_code, answer.json()) == (
        200,
        {"made": 1, "same": 0, "unseen": len(named)},
    )
    with reading(database) as connection:
        (one,) = read_standing(connection, "sandbox")
    assert one.kind == wanted["decision"]
    assert one.subject == (T0 if named else "direct")
    assert one.by == "admin"
    body = {"decision": wanted["decision"], "tenant_ids": named, "seen": seen(database)}
    answer = admin.post(REVOKE, json=body | {"reason": "no longer"})
    assert answer.json() == {"revoked": 1}
    with reading(database) as connection:
        assert read_standing(connection, "sandbox") == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"import_type": "indirect"}, "the list is of the direct import"),
        ({"import_type": "tenant_reseller"}, "the list is of the direct import"),
        ({"import_type": "direct", "seen": 2**63}, "seen: must be a whole number"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    admin: TestClient, database: Engine, wrong: dict[str, Any], words: str
):
    answer = admin.post(MAKE, json={"decision": "empty", "seen": 0} | wrong)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert stored(database) == []


def test_too_many_at_once_are_refused_in_words(admin: TestClient, database: Engine):
    many = [tenant_id(number) for number in range(5_001)]
    links = [{"tenant_id": each, "account": number} for number, each in enumerate(many, 1)]
    for address, body in (
        (MAKE, EXCLUSION | {"tenant_ids": many}),
        (REVOKE, {"decision": "exclude", "tenant_ids": many, "seen": 0}),
        (f"{PREFIX}/decisions/links{PLACE}", {"links": links, "seen": 0}),
    ):
        answer = admin.post(address, json=body)
        assert answer.status_code == 422
        assert "5,001 are more than the 5,000 of one decision" in answer.json()["detail"]
    assert stored(database) == []


def test_many_at_once_are_decided_together_or_not_at_all(admin: TestClient, database: Engine):
    many = [tenant_id(number) for number in range(300)]
    assert admin.post(MAKE, json=EXCLUSION | {"tenant_ids": many}).json()["made"] == 300
    body = {"decision": "create", "tenant_ids": [tenant_id(900), T0], "seen": seen(database)}
    answer = admin.post(MAKE, json=body)
    assert answer.status_code == 409
    assert f"tenant {T0} is excluded, as admin decided on" in answer.json()["detail"]
    body = {"decision": "exclude", "tenant_ids": many, "seen": seen(database)}
    assert admin.post(REVOKE, json=body).json() == {"revoked": 300}
    assert len(stored(database)) == 600


def test_the_second_of_two_is_told_what_stands(admin: TestClient, database: Engine):
    wish = Proposal(instance="sandbox", subject=T0, kind=DecisionKind.EXCLUDE, reason="Ours")
    decide(database, [wish], Author("ada"))
    for address, body in (
        (MAKE, {"decision": "create"}),
        (REVOKE, {"decision": "exclude"}),
    ):
        answer = admin.post(address, json=body | {"tenant_ids": [T0], "seen": 0})
        assert answer.status_code == 409
        assert "meanwhile ada decided: it is excluded" in answer.json()["detail"]
    assert len(stored(database)) == 1


def test_an_account_of_another_tenant_is_refused(admin: TestClient, database: Engine):
    add_link(database, 1)
    body = {"decision": "link", "account": 1001, "tenant_ids": [T0], "seen": 0}
    answer = admin.post(MAKE, json=body)
    assert answer.status_code == 409
    assert f"BSS account 1001 is linked to tenant {T1} already" in answer.json()["detail"]


def audited() -> int:
    """Entries of the audit log about decisions."""
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    with create_session() as session:
        count = select(func.count()).where(Log.event.startswith("customer_import_"))
        return session.scalar(count) or 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"decision": "excluded"}, "did you mean 'exclude'?"),
        ({"reason": ""}, "needs the key 'reason'"),
        ({"tenant_ids": []}, "no tenant is named"),
        ({"tenant_ids": ["../x"]}, "is not a tenant id"),
        ({"until": "2001-01-01"}, "the last day is past"),
        ({"until": "soon"}, "date"),
        ({"color": "red"}, "'color' is not known"),
        ({"seen": None}, "seen"),
    ],
)
def test_what_is_wrong_is_told_in_words(
    admin: TestClient, database: Engine, change: dict[str, Any], words: str
):
    before = audited()
    answer = admin.post(MAKE, json=EXCLUSION | change)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert stored(database) == []
    assert audited() == before


@pytest.mark.parametrize("address", [MAKE, REVOKE])
@pytest.mark.parametrize("user", ["viewer", "direct_reader", "stranger", "dag_reader"])
def test_who_may_not_start_the_imports_decides_nothing(
    log_in: LogIn, database: Engine, user: str, address: str
):
    answer = log_in(user).post(address, json=EXCLUSION)
    assert answer.status_code == 403
    assert stored(database) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://testserver.evil.example"},
    ],
)
@pytest.mark.parametrize("address", [MAKE, REVOKE])
def test_a_post_from_another_site_is_refused(
    admin: TestClient, database: Engine, address: str, headers: dict[str, str]
):
    assert admin.post(address, json=EXCLUSION, headers=headers).status_code == 403
    assert stored(database) == []


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
@pytest.mark.parametrize("address", [MAKE, REVOKE])
def test_what_a_form_can_send_is_refused(
    admin: TestClient, database: Engine, address: str, kind: str | None
):
    headers = {"Content-Type": kind} if kind else {}
    answer = admin.post(address, content=json.dumps(EXCLUSION).encode(), headers=headers)
    assert answer.status_code == 415
    assert stored(database) == []


@pytest.mark.parametrize(
    "headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://testserver"}, {}]
)
def test_a_post_from_these_pages_and_of_a_program_is_taken(
    admin: TestClient, database: Engine, headers: dict[str, str]
):
    assert admin.post(MAKE, json=EXCLUSION, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "place", ["?dag_id=another_dag&instance=sandbox", f"?dag_id={DAG}&instance=x"]
)
def test_an_instance_or_import_that_is_not_there_is_not_decided_about(
    admin: TestClient, database: Engine, place: str
):
    assert admin.post(f"{PREFIX}/decisions{place}", json=EXCLUSION).status_code == 404


def test_the_audit_log_says_who_decided_what(admin: TestClient, database: Engine):
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    admin.post(MAKE, json=EXCLUSION)
    with create_session() as session:
        entry = session.scalars(
            select(Log).where(Log.event == "customer_import_decide").order_by(Log.id.desc())
        ).first()
        assert entry is not None
        assert (entry.owner, entry.dag_id) == ("admin", DAG)
        told = json.loads(entry.extra or "")
    assert told == {
        "instance": "sandbox",
        "decision": "exclude",
        "tenants": "1",
        "tenant_ids": T0,
    }


def test_what_stands_and_what_was_is_shown_and_buttons_only_to_who_may_decide(
    admin: TestClient, log_in: LogIn, database: Engine
):
    key = add_run(database)
    add_staged(database, key, {}, {})
    add_results(database, key, {}, {})
    admin.post(MAKE, json=EXCLUSION | {"reason": "First <b>", "until": "2099-01-01"})
    admin.post(MAKE, json=EXCLUSION | {"reason": "Second", "seen": seen(database)})
    addresses = [
        f"{PREFIX}/tenants{PLACE}",
        f"{PREFIX}/decisions{PLACE}&tenant_id={T0}",
        f"{PREFIX}/customer?dag_id={DAG}&tenant_id={T0}",
    ]
    for user, may in (("admin", True), ("viewer", False)):
        client = log_in(user)
        tenants, decisions, customer = (client.get(address).text for address in addresses)
        assert "Excluded" in tenants
        assert ('id="decide-selected"' in tenants) is may
        for text in (decisions, customer):
            assert "This customer is excluded" in text
            assert "Second" in text
            assert "First &lt;b&gt;" in text
            assert "2099-01-01" in text
            assert "History (2)" in text
            assert ("data-revoke" in text) is may
            assert ('id="decide"' in text) is may


def test_who_may_not_decide_sees_customers_of_this_import_only(
    admin: TestClient, log_in: LogIn, database: Engine
):
    key = add_run(database)
    add_staged(database, key, {}, {"is_discovered": False, "tenant_name": "Hidden company"})
    admin.post(MAKE, json=EXCLUSION | {"tenant_ids": [T0, T1]})
    for user, statuses in (("direct_reader", (200, 404)), ("admin", (200, 200))):
        answers = [
            log_in(user).get(f"{PREFIX}/decisions{PLACE}&tenant_id={one}") for one in (T0, T1)
        ]
        assert tuple(answer.status_code for answer in answers) == statuses
        assert "Company 00000" in answers[0].text
        assert ("Hidden company" in answers[1].text) is (user == "admin")


def test_an_import_without_customers_asks_whether_that_is_right(
    admin: TestClient, database: Engine
):
    add_run(database, mode="discover", discovered=0)
    page = f"{PREFIX}/tenants{PLACE}"
    assert "Is it right that there are no customers?" in admin.get(page).text
    form = admin.get(f"{PREFIX}/decisions{PLACE}&about=import").text
    assert "Zero customers is right" in form
    body = {"decision": "empty", "import_type": "direct", "seen": 0}
    assert admin.post(MAKE, json=body).status_code == 200
    assert "It is decided that this import has no customers: admin" in admin.get(page).text


def test_without_a_database_there_is_nothing_to_decide(admin: TestClient):
    assert admin.post(MAKE, json=EXCLUSION).status_code == 404
