from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests.imports.scene import scene
from tests.tasks.finish.book import Book

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

__all__ = ["book", "scene"]


@pytest.fixture
def book(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    """Runs whose rows a test writes itself."""
    types = ["direct", "indirect"]
    instances = {
        "default": {"title": "Test", "import_types": types},
        "reseller": {
            "title": "R",
            "import_types": ["tenant_reseller"],
            "reseller_mpn_id": "4847383",
        },
    }
    path = tmp_path / "instances.yaml"
    path.write_text(yaml.safe_dump({"version": 1, "instances": instances}))
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(path))
    return Book(engine)
