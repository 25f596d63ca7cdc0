"""The extraction's tests use Partner Center's fixtures: sandbox, hook, runs."""

from __future__ import annotations

from tests.partner_center.conftest import (
    engine,
    make_hook,
    make_run,
    sandbox,
    saved,
    shared_sandbox,
)

__all__ = [
    "engine",
    "make_hook",
    "make_run",
    "sandbox",
    "saved",
    "shared_sandbox",
]
