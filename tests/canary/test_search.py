"""The search itself: it must be able to fail, at every place and in every form."""

from __future__ import annotations

import base64
import html
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import pytest

from tests.canary.marks import STEMS, Marks
from tests.canary.places import MUST_HOLD_PERSONAL_DATA, MUST_HOLD_SECRETS, Evidence, search

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SECRET = "s3cr3t~f00/b+r&z"
PERSON = f"{STEMS['lastName']}0042"
TOKEN = f"bss.provider.1800000000.123.{'0a' * 8}.{'1b' * 20}"
LEAK = f"user {PERSON} signed in"
METADATA = (
    *("xcom", "rendered_task_instance_fields", "dag_run", "log", "connection", "variable"),
    "task_instance",
)
OWN = (
    *("import_runs", "import_results", "validation_findings", "tenant_links"),
    *sorted(MUST_HOLD_PERSONAL_DATA),
)
FILES = {
    "task logs": "airflow/logs/dag_id=a/run_id=b/task_id=load_customers/attempt=1.log",
    "process logs": "airflow.log",
    "pages, HTML": "pages/html/001.txt",
    "pages, CSV": "pages/csv/001.txt",
    "pages, JSON": "pages/json/001.txt",
    "Airflow's REST API": "pages/airflow/001.txt",
    "what commands printed": "printed/results.txt",
    "other files of AIRFLOW_HOME": "airflow/airflow.cfg",
}
TABLES = {
    "XCom": "xcom",
    "rendered template fields": "rendered_task_instance_fields",
    "DAG runs with their trigger-form conf": "dag_run",
    "Airflow's audit log": "log",
    "Airflow's other tables": "task_instance",
    "results, with reasons and error texts": "import_results",
    "the import's other tables": "tenant_links",
}
FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda text: f"password={text}",
    "upper case": str.upper,
    "URL-encoded": lambda text: f"https://bss.example/?{urlencode({'q': text})}",
    "path of a URL": lambda text: f"https://bss.example/{quote(text, safe='')}/x",
    "JSON-escaped": lambda text: json.dumps({"name": text}),
    "JSON in JSON": lambda text: json.dumps({"body": json.dumps({"name": text})}),
    "HTML-escaped": lambda text: f"<td>{html.escape(text)}</td>",
    "repr of bytes": lambda text: repr(text.encode()),
    "repr of bytes in JSON": lambda text: json.dumps({"value": repr(text.encode())}),
    "hexadecimal": lambda text: text.encode().hex(),
    "Basic header, user of 1": lambda text: basic("u", text),
    "Basic header, user of 2": lambda text: basic("us", text),
    "Basic header, user of 3": lambda text: basic("use", text),
    "URL-safe base64": lambda text: base64.urlsafe_b64encode(f"x{text}y".encode()).decode(),
}


def basic(user: str, secret: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{secret}'.encode()).decode()}"


@pytest.fixture
def marks() -> Marks:
    return Marks({"secret": SECRET} | STEMS)


@pytest.fixture
def evidence(tmp_path: Path) -> Evidence:
    """What a run leaves behind, small, with nothing to find."""
    for name in FILES.values():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("nothing to see", encoding="utf-8")
    evidence = Evidence(tmp_path)
    for database, tables in ((evidence.airflow_database, METADATA), (evidence.database, OWN)):
        with closing(sqlite3.connect(database)) as connection:
            for table in tables:
                connection.execute(f"CREATE TABLE {table} (id INTEGER, value)")
                connection.execute(f"INSERT INTO {table} VALUES (1, 'nothing')")  # noqa: S608 - named above
            connection.commit()
    return evidence


def leak(evidence: Evidence, place: str, text: str) -> None:
    """Put a text into a place."""
    if place in FILES:
        with (evidence.folder / FILES[place]).open("a", encoding="utf-8") as file:
            file.write(f"{text}\n")
    else:
        leak_into_table(evidence, TABLES[place], text)


def leak_into_table(evidence: Evidence, table: str, text: str | bytes) -> None:
    database = evidence.airflow_database if table in METADATA else evidence.database
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"INSERT INTO {table} VALUES (2, ?)", (text,))  # noqa: S608 - named above
        connection.commit()


def found(evidence: Evidence, marks: Marks) -> dict[str, set[str]]:
    """Return the names of the marks that were found, by place."""
    places = search(evidence, marks)
    return {place.name: {hit.mark for hit in place.hits} for place in places if place.hits}


def test_a_clean_folder_has_no_hit_and_no_void_place(evidence: Evidence, marks: Marks) -> None:
    assert found(evidence, marks) == {}
    assert [place.name for place in search(evidence, marks) if place.is_void] == []
    assert {place.name for place in search(evidence, marks)} == FILES.keys() | TABLES.keys()


@pytest.mark.parametrize("place", [*FILES, *TABLES])
def test_a_leak_is_found_in_its_place_and_nowhere_else(
    place: str, evidence: Evidence, marks: Marks
) -> None:
    leak(evidence, place, LEAK)
    assert found(evidence, marks) == {place: {"lastName"}}


@pytest.mark.parametrize("table", sorted(MUST_HOLD_SECRETS | MUST_HOLD_PERSONAL_DATA))
def test_a_table_that_must_hold_the_values_is_left_out(
    table: str, evidence: Evidence, marks: Marks
) -> None:
    leak_into_table(evidence, table, LEAK)
    assert found(evidence, marks) == {}


def test_a_leak_in_a_binary_column_is_found(evidence: Evidence, marks: Marks) -> None:
    leak_into_table(evidence, "xcom", LEAK.encode())
    assert found(evidence, marks) == {"XCom": {"lastName"}}


def test_an_empty_place_is_void(evidence: Evidence, marks: Marks) -> None:
    (evidence.folder / FILES["task logs"]).unlink()
    assert [place.name for place in search(evidence, marks) if place.is_void] == ["task logs"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("name", "text"), [("secret", SECRET), ("lastName", PERSON)])
def test_a_value_is_found_in_every_form(form: str, name: str, text: str, marks: Marks) -> None:
    written = f"before {FORMS[form](text)} after"
    assert {hit.mark for hit in marks.find(written, "here")} == {name}


def test_a_value_that_was_cut_is_found(marks: Marks) -> None:
    cut = f"{STEMS['email']}00"
    assert {hit.mark for hit in marks.find(f"is taken: {cut}…", "here")} == {"email"}


def test_a_token_that_nobody_listed_is_found(marks: Marks) -> None:
    assert {hit.mark for hit in marks.find(f"Authorization: Bearer {TOKEN}", "here")} == {"token"}


def test_a_hit_does_not_repeat_the_value(marks: Marks) -> None:
    hits = list(marks.find(f"{SECRET} {PERSON}", "here"))
    assert hits
    assert all(SECRET not in repr(hit) and PERSON not in repr(hit) for hit in hits)
