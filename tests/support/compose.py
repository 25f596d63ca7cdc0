"""The compose file as tests read it: what its services are, and which variables it needs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yaml"


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]
    return found


def config(name: str) -> str:
    """Return the content of a config, as it stands in a container."""
    content: str = yaml.safe_load(FILE.read_text(encoding="utf-8"))["configs"][name]["content"]
    return content.replace("$$", "$")


def script(service: str) -> str:
    """Return the shell script that a service runs, as it stands in a container."""
    *shell, text = services()[service]["command"]
    assert shell == ["bash", "-c"]
    return str(text).replace("$$", "$")


def needed_variables() -> set[str]:
    """Return the variables without which compose refuses to start."""
    return set(re.findall(r"(?<!\$)\$\{(\w+):\?", FILE.read_text(encoding="utf-8")))
