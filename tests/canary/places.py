"""The places that are searched after the imports: everything that an Airflow with this project leaves behind.

Left out, by name, are only the tables that must hold what was marked: Airflow's connections and variables, and the
staging tables, which retention empties.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from tests.canary.marks import Hit, Marks

    Texts = Iterable[tuple[str, str]]

MUST_HOLD_SECRETS = frozenset({"connection", "variable"})
MUST_HOLD_PERSONAL_DATA = frozenset({"staged_customers", "staged_accounts", "staged_contacts"})
_OWN_PLACES = {
    "xcom": "XCom",
    "rendered_task_instance_fields": "rendered template fields",
    "dag_run": "DAG runs with their trigger-form conf",
    "log": "Airflow's audit log",
}
_REASONS = frozenset({"import_runs", "import_results", "validation_findings"})


@dataclass(frozen=True)
class Place:
    """A place that was searched: how much there was, and what was found."""

    name: str
    count: int
    unit: str
    characters: int
    hits: tuple[Hit, ...]

    @property
    def is_void(self) -> bool:
        """Whether there was nothing to search."""
        return self.characters == 0

    def __str__(self) -> str:
        found = f"hits={len(self.hits)}"
        return f"{self.name}: {self.count:,} {self.unit}, {self.characters:,} characters, {found}"


@dataclass(frozen=True)
class Evidence:
    """Where everything lies that the imports left behind.

    Attributes:
        folder: With Airflow's output, the pages, and what the commands printed.
    """

    folder: Path

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.folder / "airflow"

    @property
    def airflow_database(self) -> Path:
        """Airflow's metadata."""
        return self.airflow / "airflow.db"

    @property
    def database(self) -> Path:
        """The import's own."""
        return self.airflow / "customer_import.db"

    def is_other_file(self, path: Path) -> bool:
        """Whether a file of AIRFLOW_HOME is neither a log nor part of a database, whose tables are read instead."""
        databases = (self.airflow_database.name, self.database.name)
        is_log = self.airflow / "logs" in path.parents
        return not is_log and not path.name.startswith(databases)

    @property
    def output(self) -> Path:
        """What scheduler, API server, DAG processor and triggerer printed."""
        return self.folder / "airflow.log"

    @property
    def pages(self) -> Path:
        """A file per page, below a folder per kind."""
        return self.folder / "pages"

    @property
    def printed(self) -> Path:
        """A file per command."""
        return self.folder / "printed"


def search(evidence: Evidence, marks: Marks) -> list[Place]:
    """Search every place."""
    return [_place(marks, *found) for found in _places(evidence)]


def held(evidence: Evidence, marks: Marks) -> dict[str, set[str]]:
    """Return which marks stand where they must or may: in staging, and in the view of one customer."""
    texts = chain(
        _rows(evidence.database, MUST_HOLD_PERSONAL_DATA),
        _files(evidence.pages / "customer"),
    )
    found: dict[str, set[str]] = {}
    for where, content in texts:
        found.setdefault(where, set()).update(hit.mark for hit in marks.find(content, where))
    return found


def _places(evidence: Evidence) -> Iterator[tuple[str, str, Texts]]:
    logs = evidence.airflow / "logs"
    yield "task logs", "files", _files(logs, _is_task_log)
    processes = _files(logs, lambda path: not _is_task_log(path))
    yield "process logs", "files", chain(_file(evidence.output), processes)
    metadata, own = evidence.airflow_database, evidence.database
    for table, name in _OWN_PLACES.items():
        yield name, "rows", _rows(metadata, {table})
    others = _tables(metadata) - MUST_HOLD_SECRETS - _OWN_PLACES.keys()
    yield "Airflow's other tables", "rows", _rows(metadata, others)
    yield "results, with reasons and error texts", "rows", _rows(own, _REASONS)
    others = _tables(own) - MUST_HOLD_PERSONAL_DATA - _REASONS
    yield "the import's other tables", "rows", _rows(own, others)
    for kind in ("html", "csv", "json"):
        yield f"pages, {kind.upper()}", "answers", _files(evidence.pages / kind)
    yield "Airflow's REST API", "answers", _files(evidence.pages / "airflow")
    yield "what commands printed", "files", _files(evidence.printed)
    yield "other files of AIRFLOW_HOME", "files", _files(evidence.airflow, evidence.is_other_file)


def _place(marks: Marks, name: str, unit: str, texts: Texts) -> Place:
    count = characters = 0
    hits: list[Hit] = []
    for where, content in texts:
        count += 1
        characters += len(content)
        hits += marks.find(content, where)
    return Place(name, count, unit, characters, tuple(hits))


def _is_task_log(path: Path) -> bool:
    return any(part.startswith("task_id=") for part in path.parts)


def _file(path: Path) -> Iterator[tuple[str, str]]:
    yield str(path), path.read_text(encoding="utf-8", errors="replace")


def _files(
    folder: Path, is_wanted: Callable[[Path], bool] = lambda _: True
) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and is_wanted(path):
            yield from _file(path)


def _tables(database: Path) -> set[str]:
    with closing(sqlite3.connect(database)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {name for (name,) in names}


def _rows(database: Path, tables: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield every row of the tables as text, with the name of its table."""
    with closing(sqlite3.connect(database)) as connection:
        for table in sorted(tables):
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - of the schema
                yield table, "\n".join(map(_text, row))


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
