"""What events ask for, and what is said of those that are wrong."""

from __future__ import annotations

from typing import Any

import pytest

from customer_import.errors import ConfigurationError
from customer_import.runs.requests import MOST_TENANTS, ImportRequest, gather_requests
from customer_import.vocabulary import ImportType

TENANT = "7B2BF364-0126-41C0-948E-3E4FB4AD5AAC"
RIGHT: dict[str, Any] = {"import_type": "direct", "instance": "default", "tenants": [TENANT]}


def test_an_event_names_an_import_and_its_tenants_as_the_trigger_form_does():
    (request,) = gather_requests([RIGHT | {"tenants": [f" {TENANT}", "Contoso.example"]}])
    assert request == ImportRequest(
        import_type=ImportType.DIRECT,
        instance="default",
        tenants=(TENANT.lower(), "contoso.example"),
    )


def test_what_airflow_adds_to_a_callers_event_is_not_taken_for_a_field():
    (request,) = gather_requests([RIGHT | {"from_rest_api": True}])
    assert isinstance(request, ImportRequest)


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ({}, "asset event 1 at extra.import_type: the field 'import_type' is missing"),
        (RIGHT | {"import_type": "dirct"}, "extra.import_type: must be one of direct, indirect"),
        (RIGHT | {"import_type": "dirct"}, "did you mean 'direct'"),
        (RIGHT | {"instance": ""}, "extra.instance: must be text that is not empty"),
        (RIGHT | {"instance": 7}, "extra.instance: must be text"),
        (RIGHT | {"tenant": "x"}, "extra.tenant: the field 'tenant' is not known"),
        (RIGHT | {"tenants": []}, "extra.tenants: names no tenant"),
        (RIGHT | {"tenants": None}, "extra.tenants: names no tenant"),
        (RIGHT | {"tenants": 12}, "extra.tenants: must be a list"),
        (RIGHT | {"tenants": [{"id": TENANT}]}, "extra.tenants.0: must be text"),
        (RIGHT | {"tenants": [TENANT, "ada@contoso.example"]}, "extra.tenants.1: is neither"),
    ],
)
def test_a_wrong_event_is_refused_with_its_field_and_without_its_values(
    extra: dict[str, Any], says: str
):
    (error,) = gather_requests([extra])
    assert isinstance(error, ConfigurationError)
    assert says in str(error)
    assert "Hint: " in str(error)
    assert "ada@" not in str(error)


def test_an_event_cannot_name_more_tenants_than_a_run_should_read_one_by_one():
    names = [f"contoso{number}.example" for number in range(MOST_TENANTS + 1)]
    (error,) = gather_requests([RIGHT | {"tenants": names}])
    assert isinstance(error, ConfigurationError)
    assert "names 101 tenants, more than the 100 of one event" in str(error)
    (request,) = gather_requests([RIGHT | {"tenants": names[1:]}])
    assert isinstance(request, ImportRequest)


def test_a_burst_of_events_is_one_import_each_and_the_wrong_ones_come_last():
    names = [f"contoso{number}.example" for number in range(150)]
    events = [RIGHT | {"tenants": [name, names[0]]} for name in names]
    events.insert(1, {"tenants": [TENANT]})
    events.insert(2, RIGHT | {"instance": "other"})
    events.insert(3, RIGHT | {"import_type": "indirect"})

    first, second, other, indirect, wrong = gather_requests(events)

    assert isinstance(first, ImportRequest)
    assert isinstance(second, ImportRequest)
    assert first.tenants + second.tenants == tuple(names)
    assert len(first.tenants) == MOST_TENANTS
    assert isinstance(other, ImportRequest)
    assert (other.import_type, other.instance) == ("direct", "other")
    assert isinstance(indirect, ImportRequest)
    assert (indirect.import_type, indirect.instance) == ("indirect", "default")
    assert isinstance(wrong, ConfigurationError)
    assert str(wrong).startswith("asset event 2 at ")
