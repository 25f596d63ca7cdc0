"""People find customers by words of their names, whatever the case, and without every name being looked into."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from customer_import.database.engine import reading
from customer_import.database.names import beginnings, folded_name, record_names
from customer_import.web import name_search
from customer_import.web.name_search import plan_search
from customer_import.web.results import ResultFilter, read_results
from customer_import.web.search import search_customers
from tests.web.conftest import PREFIX
from tests.web.data import EVERYTHING, add_results, add_run, add_staged, tenant_id

if TYPE_CHECKING:
    from fastapi.testclient import TestClient
    from sqlalchemy import Engine

NAMES = ("ÖZ GIDA A.Ş.", "Softline GmbH", "Microsoft-Händler", "Große Brücke", "Пекарня МОСКВА")


def add_named(engine: Engine, *names: str) -> int:
    """A run with these customers, stored as the tasks of a run store them."""
    rows: list[dict[str, str | None]] = [
        {"tenant_name": name, "domain": f"c{number}.com"} for number, name in enumerate(names)
    ]
    folded = [row | {"name_folded": folded_name(row["tenant_name"], row["domain"])} for row in rows]
    key = add_run(engine)
    add_staged(engine, key, *folded)
    add_results(engine, key, *folded)
    with engine.begin() as connection:
        record_names(
            connection,
            (
                (tenant_id(number), row["tenant_name"], row["domain"])
                for number, row in enumerate(rows)
            ),
        )
    return key


def in_run(engine: Engine, key: int, text: str, *, inside: bool = False) -> list[str | None]:
    with reading(engine) as connection:
        wanted = ResultFilter(q=text, inside=inside)
        return [row.tenant_name for row in read_results(connection, key, wanted, None, 50).items]


def in_all(engine: Engine, text: str, *, inside: bool = False) -> list[str | None]:
    with reading(engine) as connection:
        found = search_customers(connection, EVERYTHING, text, is_inside=inside)
        return [one.tenant_name for one in found.items]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("öz", [NAMES[0]]),
        ("Öz gıda a.ş", [NAMES[0]]),
        ("HÄNDLER", [NAMES[2]]),
        ("ha\u0308ndler", [NAMES[2]]),
        ("GROSSE BRÜ", [NAMES[3]]),
        ("москва", [NAMES[4]]),
        ("c4.com", [NAMES[4]]),
        ("ßE", [NAMES[3]]),  # inside a word, and no word begins so
        ("gida", [NAMES[0]]),
        ("gidas", []),
    ],
)
def test_case_does_not_count_in_any_script(engine: Engine, text: str, found: list[str]) -> None:
    key = add_named(engine, *NAMES)
    assert in_run(engine, key, text) == found
    assert in_all(engine, text) == found


def test_a_beginning_of_a_word_is_found_first_and_the_inside_of_words_on_request(
    engine: Engine,
) -> None:
    key = add_named(engine, *NAMES)
    both = ["Microsoft-Händler", "Softline GmbH"]
    for search in (
        lambda **more: in_run(engine, key, "soft", **more),
        lambda **more: in_all(engine, "soft", **more),
    ):
        assert search() == ["Softline GmbH"]
        assert sorted(map(str, search(inside=True))) == both


def test_what_very_many_have_is_not_picked_one_by_one(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = add_named(engine, *(f"Contoso {number}" for number in range(6)), "Fabrikam Contoso")
    monkeypatch.setattr(name_search, "MOST_CANDIDATES", 3)
    with reading(engine) as connection:
        assert not plan_search(connection, "contoso").is_by_word
        assert plan_search(connection, "contoso 2").is_by_word
    assert len(in_run(engine, key, "contoso")) == 7
    assert in_run(engine, key, "contoso 2") == ["Contoso 2"]


def test_a_name_of_before_leads_to_no_result_that_has_another(engine: Engine) -> None:
    old = add_named(engine, "Old Name")
    new = add_named(engine, "New Name")
    assert in_run(engine, old, "old") == ["Old Name"]
    assert in_run(engine, new, "old") == []


def test_a_name_is_indexed_from_each_of_its_words() -> None:
    found = beginnings("Müller & Söhne-Bau", "mueller-bau.onmicrosoft.com")
    assert {"müller & söhne-bau mueller-bau.o", "& söhne-bau mueller-bau.onmicros"} <= found
    assert {one.split()[0] for one in found} == {
        "müller", "&", "söhne-bau", "bau", "mueller-bau.onmicrosoft.com", "bau.onmicrosoft.com",
    }  # fmt: skip
    assert beginnings(None, None) == set()
    assert beginnings(None, "contoso.com") == {"contoso.com"}
    assert max(map(len, beginnings("x y " * 400, None))) <= 32
    assert len(beginnings(" ".join(map(str, range(200))), None)) <= 20


def test_the_pages_lead_to_the_inside_of_words(admin: TestClient, database: Engine) -> None:
    add_named(database, *NAMES)
    page = admin.get(f"{PREFIX}/?q=soft").text
    assert "Softline" in page
    assert "Händler" not in page
    assert "inside=true" in page
    page = admin.get(f"{PREFIX}/?q=soft&inside=true").text
    assert "Händler" in page
    assert "Look inside words, too" not in page
    assert "inside=true" in admin.get(f"{PREFIX}/search?q=soft").text
    assert "Händler" in admin.get(f"{PREFIX}/search?q=soft&inside=true").text
