"""What stands in the sandbox's BSS, for tests to compare."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from sandbox.check import check_organisation

if TYPE_CHECKING:
    from sandbox.server import SandboxServer


def faults_of(server: SandboxServer) -> dict[str, int]:
    """Return what the sandbox's own check finds wrong, by organisation and figure; empty when all is right."""
    return {
        f"{name}.{figure}": count
        for name, organisation in server.bss.organisations.items()
        for figure, count in asdict(check_organisation(organisation, server.source)).items()
        if count
    }
