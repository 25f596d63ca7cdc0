from __future__ import annotations

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_import.config.instances import load_instance
from customer_import.config.mapping import (
    FieldMapping,
    Mappings,
    SyncOptionMapping,
    load_mappings,
)
from customer_import.errors import CustomerImportError
from customer_import.mapping.source_columns import source_columns
from customer_import.tasks.transform.entities import build_entities
from customer_import.vocabulary import ImportType
from tests.tasks.validate.runs import ADDRESS, GOOD, a_run, customer, organisation, rows_of, tenant


def transform(customers, run=None):
    run = run or a_run()
    return build_entities(
        source_columns(rows_of(customers), run, organisation()), run, organisation()
    )


def bodies(dumped):
    return [orjson.loads(body) for body in dumped]


def account(source=None, run=None, **columns):
    return bodies(transform([customer(source=source, **columns)], run).accounts)[0]


def with_field(entity, target, **changes):
    mappings = load_mappings()
    fields = dict(getattr(mappings, entity))
    old = fields.get(target)
    values = old.model_dump() if old else {}
    fields[target] = FieldMapping(**(values | changes))
    return Mappings(
        **({name: getattr(mappings, name) for name in Mappings.model_fields} | {entity: fields})
    )


def test_a_customer_becomes_the_account_that_the_bss_takes():
    assert account() == {
        "name": "Northwind Traders",
        "email": "office@northwind.example",
        "phone": "4255550100",
        "billingAddress": {
            "address": "1 Long Road",
            "city": "Redmond",
            "postCode": "98052",
            "countryId": 1,
            "stateId": 10,
        },
    }


def test_a_contact_has_no_ids_and_no_flags():
    contact = bodies(transform([customer()]).contacts)[0]
    assert contact == {
        "firstName": "Rosa",
        "lastName": "Lind",
        "phone": "4255550100",
        "email": "office@northwind.example",
    }


def test_blank_values_fall_back_and_missing_values_are_null():
    body = account(
        {
            "companyProfile.companyName": " \t",
            "billingProfile.companyName": " Fabrikam ",
            "billingProfile.email": None,
            ADDRESS + "phoneNumber": "",
        }
    )
    assert body["name"] == "Fabrikam"
    assert body["email"] is None
    assert body["phone"] is None


def test_what_is_hidden_is_left_out_and_what_is_absent_is_null():
    absent, hidden, staged_before, shown = (
        transform([customer(domain_prefix=prefix, has_delegated_access=access)])
        for prefix, access in ((None, True), (None, False), (None, None), ("company0", False))
    )
    assert bodies(absent.sync_options) == [{"Domain prefix": None}]
    assert bodies(hidden.sync_options) == [{}]
    assert staged_before.content_hashes == absent.content_hashes
    assert shown.content_hashes == transform([customer()]).content_hashes


def test_an_address_without_a_country_is_not_sent():
    assert "billingAddress" not in account({ADDRESS + "country": "XX"})


@pytest.mark.parametrize("code", ["de", " De ", "DE"])
def test_a_country_is_found_in_any_letter_case(code):
    assert account({ADDRESS + "country": code})["billingAddress"]["countryId"] == 2


@pytest.mark.parametrize(
    ("country", "state", "expected"),
    [
        ("US", "wa", 10),
        ("US", "Washington", 10),
        ("AU", "WA", 30),
        ("DE", "WA", None),
        ("US", "Bavaria", None),
    ],
)
def test_a_state_is_found_within_its_country_only(country, state, expected):
    entities = transform(
        [customer(source={ADDRESS + "country": country, ADDRESS + "state": state})]
    )
    assert bodies(entities.accounts)[0]["billingAddress"].get("stateId") == expected
    assert entities.unknown_states == (expected is None)


def test_numbers_and_booleans_become_text_and_anything_else_is_missing():
    body = account(
        {
            ADDRESS + "postalCode": 98052,
            ADDRESS + "city": ["Redmond"],
            ADDRESS + "addressLine1": True,
        }
    )
    assert body["billingAddress"]["postCode"] == "98052"
    assert body["billingAddress"]["address"] == "true"
    assert body["billingAddress"]["city"] is None


