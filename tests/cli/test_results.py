"""The latest run of each import type, as Python values and as the command prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest
from sqlalchemy import column, table, update

from customer_import.database.migrate import VERSION_TABLE
from customer_import.runs.latest import latest_runs
from customer_import.tasks.finish.close import close_run
from customer_import.vocabulary import SUCCEEDED, ImportType, Outcome
from tests.imports.scene import on

if TYPE_CHECKING:
    from tests.cli.conftest import Call
    from tests.tasks.finish.book import Book


def test_the_newest_run_of_each_import_type_is_given(book: Book):
    for import_type in (ImportType.DIRECT, ImportType.TENANT_RESELLER, ImportType.DIRECT):
        run = book.begin(import_type)
        book.record(run, book.list(run, book.runs), "created")
        close_run(book.engine, run.key, {})

    direct, tenant_reseller = latest_runs(book.engine)

    assert (direct["import_type"], direct["run_id"]) == ("direct", "manual__3")
    assert (direct["discovered"], direct["created"]) == (3, 3)
    assert (tenant_reseller["run_id"], tenant_reseller["instance"]) == ("manual__2", "reseller")


def test_what_only_looked_does_not_hide_the_last_import(book: Book):
    for mode in ("preview", "import", "discover", "check"):
        close_run(book.engine, book.begin(mode=mode).key, {})
    (latest,) = latest_runs(book.engine)
    assert (latest["run_id"], latest["mode"]) == ("manual__2", "import")


def test_a_run_that_is_going_on_has_the_counts_so_far(book: Book):
    run = book.begin()
    one, *_ = book.list(run, 3)
    book.record(run, [one], "created")

    (latest,) = latest_runs(book.engine)

    assert (latest["state"], latest["created"]) == ("running", 1)


def connect(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    store(monkeypatch, conn_type="sqlite", host=book.engine.url.database)


def store(monkeypatch: pytest.MonkeyPatch, **connection: object) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", orjson.dumps(connection).decode())


@on("sqlite")
def test_json_is_one_object_a_line(book: Book, monkeypatch: pytest.MonkeyPatch, call: Call):
    connect(book, monkeypatch)
    for import_type in ImportType:
        run = book.begin(import_type)
        book.record(run, book.list(run, 2), "created")
        close_run(book.engine, run.key, {})

    said = call("results", "--json")

    assert said.code == 0
    assert [line["import_type"] for line in said.records] == [kind.value for kind in ImportType]
    facts = ["import_type", "run_id", "instance", "mode", "state", "discovered"]
    for line in said.records:
        assert list(line) == [*facts, *Outcome, "unclassified"]
        assert line["discovered"] == sum(line[outcome.value] for outcome in Outcome) == 2
        assert line["state"] in SUCCEEDED


@on("sqlite")
def test_the_table_has_a_column_for_each_import_and_no_empty_line(
    book: Book, monkeypatch: pytest.MonkeyPatch, call: Call
):
    connect(book, monkeypatch)
    for import_type, outcome in ((ImportType.DIRECT, "created"), (ImportType.INDIRECT, "skipped")):
        run = book.begin(import_type)
        book.record(run, book.list(run, 12), outcome)
        close_run(book.engine, run.key, {})

    said = call("results")

    assert said.code == 0
    assert (
        said.out
        == """\
            direct   indirect
instance    default  default
mode        import   import
state       success  success
discovered  12       12
created     12       0
skipped     0        12

direct: run manual__1
indirect: run manual__2
"""
    )


@on("sqlite")
@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_no_run_yet_is_told(
    book: Book, monkeypatch: pytest.MonkeyPatch, call: Call, arguments: tuple[str, ...]
):
    connect(book, monkeypatch)
    said = call("results", *arguments)
    assert (said.code, said.out) == (1, "")
    assert "No import has run yet" in said.err


def test_a_database_that_cannot_be_reached_is_told_without_who_signs_in(
    monkeypatch: pytest.MonkeyPatch, call: Call
):
    secret = {"login": "someone", "password": "hunter2"}
    store(monkeypatch, conn_type="postgres", host="127.0.0.1", port=1, schema="imports", **secret)
    said = call("results", "--json")
    assert (said.code, said.out) == (1, "")
    assert "the database 'imports' at 127.0.0.1:1: it cannot be reached" in said.err
    assert "Hint: check the connection customer_import_db" in said.err
    assert "someone" not in said.err
    assert "hunter2" not in said.err


def test_a_connection_of_another_type_is_told(monkeypatch: pytest.MonkeyPatch, call: Call):
    store(monkeypatch, conn_type="mysql", host="127.0.0.1")
    said = call("results")
    assert said.code == 1
    assert "use postgres, sqlite, or no connection at all" in said.err


@on("sqlite")
def test_a_database_of_a_newer_version_is_told(
    book: Book, monkeypatch: pytest.MonkeyPatch, call: Call
):
    connect(book, monkeypatch)
    with book.engine.begin() as connection:
        version = table(VERSION_TABLE, column("version_num"))
        connection.execute(update(version).values(version_num="9999"))
    said = call("results")
    assert said.code == 1
    assert (
        "a later version of customer-import made its tables (9999). Hint: install that" in said.err
    )
