"""A sandbox in which the scenario was played twice: once as it is, once noting what is looked at."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from customer_import.database.engine import open_engine
from customer_import.database.migrate import migrate
from tests.contract.scenario import play
from tests.contract.tracing import Reads, tracing
from tests.imports.scene import Scene, open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.exchanges import Exchange


@dataclass
class Stage:
    """What was seen, and the sandbox of the second time, which still runs."""

    exchanges: list[Exchange]
    reads: Reads
    scene: Scene
    runs: int


@contextmanager
def played(folder: Path) -> Iterator[Stage]:
    """Play the scenario; the exchanges are those of imports in which nothing was replaced."""
    with _scene(folder / "first") as first:
        runs = play(first)
        exchanges = list(first.sandbox.exchanges)
    with _scene(folder / "second") as second:
        with tracing(second.sandbox.exchanges) as reads:
            play(second)
        yield Stage(exchanges, reads, second, runs)


@contextmanager
def _scene(folder: Path) -> Iterator[Scene]:
    folder.mkdir()
    engine = open_engine(f"sqlite:///{folder / 'import.db'}")
    migrate(engine)
    with (
        pytest.MonkeyPatch.context() as environment,
        open_scene(engine, folder, environment, keeps_exchanges=True) as scene,
    ):
        yield scene
    engine.dispose()
