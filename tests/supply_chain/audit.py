"""Asks ``pip-audit`` what is known against the locked dependencies; what nobody could ask about is no good news."""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.supply_chain.locked import read_locked

_TIMEOUT_S = 900
_MOST_SAID = 300


@dataclass(frozen=True)
class Audit:
    """What came of an audit.

    Attributes:
        audited: Dependencies that were asked about.
        skipped: Name to reason, of those that nothing could be learned about.
        found: Known weaknesses, in words.
        trouble: Why nothing was audited at all; empty when something was.
    """

    audited: int = 0
    skipped: dict[str, str] | None = None
    found: tuple[str, ...] = ()
    trouble: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether everything was asked about, and nothing is known."""
        return bool(self.audited) and not (self.skipped or self.found or self.trouble)

    def told(self) -> str:
        """Say it in one line."""
        if self.trouble:
            return (
                f"audit: NOT AUDITED, the vulnerability data could not be reached: {self.trouble}"
            )
        skipped = self.skipped or {}
        return (
            f"audit: audited={self.audited} weaknesses={len(self.found)} not_audited={len(skipped)}"
        )


def audit(tools: Path, requirements: Path, services: tuple[str, ...] = ("pypi", "osv")) -> Audit:
    """Audit a requirements file with the first service that answers.

    A service is asked about one dependency first: ``pip-audit`` finds no weakness in what a service does not know, so
    one that knows nothing would pass for good news.

    Args:
        tools: Folder of programs with ``pip-audit``.
        requirements: A file with exact versions and hashes.
        services: Those of ``pip-audit``, in order.
    """
    first = read_locked(requirements.read_text(encoding="utf-8"))[0]
    troubles = []
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "requirements.txt"
        probe.write_text(first.as_text() + "\n", encoding="utf-8")
        for service in services:
            result = _ask(tools, probe, service)
            if not result.trouble:
                result = _ask(tools, requirements, service)
            if not result.trouble:
                return result
            troubles.append(f"{service}: {result.trouble}")
    return Audit(trouble="; ".join(troubles))


def _ask(tools: Path, requirements: Path, service: str) -> Audit:
    command = [
        *(str(tools / "pip-audit"), "--requirement", str(requirements), "--require-hashes"),
        *("--disable-pip", "--vulnerability-service", service),
        *("--format", "json", "--progress-spinner", "off"),
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        return read_report(json.loads(done.stdout))
    except subprocess.TimeoutExpired:
        return Audit(trouble=f"no answer in {_TIMEOUT_S} s")
    except ValueError:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        return Audit(trouble=said[-1][:_MOST_SAID])


def read_report(report: dict[str, Any]) -> Audit:
    """Read what ``pip-audit`` writes as JSON."""
    dependencies = report["dependencies"]
    skipped = {one["name"]: one["skip_reason"] for one in dependencies if "skip_reason" in one}
    found = tuple(
        f"{one['name']} {one['version']}: {weakness['id']}, mended in "
        f"{', '.join(weakness.get('fix_versions') or ()) or 'no version yet'}"
        for one in dependencies
        for weakness in one.get("vulns", ())
    )
    audited = len(dependencies) - len(skipped)
    trouble = "" if audited else f"nothing is known of {', '.join(skipped) or 'no dependency'}"
    return Audit(audited, skipped, found, trouble)
