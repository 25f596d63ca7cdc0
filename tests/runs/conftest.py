"""Runs whose rows a test writes itself."""

from __future__ import annotations

from tests.tasks.finish.conftest import book

__all__ = ["book"]
