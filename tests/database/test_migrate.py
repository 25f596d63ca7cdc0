"""The migrations give exactly the tables of the code, on both databases, also when many tasks start at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect

from customer_import.database.engine import open_engine
from customer_import.database.migrate import VERSION_TABLE, migrate
from customer_import.database.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Engine


def test_migrations_make_the_tables_of_the_code(engine: Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(engine: Engine) -> None:
    before = inspect(engine).get_table_names()
    migrate(engine)
    assert inspect(engine).get_table_names() == before


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_eight_tasks_may_migrate_an_empty_database_at_once(
    database: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(f"{database}_database_url")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: migrate(open_engine(url)), range(8)))
    tables = set(inspect(create_engine(url)).get_table_names())
    assert tables == {*metadata.tables, VERSION_TABLE}
