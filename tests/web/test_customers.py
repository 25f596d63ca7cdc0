"""A customer's page at an address of its own, the search over all runs, and what starts a run for one customer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from customer_import.database.engine import reading
from customer_import.database.tables import known_tenants
from customer_import.decisions.rules import Proposal
from customer_import.decisions.store import Author, decide
from customer_import.vocabulary import DecisionKind, ImportType
from customer_import.web import search
from customer_import.web.search import MOST_FOUND, search_customers
from tests.web.conftest import PREFIX
from tests.web.data import (
    EVERYTHING,
    START,
    add_link,
    add_results,
    add_run,
    add_sent,
    add_staged,
    tenant_id,
)
from tests.web.markup import Markup
from tests.web.test_decisions import audited

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

LogIn = Callable[[str], "TestClient"]
T0, T1 = tenant_id(0), tenant_id(1)
PAGE = f"{PREFIX}/tenant?instance=sandbox&tenant_id="
MARKUP = '<img src=x onerror="alert(1)">'
SUBSCRIPTIONS = [
    {
        "id": "A-1",
        "status": "active",
        "partnerId": "4000001",
        "name": MARKUP,
        "endsOn": "2027-05-01",
        "isRenewed": True,
    },
    {"id": "A-2", "status": "suspended", "partnerId": None},  # of a version that kept less
]


def import_twice(engine: Engine) -> tuple[int, int]:
    """An import that created a customer, and one that found it unchanged."""
    created = add_run(engine, airflow_run_id="first")
    add_staged(
        engine,
        created,
        {},
        source=json.dumps({"companyProfile.companyName": "New name"}).encode(),
        subscriptions=json.dumps(SUBSCRIPTIONS).encode(),
        fetched_at=START,
    )
    add_sent(engine, created, 0, before={"name": "Old name"})
    add_results(
        engine, created, {"outcome": "updated", "fields": {"name": "changed", "phone": "keep"}}
    )
    carried = add_run(engine, airflow_run_id="second")
    said = "No subscription carries an MPN ID."
    add_staged(engine, carried, {"state": "carried", "classification": said})
    add_results(engine, carried, {"outcome": "unchanged", "reason": f"Not changed. {MARKUP}"})
    add_link(engine, 0, left_out=["billToAccountId"])
    return created, carried


def test_a_customers_page_shows_what_all_runs_know(admin: TestClient, database: Engine) -> None:
    import_twice(database)
    wish = Proposal(instance="sandbox", subject=T0, kind=DecisionKind.CREATE, reason="As agreed")
    decide(database, [wish], Author("ada"))
    before = audited()

    answer = admin.get(f"{PAGE}{T0.upper()}")

    assert answer.status_code == 200
    page = answer.text
    assert "<h1><bdi>Company 00000</bdi></h1>" in page
    for said in (
        "https://bss.example.com/accounts/1000",
        "https://bss.example.com/accounts/1000/contacts/2000",
        "Left out, because the BSS does not take it: billToAccountId.",
        "No subscription carries an MPN ID.",
        "Old name",  # before the write that the newest kept values are of
        "New name",
        "A-2",
        "2027-05-01",
        "by itself",
        "Import Customers Tool imports subscriptions",
        "is none of the BSS accounts of its name",
        "changed: name; left alone: phone",
        "run_id=first",
        "run_id=second",
    ):
        assert said in page, said
    assert MARKUP not in page
    assert Markup(page).forbidden == []
    assert audited() == before + 1


def test_a_page_of_a_customer_whose_values_were_removed_says_so(
    admin: TestClient, database: Engine
) -> None:
    key = add_run(database)
    add_staged(database, key, {})
    add_results(database, key, {})
    page = admin.get(f"{PAGE}{T0}").text
    assert "Its values are not kept any more." in page
    assert "No run has asked for them." in page
    assert "It is linked to no account." in page


def test_what_was_written_and_read_is_shown_however_many_runs_found_nothing_to_do_since(
    admin: TestClient, database: Engine
) -> None:
    created, _ = import_twice(database)
    read = {"run_id": created, "read_at": START, "config_hash": "x"}
    own = {"instance": "sandbox", "import_type": "direct", "tenant_id": T0}
    with database.begin() as connection:
        connection.execute(insert(known_tenants).values(**own, **read))
    for _ in range(205):
        add_results(database, add_run(database), {"outcome": "unchanged"})
    page = admin.get(f"{PAGE}{T0}").text
    assert "not in a run that is kept" not in page
    assert "Its values are not kept any more." not in page
    assert "Old name" in page


def test_a_customer_that_left_the_list_is_said_to_have_left(
    admin: TestClient, database: Engine
) -> None:
    add_staged(database, add_run(database), {}, {})
    assert "does not have this customer" not in admin.get(f"{PAGE}{T1}").text
    add_staged(database, add_run(database), {})
    assert "does not have this customer" in admin.get(f"{PAGE}{T1}").text
    assert "does not have this customer" not in admin.get(f"{PAGE}{T0}").text


def test_who_reads_one_import_sees_nothing_of_another(log_in: LogIn, database: Engine) -> None:
    key = add_run(database, ImportType.INDIRECT)
    add_staged(database, key, {"subscriptions": json.dumps(SUBSCRIPTIONS).encode()})
    add_results(database, key, {}, import_type="indirect")
    add_link(database, 0, import_type="indirect")
    direct = add_run(database)
    add_staged(database, direct, {"is_discovered": None, "state": "listed"})  # not read yet
    reader = log_in("direct_reader")
    assert reader.get(f"{PAGE}{T0}").status_code == 404
    assert "Company 00000" not in reader.get(f"{PREFIX}/search?q=Company").text
    assert "Company 00000" in log_in("viewer").get(f"{PREFIX}/search?q=Company").text
    assert log_in("stranger").get(f"{PAGE}{T0}").status_code == 403
    assert log_in("stranger").get(f"{PREFIX}/search?q=Company").status_code == 403


def test_who_may_not_start_the_imports_sees_no_button(log_in: LogIn, database: Engine) -> None:
    import_twice(database)
    can, cannot = (log_in(user).get(f"{PAGE}{T0}").text for user in ("admin", "viewer"))
    for button in ("Preview this one", "Import this one again", 'id="decide"'):
        assert button in can
        assert button not in cannot


def test_a_tenant_that_no_run_has_seen_is_shown_as_such_to_who_may_decide(
    log_in: LogIn, database: Engine
) -> None:
    page = log_in("admin").get(f"{PAGE}{T1}").text
    assert f"No run of instance sandbox has seen the tenant {T1}" in page
    assert 'id="decide"' in page
    assert log_in("viewer").get(f"{PAGE}{T1}").status_code == 404
    admin = log_in("admin")
    for wrong in (f"{PREFIX}/tenant?instance=none&tenant_id={T1}", f"{PAGE}nobody"):
        assert admin.get(wrong).status_code == 404


def test_a_decision_about_an_unseen_tenant_says_that_it_is_unseen(
    admin: TestClient, database: Engine
) -> None:
    add_staged(database, add_run(database), {})
    place = f"{PREFIX}/decisions?dag_id={ImportType.DIRECT.dag_id}&instance=sandbox"
    body = {"decision": "create", "tenant_ids": [T0, T1], "seen": 0}
    assert admin.post(place, json=body).json() == {"made": 2, "same": 0, "unseen": 1}


@pytest.mark.parametrize("mode", ["import", "preview"])
def test_a_run_for_one_customer_compares_the_bss_anew(
    admin: TestClient, database: Engine, mode: str
) -> None:
    url = f"{PREFIX}/api/tenants/{T0}/start?instance=sandbox&import_type=direct&mode={mode}"
    answer = admin.get(url).json()
    conf = {"instance": "sandbox", "mode": mode, "scope": "verify", "tenants": [T0]}
    assert answer == {
        "dag_id": ImportType.DIRECT.dag_id,
        "count": 1,
        "is_cut": False,
        "conf": conf,
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{T0}/start?instance=sandbox&import_type=tenant_reseller", 404),
        (f"{T0}/start?instance=none&import_type=direct", 404),
        ("nobody/start?instance=sandbox&import_type=direct", 404),
        (f"{T0}/start?instance=sandbox&import_type=direct&mode=check", 422),
    ],
)
def test_a_run_for_nobody_is_refused(
    admin: TestClient, database: Engine, path: str, status: int
) -> None:
    assert admin.get(f"{PREFIX}/api/tenants/{path}").status_code == status


# -- the search


def found(engine: Engine, text: str, **more: Any) -> list[str]:
    with reading(engine) as connection:
        result = search_customers(connection, EVERYTHING, text, **more)
    return [one.tenant_id for one in result.items]


def test_a_search_looks_through_all_runs_and_names_each_customer_once(engine: Engine) -> None:
    add_staged(engine, add_run(engine), {"tenant_name": "Contoso GmbH"}, {"tenant_name": "Gone"})
    add_staged(engine, add_run(engine), {"tenant_name": "Contoso Renamed"})
    other = add_run(engine, ImportType.INDIRECT, instance="other")
    add_staged(engine, other, {"tenant_name": "Contoso Renamed"})
    add_link(engine, 1)
    assert found(engine, "renamed") == [T0, T0]  # of two instances
    assert found(engine, "contoso gmbh") == [T0]
    assert found(engine, "gone") == [T1]
    assert found(engine, T1.upper()) == [T1]
    assert found(engine, "1001") == [T1]
    assert found(engine, "%") == found(engine, "") == found(engine, "9" * 30) == []


def test_a_long_search_shows_what_it_has_and_goes_on(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_SEARCH_S", 0.0)
    keys = [add_run(engine) for _ in range(15)]
    add_staged(engine, keys[0], {"tenant_name": "Contoso"})
    with reading(engine) as connection:
        first = search_customers(connection, EVERYTHING, "contoso")
        assert (first.items, first.before) == ((), keys[5])
        second = search_customers(connection, EVERYTHING, "contoso", before=first.before)
    assert [one.tenant_id for one in second.items] == [T0]


def test_a_search_that_finds_too_many_says_so(engine: Engine) -> None:
    add_staged(engine, add_run(engine), *({} for _ in range(MOST_FOUND + 1)))
    with reading(engine) as connection:
        result = search_customers(connection, EVERYTHING, "company")
    assert (len(result.items), result.is_cut, result.before) == (MOST_FOUND, True, None)


def test_the_search_page_leads_to_the_customers_page(admin: TestClient, database: Engine) -> None:
    add_staged(database, add_run(database), {"tenant_name": MARKUP})
    page = admin.get(f"{PREFIX}/search", params={"q": "img src"}).text
    assert MARKUP not in page
    assert f"tenant?instance=sandbox&amp;tenant_id={T0}" in page
    assert "Nothing matches" in admin.get(f"{PREFIX}/search?q=zzz").text
    pasted = admin.get(f"{PREFIX}/search", params={"q": "\u200bimg src\u2060"}).text
    assert "Nothing matches" not in pasted
