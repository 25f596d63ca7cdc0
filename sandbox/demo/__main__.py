"""``python -m sandbox.demo``: sandbox, Airflow, three imports, their results."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from sandbox.demo.airflow_api import AirflowApi
from sandbox.demo.processes import ChildProcess, DemoError, free_port
from sandbox.demo.settings import (
    DAG_INSTANCES,
    airflow_environment,
    connections,
    variables,
    write_instances,
)
from sandbox.demo.taken_names import refuse_taken_names
from sandbox.info import SandboxInfo

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

START_TIMEOUT_S = 240.0
FIRST_PORT = 8080
NO_SUMMARY = {
    "error": "It failed before it could be recorded; the log of its task start_run says why."
}
OUTCOMES = ("created", "updated", "unchanged", "skipped", "ambiguous", "rejected", "failed")


class AnotherDemoError(DemoError):
    """The demo's folder is in use."""


@dataclass
class ImportRun:
    """One triggered DAG run, as the demo watches it."""

    dag_id: str
    run_id: str
    state: str = "queued"
    shown: str = ""


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 when all three imports succeeded (or the demo was ended by hand)."""
    options = _parse(arguments)
    for ending in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # a shell may start background jobs with SIGINT ignored
        signal.signal(ending, _interrupt)
    try:
        if options.check:
            return _check(options.home)
        return _demo(options)
    except DemoError as error:
        _say(f"The demo stops: {error}")
        return 1
    except KeyboardInterrupt:
        _say("\nThe demo has ended; its state is kept. Start it again with: make demo")
        return 0 if not options.once else 130


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="demo", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="folder of the demo's state")
    parser.add_argument("--customers", type=int, default=600, help="size of the population")
    parser.add_argument(
        "--port", type=int, default=FIRST_PORT, help="Airflow's port; the next free one when taken"
    )
    parser.add_argument(
        "--serve-bodies", type=Path, help="folder of real Partner Center bodies to serve as well"
    )
    parser.add_argument("--once", action="store_true", help="end when the runs are done")
    parser.add_argument(
        "--check", action="store_true", help="only let the sandbox check what was imported so far"
    )
    return parser.parse_args(arguments)


def _demo(options: argparse.Namespace) -> int:
    home: Path = options.home.resolve()
    kept = {
        "customers": options.customers,
        "serve_bodies": str(options.serve_bodies.resolve()) if options.serve_bodies else None,
    }
    with _alone(home), _sandbox(home, kept) as info:
        (home / "options.json").write_bytes(orjson.dumps(kept))
        instances = home / "instances.yaml"
        write_instances(info, instances)
        with _airflow(home, instances, options.port) as api:
            _configure(api, info)
            runs = _trigger(api)
            _watch(api, runs, home / "airflow" / "customer_import.db")
            succeeded = _show_results(api, runs)
            _say("\nWhat the sandbox found in its BSS:")
            succeeded = _run_check(info) and succeeded
            if not options.once:
                _stay(api, home)
    return 0 if succeeded else 1


@contextlib.contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Hold the demo's folder: a second demo on the same state would ruin it."""
    home.mkdir(parents=True, exist_ok=True)
    guard = sqlite3.connect(home / "running.lock", timeout=0, isolation_level=None)
    try:
        guard.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        message = "another demo is running on this state; end it first (Ctrl-C in its terminal)"
        raise AnotherDemoError(message) from error
    try:
        yield
    finally:
        guard.close()


@contextlib.contextmanager
def _sandbox(home: Path, options: Mapping[str, Any]) -> Iterator[SandboxInfo]:
    info_file = home / "sandbox.json"
    bss_port = _former_bss_port(info_file)
    info_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "sandbox", "serve", "--customers", str(options["customers"])]
    command += ["--data-dir", str(home / "sandbox"), "--info-file", str(info_file)]
    command += ["--bss-port", str(bss_port)]
    if folder := options["serve_bodies"]:
        if not Path(folder).is_dir():
            message = f"there is no folder {folder}"
            raise DemoError(message)
        command += ["--serve-bodies", folder]
    _say("Starting the sandbox: Entra ID, Partner Center and BSS on this machine ...")
    with ChildProcess("the sandbox", command, os.environ, home / "sandbox.log") as process:
        process.wait_until(info_file.exists, 60)
        yield SandboxInfo.read(info_file)


def _former_bss_port(info_file: Path) -> int:
    """Return the port of the start before, 0 for the first: at another address it would be another organisation."""
    if not info_file.exists():
        return 0
    return urlsplit(SandboxInfo.read(info_file).bss_url).port or 0


@contextlib.contextmanager
def _airflow(home: Path, instances: Path, wanted_port: int) -> Iterator[AirflowApi]:
    port = free_port(wanted_port)
    if port != wanted_port:
        _say(f"Port {wanted_port} is taken; Airflow takes {port}.")
    airflow_home = home / "airflow"
    airflow_home.mkdir(parents=True, exist_ok=True)
    log_port = free_port(8793)
    log_ports = (log_port, free_port(log_port + 1))
    environment = airflow_environment(airflow_home, instances, port, log_ports)
    _say("Starting Airflow (about half a minute; the first time a little longer) ...")
    command = [sys.executable, "-m", "airflow", "standalone"]
    with ChildProcess(
        "Airflow", command, environment, home / "airflow.log", signal.SIGINT
    ) as process:
        api = AirflowApi(f"http://localhost:{port}", "admin", _password(airflow_home))
        process.wait_until(api.is_ready, START_TIMEOUT_S)
        api.log_in()
        process.wait_until(lambda: _dags_are_there(api), START_TIMEOUT_S)
        yield api


