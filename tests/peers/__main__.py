"""``python -m tests.peers``: run both suites, each in its environment, and count.

The exit status is 0 only when every test that was not left out has passed, and the BSS holds what it should.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sandbox import SandboxConfig, SandboxServer
from sandbox.config import ClassMix
from sandbox.demo.settings import ROOT
from tests.chaos.environment import prepare
from tests.support.bss_state import faults_of
from tests.support.library_run import sandbox_environment

CUSTOMERS = 40
ENVIRONMENTS = ROOT / ".peers"
PLUGINS = {
    "singer": (),
    "airbyte": (
        *("-p", "airbyte_cdk.test.standard_tests.pytest_hooks"),
        *("-p", "tests.peers.airbyte.images"),
    ),
}
_TIMEOUT_S = 900


@dataclass
class Suite:
    """What a suite came to, by class of tests.

    Attributes:
        run: Tests that were not left out.
        passed: Of these.
        left_out: How many, by reason.
    """

    run: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def is_good(self) -> bool:
        """Whether there were tests, and all that ran passed."""
        return bool(self.run) and self.run == self.passed

    def told_left_out(self) -> str:
        """Say how many were left out, with the reasons."""
        reasons = "; ".join(f"{count}: {why}" for why, count in self.left_out.items())
        return f"left_out={self.left_out.total()}" + (f" ({reasons})" if reasons else "")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="customer-import-peers-") as name:
        folder = Path(name)
        prepare(folder)
        with SandboxServer(
            SandboxConfig(customers=CUSTOMERS, mix=ClassMix.parse("direct=1"))
        ) as sandbox:
            environment = os.environ | sandbox_environment(sandbox.info, folder)
            singer = _run(
                "singer", folder, environment | {"PEER_DATABASE": f"sqlite:///{folder}/peers.db"}
            )
            faults = _wrong(sandbox)
            airbyte = _run("airbyte", folder, environment | {"PEER_PYTHON": sys.executable})
    tap, target = "TestTap", "TestTarget"
    for fault in faults:
        _say(f"  {fault}")
    _say(
        f"singer: tap_tests={singer.run[tap]} passed={singer.passed[tap]} "
        f"target_tests={singer.run[target]} passed={singer.passed[target]} {singer.told_left_out()}"
    )
    _say(
        f"airbyte: tests={airbyte.run.total()} passed={airbyte.passed.total()} {airbyte.told_left_out()}"
    )
    return 0 if singer.is_good and airbyte.is_good and not faults else 1


def _run(name: str, folder: Path, environment: dict[str, str]) -> Suite:
    python, report = str(ENVIRONMENTS / name / "bin" / "python"), folder / f"{name}.xml"
    options = ["--noconftest", "-c", os.devnull, f"--rootdir={ROOT}", "-p", "no:cacheprovider"]
    command = [
        *(python, "-W", "ignore", "-m", "pytest", f"tests/peers/{name}/suite.py"),
        *options,
        *PLUGINS[name],
        *("-q", "--import-mode=importlib", "--tb=short", f"--junitxml={report}"),
    ]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    suite = _read(report) if report.exists() else Suite()
    if done.returncode:
        _say(done.stdout[-6000:] + done.stderr[-2000:])
    return suite


def _read(report: Path) -> Suite:
    suite = Suite()
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - written by pytest a moment ago
        group = case.get("classname", "").rpartition(".")[2]
        if (skipped := case.find("skipped")) is not None:
            suite.left_out[skipped.get("message", "")] += 1
            continue
        suite.run[group] += 1
        suite.passed[group] += case.find("failure") is None and case.find("error") is None
    return suite


def _wrong(sandbox: SandboxServer) -> list[str]:
    """Say what is wrong in the BSS after tap and target: somebody twice, without contact, or not there."""
    faults = [f"{name}: {count}" for name, count in faults_of(sandbox).items()]
    provider = sandbox.bss.organisations["provider"]
    there = {
        value for account in provider.accounts.values() for value in account.custom_fields.values()
    }
    missing = sandbox.source.customers.keys() - there
    return [*faults, *(f"customer {tenant_id} was not imported" for tenant_id in missing)]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
