"""Roles of the compose file's auth manager in a real Airflow: who sees one instance, who may start, who may not.

Tables, roles and first user are made by the compose file's own script; API server and DAG processor are Airflow's.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import requests
import yaml
from playwright.sync_api import Browser, Page, expect
from werkzeug.security import generate_password_hash

from customer_import.config.roles import STARTER, VIEWER
from customer_import.database.engine import open_engine
from customer_import.vocabulary import ImportType
from sandbox.demo.__main__ import _configure as configure_demo
from sandbox.demo.airflow_api import AirflowApi
from sandbox.demo.processes import ChildProcess, DemoError, free_port
from sandbox.demo.settings import ROOT, airflow_environment
from tests.browser.conftest import browser
from tests.sandbox.demo.test_export import INFO
from tests.support import compose
from tests.web.data import add_two_instances
from tests.web.test_instance_rights import NORTH, SOUTH, views

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["browser"]

pytestmark = pytest.mark.timeout(600)

DIRECT = ImportType.DIRECT.dag_id
PASSWORD, CHANGED = "fab-tests", "changed by the operator"
USERS = {
    "nora": "north staff",
    "sam": "south staff",
    "vera": VIEWER,
    "stella": STARTER,
    "paul": "Public",
}
ROLES = {"north": {"north staff": "start"}, "south": {"south staff": "see"}}
START_S = 200.0
HINTS = ("north instance", "north company", "run-north", "5000")


@dataclass
class FabAirflow:
    """A running Airflow; ``runs`` are DAG runs that wait, by instance."""

    url: str
    keys: dict[str, int]
    sessions: dict[str, requests.Session] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    script: subprocess.Popen[str] | None = None

    def ask(self, user: str, path: str, method: str = "GET", **more: Any) -> requests.Response:
        return self.sessions[user].request(method, f"{self.url}{path}", timeout=60, **more)

    def log_in(self, user: str, password: str) -> None:
        self.sessions[user] = session = requests.Session()
        session.trust_env = False
        body = {"username": user, "password": password}
        answer = session.post(f"{self.url}/auth/token", json=body, timeout=60)
        answer.raise_for_status()
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


@pytest.fixture(scope="module")
def airflow(migrated_sqlite: Path) -> Iterator[FabAirflow]:
    home = Path(tempfile.mkdtemp(prefix="customer-import-fab-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        shutil.copy2(migrated_sqlite, home / "import.db")
        engine = open_engine(f"sqlite:///{home / 'import.db'}")
        keys = add_two_instances(engine)
        engine.dispose()
        port = free_port(18_680)
        environment = settings(home, port)
        first = script(environment)
        assert first.wait(START_S) == 0, first.stdout
        change_as_an_operator_does(home / "airflow" / "airflow.db")
        for name in ("api-server", "dag-processor"):
            command = [sys.executable, "-m", "airflow", name]
            stack.enter_context(ChildProcess(name, command, environment, home / f"{name}.log"))
        airflow = FabAirflow(f"http://localhost:{port}", keys)
        prepare(airflow)
        airflow.script = script(environment)  # again, while tests ask
        stack.callback(airflow.script.wait)
        yield airflow


def settings(home: Path, port: int) -> dict[str, str]:
    own = {
        name: {
            "title": f"{name.title()} instance",
            "import_types": ["direct", "indirect"],
            "schedules": {"direct": {"cron": "@yearly"}},
            "roles": ROLES[name],
        }
        for name in ROLES
    }
    instances = home / "instances.yaml"
    instances.write_text(yaml.safe_dump({"version": 1, "instances": own}))
    (home / "airflow").mkdir()
    connection = {"conn_type": "sqlite", "host": str(home / "import.db")}
    wanted = compose.services()["airflow-init"]["environment"]
    return airflow_environment(home / "airflow", instances, port) | {
        "AIRFLOW__CORE__AUTH_MANAGER": wanted["AIRFLOW__CORE__AUTH_MANAGER"],
        "AIRFLOW_ADMIN_PASSWORD": PASSWORD,
        "AIRFLOW_CONN_CUSTOMER_IMPORT_DB": orjson.dumps(connection).decode(),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "plugins"), str(ROOT)]),
    }


def script(environment: dict[str, str]) -> subprocess.Popen[str]:
    """Start the script of the compose file that makes tables, roles and first user."""
    command = ["/bin/bash", "-c", compose.script("airflow-init")]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def change_as_an_operator_does(path: Path) -> None:
    """Give the first user another password, and take a right from a role."""
    with sqlite3.connect(path) as database:
        database.execute("UPDATE ab_user SET password = ?", (generate_password_hash(CHANGED),))
        taken = database.execute(
            """DELETE FROM ab_permission_view_role
            WHERE role_id = (SELECT id FROM ab_role WHERE name = ?)
            AND permission_view_id IN (SELECT pv.id FROM ab_permission_view pv
              JOIN ab_view_menu v ON v.id = pv.view_menu_id WHERE v.name = 'XComs')""",
            (VIEWER,),
        )
        assert taken.rowcount == 1


def prepare(airflow: FabAirflow) -> None:
    """Wait until everything is there; make users, and a waiting DAG run of each instance."""
    wait_until(lambda: is_up(airflow))
    airflow.log_in("admin", CHANGED)
    wait_until(
        lambda: all(
            airflow.ask("admin", f"/api/v2/dags/{dag_id}").ok for dag_id in (NORTH, SOUTH, DIRECT)
        )
    )
    for user, role in USERS.items():
        body = {"username": user, "first_name": user, "last_name": "Test", "password": PASSWORD}
        body |= {"email": f"{user}@partner.example"}
        answer = airflow.ask(
            "admin", "/auth/fab/v1/users", "POST", json={**body, "roles": [{"name": role}]}
        )
        answer.raise_for_status()
        airflow.log_in(user, PASSWORD)
    for name, dag_id in (("north", NORTH), ("south", SOUTH)):
        answer = start(airflow, "admin", dag_id, name)
        airflow.runs[name] = answer.json()["dag_run_id"]


def is_up(airflow: FabAirflow) -> bool:
    session = requests.Session()
    session.trust_env = False
    try:
        return session.get(f"{airflow.url}/api/v2/version", timeout=5).ok
    except requests.RequestException:
        return False


def wait_until(condition: Any) -> None:
    deadline = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.3)


def start(airflow: FabAirflow, user: str, dag_id: str, instance: str) -> requests.Response:
    body = {"logical_date": None, "conf": {"instance": instance}}
    return airflow.ask(user, f"/api/v2/dags/{dag_id}/dagRuns", "POST", json=body)


def lists_of_airflow(airflow: FabAirflow) -> list[str]:
    """Addresses of Airflow's own that list what there is, or name what is of the instance north."""
    named = f"/api/v2/dags/{NORTH}"
    run = f"{named}/dagRuns/{airflow.runs['north']}"
    return [
        "/api/v2/dags?limit=100",
        "/ui/dags?limit=100",
        "/api/v2/dags/~/dagRuns?limit=100",
        "/api/v2/dags/~/dagRuns/~/taskInstances?limit=100",
        "/api/v2/dags/~/dagRuns/~/hitlDetails",
        "/api/v2/dagStats",
        "/api/v2/dagTags",
        "/api/v2/dagWarnings",
        "/api/v2/importErrors",
        "/api/v2/eventLogs?limit=100",
        "/api/v2/assets",
        "/api/v2/assets/events",
        "/api/v2/connections",
        "/api/v2/variables",
        "/api/v2/pools",
        "/api/v2/backfills?dag_id=" + NORTH,
        "/ui/dashboard/historical_metrics_data?start_date=2020-01-01T00:00:00Z",
        "/ui/dashboard/dag_stats",
        f"/ui/grid/runs/{NORTH}",
        f"/ui/grid/structure/{NORTH}",
        named,
        f"{named}/details",
        f"{named}/tasks",
        f"{named}/dagVersions",
        f"{named}/dagRuns",
        run,
        f"{run}/taskInstances",
        f"{run}/taskInstances/start_run/logs/1",
        f"{run}/taskInstances/finish_run/xcomEntries",
    ]


