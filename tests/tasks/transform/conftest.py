"""These tests run with the shipped instances file, whatever the environment names."""

from __future__ import annotations

import pytest

from customer_import.config.paths import INSTANCES_VARIABLE


@pytest.fixture(autouse=True)
def _shipped_instances(monkeypatch):
    monkeypatch.delenv(INSTANCES_VARIABLE, raising=False)
