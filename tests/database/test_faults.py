"""What is wrong with the database is said in words with its place, and no error text shows what was stored."""

from __future__ import annotations

import os
import socket
import sqlite3
import threading
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine, insert, make_url, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from customer_import.database.engine import open_engine, reading
from customer_import.database.migrate import migrate
from customer_import.database.tables import import_results, tenant_links
from customer_import.errors import DatabaseError
from tests.database.test_engine import link

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

SECRET = "anna.muster@example.com"
BAD: dict[str, Any] = {
    "a key that is there already": insert(tenant_links).values(link(SECRET)),
    "a row without a value that it needs": insert(tenant_links).values(
        link("t", account_step=SECRET) | {"created_at": None}
    ),
    "a parent that is not there": insert(import_results).values(run_id=7, tenant_id=SECRET),
    "text where a number belongs": text("SELECT CAST(:a AS BIGINT)").bindparams(a=SECRET),
    "a number that is too large": insert(tenant_links).values(link("t", account_id=10**30)),
    "text that is too long": insert(tenant_links).values(link("t", import_type=SECRET * 20)),
    "a statement that is wrong": text("SELECT x FROM no_such WHERE a = :a").bindparams(a=SECRET),
}


@pytest.mark.parametrize("name", BAD)
def test_no_error_shows_a_value(engine: Engine, name: str) -> None:
    with engine.begin() as connection:
        connection.execute(insert(tenant_links).values(link(SECRET)))
    try:
        with engine.begin() as connection:
            connection.execute(BAD[name])
    except (SQLAlchemyError, OverflowError) as error:
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__cause__)
        assert not [value for value in (SECRET, str(10**30)) if value in shown]
    else:
        assert engine.dialect.name == "sqlite", "PostgreSQL refuses it"


def test_a_broken_constraint_still_says_which(postgres_database_url: str) -> None:
    engine = open_engine(postgres_database_url)
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(insert(tenant_links).values(link(SECRET)))
    with pytest.raises(IntegrityError) as caught, engine.begin() as connection:
        connection.execute(insert(tenant_links).values(link(SECRET)))
    assert "SQLSTATE 23505 at table tenant_links, constraint" in str(caught.value)
    engine.dispose()


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def ask(engine: Engine) -> str:
    with pytest.raises(DatabaseError) as caught, reading(engine) as connection:
        connection.execute(select(1))
    shown = "".join(traceback.format_exception(caught.value))
    assert "someone" not in str(caught.value)
    assert "hunter2" not in shown
    return str(caught.value)


def test_a_refused_connection(closed_port: int) -> None:
    said = ask(
        open_engine(f"postgresql+psycopg2://someone:hunter2@127.0.0.1:{closed_port}/imports")
    )
    place = f"the database 'imports' at 127.0.0.1:{closed_port}: "
    assert said.startswith(place + "it cannot be reached: the connection was refused. Hint: check")


def test_a_name_that_cannot_be_resolved() -> None:
    said = ask(open_engine("postgresql+psycopg2://someone:hunter2@nowhere.invalid/imports"))
    assert said.startswith(
        "the database 'imports' at nowhere.invalid: it cannot be reached: its name"
    )


def test_tls_that_is_asked_for_and_not_there() -> None:
    def refuse_tls() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(8)
            connection.sendall(b"N")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=refuse_tls)
        thread.start()
        place = f"someone:hunter2@127.0.0.1:{server.getsockname()[1]}"
        said = ask(open_engine(f"postgresql+psycopg2://{place}/imports?sslmode=require"))
        thread.join()
    assert "it cannot be reached: TLS was refused" in said


def test_a_database_that_does_not_exist(postgres_database_url: str) -> None:
    url = make_url(postgres_database_url).set(database="nothing")
    said = ask(open_engine(url.render_as_string(hide_password=False)))
    assert "there is no such database" in said


@pytest.mark.parametrize("is_idle", [True, False])
def test_a_lost_connection_is_told_and_the_next_one_works(
    postgres_database_url: str, is_idle: bool
) -> None:
    engine, admin = open_engine(postgres_database_url), create_engine(postgres_database_url)

    def kill(pid: int) -> None:
        with admin.begin() as killer:
            killer.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    with engine.connect() as connection:
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        if not is_idle:
            kill(pid)
            with pytest.raises(DatabaseError, match="the connection was lost"):
                connection.execute(select(1))
    if is_idle:
        kill(pid)
    with reading(engine) as connection:
        assert connection.execute(select(1)).scalar_one() == 1
    engine.dispose()
    admin.dispose()


def test_a_deadlock_stays_what_it_is_for_whoever_can_try_again(postgres_database_url: str) -> None:
    engine = open_engine(postgres_database_url)
    with pytest.raises(DBAPIError) as caught, engine.begin() as connection:
        connection.execute(text("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END $$"))
    assert not isinstance(caught.value, DatabaseError)
    engine.dispose()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("53100", "its disk is full"),
        ("53300", "no more connections"),
        ("25006", "only be read"),
        ("57P03", "starting"),
    ],
)
def test_what_a_server_says_of_itself(postgres_database_url: str, state: str, words: str) -> None:
    engine = open_engine(postgres_database_url)
    raises = text(f"DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END $$")
    with pytest.raises(DatabaseError, match=words), engine.begin() as connection:
        connection.execute(raises)
    engine.dispose()


def test_a_full_disk_under_sqlite(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'imports.db'}")
    migrate(engine)

    def fill() -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
            for number in range(2_000):
                connection.execute(insert(tenant_links).values(link(f"t{number}")))

    with pytest.raises(DatabaseError, match=r"imports\.db: the disk is full\. Hint: make room"):
        fill()
    engine.dispose()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    said = ask(open_engine(f"sqlite:///{tmp_path / 'nowhere' / 'imports.db'}"))
    assert "imports.db: it cannot be opened" in said


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "imports.db").write_text("hello, " * 1_000)
    assert "it is no SQLite database" in ask(open_engine(f"sqlite:///{tmp_path / 'imports.db'}"))


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {path.name: f"{path.stat().st_mode & 0o777:o}" for path in folder.iterdir()}


PRIVATE = {"imports.db": "600", "imports.db-wal": "600", "imports.db-shm": "600"}


def test_a_new_sqlite_file_and_its_wal_are_its_owners_alone(
    tmp_path: Path, open_umask: None
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'imports.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (a TEXT)"))
        assert modes(tmp_path) == PRIVATE
    engine.dispose()


def test_one_that_exists_already_becomes_so(tmp_path: Path, open_umask: None) -> None:
    path = tmp_path / "imports.db"
    before = sqlite3.connect(path)
    before.execute("PRAGMA journal_mode=WAL")
    before.execute("CREATE TABLE t (a TEXT)")
    assert set(modes(tmp_path).values()) <= {"644", "666"}
    engine = open_engine(f"sqlite:///{path}")
    with reading(engine) as connection:
        connection.execute(text("SELECT * FROM t"))
        assert modes(tmp_path) == PRIVATE
    before.close()
    engine.dispose()