def test_who_has_a_role_for_one_instance_sees_nothing_of_the_other(airflow: FabAirflow) -> None:
    pages = views(airflow.keys)
    for user in ("sam", "nora"):
        assert airflow.ask(user, "/customer-import/").status_code == 200
    told = {path: airflow.ask("sam", path).text.lower() for path in pages}
    echoed = ('value="5000"', "“5000”")  # a search that finds nothing says again what was asked
    shown = [
        (hint, path)
        for path, text in told.items()
        for hint in HINTS
        if hint in text.replace(echoed[0], "").replace(echoed[1], "")
    ]
    assert shown == []
    assert any("south company" in text for text in told.values())
    everything = " ".join(airflow.ask("nora", path).text.lower() for path in pages)
    assert all(hint in everything for hint in HINTS)

    own = lists_of_airflow(airflow)
    answers = {path: airflow.ask("sam", path) for path in own}
    assert {path for path, answer in answers.items() if answer.status_code >= 500} == set()
    assert [path for path, answer in answers.items() if airflow.runs["north"] in answer.text] == []
    listed = [path for path in own if "north" not in path]
    assert [path for path in listed if "north" in answers[path].text.lower()] == []
    assert SOUTH in answers["/api/v2/dags?limit=100"].text
    assert airflow.runs["south"] in answers["/api/v2/dags/~/dagRuns?limit=100"].text
    assert NORTH in airflow.ask("admin", "/api/v2/dags?limit=100").text
    sys.stdout.write(f"{len(pages)} addresses of the pages and {len(own)} of Airflow asked\n")


