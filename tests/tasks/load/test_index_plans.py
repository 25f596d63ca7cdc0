"""What is asked for some hundreds of customers at a time reads these, not all accounts or links of the organisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from customer_import.database.engine import reading
from customer_import.runs.run import record_run
from customer_import.tasks.load.account_index import MatchRules, Wanted, find_matches, find_twins
from customer_import.tasks.load.twins import beside_links
from tests.tasks.validate.runs import a_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine


def plans(engine: Engine, ask: Callable[[], object]) -> list[str]:
    """Return how SQLite finds the rows of the statements that are sent."""
    sent: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, values: Any, *more: object) -> None:
        if statement.startswith("SELECT"):
            sent.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    ask()
    event.remove(engine, "before_cursor_execute", note)
    with engine.connect() as connection:
        return [
            row.detail
            for statement, values in sent
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]


def test_no_account_and_no_link_is_read_that_is_not_asked_for(sqlite_engine: Engine) -> None:
    run = a_run()
    key = record_run(sqlite_engine, run.dag_id, "manual", run.import_type, run.params, None)
    wanted = {f"tenant {number}": Wanted(f"Company {number}") for number in range(250)}

    def ask() -> None:
        with reading(sqlite_engine) as connection:
            find_matches(connection, key, wanted, MatchRules(run.params.instance))
            find_twins(connection, key, dict.fromkeys(wanted, 1))
        beside_links(sqlite_engine, run.params.instance, {one: {1} for one in wanted})

    found = plans(sqlite_engine, ask)
    assert found
    whole = ("SCAN bss_accounts", "SCAN tenant_links", "(run_id=?)", "account_id>?)")
    assert [one for one in found if any(words in one for words in whole)] == []
