"""The command as a person calls it, in an Airflow whose connections lead to a sandbox."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import yaml
from typer.testing import CliRunner

from customer_import.cli.main import app
from sandbox import SandboxConfig, SandboxServer
from tests.support.library_run import sandbox_environment
from tests.tasks.finish.conftest import book

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["book"]

EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.\w+")


@dataclass(frozen=True)
class Called:
    """What a call of the command came to."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """The objects that it printed, one a line."""
        return [orjson.loads(line) for line in self.out.splitlines()]


Call = Callable[..., Called]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call the command in this process; an exception that it does not put in words fails the test."""
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")  # so that it is unset again

    def call(*arguments: str) -> Called:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        said = Called(result.exit_code, result.stdout, result.stderr)
        assert "Traceback" not in said.err
        assert not EMAIL.search(said.out + said.err)
        return said

    return call


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(customers=8, resellers=2)) as server:
        yield server


@dataclass
class Airflow:
    """The connections, variables and instances that the command finds, to be spoilt."""

    sandbox: SandboxServer
    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        for name, value in sandbox_environment(self.sandbox.info, self.folder).items():
            self.monkeypatch.setenv(name, value)

    @property
    def instances(self) -> Path:
        return self.folder / "instances.yaml"

    def connection(self, end: str) -> str:
        """The environment variable with the connection of one end of the instance ``sandbox``."""
        instance = yaml.safe_load(self.instances.read_text())["instances"]["sandbox"]
        return f"AIRFLOW_CONN_{instance[end]['conn_id'].upper()}"

    def connect(self, end: str, **changes: Any) -> None:
        """Change the connection of one end; ``extra`` is added to what it has."""
        name = self.connection(end)
        connection = orjson.loads(os.environ[name])
        extra = orjson.loads(connection["extra"]) | changes.pop("extra", {})
        changed = connection | changes | {"extra": orjson.dumps(extra).decode()}
        self.monkeypatch.setenv(name, orjson.dumps(changed).decode())

    def configure(self, **bss: object) -> None:
        """Change what the instance ``sandbox`` says of its BSS."""
        document = yaml.safe_load(self.instances.read_text())
        document["instances"]["sandbox"]["bss"] |= bss
        self.instances.write_text(yaml.safe_dump(document, sort_keys=False))

    @property
    def secrets(self) -> set[str]:
        """What no output may hold."""
        info = self.sandbox.info
        of_bss = (
            (one.password, one.client_secret, one.client_key, one.username)
            for one in (info.provider, info.tenant_reseller)
        )
        return {info.client_secret, info.refresh_token, *(part for one in of_bss for part in one)}


@pytest.fixture
def airflow(
    running_sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Airflow]:
    yield Airflow(running_sandbox, tmp_path, monkeypatch)
    running_sandbox.faults.replace([])