def changes(dag_id: str, run_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Everything that a person could change about a DAG and a run of it: address, method, body."""
    dag, run = f"/api/v2/dags/{dag_id}", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"
    task = {"task_id": "start_run", "dag_id": dag_id, "dag_run_id": run_id, "new_state": "success"}
    runs = {"dag_id": dag_id, "dag_run_id": run_id, "state": "failed"}
    return [
        (f"{dag}/dagRuns", "POST", {"logical_date": None, "conf": {}}),
        (dag, "PATCH", {"is_paused": True}),
        (run, "PATCH", {"state": "failed"}),
        (f"{run}/clear", "POST", {"dry_run": False}),
        (f"{dag}/clearTaskInstances", "POST", {"dry_run": False, "dag_run_id": run_id}),
        (
            f"{run}/taskInstances/approve_load/-1/hitlDetails",
            "PATCH",
            {"chosen_options": ["Approve"], "params_input": {}},
        ),
        (
            "/api/v2/dags/~/dagRuns/~/taskInstances",
            "PATCH",
            {"actions": [{"action": "update", "entities": [task]}]},
        ),
        (
            "/api/v2/dags/~/dagRuns",
            "PATCH",
            {"actions": [{"action": "update", "entities": [runs]}]},
        ),
        (run, "DELETE", {}),
        (dag, "DELETE", {}),
    ]


def test_who_may_only_look_starts_changes_and_answers_nothing(airflow: FabAirflow) -> None:
    north, south = (NORTH, airflow.runs["north"]), (SOUTH, airflow.runs["south"])
    # Sam may look at the south; Nora, who may start runs in the north, tries the south's.
    for user, target in (
        ("sam", south),
        ("sam", north),
        ("vera", north),
        ("paul", north),
        ("nora", south),
    ):
        tried = changes(*target)
        codes = {
            f"{how} {path}": airflow.ask(user, path, how, json=body).status_code
            for path, how, body in tried
        }
        assert len(codes) == len(tried)
        assert {name for name, code in codes.items() if code != 403} == set(), user


def test_who_may_start_starts_and_ends_runs_of_that_instance(airflow: FabAirflow) -> None:
    for user, dag_id, instance, code in (
        ("nora", NORTH, "north", 200),
        ("nora", DIRECT, "north", 403),
        ("stella", DIRECT, "north", 200),
        ("stella", SOUTH, "south", 200),
    ):
        assert start(airflow, user, dag_id, instance).status_code == code, (user, dag_id)
    path, how, body = changes(NORTH, airflow.runs["north"])[5]
    # She gets as far as the question, which nobody has asked yet.
    assert airflow.ask("nora", path, how, json=body).status_code == 404
    path, how, body = changes(NORTH, airflow.runs["north"])[2]
    assert airflow.ask("nora", path, how, json=body).status_code == 200


def test_roles_for_everything_see_every_instance_and_no_secret(airflow: FabAirflow) -> None:
    for user in ("vera", "stella"):
        page = airflow.ask(user, f"/customer-import/?dag_id={DIRECT}").text
        assert "South company" in page or "North company" in page
        runs = airflow.ask(user, "/customer-import/api/runs").json()["items"]
        assert {run["instance"] for run in runs} == {"north", "south"}
        for path in ("connections", "variables", "config", "eventLogs"):
            assert airflow.ask(user, f"/api/v2/{path}").status_code == 403
        plugins = airflow.ask(user, "/api/v2/plugins").text
        assert "Import Results" in plugins  # the menu is made of this
    assert airflow.ask("paul", "/customer-import/").status_code == 403
    assert airflow.ask("paul", "/api/v2/dags").status_code == 403


def test_the_demo_writes_over_no_connection_to_another_host(airflow: FabAirflow) -> None:
    api = AirflowApi(airflow.url, "admin", CHANGED)
    api.log_in()
    path = "/api/v2/connections"
    real = {"connection_id": "sandbox_bss", "conn_type": "http", "host": "bss.partner.example"}
    assert airflow.ask("admin", path, "POST", json=real).status_code == 201
    with pytest.raises(DemoError, match=r"sandbox_bss to bss\.partner\.example"):
        configure_demo(api, INFO)
    connections = airflow.ask("admin", path).json()["connections"]
    assert [(each["connection_id"], each["host"]) for each in connections] == [
        ("sandbox_bss", "bss.partner.example")
    ]
    assert airflow.ask("admin", f"{path}/sandbox_bss", "DELETE").status_code == 204
    for _ in range(2):
        configure_demo(api, INFO)
    assert airflow.ask("admin", path).json()["total_entries"] == 3


def log_in(browser: Browser, airflow: FabAirflow, user: str, dag_id: str) -> Page:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{airflow.url}/customer-import/tenants?dag_id={dag_id}")
    page.get_by_label("Username").fill(user)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name=re.compile("sign in", re.IGNORECASE)).click()
    return page


def test_in_a_browser_one_login_may_start_and_the_other_only_look(
    browser: Browser, airflow: FabAirflow
) -> None:
    may_start, may_look = (
        log_in(browser, airflow, user, dag_id) for user, dag_id in (("nora", NORTH), ("sam", SOUTH))
    )
    expect(may_start.get_by_text("North company").first).to_be_visible()
    expect(may_look.get_by_text("South company").first).to_be_visible()
    expect(may_look.get_by_text("North")).to_have_count(0)
    expect(may_start.get_by_role("button", name="Get hierarchy")).to_be_visible()
    expect(may_look.get_by_role("button", name="Get hierarchy")).to_have_count(0)
    may_look.goto(f"{airflow.url}/dags")
    may_look.get_by_role("button", name="Browse").click()
    expect(may_look.get_by_role("menuitem", name="Import Results")).to_be_visible()


def test_what_an_operator_changed_is_left_when_the_script_runs_again(airflow: FabAirflow) -> None:
    assert airflow.script is not None
    said, _ = airflow.script.communicate(timeout=START_S)
    assert airflow.script.returncode == 0, said
    airflow.log_in("admin", CHANGED)
    role = airflow.ask("admin", f"/auth/fab/v1/roles/{VIEWER}").json()
    assert "XComs" not in {entry["resource"]["name"] for entry in role["actions"]}
    assert "Task Logs" in {entry["resource"]["name"] for entry in role["actions"]}
