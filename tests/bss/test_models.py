"""What is read out of BSS records whatever they leave out, and how the organisation's own things are found."""

from __future__ import annotations

import pytest

from customer_import.bss.models import (
    Account,
    Country,
    CustomFieldDefinition,
    Organisation,
    State,
)
from customer_import.bss.organisation import find_tenant_marker
from customer_import.bss.patch import read_field
from customer_import.errors import ConfigurationError

MARKER, OTHER = 7, 8


@pytest.mark.parametrize(
    ("groups", "value"),
    [
        ([{"groupFields": [{"id": MARKER, "values": [{"value": "tenant"}]}]}], "tenant"),
        ([{"groupFields": [{"id": OTHER, "values": [{"value": "other"}]}]}], None),
        ([{"groupFields": [{"id": MARKER, "values": [{"value": ""}, {"value": 5}]}]}], "5"),
        ([{"groupFields": [{"id": MARKER, "values": None}]}], None),
        ([{"groupFields": None}, {"groupFields": [{"id": MARKER, "values": [{"value": 1}]}]}], "1"),
        ([], None),
        (None, None),
    ],
)
def test_a_custom_field_is_found_in_any_group_and_is_none_where_it_is_not(
    groups: object, value: str | None
):
    account = Account(id=1, name="Example Company", body={"customFields": groups})
    assert account.custom_field(MARKER) == value


def test_a_state_is_found_by_name_when_it_has_no_code():
    states = (State(id=1, name=" Attica ", code=None), State(id=2, name="Texas", code="TX"))
    country = Country(id=30, name="Somewhere", code="XX", states=states)
    organisation = Organisation(countries=(country,), tenant_marker_field_id=MARKER)
    assert organisation.state_ids == {(30, "attica"): 1, (30, "texas"): 2, (30, "tx"): 2}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("billingAddress.countryId", 30),
        ("billingAddress.stateId", None),
        ("billingAddress.city", None),
        ("billingAddress.city.name", None),
        ("shippingAddress.city", None),
    ],
)
def test_a_field_of_a_record_is_none_when_the_bss_does_not_show_it(path: str, value: object):
    record = {"billingAddress": {"country": {"id": 30}, "state": "Attica"}}
    assert read_field(record, path) == value


def marker(number: int) -> CustomFieldDefinition:
    return CustomFieldDefinition(number, "Microsoft Tenant ID", "SimpleValue", "Text", False)


def test_two_fields_with_the_markers_name_are_told_and_one_may_be_named_by_its_id():
    fields = [marker(MARKER), marker(OTHER)]
    with pytest.raises(ConfigurationError, match=r"several .* name one by id .*: 7, 8"):
        find_tenant_marker(fields, "microsoft tenant id")
    assert find_tenant_marker(fields, "8").id == OTHER
