"""A real Airflow with imported customers, and a real Chromium that looks at it.

Airflow, the sandbox and two imports are started once for all browser tests. The browser is
Playwright's own Chromium, or the system's; where there is neither it is installed, and where that
is impossible the tests fail and say what to do.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import requests
import yaml
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from sandbox.demo.airflow_api import AirflowApi
from sandbox.demo.processes import ChildProcess, free_port
from sandbox.demo.settings import airflow_environment, connections, variables, write_instances
from sandbox.info import SandboxInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DIRECT, INDIRECT, RESELLER = (
    "import_direct_customers",
    "import_indirect_customers",
    "import_tenant_reseller_customers",
)
CUSTOMERS = 150
HOSTILE = (
    "<img src=x onerror=\"document.title='broken'\"> Ltd",
    "\"quoted\" & 'Söhne' </td></table> GmbH",
    "شركة الاختبار \u202eLtd",
)
REFUSAL = {
    "endpoint": "partner_center.customers.get",
    "kind": "status",
    "status": 400,
    "calls": [3, 7, 11],
}
USER, VIEWER, PASSWORD = "admin", "viewer", "browser-tests"
BROWSER_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SYSTEM_CHROMIUM = Path("/usr/bin/chromium")
START_TIMEOUT_S = 400.0
RUN_TIMEOUT_S = 400.0
LOOK_TIMEOUT_MS = 30_000
"""Airflow's UI is slow to come up on a busy machine; a test that passes does not wait for it."""

expect.set_options(timeout=LOOK_TIMEOUT_MS)


@dataclass
class World:
    """What the tests look at."""

    url: str
    api: AirflowApi
    info: SandboxInfo
    instances: Path
    tokens: dict[str, str] = field(repr=False)
    runs: dict[str, str] = field(default_factory=dict)

    def pages(self, path: str = "") -> str:
        return f"{self.url}/customer-import/{path}"

    def log_in(self, context: BrowserContext, user: str) -> None:
        cookie = {"name": "_token", "value": self.tokens[user], "url": self.url}
        context.add_cookies([cookie])  # type: ignore[list-item]

    def run_to_end(self, dag_id: str, conf: dict[str, Any]) -> str:
        run_id = self.api.trigger(dag_id, conf)
        deadline = time.monotonic() + RUN_TIMEOUT_S
        while self.api.run_state(dag_id, run_id) not in {"success", "failed"}:
            assert time.monotonic() < deadline, f"{dag_id} {run_id} did not end"
            time.sleep(0.5)
        return run_id

    def set_faults(self, *rules: dict[str, Any]) -> None:
        answer = _local().put(f"{self.info.control_url}/faults", json={"rules": list(rules)})
        answer.raise_for_status()

    def edit_account(self, account_id: int, path: str, value: str) -> None:
        """Change a field of an account in the BSS, as a person does there."""
        change = [{"op": "replace", "path": path, "value": value}]
        self._write_account("PATCH", f"/{account_id}", change, "application/json-patch+json")

    def create_account(self, name: str) -> int:
        """Enter an account in the BSS, as a person does there, and return its number."""
        body = {"name": name}
        number: int = self._write_account("POST", "", body, "application/json")["id"]
        return number

    def _write_account(self, method: str, path: str, body: object, kind: str) -> Any:
        own, session = self.info.provider, _local()
        form = {"grant_type": "password", "username": own.username, "password": own.password}
        keys = (own.client_key, own.client_secret)
        answer = session.post(f"{self.info.bss_url}/oauth/token", data=form, auth=keys)
        answer.raise_for_status()
        headers = {
            "Authorization": f"Bearer {answer.json()['access_token']}",
            "X-Api-Version": "3",
            "Content-Type": kind,
        }
        url = f"{self.info.bss_url}/api/accounts{path}"
        answer = session.request(method, url, data=orjson.dumps(body), headers=headers)
        answer.raise_for_status()
        return answer.json()

    def add_customer(self, name: str, kind: str = "direct") -> None:
        changes = {"document": {"companyProfile": {"companyName": name}}}
        answer = _local().post(
            f"{self.info.control_url}/customers", json={"class": kind, "changes": changes}
        )
        answer.raise_for_status()


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with started(CUSTOMERS) as world:
        for name in HOSTILE:
            world.add_customer(name)
        world.set_faults(REFUSAL)
        world.runs[DIRECT] = world.run_to_end(DIRECT, {"instance": "sandbox"})
        world.set_faults()
        hierarchy = {"instance": "sandbox", "mode": "discover"}
        world.runs[INDIRECT] = world.run_to_end(INDIRECT, hierarchy)
        yield world


