from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox import SandboxConfig, SandboxServer
from tests.tasks.load.scene import Scene, connection_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(customers=5, resellers=2, keeps_request_log=True)) as server:
        yield server


@pytest.fixture
def scene(
    engine: Engine, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Scene:
    monkeypatch.setenv("CUSTOMER_IMPORT_INSTANCES", str(tmp_path / "instances.yaml"))
    monkeypatch.setenv("AIRFLOW_CONN_BSS_DEFAULT", connection_json(sandbox))
    scene = Scene(engine, sandbox, tmp_path)
    scene.configure()
    return scene