def _password(airflow_home: Path) -> str:
    """Return the password of Airflow's user admin, made at the first start."""
    path = airflow_home / "passwords.json"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(orjson.dumps({"admin": secrets.token_urlsafe(9)}))
    password: str = orjson.loads(path.read_bytes())["admin"]
    return password


def _dags_are_there(api: AirflowApi) -> bool:
    errors = api.import_errors()
    if errors:
        message = f"a DAG file cannot be read: {errors[0]}"
        raise DemoError(message)
    return all(api.has_dag(dag_id) for dag_id in DAG_INSTANCES)


def _configure(api: AirflowApi, info: SandboxInfo) -> None:
    wanted = connections(info)
    refuse_taken_names(wanted, api.hosts(each["connection_id"] for each in wanted))
    for connection in wanted:
        api.put_connection(connection)
    for key, value in variables(info).items():
        api.put_variable(key, value)


def _trigger(api: AirflowApi) -> list[ImportRun]:
    runs = []
    for dag_id, instance in DAG_INSTANCES.items():
        api.unpause(dag_id)
        runs.append(ImportRun(dag_id, api.trigger(dag_id, {"instance": instance})))
    _say(
        f"Three imports are running. Watch them at {api.url} (user admin, password {api.password})."
    )
    return runs


def _watch(api: AirflowApi, runs: list[ImportRun], database: Path) -> None:
    """Say what each run is doing whenever that changes, until all have ended."""
    while any(run.state not in {"success", "failed"} for run in runs):
        time.sleep(1)
        for run in runs:
            if run.state in {"success", "failed"}:
                continue
            run.state = api.run_state(run.dag_id, run.run_id)
            text = _describe(api, run, database)
            if text != run.shown:
                run.shown = text
                _say(f"  {run.dag_id:<34} {text}")


def _describe(api: AirflowApi, run: ImportRun, database: Path) -> str:
    if run.state in {"success", "failed"}:
        return run.state
    states = api.task_states(run.dag_id, run.run_id)
    active = next((task for task, state in states if state == "running"), None)
    if active is None:
        return run.state
    if active == "extract_customers":
        return f"{active} {_extracted(run, database)}"
    if active == "load_customers":
        batches = [state for task, state in states if task == active]
        return f"{active} {batches.count('success')} of {len(batches)} batches"
    return active


def _extracted(run: ImportRun, database: Path) -> str:
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db,
    ):
        query = "SELECT extracted, listed FROM import_runs WHERE dag_id = ? AND airflow_run_id = ?"
        row = db.execute(query, (run.dag_id, run.run_id)).fetchone()
        if row and row[1]:
            return f"{row[0]} of {row[1]} tenants"
    return ""


def _show_results(api: AirflowApi, runs: list[ImportRun]) -> bool:
    _say(
        "\n"
        f"{'import':<17}{'state':<9}{'discovered':>11}"
        + "".join(f"{name:>11}" for name in OUTCOMES)
    )
    for run in runs:
        summary: dict[str, Any] = api.xcom(run.dag_id, run.run_id, "finish_run") or NO_SUMMARY
        outcomes: dict[str, int] = summary.get("outcomes", {})
        name = run.dag_id.removeprefix("import_").removesuffix("_customers")
        counts = "".join(f"{outcomes.get(outcome, 0):>11}" for outcome in OUTCOMES)
        _say(f"{name:<17}{run.state:<9}{summary.get('discovered', 0):>11}{counts}")
        if summary.get("error"):
            _say(f"    {summary['error']}")
    _say("\nThe same as JSON: make results")
    return all(run.state == "success" for run in runs)


def _stay(api: AirflowApi, home: Path) -> None:
    _say(
        f"\nAirflow stays up at {api.url} (user admin, password {api.password}).\n"
        f"Logs: {home / 'airflow.log'}, {home / 'sandbox.log'}. Ctrl-C ends it all."
    )
    while True:
        time.sleep(3600)


def _check(home: Path) -> int:
    """Let the sandbox of a running demo check what was imported into it, or one started on the demo's state."""
    options_file = home / "options.json"
    if not options_file.exists():
        message = "there is no demo to check; run: make demo"
        raise DemoError(message)
    try:
        with _alone(home), _sandbox(home, orjson.loads(options_file.read_bytes())) as info:
            return 0 if _run_check(info) else 1
    except AnotherDemoError:
        return 0 if _run_check(SandboxInfo.read(home / "sandbox.json")) else 1


def _run_check(info: SandboxInfo) -> bool:
    command = [sys.executable, "-m", "sandbox", "check", "--url", info.control_url]
    return subprocess.run(command, check=False).returncode == 0  # noqa: S603 - our own command


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
