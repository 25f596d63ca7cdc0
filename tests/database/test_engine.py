"""Where the database is, and what its few dialect-specific statements promise."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, literal, make_url, select, text

from customer_import.database.engine import (
    database_url,
    durable,
    insert_missing,
    open_engine,
    reading,
    upsert,
    upsert_from_select,
)
from customer_import.database.tables import tenant_links
from customer_import.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

VARIABLE = "AIRFLOW_CONN_CUSTOMER_IMPORT_DB"


def link(tenant_id: str, **values: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    row = {"instance": "default", "tenant_id": tenant_id, "import_type": "direct"}
    return row | {"created_at": now, "updated_at": now, "attempts": 0} | values


def test_without_connection_the_database_is_a_file_in_the_airflow_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert database_url() == f"sqlite:///{tmp_path}/customer_import.db"


@pytest.mark.parametrize("name", ["what?", "a%20b", "c#d", "e f", "g&h=i"])
@pytest.mark.parametrize("is_connection", [False, True], ids=["home", "connection"])
def test_a_path_that_means_something_in_a_url_is_the_path_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, is_connection: bool
) -> None:
    home = tmp_path / name
    home.mkdir()
    file = home / "customer_import.db"
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("AIRFLOW_HOME", str(home))
    if is_connection:
        monkeypatch.setenv(VARIABLE, json.dumps({"conn_type": "sqlite", "host": str(file)}))
    engine = open_engine(database_url())
    with engine.connect():
        assert file.exists()
    engine.dispose()


def test_a_postgres_connection_keeps_password_port_and_tls_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        VARIABLE, "postgres://importer:p%40ss@db.example:6432/imports?sslmode=require"
    )
    assert database_url() == (
        "postgresql+psycopg2://importer:p%40ss@db.example:6432/imports?sslmode=require"
    )


def test_the_host_of_a_postgres_connection_may_be_the_folder_of_its_socket(
    monkeypatch: pytest.MonkeyPatch, postgres_database_url: str
) -> None:
    url = make_url(postgres_database_url)
    given = {"host": url.query["host"], "login": url.username, "schema": url.database}
    monkeypatch.setenv(VARIABLE, json.dumps({"conn_type": "postgres"} | given))
    engine = open_engine(database_url())
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT current_database()")) == url.database
    engine.dispose()


def test_pasted_blanks_around_the_connections_values_do_no_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"login": " importer\n", "password": "pw\r\n", "host": " db.example ", "schema": "i\n"}
    monkeypatch.setenv(VARIABLE, json.dumps({"conn_type": "postgres"} | given))
    assert database_url() == "postgresql+psycopg2://importer:pw@db.example/i"
    monkeypatch.setenv(VARIABLE, json.dumps({"conn_type": "postgres", "password": "hid\nden"}))
    with pytest.raises(ConfigurationError, match="at password: there is a line break") as caught:
        database_url()
    assert "hid" not in str(caught.value)


def test_a_connection_of_another_type_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "mysql://db.example/imports")
    with pytest.raises(
        ConfigurationError, match=r"customer_import_db.*mysql.*use postgres, sqlite"
    ):
        database_url()


def test_upsert_overwrites_by_the_unique_key_and_keeps_named_columns(engine: Engine) -> None:
    with engine.begin() as connection:
        upsert(connection, tenant_links, [link("t1", account_id=1, attempts=1)])
        upsert(connection, tenant_links, [link("t1", account_id=2, attempts=9)], keep=["attempts"])
        rows = connection.execute(select(tenant_links.c.account_id, tenant_links.c.attempts)).all()
    assert rows == [(2, 1)]


def test_upsert_of_nothing_and_of_columns_that_are_all_kept_changes_nothing(engine: Engine) -> None:
    row = link("t1", account_id=1)
    with engine.begin() as connection:
        upsert(connection, tenant_links, [])
        upsert(connection, tenant_links, [row])
        upsert(connection, tenant_links, [row | {"account_id": 2}], keep=list(row))
        rows = connection.execute(select(tenant_links.c.account_id)).all()
    assert rows == [(1,)]


def test_upsert_takes_the_rows_of_a_query_that_are_not_older(engine: Engine) -> None:
    moments = ("created_at", "updated_at")
    copied = ("organisation", "instance", "tenant_id", "import_type", *moments, "account_id")
    with engine.begin() as connection:
        upsert(connection, tenant_links, [link("t1", account_id=1), link("t2", account_id=2)])
        moved = select(
            *(tenant_links.c[name] for name in copied[:-1]), tenant_links.c.account_id + 10
        ).where(tenant_links.c.tenant_id == "t2")
        upsert_from_select(connection, tenant_links, copied, moved, ordered_by="updated_at")
        long_ago = literal(datetime(2001, 1, 1, tzinfo=UTC), type_=tenant_links.c.updated_at.type)
        older = [
            *(tenant_links.c[name] for name in copied[:-2]),
            long_ago,
            literal(99),
        ]
        upsert_from_select(
            connection,
            tenant_links,
            copied,
            select(*older).where(tenant_links.c.tenant_id == "t1"),
            ordered_by="updated_at",
        )
        rows = connection.execute(select(tenant_links.c.account_id).order_by("tenant_id")).all()
    assert rows == [(1,), (12,)]


def test_insert_missing_leaves_what_is_there(engine: Engine) -> None:
    with engine.begin() as connection:
        insert_missing(connection, tenant_links, [link("t1", account_id=1)])
        insert_missing(
            connection, tenant_links, [link("t1", account_id=2), link("t2", account_id=3)]
        )
        rows = connection.execute(select(tenant_links.c.account_id).order_by("account_id")).all()
    assert rows == [(1,), (3,)]


def test_writers_that_read_first_wait_for_each_other_instead_of_failing(engine: Engine) -> None:
    with engine.begin() as connection:
        insert_missing(connection, tenant_links, [link("t1")])
    failures: list[Exception] = []

    def count_up() -> None:
        try:
            for _ in range(20):
                with engine.begin() as connection:
                    row = connection.execute(select(tenant_links).with_for_update()).one()
                    connection.execute(tenant_links.update().values(attempts=row.attempts + 1))
        except Exception as error:  # noqa: BLE001 - the test reports whatever went wrong in a thread
            failures.append(error)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as connection:
        assert (failures, connection.execute(select(tenant_links.c.attempts)).scalar_one()) == (
            [],
            80,
        )


def test_a_failed_transaction_leaves_nothing(engine: Engine) -> None:
    def write_and_fail() -> None:
        with engine.begin() as connection:
            insert_missing(connection, tenant_links, [link("t1")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(tenant_links)).scalar_one() == 0


def test_on_sqlite_only_durable_transactions_wait_for_the_disk(sqlite_database_url: str) -> None:
    engine = open_engine(sqlite_database_url)

    def waits(of: Engine) -> int:
        with of.begin() as connection:
            return connection.exec_driver_sql("PRAGMA synchronous").scalar_one()

    normal, full = 1, 2
    assert [waits(of) for of in (engine, durable(engine), engine)] == [normal, full, normal]


def test_a_server_that_is_gone_is_noticed_unless_the_connection_says_otherwise(
    postgres_database_url: str,
) -> None:
    other = make_url(postgres_database_url).update_query_dict({"keepalives_idle": "7"})
    for url, idle in (
        (postgres_database_url, "30"),
        (other.render_as_string(hide_password=False), "7"),
    ):
        engine = open_engine(url)
        with engine.connect() as connection:
            driver: Any = connection.connection.driver_connection
            told = driver.info.dsn_parameters
        assert (told["keepalives_idle"], told["tcp_user_timeout"]) == (idle, "60000")
        engine.dispose()
