"""Starts the sandbox and the measured clients, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.demo.settings import ROOT, airflow_environment
from sandbox.info import SandboxInfo
from tests.support.library_run import sandbox_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

_START_S = 300.0
_CLIENT_S = 1_800.0


@dataclass(frozen=True)
class Arena:
    """A running sandbox with a folder for its clients."""

    info: SandboxInfo
    folder: Path
    environment: dict[str, str]

    def client(self, subject: str, **options: Any) -> dict[str, Any]:
        """Run one subject in a fresh process and return its figures."""
        return run_client(subject, self.environment, folder=str(self.folder), **options)

    def control(self, path: str, body: object = None, method: str = "GET") -> Any:
        data = None if body is None else orjson.dumps(body)
        request = urllib.request.Request(self.info.control_url + path, data=data, method=method)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=120) as answer:  # noqa: S310 - loopback
            return orjson.loads(answer.read())

    def requests(self) -> dict[str, int]:
        """Requests so far, by endpoint."""
        endpoints = self.control("/requests")["endpoints"]
        return {name: sum(counts.values()) for name, counts in endpoints.items()}

    def throttled(self) -> int:
        return sum(self.control("/state")["throttled"].values())


def run_client(subject: str, environment: dict[str, str], **options: Any) -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.client", subject]
    done = subprocess.run(
        [*command, orjson.dumps(options).decode()],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        timeout=_CLIENT_S,
        check=False,
    )
    if done.returncode:
        message = f"{subject} failed:\n{done.stderr.decode()[-3000:]}"
        raise RuntimeError(message)
    figures: dict[str, Any] = orjson.loads(done.stdout.strip().splitlines()[-1])
    return figures


def run_pages(environment: dict[str, str], rows: int) -> dict[str, Any]:
    """Run the benchmark of the pages and return its report."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.benchmarks.pages", "--large", str(rows)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, timeout=_CLIENT_S, check=False
    )
    if done.returncode:
        message = f"the pages failed:\n{done.stderr.decode()[-3000:]}"
        raise RuntimeError(message)
    text = done.stdout
    report: dict[str, Any] = orjson.loads(text[text.index(b"{") :])
    return report


def bare_environment(folder: Path) -> dict[str, str]:
    """The environment of a client without a sandbox."""
    environment = airflow_environment(folder / "airflow", folder / "instances.yaml", port=8793)
    environment["PYTHONPATH"] = os.pathsep.join([environment["PYTHONPATH"], str(ROOT)])
    environment["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        environment.pop(name, None)
    environment["NO_PROXY"] = environment["no_proxy"] = "localhost,127.0.0.1"
    return environment


@contextmanager
def arena(**options: Any) -> Iterator[Arena]:
    """Run a sandbox; options are those of its command line, with underscores."""
    with tempfile.TemporaryDirectory(prefix="customer-import-bench-") as name:
        folder = Path(name)
        file = folder / "sandbox.json"
        words = [
            part
            for key, value in options.items()
            for part in (f"--{key.replace('_', '-')}", str(value))
        ]
        environment = bare_environment(folder)
        command = [sys.executable, "-m", "sandbox", "serve", "--info-file", str(file), *words]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            ends_at = time.monotonic() + _START_S
            while not file.exists():
                if process.poll() is not None or time.monotonic() > ends_at:
                    message = "the sandbox did not start"
                    raise RuntimeError(message)
                time.sleep(0.1)
            info = SandboxInfo.read(file)
            yield Arena(info, folder, environment | sandbox_environment(info, folder))
        finally:
            process.terminate()
            process.wait(30)
