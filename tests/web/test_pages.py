"""The pages: what they show when there is nothing, much, or something hostile, and what they never hold."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import text, update

from customer_import.database.engine import open_engine
from customer_import.database.tables import run_tasks
from customer_import.errors import ConfigurationError
from customer_import.runs.tasks import TaskAttempt, record_task
from customer_import.vocabulary import ImportType
from tests.web.conftest import PREFIX
from tests.web.data import (
    START,
    add_link,
    add_results,
    add_run,
    add_sent,
    add_staged,
    tenant_id,
)
from tests.web.markup import Markup

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

DIRECT = ImportType.DIRECT.dag_id
HOSTILE = "<img src=x onerror=alert(1)> \"quoted\" 'single' \u202eRTL"
PAGES = ("", "tenants", "live", "rows", "tenants-live")


@pytest.fixture
def full(database: Engine) -> int:
    """A run with a hostile name, every column filled, and a list of tenants."""
    key = add_run(database, airflow_run_id="manual__2026-01-01T00:00:00+00:00")
    hostile = {"tenant_name": HOSTILE, "warnings": [HOSTILE], "reason": HOSTILE, "domain": HOSTILE}
    add_results(database, key, hostile, {"outcome": "failed"})
    add_staged(database, key, {"tenant_name": HOSTILE, "domain": HOSTILE, "source": b"{}"}, {})
    add_sent(database, key, 0, before={"name": HOSTILE})
    add_link(database, 0)
    return key


@pytest.mark.parametrize("page", PAGES)
def test_before_the_first_run_a_page_says_what_to_do(
    admin: TestClient, database_url: str, tmp_path: Path, page: str
) -> None:
    answer = admin.get(f"{PREFIX}/{page}")
    assert answer.status_code == (404 if page in {"live", "rows"} else 200), "only a run has these"
    if not page:
        assert "No results yet" in answer.text
        assert "Open the DAG" in answer.text
    if page == "tenants":
        assert "No list yet" in answer.text
    assert not (tmp_path / "customer_import.db").exists(), "a page made the database"


def test_a_database_older_than_the_code_is_as_good_as_none(
    admin: TestClient, database: Engine
) -> None:
    add_run(database)
    with database.begin() as connection:
        connection.execute(text("UPDATE customer_import_version SET version_num = '0000'"))
    assert "No results yet" in admin.get(f"{PREFIX}/").text


def test_pages_never_write_to_the_database(
    admin: TestClient, database: Engine, full: int, tmp_path: Path
) -> None:
    before = _dump(tmp_path)
    for page in (*PAGES, f"customer?dag_id={DIRECT}&tenant_id={tenant_id(0)}", "results.csv"):
        assert admin.get(f"{PREFIX}/{page}").status_code == 200
    assert _dump(tmp_path) == before


def _dump(folder: Path) -> list[str]:
    engine = open_engine(f"sqlite:///{folder / 'customer_import.db'}")
    with engine.connect() as connection:
        return list(connection.connection.driver_connection.iterdump())  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "page",
    [*PAGES, f"?dag_id={DIRECT}&q=nothing", f"customer?dag_id={DIRECT}&tenant_id={tenant_id(0)}"],
)
def test_a_page_holds_no_inline_code_and_only_relative_addresses(
    admin: TestClient, full: int, page: str
) -> None:
    answer = admin.get(f"{PREFIX}/{page}")
    markup = Markup(answer.text)
    assert markup.forbidden == []
    outside = [
        address
        for address in markup.addresses
        if address.startswith("/")
        or (":" in address.partition("?")[0] and "bss.example.com" not in address)
    ]
    assert outside == [], "an address that leaves the sub-path"
    assert "<img" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_every_address_of_a_page_leads_somewhere(admin: TestClient, full: int) -> None:
    for page in ("", "tenants"):
        text = admin.get(f"{PREFIX}/{page}").text
        addresses = [a for a in Markup(text).addresses if not a.startswith(("../", "http"))]
        assert len(addresses) > 5
        statuses = {a: admin.get(f"{PREFIX}/{a.removeprefix('./')}").status_code for a in addresses}
        assert {a: status for a, status in statuses.items() if status != 200} == {}


def test_results_link_into_the_bss_and_to_the_task_log(admin: TestClient, full: int) -> None:
    page = admin.get(f"{PREFIX}/?dag_id={DIRECT}").text
    assert 'href="https://bss.example.com/accounts/1000"' in page
    assert 'href="https://bss.example.com/accounts/1000/contacts/2000"' in page
    run_id = "manual__2026-01-01T00%3A00%3A00%2B00%3A00"
    assert f'href="../dags/{DIRECT}/runs/{run_id}/tasks/load_customers/mapped/0"' in page


def test_a_customer_shows_source_mapped_and_former_value(
    admin: TestClient, database: Engine
) -> None:
    key = add_run(database)
    add_results(database, key, {"outcome": "updated"})
    paths = {
        "companyProfile.companyName": "Raw name",
        "billingProfile.defaultAddress.city": "Koeln",
    }
    add_staged(database, key, {"source": orjson.dumps(paths), "domain_prefix": "company"})
    add_sent(database, key, 0, before={"name": "Old name", "syncOptions.Domain prefix": "older"})
    page = admin.get(f"{PREFIX}/customer?dag_id={DIRECT}&tenant_id={tenant_id(0)}").text
    rows = field_rows(page)
    assert rows["name"] == ["Raw name", "New name", "Old name"]
    assert rows["billingAddress.city"] == ["Koeln", "Köln"]
    assert rows["Domain prefix"] == ["company", "company", "older"]


def field_rows(page: str) -> dict[str, list[str]]:
    """The values of each row of the table of fields."""
    rows = re.findall(r"<th scope=\"row\">([^<]*)</th>(.*?)</tr>", page)
    return {target: re.findall(r"<bdi>(.*?)</bdi>", cells) for target, cells in rows}


@pytest.mark.parametrize(
    ("outcome", "title"),
    [
        ("updated", "What this run sent"),
        ("would_update", "Preview: what an import would send"),
        ("unchanged", "What the mapping gives"),
        ("rejected", "What the mapping gives"),
    ],
)
def test_only_what_was_sent_is_said_to_be(
    admin: TestClient, database: Engine, outcome: str, title: str
) -> None:
    key = add_run(database)
    add_results(database, key, {}, outcome=outcome)
    page = admin.get(f"{PREFIX}/customer?dag_id={DIRECT}&tenant_id={tenant_id(0)}").text
    assert f"<h3>{title}</h3>" in page


def test_a_customer_shows_when_it_was_read_and_its_history_which_run_it_was(
    admin: TestClient, database: Engine
) -> None:
    key = add_run(database)
    add_results(database, key, {"read_at": datetime(2026, 3, 1, 3, 59, tzinfo=UTC)})
    page = admin.get(f"{PREFIX}/customer?dag_id={DIRECT}&tenant_id={tenant_id(0)}").text
    assert "<dt>Read from Partner Center</dt><dd>2026-03-01 03:59" in page
    assert f"run {key}</td>" in page
    assert f"<dt>Run</dt><dd>{key}</dd>" in admin.get(f"{PREFIX}/?dag_id={DIRECT}").text


def test_whose_customers_are_not_known_is_counted_apart(
    admin: TestClient, database: Engine
) -> None:
    summary = {"outcomes": {"created": 2, "failed": 1}, "unclassified": 3}
    key = add_run(database, discovered=3, listed=9, summary=summary)
    add_results(database, key, {})
    page = admin.get(f"{PREFIX}/?dag_id={DIRECT}").text
    assert "<dt>Customers</dt><dd>3 of 9 listed</dd>" in page
    assert "<dt>Whose is not known</dt><dd>3</dd>" in page
    assert re.search(r'id="count-failed".*?<b>4</b>', page)


def test_a_queued_run_is_shown_before_its_first_task_has_worked(
    admin: TestClient, database: Engine, add_dag_run: Callable[..., None]
) -> None:
    add_dag_run(DIRECT, "waiting", "queued", {"instance": "sandbox"})
    page = admin.get(f"{PREFIX}/?dag_id={DIRECT}&run_id=waiting").text
    assert "Queued" in page
    assert "Waiting for the first task" in page
    assert 'hx-get="live?' in page


def test_a_working_run_shows_its_progress_and_asks_again_until_it_has_ended(
    admin: TestClient, database: Engine, add_dag_run: Callable[..., None]
) -> None:
    running: dict[str, Any] = {"state": "running", "extracted": 40, "listed": 200, "batches": None}
    add_run(database, airflow_run_id="working", ended_at=None, **running)
    add_dag_run(DIRECT, "working", "running")
    answer = admin.get(f"{PREFIX}/live?dag_id={DIRECT}&run_id=working")
    assert re.search(r"40 of 200 <span[^>]*>· [\d.]+ a second, ", answer.text)
    assert 'hx-trigger="every 2s"' in answer.text
    assert "hx-trigger" not in answer.headers
    with database.begin() as connection:
        connection.execute(text("UPDATE import_runs SET state = 'success'"))
    answer = admin.get(f"{PREFIX}/live?dag_id={DIRECT}&run_id=working")
    assert answer.headers["hx-trigger"] == "run-ended"
    assert "every 2s" not in answer.text


LOADING: dict[str, Any] = {"state": "running", "ended_at": None, "extracted": 4, "listed": 4}


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"listed": None, "extracted": 0}, "Listing customers in Partner Center"),
        ({"listed": 200, "extracted": 0}, "0 of 200"),
        ({"mode": "discover"}, "Closing the run"),
        ({"batches": None}, "Checking and mapping the customers"),
        ({"batches": 1}, "Writing to the BSS"),
        ({"batches": 1, "mode": "preview"}, "Comparing with the BSS"),
    ],
)
def test_a_working_run_says_what_it_is_at(
    admin: TestClient,
    database: Engine,
    add_dag_run: Callable[..., None],
    run: dict[str, Any],
    words: str,
) -> None:
    add_run(database, airflow_run_id="working", **LOADING | run)
    add_dag_run(DIRECT, "working", "running")
    page = admin.get(f"{PREFIX}/live?dag_id={DIRECT}&run_id=working").text
    assert words in page
    assert "a second" not in page, "no rate while nothing was done"


def test_a_load_counts_the_discovered_customers_and_the_pace_of_its_own_results_only(
    admin: TestClient, database: Engine, add_dag_run: Callable[..., None]
) -> None:
    key = add_run(database, airflow_run_id="loading", **LOADING | {"listed": 9, "extracted": 9})
    add_staged(database, key, *({} for _ in range(8)), {"is_discovered": False})
    add_dag_run(DIRECT, "loading", "running")
    now = datetime.now(UTC)
    early = {"task_id": "extract_customers", "recorded_at": now - timedelta(days=9)}
    add_results(database, key, early)
    (run,) = admin.get(f"{PREFIX}/api/runs").json()["items"]
    assert (run["progress"]["done"], run["progress"]["total"]) == (1, 8)
    assert run["progress"]["per_second"] is None
    loaded = [{"tenant_id": tenant_id(n), "recorded_at": now} for n in (1, 2)]
    loaded[0]["recorded_at"] = now - timedelta(seconds=100)
    add_results(database, key, *loaded)
    (run,) = admin.get(f"{PREFIX}/api/runs").json()["items"]
    assert (run["progress"]["done"], run["progress"]["total"]) == (3, 8)
    assert 0.01 < run["progress"]["per_second"] <= 0.02
    left_s = run["progress"]["seconds_left"]
    assert left_s == pytest.approx(5 / run["progress"]["per_second"])


def test_a_run_that_airflow_has_deleted_is_shown_as_failed(
    admin: TestClient, database: Engine
) -> None:
    add_run(database, airflow_run_id="deleted", state="running", ended_at=None)
    page = admin.get(f"{PREFIX}/?dag_id={DIRECT}&run_id=deleted").text
    assert "Airflow no longer has this run." in page
    assert "every 2s" not in page


@pytest.mark.parametrize("has_database", [True, False])
def test_a_run_that_ended_before_it_wrote_anything_leads_to_its_log(
    admin: TestClient,
    request: pytest.FixtureRequest,
    add_dag_run: Callable[..., None],
    has_database: bool,
) -> None:
    request.getfixturevalue("database" if has_database else "database_url")
    add_dag_run(DIRECT, "stillborn", "failed", {"instance": "sandbox", "mode": "nonsense"})
    page = admin.get(f"{PREFIX}/?dag_id={DIRECT}&run_id=stillborn").text
    assert "ended before its first task had written anything; see the log of start_run" in page
    assert "Waiting for the first task" not in page
    missing = admin.get(f"{PREFIX}/?dag_id={DIRECT}&run_id=never-there")
    assert missing.status_code == 404


@pytest.mark.parametrize(("seconds", "words"), [(42, "42 s"), (90, "1 min 30 s"), (7500, "2 h 5")])
def test_a_run_shows_how_long_it_took(
    admin: TestClient, database: Engine, seconds: int, words: str
) -> None:
    add_run(database, ended_at=START + timedelta(seconds=seconds))
    assert f"<dt>Duration</dt><dd>{words}" in admin.get(f"{PREFIX}/").text


@pytest.mark.parametrize("page", ["customer", "results.csv"])
def test_what_needs_a_run_is_not_there_before_the_first_one(
    admin: TestClient, database: Engine, page: str
) -> None:
    where = f"{PREFIX}/{page}?dag_id={DIRECT}&tenant_id={tenant_id(0)}"
    assert admin.get(where).status_code == 404
    add_results(database, add_run(database), {})
    assert admin.get(where).status_code == 200


def test_a_customer_that_the_run_did_not_see_is_not_there(admin: TestClient, full: int) -> None:
    where = f"{PREFIX}/customer?dag_id={DIRECT}&tenant_id="
    assert admin.get(where + tenant_id(1)).status_code == 200
    assert admin.get(where + tenant_id(77)).status_code == 404


def test_a_broken_mapping_file_does_not_hide_a_customers_result(
    admin: TestClient, full: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUSTOMER_IMPORT_INCLUDE", str(tmp_path / "nowhere"))
    page = admin.get(f"{PREFIX}/customer?dag_id={DIRECT}&tenant_id={tenant_id(0)}")
    assert page.status_code == 200
    assert "CUSTOMER_IMPORT_INCLUDE leads there" in page.text


def test_a_file_that_is_not_of_the_pages_is_not_served(admin: TestClient, database: Engine) -> None:
    assert admin.get(f"{PREFIX}/static/app.js").status_code == 200
    for name in ("../app.py", "%2e%2e/app.py", "nothing.js", "vendor/htmx/"):
        assert admin.get(f"{PREFIX}/static/{name}").status_code == 404


def test_the_indirect_tab_begins_with_resellers_and_a_search_leads_to_tenants(
    admin: TestClient, database: Engine
) -> None:
    kind = ImportType.INDIRECT
    key = add_run(database, kind, mode="discover")
    zeta = {"reseller_mpn_id": "4847383", "reseller_name": "Zeta Cloud"}
    add_staged(database, key, {**zeta, "tenant_name": "Aegean Example"}, zeta)
    page = admin.get(f"{PREFIX}/tenants?dag_id={kind.dag_id}").text
    assert "Zeta Cloud" in page
    assert "Aegean Example" not in page
    found = admin.get(f"{PREFIX}/tenants?dag_id={kind.dag_id}&q=aegean").text
    assert "Aegean Example" in found
    assert "Company 00001" not in found


def test_a_run_that_was_killed_is_shown_as_failed(
    admin: TestClient, database: Engine, add_dag_run: Callable[..., None]
) -> None:
    add_run(database, airflow_run_id="killed", state="running", ended_at=None)
    add_dag_run(DIRECT, "killed", "failed")
    page = admin.get(f"{PREFIX}/?dag_id={DIRECT}&run_id=killed").text
    assert "ended without closing its results" in page
    assert "every 2s" not in page


def test_a_run_that_was_killed_shows_what_its_last_task_said(
    admin: TestClient, database: Engine, add_dag_run: Callable[..., None]
) -> None:
    key = add_run(database, airflow_run_id="killed", state="running", ended_at=None)
    add_dag_run(DIRECT, "killed", "failed")
    refused = ConfigurationError("the key is blank", source="connection bss")
    with suppress(ConfigurationError), record_task(database, TaskAttempt(key, "start_run")):
        raise refused
    page = admin.get(f"{PREFIX}/?dag_id={DIRECT}&run_id=killed").text
    assert "start_run: connection bss: the key is blank" in page


def test_a_task_whose_worker_is_dead_is_shown_long_before_airflow_notices(
    admin: TestClient, database: Engine, add_dag_run: Callable[..., None]
) -> None:
    key = add_run(database, airflow_run_id="dead", state="running", ended_at=None)
    add_dag_run(DIRECT, "dead", "running")
    address = f"{PREFIX}/?dag_id={DIRECT}&run_id=dead"
    with record_task(database, TaskAttempt(key, "load_customers", 3)):
        assert "No sign of life" not in admin.get(address).text
        with database.begin() as connection:
            moment = datetime.now(UTC) - timedelta(seconds=28)
            connection.execute(update(run_tasks).values(seen_at=moment))
        assert "No sign of life from load_customers[3] since" in admin.get(address).text
        said = admin.get(f"{PREFIX}/api/runs/{key}").json()["progress"]["silent"]
        assert [each["task"] for each in said] == ["load_customers[3]"]
    assert "No sign of life" not in admin.get(address).text


def test_tenants_of_a_queued_import_are_pending(
    admin: TestClient, database: Engine, add_dag_run: Callable[..., None]
) -> None:
    add_staged(database, add_run(database, mode="discover"), {}, {})
    conf = {"instance": "sandbox", "mode": "import", "tenants": [tenant_id(1)]}
    add_dag_run(DIRECT, "waiting", "queued", conf)
    page = admin.get(f"{PREFIX}/tenants?dag_id={DIRECT}").text
    assert page.count('badge pending"') == 1
    assert page.count('class="select"') == 1


def test_a_failed_hierarchy_says_why(admin: TestClient, database: Engine) -> None:
    add_run(database, mode="discover", state="failed", error="Consent was refused.", batches=None)
    assert "Consent was refused." in admin.get(f"{PREFIX}/tenants?dag_id={DIRECT}").text


def test_a_broken_instances_file_does_not_hide_results(
    admin: TestClient, full: int, tmp_path: Path
) -> None:
    (tmp_path / "instances.yaml").write_text("version: 2", encoding="utf-8")
    assert "Company 00001" in admin.get(f"{PREFIX}/?dag_id={DIRECT}").text
    assert "instances.yaml" in admin.get(f"{PREFIX}/tenants?dag_id={DIRECT}").text


def test_another_dags_tab_says_that_there_is_nothing(admin: TestClient, full: int) -> None:
    answer = admin.get(f"{PREFIX}/?dag_id=another_dag", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "<h1>Nothing here</h1>" in answer.text
    assert Markup(answer.text).forbidden == []
