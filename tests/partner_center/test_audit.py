"""Audit records as the sandbox and Microsoft's documentation write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
import pytest

from customer_import.partner_center.audit import domain_prefixes, parse_record

if TYPE_CHECKING:
    from collections.abc import Callable

TENANT = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04"


def record(**changes: object) -> dict[str, object]:
    return {
        "customerId": TENANT.upper(),
        "operationDate": "2026-05-01T12:00:00.7753934Z",
        "operationType": "update_subscription",
        "resourceType": "subscription",
        "resourceNewValue": orjson.dumps(
            {"Id": TENANT, "UserCredentials": {"Password": "Pa55word!"}}
        ).decode(),
    } | changes


def test_a_record_names_its_customer_whatever_its_resource() -> None:
    found = parse_record(record())
    assert found is not None
    assert found.tenant_id == TENANT


def test_no_value_of_a_record_is_kept() -> None:
    assert "Pa55word" not in repr(parse_record(record()))


@pytest.mark.parametrize(
    "value",
    [
        {"Id": TENANT},
        {"TenantId": TENANT.upper()},
        {"CompanyProfile": {"TenantId": TENANT}},
        {"CustomerId": f" {TENANT} "},
    ],
)
def test_a_record_without_customer_id_is_looked_up_in_its_value(value: dict) -> None:
    text = orjson.dumps(value).decode()
    found = parse_record(record(customerId=None, resourceType="customer", resourceNewValue=text))
    assert found is not None
    assert found.tenant_id == TENANT


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("subscription", {"companyProfile": {"tenantId": TENANT}}),
        ("CUSTOMER", {"id": TENANT}),
        ("order", {"customerID": TENANT}),
    ],
)
@pytest.mark.parametrize("write", [lambda value: orjson.dumps(value).decode(), lambda value: value])
def test_a_value_names_its_customer_in_whatever_case_and_as_text_or_object(
    kind: str, value: dict, write: Callable[[dict], object]
) -> None:
    found = parse_record(record(customerId=None, resourceType=kind, resourceNewValue=write(value)))
    assert found is not None
    assert found.tenant_id == TENANT


@pytest.mark.parametrize(
    "operation",
    [
        "update_customer_user_licenses",
        "Update_customer_user_licenses",
        "UpdateCustomerUserLicenses",
        "reset_customer_user_password",
        "policy_updated",
        "create_agreement",
        "granular_admin_relationship_expired",
    ],
)
def test_operations_that_change_nothing_of_what_is_imported_are_passed_over(
    operation: str,
) -> None:
    assert parse_record(record(operationType=operation)) is None


@pytest.mark.parametrize(
    "operation",
    [
        "add_customer",
        "update_customer_billing_profile",
        "update_customer_partner_contract_company_Name",
        "update_company_info",
        "remove_partner_customer_relationship",
        "create_order",
        "update_subscription",
        "update_transfer",
        "create_partner_relationship",
        "granular_admin_relationship_activated",
        "an_operation_that_microsoft_adds",
        None,
        7,
    ],
)
def test_operations_that_may_change_it_and_unknown_ones_count(operation: object) -> None:
    assert parse_record(record(operationType=operation)) is not None


NEW = [
    {"key": "PrimaryDomainName", "value": "Contoso.onmicrosoft.com"},
    {"key": "Relationship", "value": "Reseller"},
]


@pytest.mark.parametrize(
    ("changes", "prefix"),
    [
        ({"operationType": "add_customer", "customizedData": NEW}, "contoso"),
        ({"operationType": "AddCustomer", "customizedData": NEW}, "contoso"),
        ({"operationType": "update_customer_billing_profile", "customizedData": NEW}, None),
        ({"operationType": "add_customer", "customizedData": [7, {"key": "X"}, None]}, None),
        ({"operationType": "add_customer", "customizedData": None}, None),
        (
            {
                "operationType": "add_customer",
                "customizedData": [{"key": "PrimaryDomainName", "value": "contoso.example"}],
            },
            None,
        ),
    ],
)
def test_the_record_of_a_new_customer_names_its_domain_prefix(
    changes: dict, prefix: str | None
) -> None:
    found = parse_record(record(**changes))
    assert found is not None
    assert found.domain_prefix == prefix
    assert domain_prefixes([found]) == ({TENANT: prefix} if prefix else {})


@pytest.mark.parametrize(
    "written", [f"{{{TENANT}}}", TENANT.replace("-", ""), f"urn:uuid:{TENANT}", f" {TENANT}\u200b"]
)
def test_a_customer_is_known_however_its_id_is_written(written: str) -> None:
    found = parse_record(record(customerId=written))
    assert found is not None
    assert found.tenant_id == TENANT


@pytest.mark.parametrize(
    "nobody", ["00000000-0000-0000-0000-000000000000", "not applicable", "-", 7]
)
def test_an_id_that_is_nobodys_does_not_hide_the_one_in_the_values(nobody: object) -> None:
    value = orjson.dumps({"CompanyProfile": {"TenantId": TENANT}}).decode()
    found = parse_record(record(customerId=nobody, resourceNewValue=value))
    assert found is not None
    assert found.tenant_id == TENANT


@pytest.mark.parametrize("value", [None, "", "{", "[1]", 7, '{"Name": "no id"}'])
def test_a_record_about_no_customer_is_passed_over(value: object) -> None:
    assert parse_record(record(customerId="", resourceNewValue=value)) is None


def test_a_record_is_known_again_by_all_that_it_says() -> None:
    found = parse_record(record())
    same = parse_record(dict(reversed(record().items())))
    later = parse_record(record(operationDate="2026-05-01T12:00:01Z"))
    assert found is not None
    assert same is not None
    assert later is not None
    assert found.key == same.key != later.key


@pytest.mark.parametrize("value", [None, 5, 10**30, "\ud800", float("nan")])
def test_a_record_that_says_something_odd_has_a_key(value: object) -> None:
    found = parse_record(record(operationDate=value))
    assert found is not None
    assert len(found.key) == 32


@pytest.mark.parametrize("field", ["Id", "OrderId", "SubscriptionId"])
def test_the_id_of_something_else_is_not_taken_for_the_customers(field: str) -> None:
    other = "99999999-70f4-4e1e-9ff1-b2bfce8d9f04"
    value = {field: other, "CompanyProfile": {"TenantId": TENANT}}
    found = parse_record(record(customerId=None, resourceNewValue=orjson.dumps(value).decode()))
    assert found is not None
    assert found.tenant_id == TENANT
    alone = orjson.dumps({field: other}).decode()
    assert parse_record(record(customerId=None, resourceNewValue=alone)) is None
