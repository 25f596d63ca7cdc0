"""A run that was asked for, or told to leave out, somebody whom nobody knows stops before anything is written."""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from customer_import.errors import ConfigurationError
from customer_import.partner_center.models import ListedTenant
from customer_import.runs.parameters import RunParams
from customer_import.tasks.extract.extract import extract_customers
from customer_import.tasks.extract.selection import Selection
from customer_import.vocabulary import ImportType

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from customer_import.runs.run import Run
    from sandbox.server import SandboxServer

SUBSCRIPTIONS = "subscriptions"


def tenant(number: int, domain: str) -> ListedTenant:
    return ListedTenant(str(uuid.UUID(int=number)), f"Company {number}", domain)


def selection(remembered: dict[str, str] | None = None, **params: Any) -> Selection:
    return Selection(RunParams(instance="default", **params), remembered)


LISTED = [tenant(1, "northwind.example"), tenant(2, "fabrikam.example")]


@pytest.mark.parametrize("parameter", ["tenants", "exclude_tenants"])
def test_a_name_that_nobody_has_is_refused_with_the_nearest(parameter: str) -> None:
    names: dict[str, Any] = {parameter: ["northwind.example", "fabrikm.example"]}
    asked = selection(**names)
    for each in LISTED:
        asked.takes(each)
    with pytest.raises(ConfigurationError, match=r"did you mean fabrikam\.example") as error:
        asked.check()
    assert error.value.path == parameter
    assert "fabrikm.example" in str(error.value)
    assert "northwind.example" not in str(error.value)


def test_many_wrong_names_make_a_short_error() -> None:
    asked = selection(tenants=[f"nobody{number}.example" for number in range(5_000)])
    with pytest.raises(ConfigurationError, match=r"and 4995 more") as error:
        asked.check()
    assert len(str(error.value)) < 500


def test_whoever_is_wanted_and_left_out_stays_out() -> None:
    asked = selection(tenants=["northwind.example"], exclude_tenants=[LISTED[0].tenant_id])
    assert [asked.takes(each) for each in LISTED] == [False, False]
    asked.check()


def test_somebody_of_an_earlier_run_may_be_left_out_after_they_left() -> None:
    asked = selection(exclude_tenants=["gone.example"])
    assert asked.takes(LISTED[0])
    assert asked.unmatched_exclusions() == ["gone.example"]
    asked.check(former={"gone.example"})


def test_a_domain_means_the_tenant_that_it_meant_when_the_run_began() -> None:
    params: dict[str, Any] = {"exclude_tenants": ["northwind.example"]}
    first = selection(**params)
    assert [first.takes(each) for each in LISTED] == [False, True]
    moved = [tenant(1, "northwind-old.example"), tenant(2, "northwind.example")]
    again = selection(first.matched, **params)
    assert [again.takes(each) for each in moved] == [False, True]
    again.check()


def test_a_customer_that_left_after_the_run_began_is_still_known_to_it() -> None:
    params: dict[str, Any] = {"tenants": ["northwind.example"]}
    first = selection(**params)
    for each in LISTED:
        first.takes(each)
    again = selection(first.matched, **params)
    assert not again.takes(LISTED[1])
    again.check()
    assert again.matched == first.matched


@pytest.mark.parametrize("parameter", ["tenants", "exclude_tenants"])
def test_the_extraction_stops_before_it_asks_for_any_customer(
    parameter: str,
    make_run: Callable[..., Run],
    make_hook: Callable[..., Any],
    engine: Engine,
    sandbox: SandboxServer,
) -> None:
    first = next(iter(sandbox.source.customers.values()))
    run = make_run(ImportType.DIRECT, **{parameter: [first.tenant_id, f"x{first.domain}"]})
    with pytest.raises(ConfigurationError, match=f"did you mean {first.domain}"):
        extract_customers(run, engine, make_hook("app_only"))
    assert sandbox.requests.count(SUBSCRIPTIONS) == 0


def test_a_reseller_whom_nobody_knows_stops_the_extraction(
    make_run: Callable[..., Run],
    make_hook: Callable[..., Any],
    engine: Engine,
    sandbox: SandboxServer,
) -> None:
    known = next(iter(sandbox.source.resellers.values())).mpn_id
    run = make_run(ImportType.INDIRECT, reseller_mpn_ids=[known, f"{known}9"])
    with pytest.raises(ConfigurationError, match=f"did you mean {known}") as error:
        extract_customers(run, engine, make_hook())
    assert f"Microsoft does not confirm {known}9 as an authorised reseller's" in str(error.value)


def test_a_customer_that_left_may_stay_in_the_list_of_those_left_out(
    make_run: Callable[..., Run],
    make_hook: Callable[..., Any],
    engine: Engine,
    sandbox: SandboxServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Any customer with a result will do: that the run finds it skipped is what records it.
    before = make_run(ImportType.DIRECT)
    extract_customers(before, engine, make_hook("app_only"))
    left = next(
        customer for customer in sandbox.source.customers.values() if customer.access.name == "LEFT"
    )
    run = make_run(ImportType.DIRECT, exclude_tenants=[left.tenant_id, left.domain])
    kept = sandbox.source.customers.pop(left.tenant_id)
    try:
        with caplog.at_level(logging.WARNING):
            extract_customers(run, engine, make_hook("app_only"))
    finally:
        sandbox.source.customers[left.tenant_id] = kept
    assert f"{left.domain} is to be left out" in caplog.text


@pytest.mark.parametrize("import_type", [ImportType.DIRECT, ImportType.TENANT_RESELLER])
def test_resellers_are_no_selection_of_an_import_that_has_none(
    engine: Engine,
    sandbox: SandboxServer,
    make_run: Callable[..., Run],
    make_hook: Callable[..., Any],
    import_type: ImportType,
) -> None:
    run = make_run(import_type, reseller_mpn_ids=["4847383"])
    with pytest.raises(ConfigurationError, match="reseller_mpn_ids: only the indirect import"):
        extract_customers(run, engine, make_hook())
    assert sandbox.requests.count(f"partner_center.customers.{SUBSCRIPTIONS}") == 0
