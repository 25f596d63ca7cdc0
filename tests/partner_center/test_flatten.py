from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_import.config.mapping import CUSTOMER_SOURCES
from customer_import.partner_center.flatten import find_domain_prefix, flatten_customer
from customer_import.text import clean

PATHS = tuple(sorted(CUSTOMER_SOURCES))
CUSTOMER = {
    "id": "0E7A3F2C-1111-4222-8333-944455556666",
    "companyProfile": {"companyName": " Δοκιμή ΑΕ ", "domain": "dokimi.example"},
    "billingProfile": {
        "email": "anna@dokimi.example",
        "firstName": None,
        "defaultAddress": {"country": "GR", "city": "Αθήνα\u0000", "phoneNumber": ""},
    },
    "customDomains": ["dokimi.example", "dokimi.mail.onmicrosoft.com", "Dokimi.OnMicrosoft.com"],
    "userCredentials": {"userName": "admin", "password": "hidden-value"},
}

texts = st.text(alphabet='ab .\0"<\u202eΔЖ中🥐', max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.none() | st.dictionaries(
    st.sampled_from(sorted({part for path in PATHS for part in path.split(".")})), json_values
)


def flat(customer: object, paths: tuple[str, ...] = PATHS, tenant_id: str | None = None):
    return flatten_customer(orjson.dumps(customer), paths=paths, tenant_id=tenant_id)


def test_values_are_taken_as_they_are() -> None:
    found = flat(CUSTOMER, tenant_id=str(CUSTOMER["id"]).lower())
    assert found.source == {
        "id": CUSTOMER["id"],
        "companyProfile.companyName": " Δοκιμή ΑΕ ",
        "companyProfile.domain": "dokimi.example",
        "billingProfile.email": "anna@dokimi.example",
        "billingProfile.defaultAddress.country": "GR",
        "billingProfile.defaultAddress.city": "Αθήνα",
        "billingProfile.defaultAddress.phoneNumber": "",
    }
    assert found.has_billing_profile
    assert found.domain_prefix == "dokimi"


def test_only_the_paths_asked_for_are_taken() -> None:
    assert flat(CUSTOMER, paths=("billingProfile.email",)).source == {
        "billingProfile.email": "anna@dokimi.example"
    }


def test_credentials_are_dropped_before_anything_is_kept() -> None:
    found = flat(CUSTOMER)
    assert b"hidden-value" not in found.body
    assert b"userCredentials" not in found.body
    assert "hidden-value" not in str(found.source)


def test_no_value_is_shown() -> None:
    assert "anna" not in repr(flat(CUSTOMER))


def test_the_body_is_kept_without_byte_order_mark() -> None:
    raw = orjson.dumps({"id": "a"})
    assert flatten_customer(b"\xef\xbb\xbf" + raw, paths=()).body == raw


@pytest.mark.parametrize(
    ("customer", "has_access"),
    [
        ({"allowDelegatedAccess": True}, True),
        ({"allowDelegatedAccess": False, "customDomains": ["dokimi.example"]}, True),  # GDAP
        ({"allowDelegatedAccess": False}, False),
        ({"allowDelegatedAccess": False, "customDomains": []}, False),
        ({"customDomains": None}, False),
        ({"allowDelegatedAccess": "true"}, False),
    ],
)
def test_delegated_access_is_told_by_its_flag_and_by_what_is_shown(
    customer: dict, has_access: bool
) -> None:
    assert flat({"id": "a"} | customer).has_delegated_access is has_access


@pytest.mark.parametrize("profile", [{}, {"billingProfile": None}])
def test_a_missing_billing_profile_is_noticed(profile: dict) -> None:
    found = flat({"id": "a"} | profile)
    assert not found.has_billing_profile
    assert not [path for path in found.source if path.startswith("billingProfile")]


@pytest.mark.parametrize(
    ("customer", "path"),
    [
        ([], "the customer"),
        ("text", "the customer"),
        ({"billingProfile": "anna@dokimi.example"}, "billingProfile: not an object"),
        ({"billingProfile": {"defaultAddress": ["x"]}}, "billingProfile.defaultAddress: not"),
        ({"companyProfile": 7}, "companyProfile: not an object"),
        ({"companyProfile": {"address": "x"}}, "companyProfile.address: not an object"),
    ],
)
def test_a_malformed_shape_is_refused_by_path_and_without_value(
    customer: object, path: str
) -> None:
    with pytest.raises(ValueError, match=path) as caught:
        flat(customer)
    assert "anna" not in str(caught.value)


def test_the_body_of_another_tenant_is_refused() -> None:
    with pytest.raises(ValueError, match="id: not the tenant"):
        flat(CUSTOMER, tenant_id="another")


@pytest.mark.parametrize(
    ("default", "prefixes"),
    [
        ("firma.example", ("nordlicht", "nordlichtneu")),
        ("NordlichtNeu.onmicrosoft.com", ("nordlichtneu", "nordlicht")),
        (None, ("nordlicht", "nordlichtneu")),
    ],
)
def test_the_order_of_domains_decides_nothing(default: str | None, prefixes: tuple) -> None:
    custom = ["nordlichtneu.onmicrosoft.com", "firma.example", "nordlicht.onmicrosoft.com"]
    for domains in (custom, custom[::-1]):
        customer = {"id": "a", "companyProfile": {"domain": default}, "customDomains": domains}
        found = flat(customer)
        assert (found.domain_prefix, found.domain_prefixes) == (prefixes[0], prefixes)


@pytest.mark.parametrize(
    ("domains", "prefix"),
    [
        (["contoso.onmicrosoft.com"], "contoso"),
        (["contoso.example", "contoso.onmicrosoft.com"], "contoso"),
        (["Contoso.OnMicrosoft.COM. "], "contoso"),
        (["contoso.partner.onmschina.cn"], "contoso"),
        (["contoso.onmicrosoft.us"], "contoso"),
        (["abcdefgh1234.ccsctp.net"], "abcdefgh1234"),
        (["first.onmicrosoft.com", "second.onmicrosoft.com"], "first"),
        (["contoso.mail.onmicrosoft.com"], None),
        (["contoso.mail.onmicrosoft.com", "contoso.onmicrosoft.com"], "contoso"),
        (["contoso.mail.onmicrosoft.us", "contoso.onmicrosoft.us"], "contoso"),
        (["contoso.mail.partner.onmschina.cn"], None),
        (["contoso.partner.mail.onmschina.cn", "contoso.partner.onmschina.cn"], "contoso"),
        (["contoso.mail.ccsctp.net"], None),
        (["sales.contoso.onmicrosoft.com", "contoso.onmicrosoft.com"], "contoso"),
        (["sales.contoso.onmicrosoft.us"], None),
        (["contoso.microsoftonline.com", "contoso.emea.microsoftonline.com"], None),
        (["contoso.partner.microsoftonline.cn"], None),
        (["partner.onmschina.cn"], None),
        (["contoso.example"], None),
        (["onmicrosoft.com"], None),
        ([".onmicrosoft.com"], None),
        (["notonmicrosoft.com"], None),
        ([None, 7, {}, ""], None),
        ([], None),
    ],
)
def test_the_domain_prefix_is_cut_from_tenant_domains_only(
    domains: list, prefix: str | None
) -> None:
    assert find_domain_prefix(domains) == prefix


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "id": json_values,
            "companyProfile": objects,
            "billingProfile": objects,
            "customDomains": json_values,
            "userCredentials": json_values,
        },
    )
)
def test_any_customer_is_flattened_or_refused(customer: dict) -> None:
    try:
        found = flat(customer)
    except ValueError:
        return
    assert set(found.source) <= set(PATHS)
    assert None not in found.source.values()
    assert not [
        value for value in found.source.values() if isinstance(value, str) and "\0" in value
    ]
    orjson.dumps(found.source)
    assert "userCredentials" not in orjson.loads(found.body)
    for path, value in found.source.items():
        node = customer
        for part in path.split("."):
            node = node[part]
        if isinstance(node, dict | list):
            assert value == type(node)()
        else:
            assert value == (clean(node) if isinstance(node, str) else node)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_customer_or_a_value_error(raw: bytes) -> None:
    try:
        flatten_customer(raw, paths=PATHS)
    except ValueError:
        return
