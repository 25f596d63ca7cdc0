"""``python -m tests.wheel WHEEL``: install a wheel as a foreign Airflow would, and run an import with nothing else.

Prints a line per step; ends with 1 at the first that is wrong.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement

from sandbox import SandboxConfig, SandboxServer
from sandbox.demo.airflow_api import AirflowApi
from sandbox.demo.processes import ChildProcess, free_port
from sandbox.demo.settings import (
    airflow_environment,
    connections,
    variables,
    write_instances,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.info import SandboxInfo

ROOT = Path(__file__).resolve().parents[2]
CUSTOMERS = 60
START_TIMEOUT_S = 180
RUN_TIMEOUT_S = 300
# Airflow reads only files that hold the words "airflow" and "dag".
DAG_FILE = """\
\"\"\"Airflow DAG: the partner's own customers.\"\"\"

from customer_import.pipeline import build_import_dag
from customer_import.vocabulary import ImportType

dag = build_import_dag(ImportType.DIRECT)
"""
FIELDS = {
    "partner_center": {
        "tenant_id",
        "cloud",
        "flow",
        "refresh_token_variable",
        "authority",
        "scope_base",
        "ca_file",
        "allow_plain_http",
    },
    "interworks_bss": {"client_key", "client_secret", "ca_file", "allow_plain_http"},
}


class Wrong(Exception):  # noqa: N818 - it says what is wrong
    """A step did not come out as it must."""


class WheelTest:
    """The steps, in one folder.

    Args:
        wheel: The built package.
        folder: Empty; everything that is made stands below it.
    """

    def __init__(self, wheel: Path, folder: Path) -> None:
        self._wheel, self._folder = wheel, folder
        self._bin = folder / "venv" / "bin"
        self._home = folder / "airflow"
        self._environment: dict[str, str] = {}

    def run(self) -> None:
        self._install()
        self._airflow_it_does_not_fit_is_refused()
        self._prepare_airflow()
        self._airflow_knows_the_provider()
        with SandboxServer(SandboxConfig(customers=CUSTOMERS, seed=5)) as sandbox:
            write_instances(sandbox.info, self._home / "include" / "instances.yaml")
            with self._airflow() as api:
                self._pages_are_there_once()
                self._forms(api)
                self._test_buttons(api, sandbox.info)
                self._configure(api, sandbox.info)
                self._import(api)

    def _install(self) -> None:
        subprocess.run([sys.executable, "-m", "venv", str(self._folder / "venv")], check=True)
        python = str(self._bin / "python")
        uv = [str(Path(sys.executable).parent / "uv"), "pip"]
        lock = str(ROOT / "requirements.txt")
        common = ["--quiet", "--python", python]
        _call([*uv, "sync", *common, "--require-hashes", "--compile-bytecode", lock])
        _call([*uv, "install", *common, "--compile-bytecode", str(self._wheel)])
        _call([*uv, "check", *common])
        said = self._command("customer-import", "--version").strip()
        _say(f"installed {self._wheel.name} beside the lock; the command says: {said}")

    def _airflow_it_does_not_fit_is_refused(self) -> None:
        source = (
            "import importlib.metadata as m, json; print(json.dumps(m.requires('customer-import')))"
        )
        needs = [Requirement(text) for text in json.loads(self._python(source))]
        airflow = next(need for need in needs if need.name == "apache-airflow")
        for version, fits in (("3.2.9", False), ("3.3.2", True), ("4.0.0", False)):
            if airflow.specifier.contains(version) is not fits:
                message = f"Airflow {version} is taken or refused wrongly by {airflow}"
                raise Wrong(message)
        _say(f"its metadata refuses an Airflow that does not fit: {airflow}")

    def _prepare_airflow(self) -> None:
        (self._home / "dags").mkdir(parents=True)
        (self._home / "dags" / "customers.py").write_text(DAG_FILE, encoding="utf-8")
        self._port = free_port(8090)
        log_port = free_port(8893)
        environment = airflow_environment(
            self._home,
            self._home / "include" / "instances.yaml",
            self._port,
            (log_port, free_port(log_port + 1)),
        )
        for name in ("PYTHONPATH", "CUSTOMER_IMPORT_INSTANCES", "VIRTUAL_ENV"):
            environment.pop(name, None)
        self._environment = environment | {
            "PATH": f"{self._bin}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._home / "dags"),
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        }
        (self._home / "passwords.json").write_text(json.dumps({"admin": secrets.token_hex(8)}))
        _say(f"a DAG file of {len(DAG_FILE.splitlines())} lines, nothing else in AIRFLOW_HOME")

    def _airflow_knows_the_provider(self) -> None:
        self._command("airflow", "db", "migrate")
        listed = json.loads(self._command("airflow", "providers", "list", "--output", "json"))
        found = [row for row in listed if row["package_name"] == "customer-import"]
        if len(found) != 1:
            message = "airflow providers list does not name customer-import once"
            raise Wrong(message)
        _say(f"airflow db migrate; airflow providers list: {json.dumps(found[0])}")

    @contextlib.contextmanager
    def _airflow(self) -> Iterator[AirflowApi]:
        command = [str(self._bin / "python"), "-m", "airflow", "standalone"]
        log = self._folder / "airflow.log"
        with ChildProcess("Airflow", command, self._environment, log, signal.SIGINT) as process:
            password = json.loads((self._home / "passwords.json").read_text())["admin"]
            api = AirflowApi(f"http://localhost:{self._port}", "admin", password)
            process.wait_until(api.is_ready, START_TIMEOUT_S)
            api.log_in()
            process.wait_until(lambda: api.has_dag("import_direct_customers"), START_TIMEOUT_S)
            yield api

    def _pages_are_there_once(self) -> None:
        source = (
            "import airflow.plugins_manager as m;"
            "print([p.name for p in m._get_plugins()[0]].count('customer_import'),"
            "[v['url_route'] for v in m._get_ui_plugins()[0]].count('import-results'))"
        )
        counts = self._python(source).split()[-2:]
        if counts != ["1", "1"]:
            message = f"the pages are registered {counts} times"
            raise Wrong(message)
        _say("Import Results is registered once")

    def _forms(self, api: AirflowApi) -> None:
        answer = api.http.get(f"{api.url}/ui/connections/hook_meta", timeout=60)
        answer.raise_for_status()
        types = {entry["connection_type"]: entry for entry in answer.json()}
        for name, fields in FIELDS.items():
            shown = set((types.get(name) or {}).get("extra_fields") or {})
            if shown != fields:
                message = f"the form of {name} has the fields {sorted(shown)}"
                raise Wrong(message)
            _say(f"the form of {name} ({types[name]['hook_name']}): {', '.join(sorted(shown))}")

    def _test_buttons(self, api: AirflowApi, info: SandboxInfo) -> None:
        for name, value in variables(info).items():
            api.put_variable(name, value)
        for connection in connections(info)[:2]:
            right = self._press(api, connection)
            wrong = self._press(api, {**connection, "password": "not the password"})
            if right["status"] is not True or wrong["status"] is not False:
                message = f"Test of {connection['conn_type']}: {right} / {wrong}"
                raise Wrong(message)
            for title, answer in (("right", right), ("wrong", wrong)):
                _say(f"Test of {connection['conn_type']}, {title} password: {answer['message']}")

    def _press(self, api: AirflowApi, connection: Mapping[str, Any]) -> dict[str, Any]:
        answer = api.http.post(f"{api.url}/api/v2/connections/test", json=connection, timeout=120)
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
        return told

    def _configure(self, api: AirflowApi, info: SandboxInfo) -> None:
        for connection in connections(info):
            api.put_connection(connection)

    def _import(self, api: AirflowApi) -> None:
        dag_id = "import_direct_customers"
        api.unpause(dag_id)
        run_id = api.trigger(dag_id, {"instance": "sandbox"})
        ends_at = time.monotonic() + RUN_TIMEOUT_S
        while (state := api.run_state(dag_id, run_id)) not in {"success", "failed"}:
            if time.monotonic() > ends_at:
                message = f"the import is still {state} after {RUN_TIMEOUT_S} s"
                raise Wrong(message)
            time.sleep(1)
        result = json.loads(self._command("customer-import", "results", "--json"))
        if state != "success" or not result["created"]:
            message = f"the import ended as {state}: {result}"
            raise Wrong(message)
        _say(f"the import: {json.dumps(result)}")

    def _command(self, name: str, *arguments: str) -> str:
        return _call([str(self._bin / name), *arguments], self._environment or None)

    def _python(self, source: str) -> str:
        return _call(
            [str(self._bin / "python"), "-W", "ignore", "-c", source], self._environment or None
        )


def _call(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        env=environment and dict(environment),
        cwd=tempfile.gettempdir(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        raise Wrong(message)
    return done.stdout


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    wheel = Path(sys.argv[1]).resolve()
    folder = Path(tempfile.mkdtemp(prefix="customer-import-wheel-"))
    started = time.monotonic()
    try:
        WheelTest(wheel, folder).run()
    except Wrong as error:
        _say(f"WRONG: {error}\nWhat was made is kept in {folder}")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    _say(f"The wheel works, {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
