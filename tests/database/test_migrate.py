"""The migrations give exactly the tables of the code, on both databases, also when many tasks start at once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    column,
    create_engine,
    delete,
    insert,
    inspect,
    select,
    table,
    update,
)

from customer_import.database.engine import open_engine
from customer_import.database.migrate import VERSION_TABLE, migrate, newest_revision, scripts
from customer_import.database.tables import (
    import_results,
    import_runs,
    metadata,
    name_beginnings,
    reference_data,
    run_tasks,
    tenant_links,
)
from customer_import.errors import DatabaseError

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


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_a_migration_that_breaks_leaves_what_was_there_and_the_next_try_ends_it(
    database: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = open_engine(request.getfixturevalue(f"{database}_database_url"))
    migrate(engine, "0013")
    kept = inspect(engine).get_table_names()
    fill(engine)

    broken = OSError("no room")

    def full(*_: object) -> None:
        raise broken

    with monkeypatch.context() as patch:
        # Called by 0015, after a migration and a new table.
        patch.setattr("customer_import.database.names.record_names", full)
        with pytest.raises(OSError, match="no room"):
            migrate(engine)
    assert inspect(engine).get_table_names() == kept
    migrate(engine)
    assert "name_beginnings" in inspect(engine).get_table_names()
    engine.dispose()


def test_a_database_of_a_later_version_is_refused_in_words(engine: Engine) -> None:
    with engine.begin() as connection:
        version = table(VERSION_TABLE, column("version_num"))
        connection.execute(update(version).values(version_num="9999"))
    with pytest.raises(
        DatabaseError, match=r"a later version .* \(9999\).* Hint: install"
    ) as caught:
        migrate(engine)
    assert not caught.value.is_passing


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_the_data_of_the_first_version_is_kept(
    database: str, request: pytest.FixtureRequest
) -> None:
    engine = open_engine(request.getfixturevalue(f"{database}_database_url"))
    migrate(engine, "0001")
    now = datetime.now(UTC)
    own = {"import_type": "direct", "instance": "default"}
    with engine.begin() as connection:
        run = {"dag_id": "a", "airflow_run_id": "b", "mode": "import", "state": "running"}
        connection.execute(
            insert(import_runs).values(id=7, **own, **run, params={}, started_at=now)
        )
        result = {"run_id": 7, "tenant_id": "t", "outcome": "created", "recorded_at": now}
        connection.execute(insert(import_results).values(**own, **result))
        for name, body in (("organisation", {"a": 1}), ("seconds:load_customers[0]", 2.5)):
            connection.execute(insert(reference_data).values(run_id=7, name=name, body=body))

    migrate(engine)

    with engine.begin() as connection:
        assert connection.execute(select(import_runs.c.id, import_runs.c.dag_id)).one() == (7, "a")
        assert connection.execute(select(import_results.c.outcome)).scalar_one() == "created"
        assert connection.execute(select(reference_data.c.name)).scalars().all() == ["organisation"]
        attempt = {"run_id": 7, "task_id": "start_run", "map_index": -1, "attempt": 1}
        connection.execute(insert(run_tasks).values(**attempt, state="running", started_at=now))
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        connection.execute(delete(import_runs))
        assert connection.execute(select(run_tasks)).all() == []
    engine.dispose()


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_links_of_before_are_kept_and_no_account_is_linked_twice(
    database: str, request: pytest.FixtureRequest
) -> None:
    engine = open_engine(request.getfixturevalue(f"{database}_database_url"))
    migrate(engine, "0005")
    now = datetime.now(UTC)
    moments = {"created_at": now, "updated_at": now}
    before = [
        {"instance": instance, "tenant_id": tenant, "account_id": 1} | moments
        for instance, tenant in (("a", "t1"), ("a", "t2"), ("b", "t1"))
    ]
    names = ("instance", "tenant_id", "import_type", "account_id", "content_hash")
    old = table(
        "tenant_links",
        *map(column, names),
        *(column(name, DateTime(timezone=True)) for name in moments),
    )
    with engine.begin() as connection:
        rows = [row | {"import_type": "direct", "content_hash": "hash"} for row in before]
        connection.execute(insert(old), rows)

    migrate(engine)

    links = tenant_links.c
    kept = select(links.organisation, links.tenant_id, links.account_id, links.content_hash)
    with engine.connect() as connection:
        assert connection.execute(kept.order_by(links.id)).all() == [
            ("instance a", "t1", 1, "hash"),
            ("instance a", "t2", None, None),
            ("instance b", "t1", 1, "hash"),
        ]
    engine.dispose()


SOME_VALUES: dict[type, object] = {
    JSON: {"a": [1, "é"]},
    DateTime: datetime(2026, 7, 1, 12, tzinfo=UTC),
    Date: date(2026, 7, 1),
    Boolean: True,
    Integer: 1,
    Float: 2.5,
    LargeBinary: b"\x00\xff",
}


def some_value(column: Column[Any]) -> object:
    """A value that a column takes, whatever it means."""
    for kind, value in SOME_VALUES.items():
        if isinstance(column.type, kind):
            return value
    return f"{column.name} é"[: getattr(column.type, "length", None) or 50]


def fill(engine: Engine) -> dict[str, dict[str, Any]]:
    """Insert a row into every table as it is, and return what was inserted."""
    tables = MetaData()
    tables.reflect(engine)
    rows: dict[str, dict[str, Any]] = {}
    with engine.begin() as connection:
        for each in tables.sorted_tables:
            if each.name == VERSION_TABLE:
                continue
            columns = [one for one in each.columns if one.computed is None]
            rows[each.name] = {one.name: some_value(one) for one in columns}
            connection.execute(insert(each).values(rows[each.name]))
    return rows


def in_utc(value: object) -> object:
    """A moment as it was inserted; SQLite gives it back without its zone."""
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and not value.tzinfo else value


def test_the_newest_migration_is_the_last_file() -> None:
    assert newest_revision() == scripts().get_current_head()


def test_a_database_that_needs_no_migration_is_left_alone_without_alembic(
    sqlite_engine: Engine,
) -> None:
    code = (
        "import sys\n"
        "from customer_import.database.engine import open_engine\n"
        "from customer_import.database.migrate import migrate\n"
        f"migrate(open_engine({sqlite_engine.url.render_as_string()!r}))\n"
        "assert 'alembic' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


REVISIONS = [each.revision for each in scripts().walk_revisions()][:0:-1]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_every_row_of_every_earlier_revision_is_kept(
    database: str, revision: str, request: pytest.FixtureRequest
) -> None:
    engine = open_engine(request.getfixturevalue(f"{database}_database_url"))
    migrate(engine, revision)
    before = fill(engine)

    migrate(engine)

    tables = MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        for name, row in before.items():
            after = connection.execute(select(tables.tables[name])).mappings().all()
            assert len(after) == 1, name
            kept = {key: in_utc(after[0][key]) for key in row if key in after[0]}
            assert kept == {key: row[key] for key in kept}, name
    engine.dispose()


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_names_of_before_are_found_whatever_their_case(
    database: str, request: pytest.FixtureRequest
) -> None:
    engine = open_engine(request.getfixturevalue(f"{database}_database_url"))
    migrate(engine, "0013")
    now = datetime.now(UTC)
    names = ("run_id", "tenant_id", "import_type", "instance", "outcome", "tenant_name", "domain")
    old = table(
        "import_results", *map(column, names), column("recorded_at", DateTime(timezone=True))
    )
    run = {"dag_id": "a", "airflow_run_id": "b", "mode": "import", "state": "success"}
    own = {"import_type": "direct", "instance": "default"}
    called = ("ÖZ GIDA", "Contoso", None)
    rows = [
        {"run_id": 7, "tenant_id": f"t{at}", "outcome": "created", "recorded_at": now}
        | {"tenant_name": name, "domain": "a.com"}
        | own
        for at, name in enumerate(called)
    ]
    with engine.begin() as connection:
        connection.execute(
            insert(import_runs).values(id=7, **own, **run, params={}, started_at=now)
        )
        connection.execute(insert(old), rows)

    migrate(engine)

    columns = import_results.c
    with engine.connect() as connection:
        folded = select(columns.name_folded).order_by(columns.id)
        assert connection.execute(folded).scalars().all() == ["öz gida a.com", None, None]
        found = set(connection.execute(select(name_beginnings)).tuples())
        assert {("öz gida a.com", "t0"), ("gida a.com", "t0"), ("a.com", "t2")} <= found
    engine.dispose()
