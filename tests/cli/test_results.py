"""The latest run of each import type, as Python values and as the command prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from customer_import.cli.results import main
from customer_import.runs.latest import latest_runs
from customer_import.tasks.finish import close_run
from customer_import.vocabulary import ImportType, Outcome
from tests.imports.scene import on

if TYPE_CHECKING:
    import pytest

    from tests.tasks.finish.book import Book


def test_the_newest_run_of_each_import_type_is_given(book: Book):
    for import_type in (ImportType.DIRECT, ImportType.TENANT_RESELLER, ImportType.DIRECT):
        run = book.begin(import_type)
        book.record(run, book.list(run, book.runs), "created")
        close_run(book.engine, run.id, {})

    direct, tenant_reseller = latest_runs(book.engine)

    assert (direct["import_type"], direct["run_id"]) == ("direct", "manual__3")
    assert (direct["discovered"], direct["created"]) == (3, 3)
    assert (tenant_reseller["run_id"], tenant_reseller["instance"]) == ("manual__2", "reseller")


def test_a_run_that_is_going_on_has_the_counts_so_far(book: Book):
    run = book.begin()
    one, *_ = book.list(run, 3)
    book.record(run, [one], "created")

    (latest,) = latest_runs(book.engine)

    assert (latest["state"], latest["created"]) == ("running", 1)


def connect(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "sqlite", "host": book.engine.url.database}
    monkeypatch.setenv("AIRFLOW_CONN_CUSTOMER_IMPORT_DB", orjson.dumps(connection).decode())


@on("sqlite")
def test_the_command_prints_one_json_object_a_line(
    book: Book, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    connect(book, monkeypatch)
    for import_type in ImportType:
        run = book.begin(import_type)
        book.record(run, book.list(run, 2), "created")
        close_run(book.engine, run.id, {})

    assert main() == 0

    lines = [orjson.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["import_type"] for line in lines] == [kind.value for kind in ImportType]
    for line in lines:
        assert line["discovered"] == sum(line[outcome.value] for outcome in Outcome) == 2
        assert line["state"] == "success"


@on("sqlite")
def test_the_command_says_when_nothing_has_run(
    book: Book, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    connect(book, monkeypatch)

    assert main() == 1

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "No import has run yet" in printed.err
