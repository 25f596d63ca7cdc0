"""A database that version 1.0.0 left is migrated and imported into: nobody is created twice, and nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from customer_import.database.engine import open_engine, reading
from customer_import.database.migrate import migrate
from customer_import.database.tables import import_results, import_runs
from customer_import.vocabulary import ImportType
from tests.imports.scene import open_scene
from tests.support.first_version import make_database, make_sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from tests.imports.scene import Scene

UNFINISHED = 2
"""Customers of the load that was killed: both were noted as intended, and the account of one had been sent."""


@pytest.fixture(params=["sqlite", "postgres"])
def left(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database as version 1.0.0 left it."""
    engine = open_engine(request.getfixturevalue(f"{request.param}_database_url"))
    make_database(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def scene(left: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    make_sandbox(tmp_path)
    with open_scene(left, tmp_path, monkeypatch, data_dir=tmp_path) as scene:
        yield scene


def test_the_next_imports_find_what_the_first_version_wrote(scene: Scene) -> None:
    rows = count_rows(scene)
    before = {kind: set(scene.bss(kind).accounts) for kind in ImportType}
    migrate(scene.engine)
    assert count_rows(scene) == rows

    found = {kind: scene.run(kind, scope="changed").counts() for kind in ImportType}
    compared = scene.run(ImportType.DIRECT, scope="verify")

    assert found == {
        ImportType.DIRECT: {"unchanged": 4, "created": UNFINISHED, "rejected": 1},
        ImportType.INDIRECT: {"unchanged": 4},
        ImportType.TENANT_RESELLER: {"unchanged": 2},
    }
    assert compared.counts() == {"unchanged": 4 + UNFINISHED, "rejected": 1}
    # Of those whose load was killed one has its account already; each customer has one, and its contact.
    new = {kind: set(scene.bss(kind).accounts) - before[kind] for kind in ImportType}
    assert {kind.value: len(ids) for kind, ids in new.items() if ids} == {
        "direct": 1,
        "indirect": 1,
    }
    for kind in ImportType:
        assert all(len(contacts) == 1 for _, contacts, _ in scene.content(kind).values())


def count_rows(scene: Scene) -> list[int]:
    with reading(scene.engine) as connection:
        counts = (
            select(func.count()).select_from(table) for table in (import_results, import_runs)
        )
        return [connection.execute(count).scalar_one() for count in counts]