def test_long_text_is_cut_by_characters_and_counted():
    entities = transform([customer(source={"companyProfile.companyName": "\N{WHALE}" * 300})])
    assert bodies(entities.accounts)[0]["name"] == "\N{WHALE}" * 255
    assert entities.cut == {"account.name": 1}


def test_a_cut_leaves_no_blank_at_the_end():
    body = account({"companyProfile.companyName": "a" * 254 + " b"})
    assert body["name"] == "a" * 254


def test_sync_options_follow_the_import_type_and_are_null_when_empty():
    columns = {"reseller_mpn_id": "4847383", "domain_prefix": None}
    direct = bodies(transform([customer(**columns)]).sync_options)
    indirect = bodies(transform([customer(**columns)], a_run(ImportType.INDIRECT)).sync_options)
    assert direct == [{"Domain prefix": None}]
    assert indirect == [{"Domain prefix": None, "Reseller (MPN ID)": "4847383"}]


def test_a_sync_option_is_text_whatever_its_name():
    options = {"Microsoft tenant Id": SyncOptionMapping(source="tenant.id")}
    run = a_run(mappings=load_mappings().model_copy(update={"sync_options": options}))
    assert bodies(transform([customer()], run).sync_options) == [{"Microsoft tenant Id": tenant(0)}]


def test_owners_and_bill_to_account_are_sent_only_where_the_instance_says_so():
    refusing = load_instance("default").model_copy(
        update={"reseller_bss_accounts": {"4847383": 900}}
    )
    accepting = refusing.model_copy(
        update={
            "bss": refusing.bss.model_copy(
                update={
                    "accepts_responsible_user": True,
                    "accepts_permission_rule": True,
                    "accepts_bill_to_account": True,
                }
            )
        }
    )
    owned = {"billToAccountId", "responsibleUserId", "permissionRuleId"}
    refused = account(run=a_run(ImportType.INDIRECT, instance=refusing), reseller_mpn_id="4847383")
    sent = account(run=a_run(ImportType.INDIRECT, instance=accepting), reseller_mpn_id="4847383")
    assert owned.isdisjoint(refused)
    assert {key: sent[key] for key in owned} == {
        "billToAccountId": 900,
        "responsibleUserId": 71,
        "permissionRuleId": 72,
    }


def test_a_mapping_can_take_a_field_from_elsewhere_without_code():
    mappings = with_field(
        "account", "name", source="companyProfile.domain", transforms=("trim", "upper")
    )
    body = account({"companyProfile.domain": "northwind.example"}, a_run(mappings=mappings))
    assert body["name"] == "NORTHWIND.EXAMPLE"


def digest(source=None, run=None, **columns):
    return transform([customer(source=source, **columns)], run).content_hashes[0]


@pytest.mark.parametrize(
    "path", ["companyProfile.companyName", "billingProfile.lastName", ADDRESS + "city"]
)
def test_the_content_hash_follows_account_and_contact(path):
    assert digest() == digest()
    assert digest({path: "Other"}) != digest()


def test_the_content_hash_follows_sync_options_and_does_not_hang_on_the_order_of_keys():
    assert digest(domain_prefix="other") != digest()
    assert digest(dict(reversed(GOOD.items()))) == digest()


def test_a_kept_field_is_sent_but_never_makes_an_update():
    run = a_run(mappings=with_field("account", "phone", on_update="keep"))
    contact = with_field("contact", "phone", on_update="keep").contact
    run = a_run(mappings=run.mappings.model_copy(update={"contact": contact}))
    changed = {ADDRESS + "phoneNumber": "4255550199"}
    assert account(changed, run)["phone"] == "4255550199"
    assert digest(changed, run) == digest(run=run)


def test_a_state_that_the_bss_does_not_have_is_unknown_and_not_absent():
    unknown = account({ADDRESS + "state": "Bavaria"})["billingAddress"]
    absent = account({ADDRESS + "state": None})["billingAddress"]
    assert "stateId" not in unknown
    assert absent["stateId"] is None
    assert digest({ADDRESS + "state": "Bavaria"}) != digest({ADDRESS + "state": None})