@contextmanager
def started(customers: int) -> Iterator[World]:
    """Start a sandbox with that many customers and an Airflow that imports them; end both."""
    home = Path(tempfile.mkdtemp(prefix="customer-import-browser-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, home, ignore_errors=True)
        yield _start_airflow(stack, home, _start_sandbox(stack, home, customers))


def _start_sandbox(stack: ExitStack, home: Path, customers: int) -> SandboxInfo:
    info_file = home / "sandbox.json"
    command = [sys.executable, "-m", "sandbox", "serve", "--customers", str(customers)]
    command += ["--data-dir", str(home / "sandbox"), "--info-file", str(info_file)]
    path = os.pathsep.join(sys.path)
    environment = os.environ | {"PYTHONPATH": path}
    sandbox = ChildProcess("the sandbox", command, environment, home / "sandbox.log")
    stack.enter_context(sandbox).wait_until(info_file.exists, START_TIMEOUT_S)
    return SandboxInfo.read(info_file)


def _start_airflow(stack: ExitStack, home: Path, info: SandboxInfo) -> World:
    instances = home / "instances.yaml"
    write_instances(info, instances)
    _add_links(instances)
    airflow_home = home / "airflow"
    airflow_home.mkdir()
    (airflow_home / "passwords.json").write_bytes(orjson.dumps({USER: PASSWORD, VIEWER: PASSWORD}))
    port, log_port = free_port(18_080), free_port(18_180)
    log_ports = (log_port, free_port(log_port + 1))  # a demo beside it takes the usual ones
    environment = airflow_environment(airflow_home, instances, port, log_ports)
    users = f"{USER}:admin,{VIEWER}:viewer"
    environment |= {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users}
    command = [sys.executable, "-m", "airflow", "standalone"]
    airflow = ChildProcess("Airflow", command, environment, home / "airflow.log", signal.SIGINT)
    stack.enter_context(airflow)
    api = AirflowApi(f"http://localhost:{port}", USER, PASSWORD)
    airflow.wait_until(api.is_ready, START_TIMEOUT_S)
    api.log_in()
    dag_ids = (DIRECT, INDIRECT, RESELLER)
    airflow.wait_until(lambda: all(map(api.has_dag, dag_ids)), START_TIMEOUT_S)
    for connection in connections(info):
        api.put_connection(connection)
    for key, value in variables(info).items():
        api.put_variable(key, value)
    for dag_id in dag_ids:
        api.unpause(dag_id)
    tokens = {name: _token(api.url, name) for name in (USER, VIEWER)}
    return World(api.url, api, info, instances, tokens)


def _token(url: str, username: str) -> str:
    body = {"username": username, "password": PASSWORD}
    answer = _local().post(f"{url}/auth/token", json=body)
    answer.raise_for_status()
    token: str = answer.json()["access_token"]
    return token


def _add_links(instances: Path) -> None:
    document = yaml.safe_load(instances.read_text(encoding="utf-8"))
    url = "https://bss.example.com/accounts/{account_id}"
    for instance in document["instances"].values():
        instance["bss"] |= {"account_url": url, "contact_url": url + "/contacts/{contact_id}"}
    instances.write_text(yaml.safe_dump(document), encoding="utf-8")


def _local() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


@pytest.fixture
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
        browser = playwright.chromium.launch(executable_path=_chromium(own), args=BROWSER_ARGUMENTS)
        yield browser
        browser.close()


def _chromium(own: str) -> str:
    """Return the path of a Chromium, installing one when there is none."""
    install = (
        [sys.executable, "-m", "playwright", "install", "chromium"],
        ["apt-get", "install", "-y", "chromium"],
    )
    for command in (None, *install):
        if command and (command[0] != "apt-get" or os.geteuid() == 0):
            subprocess.run(command, check=False, capture_output=True, timeout=600)
        for path in (Path(own), SYSTEM_CHROMIUM):
            if path.exists():
                return str(path)
    pytest.fail("no Chromium. Hint: playwright install chromium, or: apt-get install chromium")


@pytest.fixture
def open_page(browser: Browser, world: World) -> Iterator[Callable[..., Page]]:
    """Open a page as the logged-in user; whatever its console complains of fails the test."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_page(path: str, width: int = 1280, height: int = 900, scheme: Any = "light") -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
        )
        context.set_default_timeout(LOOK_TIMEOUT_MS)
        contexts.append(context)
        world.log_in(context, USER)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.extend(_complaint(said)))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _complaint(said: Any) -> list[str]:
    is_ours = "customer-import" in (said.location or {}).get("url", "")
    is_policy = re.search("Content Security Policy", said.text) is not None
    return [said.text] if said.type == "error" and (is_ours or is_policy) else []
