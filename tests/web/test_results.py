"""Results are found by what people type, and a customer's history shows only what may be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from customer_import.database.engine import reading
from customer_import.vocabulary import ImportType
from customer_import.web.results import (
    MOST_STARTED,
    ResultFilter,
    failed_tenants,
    find_result,
    iterate_results,
    read_history,
    read_results,
)
from customer_import.web.rights import Rights
from tests.web.data import EVERYTHING, START, add_results, add_run, tenant_id

if TYPE_CHECKING:
    from sqlalchemy import Engine

NAMES = ("Grün & Söhne", "ÖZ Gıda", "100% Pure_Water", "contoso", "Contoso Ltd", "Plain")


def search(engine: Engine, key: int, text: str) -> list[str | None]:
    with reading(engine) as connection:
        page = read_results(connection, key, ResultFilter(q=text), None, 50)
    return [row.tenant_name for row in page.items]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("söhne", ["Grün & Söhne"]),
        ("ÖZ", ["ÖZ Gıda"]),
        ("CONTOSO", ["contoso", "Contoso Ltd"]),
        ("%", ["100% Pure_Water"]),
        ("_", ["100% Pure_Water"]),
        ("company00005.on", ["Plain"]),
        (tenant_id(3).upper(), ["contoso"]),
        ("' OR 1=1 --", []),
    ],
)
def test_a_search_finds_part_of_name_or_domain_or_the_tenant_id(
    engine: Engine, text: str, found: list[str]
) -> None:
    key = add_run(engine)
    add_results(engine, key, *({"tenant_name": name} for name in NAMES))
    assert sorted(map(str, search(engine, key, text))) == sorted(found)


def test_a_history_holds_only_imports_that_may_be_read(engine: Engine) -> None:
    for kind in (ImportType.DIRECT, ImportType.INDIRECT, ImportType.DIRECT):
        add_results(engine, add_run(engine, kind), {}, import_type=kind.value)
    add_results(engine, add_run(engine, instance="other"), {}, instance="other")
    with reading(engine) as connection:
        both = read_history(connection, EVERYTHING, "sandbox", tenant_id(0))
        one = read_history(
            connection, Rights(frozenset([ImportType.INDIRECT])), "sandbox", tenant_id(0)
        )
    assert [entry.import_type for entry in both] == ["direct", "indirect", "direct"]
    assert [entry.result.run_key for entry in both] == sorted(
        (entry.result.run_key for entry in both), reverse=True
    )
    assert [entry.import_type for entry in one] == ["indirect"]


def test_every_matching_row_is_given_once_for_the_download(engine: Engine) -> None:
    key = add_run(engine)
    add_results(engine, key, *({"outcome": "failed" if n % 2 else "created"} for n in range(25)))
    rows = list(iterate_results(engine, key, ResultFilter(outcome="failed"), chunk_size=5))
    assert len({row.tenant_id for row in rows}) == len(rows) == 12


def test_failed_tenants_are_counted_up_to_one_more_than_a_run_takes(engine: Engine) -> None:
    key = add_run(engine)
    add_results(engine, key, *({"outcome": "failed"} for _ in range(MOST_STARTED + 5)))
    with reading(engine) as connection:
        assert len(failed_tenants(connection, key)) == MOST_STARTED + 1


def test_a_result_keeps_its_warnings_and_its_zone(engine: Engine) -> None:
    key = add_run(engine)
    add_results(engine, key, {"warnings": ["Phone is missing."], "read_at": START})
    with reading(engine) as connection:
        result = find_result(connection, key, tenant_id(0))
    assert result is not None
    assert result.warnings == ("Phone is missing.",)
    assert result.recorded_at.utcoffset() is not None
    assert result.read_at == START
