"""``python -m tests.supply_chain sbom|audit``: write the bills of materials, or ask what is known against them.

The exit status is 0 only when the bills are whole, or when every locked dependency was audited and nothing is known.
"""

from __future__ import annotations

import subprocess
import sys

from sandbox.demo.settings import ROOT
from tests.supply_chain.audit import audit
from tests.supply_chain.bills import SPECIFICATION, write_bills

TOOLS = ROOT / ".peers" / "supply" / "bin"


def main(arguments: list[str]) -> int:
    match arguments:
        case ["sbom"]:
            return _sbom()
        case ["audit"]:
            return _audit()
    _say(__doc__)
    return 2


def _sbom() -> int:
    try:
        bills = write_bills(ROOT, TOOLS, ROOT / "dist")
    except subprocess.CalledProcessError as error:
        _say(f"sbom: what was made is no CycloneDX {SPECIFICATION}: {error.stderr[-2000:]}")
        return 1
    for file, bill in bills.items():
        _say(f"sbom: {file.relative_to(ROOT)} components={len(bill['components'])}")
    return 0


def _audit() -> int:
    result = audit(TOOLS, ROOT / "requirements.txt")
    for words in (
        *result.found,
        *(f"{name}: {why}" for name, why in (result.skipped or {}).items()),
    ):
        _say(f"  {words}")
    _say(result.told())
    return 0 if result.is_clean else 1


def _say(text: str | None) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
