"""PostgreSQL's planner knows how many rows a run has, before it is asked about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from customer_import.vocabulary import ImportType
from tests.imports.scene import on

if TYPE_CHECKING:
    from tests.imports.scene import Scene

ANALYSED = "SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples > 0"


@on("postgres")
def test_the_planner_knows_of_what_each_task_wrote(scene: Scene) -> None:
    with scene.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ("staged_customers", "staged_accounts", "bss_accounts", "import_results"):
            connection.execute(text(f"ALTER TABLE {table} SET (autovacuum_enabled = false)"))
    scene.sell(ImportType.DIRECT, 30)
    run = scene.stage(ImportType.DIRECT)
    staged = {"staged_customers", "staged_accounts", "staged_contacts"}
    with scene.engine.connect() as connection:
        assert staged <= set(connection.execute(text(ANALYSED)).scalars())
    scene.finish(scene.load(run))
    with scene.engine.connect() as connection:
        assert "import_results" in connection.execute(text(ANALYSED)).scalars().all()
