"""The page Drift: what a check found, for readers; buttons, values and files for whom they are meant."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from customer_import.database.engine import reading
from customer_import.database.tables import tenant_decisions
from customer_import.vocabulary import DRIFT, DriftKind, ImportType
from tests.web.conftest import PREFIX
from tests.web.data import add_drift, add_results, add_run, add_sent, tenant_id
from tests.web.markup import Markup

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

LogIn = Callable[[str], "TestClient"]
DAG = ImportType.DIRECT.dag_id
PAGE = f"{PREFIX}/drift?dag_id={DAG}"
HOSTILE = "<img src=x onerror=alert(1)> Ltd"
KINDS = list(DriftKind)


def add_check(engine: Engine, import_type: ImportType = ImportType.DIRECT, **values: Any) -> int:
    params = {"instance": "sandbox", "mode": "check", "exclude_tenants": ["a"], "scope": "full"}
    found = dict.fromkeys(KINDS, 1)
    drift = {"linked": 100, "compared": 90, "changed": 10, "found": found}
    return add_run(
        engine,
        import_type,
        mode="check",
        state="success with problems",
        params=params,
        **{"summary": {"outcomes": {}, "drift": drift}, "airflow_run_id": "c", **values},
    )


@pytest.fixture
def check(database: Engine) -> int:
    """A finished check with one finding of each kind, each about another customer."""
    key = add_check(database)
    add_drift(database, key, *({"kind": kind.value} for kind in KINDS))
    return key


def number_of(kind: DriftKind) -> int:
    return KINDS.index(kind)


def test_each_kind_is_shown_with_what_to_do(admin: TestClient, check: int):
    page = admin.get(PAGE).text
    for kind, meaning in DRIFT.items():
        assert f'id="count-{kind}"' in page
        assert page.count(f'<span class="badge drifted">{meaning.title}</span>') == 1
        only = admin.get(f"{PAGE}&kind={kind}").text
        assert only.count('<span class="badge drifted">') == 1
        assert f"Company {number_of(kind):05}" in only
    assert "Unchanged in Partner Center, compared with the BSS" in page
    assert "<dd>90</dd>" in page
    assert Markup(page).forbidden == []


def test_a_check_of_an_instances_own_dag_is_picked_and_searched_like_another(
    admin: TestClient, check: int, database: Engine
):
    own = add_check(database, dag_id=f"{DAG}__sandbox", airflow_run_id="scheduled")
    add_drift(database, own, {"tenant_name": "Own check"})
    later = add_check(database, airflow_run_id="later")
    assert f'<option value="{own}">' in admin.get(PAGE).text
    shown = admin.get(f"{PAGE}&run_key={own}").text
    assert "Own check" in shown
    fields = re.search(r'<form[^>]* role="search">(.*?)</form>', shown, re.DOTALL)
    assert fields is not None
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', fields[1]))
    assert "Own check" in admin.get(f"{PREFIX}/drift", params=hidden | {"q": "own"}).text
    assert admin.get(f"{PAGE}&run_key={add_run(database)}").status_code == 404  # no check
    assert "Own check" not in admin.get(f"{PAGE}&run_key={later}").text


def test_one_is_found_by_name_and_by_tenant_id(admin: TestClient, check: int):
    for text in ("company 00003", tenant_id(3)):
        page = admin.get(f"{PAGE}&q={text}").text
        assert page.count('<span class="badge drifted">') == 1
        assert "Company 00003" in page
    assert "Nothing matches" in admin.get(f"{PAGE}&q=zzz").text


def test_buttons_are_there_for_who_may_use_them(admin: TestClient, check: int, log_in: LogIn):
    repairs = sum(meaning.is_repairable for meaning in DRIFT.values())
    decides = sum(bool(meaning.decisions) for meaning in DRIFT.values())
    page = admin.get(PAGE).text
    assert page.count(">Import again<") == repairs
    assert page.count(">Decide<") == decides
    assert all(meaning.is_repairable or meaning.decisions for meaning in DRIFT.values())
    assert 'id="check-now"' in page
    dialog = f"{PREFIX}/drift/customer?dag_id={DAG}&tenant_id={tenant_id(0)}"
    assert 'id="decide"' in admin.get(dialog).text
    for user in ("viewer", "direct_reader"):
        shown = log_in(user).get(PAGE).text + log_in(user).get(dialog).text
        assert shown.count('<span class="badge drifted">') == len(KINDS)
        for button in ("Import again", ">Decide", "check-now", "data-start", 'id="decide"'):
            assert button not in shown


@pytest.mark.parametrize("user", ["stranger", "dag_reader", "direct_reader"])
def test_who_may_not_read_the_runs_sees_nothing(log_in: LogIn, database: Engine, user: str):
    key = add_check(database, ImportType.INDIRECT)
    add_drift(database, key, {"tenant_name": "Hidden company"})
    place = f"dag_id={ImportType.INDIRECT.dag_id}&run_id=c&tenant_id={tenant_id(0)}"
    addresses = [
        *(f"drift{more}?{place}" for more in ("", "/customer", ".csv")),
        f"drift?dag_id={DAG}&run_id=c",
        f"api/runs/{key}/drift",
        f"api/runs/{key}/repair",
    ]
    answers = [log_in(user).get(f"{PREFIX}/{address}") for address in addresses]
    assert {answer.status_code for answer in answers} <= {403, 404}
    assert not [answer for answer in answers if "Hidden" in answer.text]
    assert "Hidden" not in log_in(user).get(f"{PREFIX}/drift").text
    assert "Hidden company" in log_in("viewer").get(f"{PREFIX}/{addresses[0]}").text


@pytest.mark.parametrize("path", ["drift", "drift/customer", "drift.csv", "api/runs/1/repair"])
def test_nothing_can_be_posted_to_these_pages(admin: TestClient, check: int, path: str):
    assert admin.post(f"{PREFIX}/{path}?dag_id={DAG}", json={}).status_code == 405


def test_a_decision_from_the_page_is_made_and_a_forged_one_refused(
    admin: TestClient, check: int, database: Engine, log_in: LogIn
):
    number = number_of(DriftKind.CUSTOMER_GONE)
    dialog = f"{PREFIX}/drift/customer?dag_id={DAG}&tenant_id={tenant_id(number)}"
    assert 'value="exclude" required checked' in admin.get(dialog).text
    body = {"decision": "exclude", "reason": "It left", "seen": 0}
    body |= {"tenant_ids": [tenant_id(number)]}
    place = f"{PREFIX}/decisions?dag_id={DAG}&instance=sandbox"
    forged = admin.post(place, json=body, headers={"Sec-Fetch-Site": "cross-site"})
    assert forged.status_code == 403
    assert log_in("viewer").post(place, json=body).status_code == 403
    with reading(database) as connection:
        assert connection.execute(select(tenant_decisions)).all() == []

    assert admin.post(place, json=body).status_code == 200

    assert '<span class="badge decided">Excluded</span>' in admin.get(PAGE).text
    assert "This customer is excluded" in admin.get(dialog).text


def test_of_several_accounts_the_linked_one_is_proposed(admin: TestClient, check: int):
    number = number_of(DriftKind.MARKER_DOUBLED)
    dialog = f"{PREFIX}/drift/customer?dag_id={DAG}&tenant_id={tenant_id(number)}"
    text = admin.get(dialog).text
    assert 'value="link" required checked' in text
    assert f'value="{1000 + number}"' in text


def test_a_repair_imports_these_customers_alone(admin: TestClient, check: int):
    mends = [number for number, kind in enumerate(KINDS) if DRIFT[kind].is_repairable]
    request = admin.get(f"{PREFIX}/api/runs/{check}/repair").json()
    assert request == {
        "dag_id": DAG,
        "count": len(mends),
        "is_cut": False,
        "conf": {
            "instance": "sandbox",
            "mode": "import",
            "scope": "verify",
            "on_existing": "update",
            "tenants": [tenant_id(number) for number in mends],
        },
    }
    one = admin.get(f"{PREFIX}/api/runs/{check}/repair?q={tenant_id(mends[0])}").json()
    assert one["conf"]["tenants"] == [tenant_id(mends[0])]
    nobody = admin.get(f"{PREFIX}/api/runs/{check}/repair?kind=customer_gone")
    assert nobody.status_code == 404, "a run without names would import everybody"


def test_names_are_escaped_everywhere(admin: TestClient, database: Engine):
    key = add_check(database)
    add_drift(database, key, {"tenant_name": HOSTILE, "detail": HOSTILE, "domain": HOSTILE})
    dialog = f"{PREFIX}/drift/customer?dag_id={DAG}&tenant_id={tenant_id(0)}"
    for address in (PAGE, dialog):
        text = admin.get(address).text
        assert "<img" not in text
        assert "&lt;img" in text
        assert Markup(text).forbidden == []
    add_drift(database, key, {"tenant_id": tenant_id(9), "tenant_name": "=cmd|' /C calc'!A0"})
    text = admin.get(f"{PREFIX}/drift.csv?dag_id={DAG}&q=calc").text
    (row,) = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert row["tenant_name"].startswith("'=")


def test_values_are_in_the_dialog_the_file_and_the_api(admin: TestClient, database: Engine):
    key = add_check(database)
    fates = {"name": "changed", "billingAddress.city": "changed"}
    add_drift(database, key, {"fields": fates}, {"kind": "account_gone", "detail": "Gone."})
    add_sent(database, key, 0, before={"name": "Old name", "billingAddress.city": None})
    text = admin.get(f"{PREFIX}/drift.csv?dag_id={DAG}").text
    edited, gone = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    assert edited["changes"] == (
        "name: Old name → New name [overwrite] | billingAddress.city: (was empty) → Köln [overwrite]"
    )
    assert (gone["kind"], gone["title"], gone["changes"]) == ("account_gone", "Account gone", "")
    assert gone["to_do"] == DRIFT[DriftKind.ACCOUNT_GONE].to_do
    items = admin.get(f"{PREFIX}/api/runs/{key}/drift").json()["items"]
    assert [one["kind"] for one in items] == ["fields_edited", "account_gone"]
    assert items[0]["changes"][0]["before"] == "Old name"
    assert items[0]["fields"] == fates
    dialog = f"{PREFIX}/drift/customer?dag_id={DAG}&tenant_id={tenant_id(0)}"
    assert "Old name" in admin.get(dialog).text
    assert "Old name" not in admin.get(PAGE).text, "the list shows no values"


def test_pages_of_a_long_list_go_forth_and_back(admin: TestClient, database: Engine):
    key = add_check(database)
    add_drift(database, key, *({} for _ in range(120)))
    url, seen = f"{PREFIX}/api/runs/{key}/drift?limit=50", []
    cursor = ""
    while cursor is not None:
        page = admin.get(f"{url}&cursor={cursor}").json()
        seen += [one["tenant_name"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert seen == [f"Company {number:05}" for number in range(120)]
    assert 'rel="next"' in admin.get(PAGE).text
    assert admin.get(f"{url}&cursor=x").status_code == 400


def test_without_a_check_there_is_the_button_that_starts_one(admin: TestClient, database: Engine):
    add_results(database, add_run(database, airflow_run_id="import"), {})
    page = admin.get(PAGE).text
    assert "Nothing is checked yet" in page
    assert 'id="check-now"' in page
    assert admin.get(f"{PAGE}&run_id=import").status_code == 404


def test_without_a_database_the_page_is_empty(admin: TestClient):
    assert "Nothing is checked yet" in admin.get(PAGE).text
    assert admin.get(f"{PREFIX}/drift.csv?dag_id={DAG}").status_code == 404


def test_the_run_leads_from_import_results_to_what_it_found(admin: TestClient, check: int):
    page = admin.get(f"{PREFIX}/?dag_id={DAG}&run_id=c").text
    assert f"drift?dag_id={DAG}&amp;run_id=c" in page


def test_import_results_goes_on_to_show_the_last_import(admin: TestClient, database: Engine):
    key = add_run(database, airflow_run_id="import")
    add_results(database, key, {"tenant_name": "Imported company"})
    add_check(database)
    assert "Imported company" in admin.get(f"{PREFIX}/?dag_id={DAG}").text


def test_looking_and_downloading_are_told_to_the_audit_log(admin: TestClient, check: int):
    from airflow.models.log import Log
    from airflow.utils.session import create_session

    def told() -> list[tuple[str, str]]:
        with create_session() as session:
            rows = session.scalars(select(Log).where(Log.event.startswith("customer_import_")))
            return [(row.event, row.extra or "") for row in rows]

    before = len(told())
    admin.get(f"{PREFIX}/drift/customer?dag_id={DAG}&tenant_id={tenant_id(0)}")
    admin.get(f"{PREFIX}/drift.csv?dag_id={DAG}")
    admin.get(f"{PREFIX}/api/runs/{check}/drift")
    events = told()[before:]
    assert [event for event, _ in events] == [
        "customer_import_look",
        "customer_import_export",
        "customer_import_export",
    ]
    assert tenant_id(0) in events[0][1]
