"""Whole imports in a real Airflow, every logger at DEBUG: one in a storm, one refused, two that cannot sign in.

Airflow runs as the demo starts it. The errors that refuse an import repeat what was sent, as careless servers do.
When everything has ended, what was left behind lies in one folder.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
import requests
import yaml

from customer_import.vocabulary import ImportType
from sandbox.demo.airflow_api import AirflowApi
from sandbox.demo.processes import ChildProcess, free_port
from sandbox.demo.settings import (
    DAG_INSTANCES,
    ROOT,
    airflow_environment,
    connections,
    variables,
    write_instances,
)
from sandbox.faults import FaultKind, FaultRule, RetryAfterForm
from sandbox.info import SandboxInfo
from tests.canary.marks import STEMS, Marks, marked, secrets_of
from tests.canary.pages import keep_pages
from tests.canary.places import Evidence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CUSTOMERS = 150
INVALID_REFRESH_TOKEN = 70000  # AADSTS
FIRST_PORT, FIRST_LOG_PORT = 18_580, 18_593
USER, PASSWORD = "admin", "canary-tests"
START_TIMEOUT_S = 300.0
RUN_TIMEOUT_S = 300.0
QUIET_LOGGERS = (
    "airflow.jobs=INFO, airflow.executors=INFO, airflow.dag_processing=INFO, supervisor=INFO"
)
"""All others log at DEBUG. The first three fill their logs with their loops, five times a second. The supervisor of a
task would print every message that it gets from it, and among these is a variable to be stored, in the clear: at DEBUG
Airflow itself shows the new refresh token, whatever the import does."""
_REQUEST_TIMEOUT_S, _LATE_S = 2.0, 2.5
_BSS = {"request_timeout_s": _REQUEST_TIMEOUT_S, "settle_delay_s": 0.2, "max_attempts": 10}
_PARTNER_CENTER = {"request_timeout_s": _REQUEST_TIMEOUT_S, "max_attempts": 10}


@dataclass
class Imports:
    """What ran, and what it left behind.

    Attributes:
        evidence: Where to search.
        marks: What to search for.
        states: Of the DAG runs, by what was done to them.
        faults: How often each fault struck.
    """

    evidence: Evidence
    marks: Marks
    states: dict[str, str] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)


def run_imports(folder: Path) -> Imports:
    """Run the imports, keep the pages, end everything.

    Raises:
        DemoError: Airflow or the sandbox did not start.
        TimeoutError: A run did not end.
    """
    with _sandbox(folder) as sandbox, ExitStack() as printing:
        imports = Imports(Evidence(folder), Marks(secrets_of(sandbox.info) | STEMS))
        with _airflow(folder, sandbox.info) as api:
            run = partial(_run, api, sandbox, imports)
            run("storm", storm(), ImportType.DIRECT)
            run("contacts refused", refused_contacts(), ImportType.INDIRECT)
            run("sign-in refused", refused_sign_ins(), *[ImportType.TENANT_RESELLER] * 2)
            imports.faults = sandbox.fault_counts()
            keep_pages(api, imports.evidence.pages)
            printing.enter_context(_results(imports.evidence))  # while Airflow is ending
    return imports


def storm() -> list[FaultRule]:
    """Return rules that strike some 30 % of all requests, in every way there is."""
    return [
        FaultRule(endpoint="entra.token", kind=FaultKind.ENTRA_ERROR, code=90033, probability=0.2),
        *(
            FaultRule(
                endpoint=service, kind=FaultKind.UNAUTHORIZED, calls=tuple(range(41, 4_000, 41))
            )
            for service in ("bss.accounts.*", "bss.contacts.*", "partner_center.*")
        ),
        FaultRule(endpoint="bss.*", kind=FaultKind.RATE_LIMIT_403, probability=0.01),
        *(rule for service in ("bss.*", "partner_center.*") for rule in _everything(service)),
    ]


def _everything(service: str) -> Iterator[FaultRule]:
    for form in RetryAfterForm:
        yield FaultRule(
            endpoint=service,
            kind=FaultKind.THROTTLE,
            probability=0.01,
            retry_after_s=1,
            retry_after_form=form,
        )
    for status in (500, 502, 503, 504):
        yield FaultRule(endpoint=service, kind=FaultKind.STATUS, status=status, probability=0.03)
    for kind in (FaultKind.RESET_BEFORE, FaultKind.RESET_AFTER, FaultKind.TRUNCATE):
        yield FaultRule(endpoint=service, kind=kind, probability=0.03)
    for kind in (FaultKind.WRONG_JSON, FaultKind.EMPTY_BODY):
        yield FaultRule(endpoint=service, kind=kind, probability=0.02)
    yield FaultRule(endpoint=service, kind=FaultKind.ANSWER_LATE, probability=0.01, delay_s=_LATE_S)


def refused_contacts() -> list[FaultRule]:
    """Return rules by which the BSS takes no contact, and Partner Center refuses two customers, quoting all."""
    return [_quoting("bss.contacts.create"), _quoting("partner_center.customers.get", 3, 8)]


def refused_sign_ins() -> list[FaultRule]:
    """Return rules that refuse the first run at Entra ID and the second one at the BSS, quoting all."""
    return [_quoting("entra.token", 1), _quoting("bss.token", 1)]


def _quoting(endpoint: str, *calls: int) -> FaultRule:
    return FaultRule(
        endpoint=endpoint, kind=FaultKind.QUOTE, status=400, code=INVALID_REFRESH_TOKEN, calls=calls
    )


class _Sandbox:
    """The control API of a running sandbox."""

    def __init__(self, info: SandboxInfo) -> None:
        self.info = info
        self._http = requests.Session()
        self._http.trust_env = False

    def mark_customers(self) -> None:
        """Give every customer personal values that nothing else holds."""
        for number, customer in enumerate(self._call("GET", "customers")):
            if changes := marked(customer["document"] or {}, number):
                change = {"document": changes, "audit": False}
                self._call("PATCH", f"customers/{customer['tenant_id']}", change)

    def set_faults(self, rules: list[FaultRule]) -> None:
        self._call("PUT", "faults", {"rules": [asdict(rule) for rule in rules]})

    def fault_counts(self) -> dict[str, int]:
        counts: dict[str, int] = self._call("GET", "faults")["counts"]
        return counts

    def _call(self, method: str, path: str, body: object = None) -> Any:
        url = f"{self.info.control_url}/{path}"
        answer = self._http.request(method, url, json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()


def _run(
    api: AirflowApi,
    sandbox: _Sandbox,
    imports: Imports,
    name: str,
    faults: list[FaultRule],
    *kinds: ImportType,
) -> None:
    """Run imports to their end, one after the other, while the sandbox has faults."""
    sandbox.set_faults(faults)
    runs = [
        (kind.dag_id, api.trigger(kind.dag_id, {"instance": DAG_INSTANCES[kind.dag_id]}))
        for kind in kinds
    ]
    for number, (dag_id, run_id) in enumerate(runs, start=1):
        key = f"{name} {number}" if len(runs) > 1 else name
        imports.states[key] = _end_of(api, dag_id, run_id)
    sandbox.set_faults([])


def _end_of(api: AirflowApi, dag_id: str, run_id: str) -> str:
    deadline = time.monotonic() + RUN_TIMEOUT_S
    while (state := api.run_state(dag_id, run_id)) not in {"success", "failed"}:
        if time.monotonic() > deadline:
            message = f"{dag_id} {run_id} did not end within {RUN_TIMEOUT_S:.0f} s"
            raise TimeoutError(message)
        time.sleep(0.3)
    return state


@contextmanager
def _sandbox(folder: Path) -> Iterator[_Sandbox]:
    info_file = folder / "sandbox.json"
    command = [sys.executable, "-m", "sandbox", "serve", "--customers", str(CUSTOMERS)]
    command += ["--data-dir", str(folder / "sandbox"), "--info-file", str(info_file)]
    environment = airflow_environment(folder / "airflow", folder / "instances.yaml", 0)
    process = ChildProcess("the sandbox", command, environment, folder / "sandbox.log")
    with process:
        process.wait_until(info_file.exists, START_TIMEOUT_S)
        sandbox = _Sandbox(SandboxInfo.read(info_file))
        sandbox.mark_customers()
        yield sandbox


@contextmanager
def _airflow(folder: Path, info: SandboxInfo) -> Iterator[AirflowApi]:
    evidence = Evidence(folder)
    evidence.airflow.mkdir()
    (evidence.airflow / "passwords.json").write_bytes(orjson.dumps({USER: PASSWORD}))
    environment = _environment(folder, info)
    command = [sys.executable, "-m", "airflow", "standalone"]
    airflow = ChildProcess("Airflow", command, environment, evidence.output, signal.SIGINT)
    with airflow:
        api = AirflowApi(environment["AIRFLOW__API__BASE_URL"], USER, PASSWORD)
        airflow.wait_until(api.is_ready, START_TIMEOUT_S)
        api.log_in()
        airflow.wait_until(lambda: all(map(api.has_dag, DAG_INSTANCES)), START_TIMEOUT_S)
        for connection in connections(info):
            api.put_connection(connection)
        for key, value in variables(info).items():
            api.put_variable(key, value)
        for dag_id in DAG_INSTANCES:
            api.unpause(dag_id)
        yield api


def _environment(folder: Path, info: SandboxInfo) -> dict[str, str]:
    instances = folder / "instances.yaml"
    write_instances(info, instances)
    document = yaml.safe_load(instances.read_text(encoding="utf-8"))
    for instance in document["instances"].values():
        instance["bss"] |= _BSS
        instance["partner_center"] |= _PARTNER_CENTER
    instances.write_text(yaml.safe_dump(document), encoding="utf-8")
    log_port = free_port(FIRST_LOG_PORT)
    log_ports = (log_port, free_port(log_port + 1))
    home, port = folder / "airflow", free_port(FIRST_PORT)
    return airflow_environment(home, instances, port, log_ports) | {
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": QUIET_LOGGERS,
    }


@contextmanager
def _results(evidence: Evidence) -> Iterator[None]:
    """Keep what ``make results`` prints; it works while the block runs."""
    evidence.printed.mkdir()
    with (evidence.printed / "results.txt").open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "customer_import.cli", "results", "--json"],
            cwd=ROOT,
            env=airflow_environment(evidence.airflow, evidence.folder / "instances.yaml", 0),
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        with process:
            yield
            process.wait(RUN_TIMEOUT_S)
