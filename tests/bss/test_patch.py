"""The difference between a payload and a BSS record."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from customer_import.bss.patch import difference, flatten, is_blank, read_field
from customer_import.config.mapping import FieldMapping

FIELDS = ("name", "email", "phone", "billingAddress.city", "billingAddress.address")
TEXT = st.one_of(st.none(), st.text(max_size=12))
VALUES = st.fixed_dictionaries(dict.fromkeys(FIELDS, TEXT))


def mapping(on_update: str) -> FieldMapping:
    return FieldMapping.model_validate({"source": "id", "on_update": on_update})


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"billingAddress": {}}
    for path, value in flat.items():
        parent, _, name = path.rpartition(".")
        (body[parent] if parent else body)[name] = value
    return body


def patched(record: dict[str, Any], operations: list[dict[str, object]]) -> dict[str, Any]:
    flat = dict(flatten(record))
    for operation in operations:
        flat[str(operation["path"])[1:].replace("/", ".")] = operation.get("value")
    return nested(flat)


@given(wanted=VALUES, there=VALUES)
def test_patched_record_holds_every_wanted_value_and_keeps_the_rest(wanted, there):
    record = nested(there)
    change = difference(nested(wanted), record, {})
    after = patched(record, change.as_json())
    for path in FIELDS:
        expected = there[path] if is_blank(wanted[path]) else wanted[path]
        assert read_field(after, path) == expected
    assert not difference(nested(wanted), after, {})


@given(values=VALUES)
def test_equal_record_needs_no_patch(values):
    assert not difference(nested(values), nested(values), {})


@given(wanted=VALUES, there=VALUES)
def test_kept_fields_never_change_and_filled_ones_only_when_empty(wanted, there):
    kept = difference(nested(wanted), nested(there), dict.fromkeys(FIELDS, mapping("keep")))
    assert not kept
    fill = dict.fromkeys(FIELDS, mapping("fill"))
    filled = difference(nested(wanted), nested(there), fill)
    assert all(value is None for value in filled.before.values())


def test_country_and_state_are_compared_by_id():
    record = {"billingAddress": {"country": {"id": 7, "code": "US"}, "state": {"id": 70}}}
    payload = {"billingAddress": {"countryId": 7, "stateId": 71}}
    assert difference(payload, record, {}).as_json() == [
        {"op": "replace", "path": "/billingAddress/stateId", "value": 71}
    ]


def test_state_of_the_old_country_goes_with_the_country():
    record = {"billingAddress": {"country": {"id": 7}, "state": {"id": 70}}}
    change = difference({"billingAddress": {"countryId": 8}}, record, {})
    assert change.as_json() == [
        {"op": "replace", "path": "/billingAddress/countryId", "value": 8},
        {"op": "remove", "path": "/billingAddress/stateId"},
    ]
    assert change.before == {"billingAddress.countryId": 7, "billingAddress.stateId": 70}


def test_difference_shows_no_value_in_its_repr():
    change = difference({"email": "new@example.com"}, {"email": "old@example.com"}, {})
    assert "example.com" not in repr(change)
