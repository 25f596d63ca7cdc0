"""Bills of materials in CycloneDX JSON: of the wheel with its locked dependencies, and of the image.

``cyclonedx-py`` writes the components; what the bill is of, and what the image is built from, is added here.
"""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

from tests.supply_chain.locked import (
    base_image,
    installed_on,
    python_environment,
    read_locked,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.supply_chain.locked import BaseImage, Locked

Bill = dict[str, Any]
NAME = "customer-import"
SPECIFICATION = "1.6"
_BASE_REF = "base-image"
_VALIDATE = f"""
import sys
from pathlib import Path
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
text = Path(sys.argv[1]).read_text(encoding="utf-8")
version = SchemaVersion.from_version("{SPECIFICATION}")
sys.exit(JsonStrictValidator(version).validate_str(text))
"""


def write_bills(root: Path, tools: Path, folder: Path) -> dict[Path, Bill]:
    """Write both bills and return them by file.

    Args:
        root: The checkout.
        tools: Folder of programs with ``cyclonedx-py``, which also checks the schema.
        folder: Where to.

    Raises:
        ValueError: A requirement is not locked.
        subprocess.CalledProcessError: What was made breaks CycloneDX's schema; its output says where.
    """
    locked = read_locked((root / "requirements.txt").read_text(encoding="utf-8"))
    image = base_image((root / "Dockerfile").read_text(encoding="utf-8"))
    python = re.search(r"python(\d+\.\d+)", image.tag or "")
    if python is None:
        message = f"the tag of the base image {image.name} does not say which Python it has"
        raise ValueError(message)
    version = _version(root)
    in_image = installed_on(locked, python_environment(python[1]))
    bills = {
        folder / "sbom-wheel.cdx.json": of_wheel(_components(tools, locked), version),
        folder / "sbom-image.cdx.json": of_image(_components(tools, in_image), version, image),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for file, bill in bills.items():
        file.write_text(json.dumps(bill, indent=1) + "\n", encoding="utf-8")
        check = [str(tools / "python"), "-c", _VALIDATE, str(file)]
        subprocess.run(check, capture_output=True, text=True, check=True)
    return bills


def of_wheel(bill: Bill, version: str) -> Bill:
    """Return a bill as that of the wheel."""
    return _about(bill, _ours(version))


def of_image(bill: Bill, version: str, image: BaseImage) -> Bill:
    """Return a bill as that of the image: with the wheel and the base image, whose own parts are said to be missing."""
    base = {
        "bom-ref": _BASE_REF,
        "type": "container",
        "name": image.name,
        "version": image.digest or image.tag or "latest",
        "purl": image.purl,
    }
    ours = _ours(version)
    container = {"bom-ref": "image", "type": "container", "name": NAME, "version": version}
    bill = _about({**bill, "components": [base, ours, *bill.get("components", [])]}, container)
    return {**bill, "compositions": [{"aggregate": "incomplete", "assemblies": [_BASE_REF]}]}


def _ours(version: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{NAME}@{version}"
    return {"bom-ref": NAME, "type": "library", "name": NAME, "version": version, "purl": purl}


def _about(bill: Bill, component: dict[str, Any]) -> Bill:
    """Say what a bill is of, and that all its components belong to it."""
    parts = [one["bom-ref"] for one in bill.get("components", [])]
    others = [one for one in bill.get("dependencies", []) if one["ref"] != component["bom-ref"]]
    return {
        **bill,
        "metadata": {**bill.get("metadata", {}), "component": component},
        "dependencies": [{"ref": component["bom-ref"], "dependsOn": parts}, *others],
    }


def _components(tools: Path, locked: list[Locked]) -> Bill:
    command = [str(tools / "cyclonedx-py"), "requirements", "-", "--of", "JSON"]
    done = subprocess.run(
        [*command, "--sv", SPECIFICATION, "--output-reproducible"],
        input="\n".join(one.as_text() for one in locked),
        capture_output=True,
        text=True,
        check=True,
    )
    bill: Bill = json.loads(done.stdout)
    return bill


def _version(root: Path) -> str:
    text = (root / "plugins/customer_import/__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        message = "plugins/customer_import/__init__.py has no __version__"
        raise ValueError(message)
    return found[1]