@pytest.mark.parametrize(
    ("rule", "concerned", "other"),
    [
        ({"on_empty": "keep"}, {ADDRESS + "phoneNumber": None}, None),
        ({"on_update": "fill"}, None, {ADDRESS + "phoneNumber": None}),
        ({"max_length": 5}, None, {ADDRESS + "phoneNumber": "555"}),
    ],
)
def test_a_change_of_a_rule_changes_the_content_hash_of_those_it_concerns(rule, concerned, other):
    run = a_run(mappings=with_field("account", "phone", **rule))
    assert digest(concerned, run) != digest(concerned)
    assert digest(other, run) == digest(other)


@pytest.mark.parametrize("entity", ["account", "contact"])
def test_an_e_mail_address_is_never_cut(entity):
    run = a_run(mappings=with_field(entity, "email", max_length=10))
    made = transform([customer()], run)
    sent = bodies(made.accounts if entity == "account" else made.contacts)[0]
    assert sent["email"] == "office@northwind.example"
    assert made.cut == {}


def test_a_field_written_once_makes_an_update_only_when_it_is_to_be_cleared():
    phone = ADDRESS + "phoneNumber"
    rule = {"on_update": "keep", "on_empty": "clear"}
    run = a_run(mappings=with_field("account", "phone", **rule))
    contact = with_field("contact", "phone", **rule).contact
    run = a_run(mappings=run.mappings.model_copy(update={"contact": contact}))
    assert digest({phone: "4255550199"}, run) == digest(run=run)
    assert digest({phone: None}, run) != digest(run=run)


def test_an_address_whose_country_is_written_once_still_makes_updates():
    run = a_run(mappings=with_field("account", "billingAddress.countryId", on_update="keep"))
    assert digest({ADDRESS + "city": "Seattle"}, run) != digest(run=run)


def test_a_staged_customer_that_is_not_json_is_named_as_such():
    with pytest.raises(CustomerImportError, match="is not JSON"):
        transform([customer() | {"source": b"{"}])


HOSTILE = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [
            "=1+1",
            "<script>",
            "'\"",
            "\u202eabc",
            "\N{WHALE}",
            "\0",
            "x" * 10_000,
            "ı",
            "ß",
            "us",
            " US ",
        ]
    ),
    st.none(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.lists(st.text(max_size=3), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
)
SOURCES = st.lists(st.dictionaries(st.sampled_from(sorted(GOOD)), HOSTILE), max_size=8)


@given(SOURCES)
@settings(deadline=None)
def test_no_customer_is_lost_and_no_text_is_longer_than_its_target(sources):
    customers = [customer(number, source=source) for number, source in enumerate(sources)]
    run = a_run(ImportType.INDIRECT)
    entities = transform(customers, run)
    assert entities.tenant_ids == [tenant(number) for number in range(len(sources))]
    for body in bodies(entities.accounts):
        assert len(body["name"] or "") <= 255
        assert "" not in body.values()
        assert body.get("billingAddress", {"countryId": 1})["countryId"] in {1, 2, 3}
    for digest_ in entities.content_hashes:
        assert len(digest_) == 40


def test_format_characters_at_the_ends_go_and_text_of_nothing_else_is_missing():
    found = account(
        source={
            "companyProfile.companyName": "\u200b",
            "billingProfile.companyName": "\ufeff Echte Firma GmbH\u2060",
            ADDRESS + "city": "\u202aGraz\u202c",
        }
    )
    assert found["name"] == "Echte Firma GmbH"
    assert found["billingAddress"]["city"] == "Graz"


def test_format_characters_inside_e_mail_and_phone_are_removed():
    found = account(
        source={
            "billingProfile.email": "eva@firma\u200b.example\u200b",
            ADDRESS + "phoneNumber": "\u202a+43 316\u200b 555 019\u202c",
        }
    )
    assert found["email"] == "eva@firma.example"
    assert found["phone"] == "+43 316 555 019"


def test_names_of_nothing_but_format_characters_fall_back():
    source = {
        "billingProfile.firstName": "\u200b",
        "billingProfile.lastName": "\u2060",
        ADDRESS + "firstName": "Eva",
        ADDRESS + "lastName": "Muster",
    }
    contact = bodies(transform([customer(source=source)]).contacts)[0]
    assert (contact["firstName"], contact["lastName"]) == ("Eva", "Muster")
