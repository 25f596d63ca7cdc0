"""Which run Import Results shows, and which there are to pick: of one instance too, whichever DAG they are of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from customer_import.vocabulary import ImportType, dag_id_of
from tests.web.conftest import PREFIX
from tests.web.data import add_results, add_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

DIRECT = ImportType.DIRECT
SAME = "scheduled__2026-03-01T04:00:00+00:00"
OPTION = re.compile(r'<option value="(\d+)"( selected)?>[^<]* · (\w+) · Import')


@pytest.fixture
def keys(database: Engine) -> dict[str, int]:
    """Two instances whose schedules began at the same moment, so that their runs have the same id."""
    found = {}
    for name in ("north", "south"):
        key = add_run(database, dag_id=dag_id_of(DIRECT, name), airflow_run_id=SAME, instance=name)
        company = {"tenant_name": f"{name.title()} company"}
        add_results(database, key, company, instance=name)
        found[name] = key
    return found


def picked(page: str) -> tuple[list[str], list[str]]:
    """Return the instances of the runs there are to pick, and that of the one that is."""
    options = OPTION.findall(page)
    return [name for *_, name in options], [name for _, chosen, name in options if chosen]


def test_every_run_in_the_list_can_be_picked(admin: TestClient, keys: dict[str, int]) -> None:
    page = f"{PREFIX}/?dag_id={DIRECT.dag_id}"
    assert picked(admin.get(page).text) == (["south", "north"], ["south"])
    for name, key in keys.items():
        text = admin.get(f"{page}&run_key={key}").text
        assert picked(text) == (["south", "north"], [name])
        assert f"{name.title()} company" in text
        assert f"dag_id={dag_id_of(DIRECT, name)}" in text


def test_a_search_stays_in_the_run_that_is_shown(admin: TestClient, keys: dict[str, int]) -> None:
    shown = admin.get(f"{PREFIX}/?dag_id={DIRECT.dag_id}&run_key={keys['north']}").text
    form = re.search(r'<form[^>]* role="search">(.*?)</form>', shown, re.DOTALL)
    assert form is not None
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[1]))
    answer = admin.get(f"{PREFIX}/", params=hidden | {"q": "north"})
    assert answer.status_code == 200
    assert "North company" in answer.text


def test_the_list_and_the_newest_run_can_be_of_one_instance(
    admin: TestClient, keys: dict[str, int]
) -> None:
    text = admin.get(f"{PREFIX}/?dag_id={DIRECT.dag_id}&instance=north").text
    assert picked(text) == (["north"], ["north"])
    assert "North company" in text
    assert "South company" not in text
    assert "instance=north" in re.findall(r'id="count-all" href="([^"]*)"', text)[0]


def test_a_choice_of_nothing_is_no_choice(admin: TestClient, keys: dict[str, int]) -> None:
    text = admin.get(f"{PREFIX}/?dag_id={DIRECT.dag_id}&run_key=&instance=").text
    assert picked(text) == (["south", "north"], ["south"])


def test_an_instance_without_run_says_so(admin: TestClient, keys: dict[str, int]) -> None:
    text = admin.get(f"{PREFIX}/?dag_id={DIRECT.dag_id}&instance=west").text
    assert "No direct import of instance west has run" in text


def test_a_run_of_another_instance_or_import_cannot_be_picked(
    log_in: Callable[[str], TestClient], keys: dict[str, int]
) -> None:
    staff = log_in("south_staff")
    own = f"{PREFIX}/?dag_id={dag_id_of(DIRECT, 'south')}"
    assert staff.get(f"{own}&run_key={keys['south']}").status_code == 200
    assert staff.get(f"{own}&run_key={keys['north']}").status_code == 404
    assert "North company" not in staff.get(f"{own}&instance=north").text
    admin = log_in("admin")
    other = f"{PREFIX}/?dag_id={ImportType.INDIRECT.dag_id}&run_key={keys['south']}"
    assert admin.get(other).status_code == 404


def test_bars_of_the_chart_are_no_stops_and_a_list_says_the_same(
    admin: TestClient, database: Engine
) -> None:
    summary = {"outcomes": {"created": 1234}}
    add_run(database, airflow_run_id="done", summary=summary)
    text = admin.get(f"{PREFIX}/?dag_id={DIRECT.dag_id}").text
    chart = text[text.index("<figure") : text.index("</figure>")]
    svg = chart[chart.index("<svg") : chart.index("</svg>")]
    assert svg.startswith('<svg aria-hidden="true"')
    assert svg.count("<a ") == svg.count('<a tabindex="-1" ') == 1
    assert ", 1,234 " in chart[chart.index('<ul class="hidden"') :]
