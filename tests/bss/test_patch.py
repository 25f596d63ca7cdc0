"""The difference between a payload and a BSS record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_import.bss.patch import difference, flatten, is_blank, read_field
from customer_import.config.mapping import FieldMapping

FIELDS = ("name", "email", "phone", "billingAddress.city", "billingAddress.address")
TEXT = st.one_of(st.none(), st.text(max_size=12))
VALUES = st.fixed_dictionaries(dict.fromkeys(FIELDS, TEXT))


def mapping(on_update: str, on_empty: str = "keep") -> FieldMapping:
    return FieldMapping.model_validate(
        {"source": "id", "on_update": on_update, "on_empty": on_empty}
    )


RULES = st.builds(
    mapping, st.sampled_from(["overwrite", "keep", "fill"]), st.sampled_from(["keep", "clear"])
)


def expected(rule: FieldMapping, wanted: str | None, there: str | None) -> str | None:
    """What a field holds after an update by its own rule."""
    if is_blank(wanted):
        return None if rule.on_empty == "clear" and not is_blank(there) else there
    keeps = rule.on_update == "keep" or (rule.on_update == "fill" and not is_blank(there))
    return there if keeps else wanted


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


@given(wanted=VALUES, there=VALUES, rules=st.fixed_dictionaries(dict.fromkeys(FIELDS, RULES)))
def test_a_patched_record_is_what_the_rules_say_field_by_field(wanted, there, rules):
    record = nested(there)
    change = difference(nested(wanted), record, rules)
    after = patched(record, change.as_json())
    right = {path: expected(rules[path], wanted[path], there[path]) for path in FIELDS}
    address = [path for path in FIELDS if path.startswith("billingAddress.")]
    if any(right[path] != there[path] for path in address):  # the address is one value
        right |= {
            path: None for path in address if is_blank(wanted[path]) and not is_blank(there[path])
        }
    assert {path: read_field(after, path) for path in FIELDS} == right
    assert change.kept == tuple(
        sorted(
            path
            for path in FIELDS
            if is_blank(wanted[path]) and not is_blank(right[path])
            if rules[path].on_update != "keep"
        )
    )
    assert set(change.cleared) == {
        path for path in FIELDS if right[path] is None and not is_blank(there[path])
    }
    assert not difference(nested(wanted), after, rules)


@given(values=VALUES)
def test_equal_record_needs_no_patch(values):
    assert not difference(nested(values), nested(values), {})


@given(wanted=VALUES, there=VALUES)
def test_kept_fields_never_change_and_filled_ones_only_when_empty(wanted, there):
    kept = difference(nested(wanted), nested(there), dict.fromkeys(FIELDS, mapping("keep")))
    assert not kept
    fill = dict.fromkeys(FIELDS, mapping("fill"))
    filled = difference(nested(wanted), nested(there), fill)
    assert all(value is None for path, value in filled.before.items() if path not in filled.cleared)


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


def test_a_field_that_the_payload_does_not_name_is_not_known_and_stays():
    record = {"phone": "1", "billingAddress": {"city": "Volos", "state": {"id": 7}}}
    rules = {"phone": mapping("overwrite", "clear")}
    change = difference({"billingAddress": {"city": "Volos"}}, record, rules)
    assert not change
    assert change.kept == ()


def test_no_part_of_the_old_address_stands_beside_a_new_city():
    record = {
        "billingAddress": {
            "address": "1 Old Road",
            "address2": "Floor 2",  # mapped by nobody
            "city": "Larissa",
            "postCode": "41222",
            "country": {"id": 7},
            "state": {"id": 70},  # a state that the payload does not name is unknown
        }
    }
    payload = {"billingAddress": {"city": "Volos", "address": None, "countryId": 7}}
    change = difference(payload, record, {})
    assert change.as_json() == [
        {"op": "replace", "path": "/billingAddress/city", "value": "Volos"},
        {"op": "remove", "path": "/billingAddress/address"},
        {"op": "remove", "path": "/billingAddress/address2"},
        {"op": "remove", "path": "/billingAddress/postCode"},
        {"op": "remove", "path": "/billingAddress/stateId"},
    ]


@pytest.mark.parametrize("state_rule", ["overwrite", "fill", "keep"])
def test_a_state_is_written_with_a_new_country_whatever_its_rule_says(state_rule):
    record = {"billingAddress": {"country": {"id": 7}, "state": {"id": 70}}}
    payload = {"billingAddress": {"stateId": 80, "countryId": 8}}
    rules = {"billingAddress.stateId": mapping(state_rule)}
    assert difference(payload, record, rules).as_json() == [
        {"op": "replace", "path": "/billingAddress/countryId", "value": 8},
        {"op": "replace", "path": "/billingAddress/stateId", "value": 80},
    ]


@pytest.mark.parametrize("country_rule", ["fill", "keep"])
def test_no_state_of_another_country_is_written_beside_one_that_is_kept(country_rule):
    record = {"billingAddress": {"country": {"id": 7}, "state": None}}
    payload = {"billingAddress": {"stateId": 80, "countryId": 8}}
    assert not difference(payload, record, {"billingAddress.countryId": mapping(country_rule)})


def test_difference_shows_no_value_in_its_repr():
    change = difference({"email": "new@example.com"}, {"email": "old@example.com"}, {})
    assert "example.com" not in repr(change)


@pytest.mark.parametrize(
    "address",
    [{"country": {"id": 0}, "state": {"id": 0}}, {"countryId": 0, "stateId": 0}, {"country": None}],
)
def test_an_id_of_zero_is_none(address: dict[str, object]):
    record = {"id": 7, "billingAddress": address, "billToAccount": {"id": 0}}
    for path in ("billingAddress.countryId", "billingAddress.stateId", "billToAccountId"):
        assert read_field(record, path) is None
    payload = {"billingAddress": {"countryId": None, "stateId": None}, "billToAccountId": None}
    assert not difference(payload, record, {})
