"""The page Overview: how every import of every instance stands, at one look."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sqlalchemy import event, insert

from customer_import.config.paths import INSTANCES_VARIABLE
from customer_import.database.engine import reading
from customer_import.database.tables import sent_notices
from customer_import.vocabulary import ImportType, dag_id_of
from customer_import.web.instances import read_instances
from customer_import.web.overview import ImportOverview, read_overview
from tests.web.conftest import OWN_DAGS, PREFIX
from tests.web.data import EVERYTHING, add_results, add_run, add_staged
from tests.web.markup import Markup

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

LogIn = Callable[[str], "TestClient"]
DIRECT, INDIRECT = ImportType.DIRECT, ImportType.INDIRECT
NOW = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
NIGHT = datetime(2026, 3, 10, 2, 30, tzinfo=UTC)  # 04:30 in Athens
PAGE = f"{PREFIX}/overview"
INSTANCES: dict[str, dict[str, Any]] = {
    "north": {
        "title": "North",
        "import_types": ["direct", "indirect"],
        "schedules": {"direct": {"cron": "30 4 * * *", "timezone": "Europe/Athens"}},
    },
    "south": {"title": "<b>South</b>", "import_types": ["direct"]},
}


@pytest.fixture
def write_instances(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any]], None]:
    path = tmp_path / "overview.yaml"
    monkeypatch.setenv(INSTANCES_VARIABLE, str(path))

    def write(instances: dict[str, Any]) -> None:
        path.write_text(yaml.safe_dump({"version": 1, "instances": instances}))

    write(INSTANCES)
    return write


def read(engine: Engine, now: datetime = NOW) -> dict[tuple[str, ImportType], ImportOverview]:
    with reading(engine) as connection:
        found = read_overview(connection, EVERYTHING, read_instances(EVERYTHING), now)
    return {(one.instance, one.import_type): one for one in found}


def add_import(engine: Engine, started_at: datetime, **values: Any) -> int:
    summary = {"outcomes": values.pop("outcomes", {"unchanged": 5})}
    defaults = {
        "instance": "north",
        "summary": summary,
        "started_at": started_at,
        "is_complete": values.get("state") != "failed",
    }
    row: dict[str, Any] = defaults | values
    return add_run(engine, **row)


def tell(engine: Engine, kind: str, sent_at: datetime, **values: Any) -> None:
    row = {"instance": "north", "import_type": "direct", "kind": kind, "sent_at": sent_at}
    with engine.begin() as connection:
        connection.execute(insert(sent_notices).values(row | values))


@pytest.mark.usefixtures("airflow_app", "write_instances")
class TestReading:
    def test_every_configured_import_is_there_before_anything_ran(self, database: Engine) -> None:
        found = read(database)
        assert list(found) == [("north", DIRECT), ("north", INDIRECT), ("south", DIRECT)]
        for one in found.values():
            assert (one.good, one.last, one.waiting, one.overdue_since) == (None, None, 0, None)
            assert one.notices == one.chart.bars == ()

    def test_the_last_good_import_is_one_for_all_customers_that_ended_well(
        self, engine: Engine
    ) -> None:
        add_import(engine, NIGHT - timedelta(days=2), airflow_run_id="older")
        add_import(
            engine,
            NIGHT - timedelta(days=1),
            airflow_run_id="good",
            state="success with problems",
        )
        failed = {"failed": 3, "rejected": 1, "created": 2}
        add_import(engine, NIGHT, airflow_run_id="bad", state="failed", outcomes=failed)
        some = {"instance": "north", "tenants": ["a"]}
        add_import(engine, NIGHT, params=some, is_complete=False, airflow_run_id="one customer")
        add_import(engine, NIGHT, mode="preview", is_complete=False, airflow_run_id="preview")
        one = read(engine)["north", DIRECT]
        assert one.good is not None
        assert one.last is not None
        assert (one.good.run_id, one.good.age_s) == ("good", 30.5 * 3600)
        assert (one.last.run_id, one.last.state, one.last.outcomes) == ("bad", "failed", failed)
        assert [bar.run.run_id for bar in one.chart.bars] == ["older", "good", "bad"]

    def test_an_import_is_overdue_by_its_schedule_and_by_nothing_else(
        self, database: Engine
    ) -> None:
        add_import(database, NIGHT - timedelta(days=1))
        add_import(database, NIGHT - timedelta(days=90), instance="south")
        before = NIGHT + timedelta(hours=5, minutes=59)
        assert read(database, before)["north", DIRECT].overdue_since is None
        found = read(database, NIGHT + timedelta(hours=6))
        assert found["north", DIRECT].overdue_since == NIGHT
        assert found["south", DIRECT].overdue_since is None
        add_import(database, NIGHT + timedelta(minutes=1))
        assert read(database, NIGHT + timedelta(hours=6))["north", DIRECT].overdue_since is None

    def test_a_schedule_that_never_ended_well_is_overdue_since_it_is_watched(
        self, database: Engine
    ) -> None:
        assert read(database, NIGHT + timedelta(hours=7))["north", DIRECT].overdue_since is None
        tell(database, "watched", NIGHT - timedelta(hours=1))
        found = read(database, NIGHT + timedelta(hours=7))["north", DIRECT]
        assert (found.overdue_since, found.notices) == (NIGHT, ())

    def test_the_next_run_is_told_in_utc(self, database: Engine) -> None:
        found = read(database)
        assert found["north", DIRECT].next_run == NIGHT + timedelta(days=1)
        assert found["north", INDIRECT].next_run is None
        # The last Sunday of March: from then on Athens is three hours ahead.
        summer = read(database, datetime(2026, 3, 29, 12, tzinfo=UTC))["north", DIRECT]
        assert summer.next_run == datetime(2026, 3, 30, 1, 30, tzinfo=UTC)

    def test_a_paused_schedule_has_no_next_run(self, database: Engine) -> None:
        pause(OWN_DAGS[0], is_paused=True)
        try:
            one = read(database)["north", DIRECT]
        finally:
            pause(OWN_DAGS[0], is_paused=False)
        assert (one.is_paused, one.next_run) == (True, None)

    def test_notices_of_an_import_and_of_its_instance_are_there(self, database: Engine) -> None:
        tell(database, "failed", NOW)
        tell(
            database,
            "expiring",
            datetime.fromtimestamp(0, UTC),
            import_type="",
            error="SmtpNotifier: OSError",
        )
        found = read(database)
        told = [(str(one.kind), one.sent_at, one.error) for one in found["north", DIRECT].notices]
        lost = ("expiring", None, "SmtpNotifier: OSError")
        assert told == [("failed", NOW, None), lost]
        assert [str(one.kind) for one in found["north", INDIRECT].notices] == ["expiring"]
        assert found["south", DIRECT].notices == ()

    def test_who_waits_is_counted_as_in_the_queue(self, database: Engine) -> None:
        key = add_import(database, NIGHT)
        doubt = {"outcome": "ambiguous", "reason_code": "lookalike"}
        add_results(database, key, doubt, doubt, {}, instance="north")
        assert read(database)["north", DIRECT].waiting == 2

    def test_a_run_that_works_is_last_and_has_no_bar(
        self, database: Engine, add_dag_run: Callable[..., None]
    ) -> None:
        open_run = {"state": "running", "ended_at": None, "summary": None, "is_complete": False}
        key = add_import(database, NOW, airflow_run_id="works", **open_run)
        add_results(database, key, {"outcome": "failed"}, instance="north")
        add_dag_run(DIRECT.dag_id, "works", "running")
        one = read(database)["north", DIRECT]
        assert one.last is not None
        assert (one.last.state, one.last.outcomes, one.chart.bars) == ("running", {}, ())

    def test_an_instance_that_is_wrong_in_the_file_stands_with_its_runs(
        self, database: Engine, write_instances: Callable[[dict[str, Any]], None]
    ) -> None:
        add_import(database, NIGHT, instance="north")
        add_import(database, NIGHT, instance="south", airflow_run_id="of south")
        write_instances(INSTANCES | {"south": {"title": "South", "import_types": ["nonsense"]}})
        south = read(database)["south", DIRECT]
        assert (south.is_configured, south.title) == (False, "south")
        assert south.last is not None
        assert south.last.run_id == "of south"
        # One that was taken out is not waited for any more.
        write_instances({"north": INSTANCES["north"]})
        assert ("south", DIRECT) not in read(database)

    def test_results_are_never_counted(self, database: Engine) -> None:
        for night in range(30):
            add_import(database, NIGHT - timedelta(days=night))
            add_import(database, NIGHT - timedelta(days=night), instance="south")
        asked: list[str] = []
        event.listen(database, "before_cursor_execute", lambda *said: asked.append(said[2]))
        found = read(database)
        assert len(found["north", DIRECT].chart.bars) == 14
        of_results = [said for said in asked if "import_results" in said]
        assert len(of_results) == 3  # the queue of each import, by its index
        assert all("outcome" in said and "run_id IN" in said for said in of_results)
        assert len(asked) <= 3 + 2 * 3 + 2


def test_what_a_schedule_only_previews_is_no_import(
    admin: TestClient,
    database: Engine,
    add_dag_run: Callable[..., None],
    write_instances: Callable[[dict[str, Any]], None],
) -> None:
    schedule = {"cron": "@daily", "mode": "preview"}
    write_instances({"north": INSTANCES["north"] | {"schedules": {"direct": schedule}}})
    add_staged(database, add_run(database, instance="north"), {})
    own = dag_id_of(DIRECT, "north")
    add_dag_run(own, "broken", "failed")  # Airflow gives a scheduled run no parameters
    add_dag_run(own, "works", "running")
    assert "before anything was recorded" not in admin.get(PAGE).text
    shown = admin.get(f"{PREFIX}/?dag_id={own}&run_id=works").text
    assert "<strong>Preview</strong>" in shown
    tenants = admin.get(f"{PREFIX}/tenants?dag_id={DIRECT.dag_id}&instance=north").text
    assert ">Not imported</span>" in tenants
    add_dag_run(own, "by-hand", "running", {"mode": "import", "instance": "north"})
    assert "<strong>Import</strong>" in admin.get(f"{PREFIX}/?dag_id={own}&run_id=by-hand").text
    tenants = admin.get(f"{PREFIX}/tenants?dag_id={DIRECT.dag_id}&instance=north").text
    assert ">Pending</span>" in tenants


def pause(dag_id: str, *, is_paused: bool) -> None:
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    with create_session() as session:
        session.execute(
            update(DagModel).where(DagModel.dag_id == dag_id).values(is_paused=is_paused)
        )


def test_the_page_says_it_in_words_and_leads_to_runs_and_queue(
    admin: TestClient, database: Engine, write_instances: Callable[[dict[str, Any]], None]
) -> None:
    began = datetime.now(UTC) - timedelta(days=3, minutes=5)
    key = add_import(database, began, airflow_run_id="good", outcomes={"created": 2, "failed": 1})
    doubt = {"outcome": "ambiguous", "reason_code": "lookalike"}
    add_results(database, key, doubt, instance="north")
    tell(database, "problems", began)
    tell(database, "expiring", datetime.fromtimestamp(0, UTC), import_type="", error="OSError")
    text = admin.get(PAGE).text
    for said in (
        "3 days ago",
        "Overdue",
        "1 failed",
        "1 customer",
        "by hand",
        "none yet",
        "30 4 * * *",
    ):
        assert said in text, said
    assert "Failed or rejected customers" in text
    assert re.search(r"Not sent</span> OSError", text)
    assert "&lt;b&gt;South" in text
    markup = Markup(text)
    assert markup.forbidden == []
    run = f"?dag_id={DIRECT.dag_id}&run_id=good"
    wanted = {f"./{run}", f"./{run}&outcome=failed"}
    queue = f"queue?dag_id={DIRECT.dag_id}&instance=north"
    assert wanted | {queue} <= set(markup.addresses)
    assert admin.get(f"{PREFIX}/{queue}").status_code == 200


def test_every_page_leads_to_the_overview_first(admin: TestClient, database: Engine) -> None:
    for page in ("", "tenants", "queue", "drift", "search"):
        text = admin.get(f"{PREFIX}/{page}").text
        first = re.search(r'aria-label="Pages">\s*<a class="button" href="([^"]*)"', text)
        assert first is not None, page
        assert first[1] == "overview", page


def test_without_database_the_page_shows_what_is_configured(
    admin: TestClient, database_url: str
) -> None:
    answer = admin.get(PAGE)
    assert answer.status_code == 200
    assert answer.text.count("none yet") == 6
    assert "sandbox_reseller" in answer.text


def test_a_file_that_cannot_be_read_is_said(
    admin: TestClient, database: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(INSTANCES_VARIABLE, str(tmp_path / "nothing.yaml"))
    text = admin.get(PAGE).text
    assert "the file cannot be read" in text
    assert "No instance can be read." in text


def test_a_user_of_one_instance_sees_that_one_and_its_notices(
    log_in: LogIn, database: Engine, write_instances: Callable[[dict[str, Any]], None]
) -> None:
    south = INSTANCES["south"] | {"title": "Southern", "import_types": ["direct", "indirect"]}
    write_instances(INSTANCES | {"south": south})
    add_import(database, NIGHT, dag_id=dag_id_of(DIRECT, "north"), airflow_run_id="northern")
    tell(database, "failed", NOW, error="Northern trouble")
    tell(database, "failed", NOW, instance="south", error="Southern trouble")
    text = log_in("south_staff").get(PAGE).text
    assert "<bdi>Southern</bdi> · Direct" in text
    assert "Southern trouble" in text
    assert "orth" not in text.replace("Southern", "")
    assert "Indirect" not in text


def test_a_user_of_one_instance_that_is_wrong_in_the_file_sees_its_runs(
    log_in: LogIn, database: Engine, write_instances: Callable[[dict[str, Any]], None]
) -> None:
    write_instances(INSTANCES | {"south": {"title": "South", "import_types": ["nonsense"]}})
    add_import(database, NIGHT, instance="south", airflow_run_id="southern")
    add_import(database, NIGHT, airflow_run_id="northern")
    text = log_in("south_staff").get(PAGE).text
    assert "run_id=southern" in text
    assert "nonsense" not in text
    assert "northern" not in text


def test_what_the_last_import_used_of_the_apis_is_shown(
    admin: TestClient, database: Engine
) -> None:
    assert "not known" in admin.get(f"{PREFIX}/overview").text
    use = {"requests": 1234, "throttled": 1, "waited_s": 75.0}
    add_run(
        database,
        airflow_run_id="used",
        summary={"outcomes": {}, "api_use": {"Partner Center": use}},
    )
    for path in ("overview", "?dag_id=import_direct_customers&run_id=used"):
        page = admin.get(f"{PREFIX}/{path}").text
        assert "Partner Center: 1,234 requests" in page
        assert "held back 1 min 15 s, throttled 1 time<" in page
