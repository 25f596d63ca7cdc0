"""Columns of text, the choice among them, and look-ups: value for value."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest

from customer_import.bss.models import Organisation
from customer_import.config.mapping import FieldMapping
from customer_import.errors import CustomerImportError
from customer_import.mapping.lookups import country_ids, resolve_ids, row_countries, state_ids
from customer_import.mapping.selection import fields_of, select_fields
from customer_import.mapping.source_columns import SourceColumns, source_columns
from customer_import.vocabulary import ImportType
from tests.tasks.validate.runs import ORGANISATION, a_run, customer, organisation

EMAIL = "billingProfile.email"
A, B, C = "companyProfile.companyName", "billingProfile.companyName", EMAIL
DIRECT, INDIRECT = ImportType.DIRECT, ImportType.INDIRECT


def field(source: str, **more: Any) -> FieldMapping:
    return FieldMapping(source=source, **more)


def columns(
    *rows: dict[str, Any], run: Any = None, found: Organisation | None = None
) -> SourceColumns:
    staged: Any = [SimpleNamespace(**row) for row in rows]
    return source_columns(staged, run or a_run(), found or organisation())


def text_of(value: object) -> str | None:
    return columns(customer(source={EMAIL: value})).texts[EMAIL][0]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        (" a ", " a "),
        (None, None),
        ("", None),
        (" \t", None),
        ("\u200b", None),
        ("\u200ba", "\u200ba"),
        (5, "5"),
        (1.5, "1.5"),
        (True, "true"),
        (False, "false"),
        ([1], None),
        ({"a": 1}, None),
    ],
)
def test_what_json_values_are_as_text(value: object, text: str | None) -> None:
    assert text_of(value) == text


def test_numbers_beside_texts_and_beside_nothing() -> None:
    rows = [customer(number, source={EMAIL: value}) for number, value in enumerate(("a", 1, None))]
    assert columns(*rows).texts[EMAIL] == ["a", "1", None]
    nothing = [customer(number, source={EMAIL: None}) for number in range(2)]
    assert columns(*nothing).texts[EMAIL] == [None, None]


def test_rows_that_hold_lists_or_objects_are_told() -> None:
    rows = [
        customer(number, source={EMAIL: value}) for number, value in enumerate(("a", [1], {}, 5))
    ]
    found = columns(*rows)
    assert found.size == 4
    assert {path: list(flags) for path, flags in found.not_text.items()} == {
        EMAIL: [False, True, True, False]
    }
    assert found.not_text[EMAIL].dtype == np.bool_
    assert columns(customer()).not_text == {}


def test_what_partner_center_may_hide_is_told_of_rows_that_hide_it() -> None:
    rows = [
        customer(0, domain_prefix=None, has_delegated_access=False),
        customer(1, domain_prefix=None, has_delegated_access=True),
        customer(2, domain_prefix="x", has_delegated_access=False),
        customer(3, domain_prefix=None, has_delegated_access=None),
    ]
    hidden = columns(*rows).hidden
    assert {source: list(flags) for source, flags in hidden.items()} == {
        "tenant.domainPrefix": [True, False, False, False]
    }
    assert columns(*rows[1:2], rows[3]).hidden == {}


def test_what_the_run_knows_of_each_customer() -> None:
    run = a_run()
    instance = run.instance.model_copy(update={"reseller_bss_accounts": {"77": 4711}})
    rows = [
        customer(0, reseller_mpn_id="77", reseller_name="Alpha", domain_prefix="contoso"),
        customer(1, domain_prefix=" "),
    ]
    texts = columns(*rows, run=a_run(instance=instance)).texts
    derived = {
        name: texts[name] for name in texts if name.split(".")[0] in {"tenant", "reseller", "run"}
    }
    assert derived == {
        "tenant.id": [rows[0]["tenant_id"], rows[1]["tenant_id"]],
        "tenant.domainPrefix": ["contoso", None],
        "tenant.domainPrefixes": [None, None],
        "reseller.mpnId": ["77", None],
        "reseller.name": ["Alpha", None],
        "reseller.bssAccountId": ["4711", None],
        "run.responsibleUserId": ["71", "71"],
        "run.permissionRuleId": ["72", "72"],
    }
    nobody = Organisation.model_validate(ORGANISATION | {"responsible_user_id": None})
    assert columns(*rows, found=nobody).texts["run.responsibleUserId"] == [None, None]


def test_all_of_many_customers_are_read_in_their_order() -> None:
    rows = [
        customer(number) | {"source": orjson.dumps({EMAIL: f"{number}@x.example"})}
        for number in range(1001)
    ]
    assert columns(*rows).texts[EMAIL] == [f"{number}@x.example" for number in range(1001)]


@pytest.mark.parametrize("source", [None, b"{", b""])
def test_a_staged_customer_that_is_not_json_is_staged_again(source: bytes | None) -> None:
    expected = "a staged customer of run 1 is not JSON; clear extract_customers to stage the customers again"
    with pytest.raises(CustomerImportError) as raised:
        columns(customer() | {"source": source})
    assert str(raised.value) == expected


def test_only_the_fields_of_the_import_are_chosen() -> None:
    fields = {"name": field(A), "mpn": field(B, import_types=(INDIRECT,))}
    assert list(fields_of(fields, DIRECT)) == ["name"]
    assert list(fields_of(fields, INDIRECT)) == ["name", "mpn"]
    sources: dict[str, Any] = {A: ["1"], B: ["2"]}
    assert select_fields(sources, fields, DIRECT) == {"name": ["1"]}


def test_the_first_source_that_has_a_value_is_taken() -> None:
    sources: dict[str, Any] = {
        A: ["1", None, None, None],
        B: ["2", "2", None, None],
        C: ["3", "3", "3", None],
    }
    fields = {"name": field(A, fallbacks=(B, C))}
    assert select_fields(sources, fields, DIRECT) == {"name": ["1", "2", "3", None]}
    assert select_fields(sources, {"name": field(B)}, DIRECT) == {"name": ["2", "2", None, None]}
    with pytest.raises(ValueError, match="argument"):
        select_fields(sources | {B: ["2"]}, fields, DIRECT)


@pytest.mark.parametrize(
    ("transforms", "text", "expected"),
    [
        ((), " a ", " a "),
        (("trim",), " a ", "a"),
        (("trim",), "\u200b ä\u00a0", "ä"),
        (("upper",), "aß", "ASS"),
        (("lower",), "AÄ", "aä"),
        (("trim", "upper"), " a ", "A"),
        (("trim", "country_id"), " de ", "de"),
    ],
)
def test_a_text_is_transformed(transforms: tuple, text: str, expected: str) -> None:
    sources: dict[str, Any] = {A: [text, None]}
    fields = {"name": field(A, transforms=transforms)}
    assert select_fields(sources, fields, DIRECT) == {"name": [expected, None]}


@pytest.mark.parametrize(
    ("target", "expected"),
    [("email", "a@x"), ("phone", "a@x"), ("contact.email", "a@x"), ("name", "a\u200b@x")],
)
def test_format_characters_are_removed_inside_what_is_matched_as_a_whole(
    target: str, expected: str
) -> None:
    sources: dict[str, Any] = {A: ["a\u200b@x", None, "plain"]}
    found = select_fields(sources, {target: field(A)}, DIRECT)
    assert found == {target: [expected, None, "plain"]}


def test_fields_of_one_recipe_share_a_column_and_others_do_not() -> None:
    sources: dict[str, Any] = {A: ["a\u200bB "]}
    fields = {
        "email": field(A),
        "contact.email": field(A),
        "name": field(A, transforms=()),
        "trimmed": field(A, transforms=("trim",)),
    }
    found = select_fields(sources, fields, DIRECT)
    assert found["email"] is found["contact.email"]
    assert (found["name"], found["trimmed"]) == (["a\u200bB "], ["a\u200bB"])
    assert found["email"] == ["aB"]


def test_countries_are_found_by_their_code() -> None:
    assert country_ids(["US", " de ", "XX", None, "US"], organisation()) == [1, 2, None, None, 1]


def test_states_are_found_by_code_or_name_within_their_country() -> None:
    texts: Any = ["WA", "wa", " Washington ", "WA", "WA", "nowhere", None]
    countries = [1, 3, 1, 2, None, 1, 1]
    expected = [10, 30, 10, None, None, None, None]
    assert state_ids(texts, countries, organisation()) == expected
    with pytest.raises(ValueError, match="argument"):
        state_ids(["WA"], [1, 1], organisation())


def test_fields_with_a_look_up_are_resolved_and_no_others() -> None:
    fields = {
        "name": field(A),
        "billingAddress.countryId": field(C, transforms=("country_id",)),
        "billingAddress.stateId": field(B, transforms=("trim", "state_id")),
    }
    selected: dict[str, Any] = {
        "name": ["x"],
        "billingAddress.countryId": ["US"],
        "billingAddress.stateId": ["WA"],
    }
    resolved = resolve_ids(selected, fields, organisation(), [3])
    assert resolved == {"billingAddress.countryId": [1], "billingAddress.stateId": [30]}


def test_the_country_of_a_row_is_its_accounts() -> None:
    account: dict[str, Any] = {"billingAddress.countryId": ["US", None]}
    assert row_countries(account, organisation(), 2) == [1, None]
    assert row_countries({}, organisation(), 2) == [None, None]
