"""The page Validation: each expectation with its counts, who breaks it, and nothing for who may not read the run."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select

from customer_import.database.tables import (
    import_runs,
    validation_findings,
    validation_results,
)
from customer_import.vocabulary import ImportType
from tests.web.conftest import PREFIX
from tests.web.data import add_results, add_run, tenant_id
from tests.web.markup import Markup

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

RESULTS: list[tuple[Any, ...]] = [
    ("customer", "guid", "tenant.id", "critical", 40, 0, "tenant.id has the right form"),
    ("account", "required", "account.name", "critical", 39, 2, "account.name is there"),
    ("account", "present", "account.phone", "warning", 39, 60, "account.phone is there"),
]


def add_validated(engine: Engine, import_type: ImportType = ImportType.DIRECT) -> dict[str, str]:
    """A run with results of two suites; return the page's address as a query."""
    key = add_run(engine, import_type)
    names = ("suite", "rule", "field", "severity", "evaluated", "unexpected", "expected")
    results = [
        dict(zip(names, row, strict=True))
        | {"run_id": key, "success": not row[5], "expectation": "ExpectColumnValuesToNotBeNull"}
        for row in RESULTS
    ]
    add_results(engine, key, {"tenant_name": "<b>Bold</b>", "outcome": "rejected"})
    findings = [
        {
            "run_id": key,
            "tenant_id": tenant_id(0),
            "suite": "account",
            "rule": "required",
            "field": "account.name",
            "severity": "critical",
            "message": "The company name is missing.",
        },
        *(
            {
                "run_id": key,
                "tenant_id": tenant_id(number),
                "suite": "account",
                "rule": "present",
                "field": "account.phone",
                "severity": "warning",
                "message": "The phone number is missing.",
            }
            for number in range(60)
        ),
    ]
    with engine.begin() as connection:
        connection.execute(insert(validation_results), results)
        connection.execute(insert(validation_findings), findings)
        run_id = connection.execute(
            select(import_runs.c.airflow_run_id).where(import_runs.c.id == key)
        ).scalar_one()
    return {"dag_id": import_type.dag_id, "run_id": run_id}


def page(client: TestClient, state: dict[str, str], **more: str) -> str:
    answer = client.get(f"{PREFIX}/validation", params={**state, **more})
    assert answer.status_code == 200, answer.text
    assert Markup(answer.text).forbidden == []
    return answer.text


def test_each_expectation_is_listed_with_its_words_and_counts(
    admin: TestClient, database: Engine
) -> None:
    text = page(admin, add_validated(database))
    for words in (
        "Suite customer: 40 customers, 1 of 1 expectations hold for all",
        "Suite account: 39 customers, 0 of 2 expectations hold for all",
        "tenant.id has the right form",
        "account.name is there",
        "is rejected",
        "has a warning",
    ):
        assert words in text
    assert text.index("Suite customer") < text.index("Suite account")
    links = [one for one in Markup(text).addresses if "rule=" in one]
    assert ["rule=required" in one or "rule=present" in one for one in links] == [True, True]


def test_who_breaks_an_expectation_is_listed_page_by_page_with_a_link_to_the_customer(
    admin: TestClient, database: Engine
) -> None:
    state = add_validated(database)
    required = page(admin, state, suite="account", rule="required", field="account.name")
    assert "&lt;b&gt;Bold&lt;/b&gt;" in required
    assert "The company name is missing." in required
    customer = next(one for one in Markup(required).addresses if one.startswith("tenant?"))
    assert f"tenant_id={tenant_id(0)}" in customer

    first = page(admin, state, suite="account", rule="present", field="account.phone")
    assert first.count("The phone number is missing.") == 50
    following = next(one for one in Markup(first).addresses if "cursor=" in one)
    answer = admin.get(f"{PREFIX}/validation{following}")
    assert answer.text.count("The phone number is missing.") == 10


def test_a_run_without_validation_says_so_and_the_runs_page_leads_there(
    admin: TestClient, database: Engine
) -> None:
    add_run(database, airflow_run_id="manual__empty")
    state = {"dag_id": ImportType.DIRECT.dag_id, "run_id": "manual__empty"}
    assert "Nothing was validated" in page(admin, state)
    results = admin.get(f"{PREFIX}/", params=state).text
    assert any(one.startswith("validation?") for one in Markup(results).addresses)


def test_an_expectation_that_the_run_does_not_have_is_nothing(
    admin: TestClient, database: Engine
) -> None:
    wrong = add_validated(database) | {"suite": "account", "rule": "no", "field": "such"}
    assert admin.get(f"{PREFIX}/validation", params=wrong).status_code == 404


@pytest.mark.parametrize("user", ["stranger", "dag_reader", "direct_reader"])
def test_nobody_sees_the_validation_of_a_run_that_he_may_not_read(
    user: str, log_in: Callable[[str], TestClient], database: Engine
) -> None:
    hidden = add_validated(database, ImportType.INDIRECT)
    assert log_in(user).get(f"{PREFIX}/validation", params=hidden).status_code in {403, 404}


def test_the_web_server_does_not_load_great_expectations(
    admin: TestClient, database: Engine
) -> None:
    loaded = set(sys.modules)
    page(admin, add_validated(database))
    assert not [one for one in set(sys.modules) - loaded if one.startswith("great_expectations")]
