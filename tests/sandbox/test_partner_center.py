from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from sandbox import FaultKind, FaultRule, RateLimit
from sandbox.config import RateWindow

BOM = b"\xef\xbb\xbf"


def follow(api, path):
    """Read all pages the way a client must."""
    pages = [api.read(path)]
    while "next" in pages[-1]["links"]:
        link = pages[-1]["links"]["next"]
        headers = {header["key"]: header["value"] for header in link["headers"]}
        pages.append(api.read(link["uri"].removeprefix("/v1"), **headers))
    return pages


def test_success_has_a_bom_and_a_refusal_has_none(peopled, partner_center):
    api = partner_center(peopled)
    assert api.get("/customers?size=1").content.startswith(BOM)
    assert api.get("/customers/none").content.startswith(b"{")


def test_request_ids_are_echoed(peopled, partner_center):
    ids = {"MS-RequestId": "r-1", "MS-CorrelationId": "c-1"}
    headers = partner_center(peopled).get("/customers?size=1", **ids).headers
    assert {name: headers[name] for name in ids} == ids


def test_a_request_id_that_no_header_can_hold_is_answered_with_another(peopled, partner_center):
    answer = partner_center(peopled).get("/customers?size=1", **{"MS-RequestId": "\xff"})
    assert answer.status_code == 200
    assert len(answer.headers["MS-RequestId"]) == 36


@pytest.mark.parametrize("path", ["/customers", "/auditrecords"])
@pytest.mark.parametrize("token", ["x", "MQ", "MTI=", "e30=", "WzEsMixbM11d"])
def test_a_continuation_token_of_another_list_is_refused(peopled, partner_center, path, token):
    query = "?seekOperation=Next" if path == "/customers" else "?size=1"
    answer = partner_center(peopled).get(path + query, **{"MS-ContinuationToken": token})
    is_offset = path == "/auditrecords" and token == "MTI="
    assert answer.status_code == (200 if is_offset else 400)


@pytest.mark.parametrize("size", ["x", "-1", "²"])
def test_a_size_that_is_no_number_is_refused(peopled, partner_center, size):
    for path in ("/customers", "/auditrecords"):
        assert partner_center(peopled).get(f"{path}?size={size}").status_code == 400


def test_pages_together_hold_every_customer_once(peopled, partner_center):
    pages = follow(partner_center(peopled), "/customers?size=50")
    ids = [item["id"].lower() for page in pages for item in page["items"]]
    assert sorted(ids) == sorted(peopled.source.customers)
    assert [len(page["items"]) for page in pages] == [50, 50, 20]


@pytest.mark.parametrize(("size", "pages"), [(119, [119, 1]), (120, [120])])
def test_last_page_has_no_next_link(peopled, partner_center, size, pages):
    found = follow(partner_center(peopled), f"/customers?size={size}")
    assert [len(page["items"]) for page in found] == pages


def test_page_links_come_with_and_without_version(peopled, partner_center):
    pages = follow(partner_center(peopled), "/customers?size=30")
    uris = [page["links"]["next"]["uri"] for page in pages[:-1]]
    assert {uri.startswith("/v1/") for uri in uris} == {True, False}


def test_page_link_without_its_header_is_refused(peopled, partner_center):
    api = partner_center(peopled)
    assert api.get("/customers?size=50&seekOperation=Next").status_code == 400


def test_total_count_is_not_to_be_trusted(peopled, partner_center):
    page = partner_center(peopled).read("/customers?size=50")
    assert page["totalCount"] != len(page["items"])


def test_list_items_are_thin(peopled, partner_center):
    item = partner_center(peopled).read("/customers?size=1")["items"][0]
    assert set(item) == {"id", "companyProfile", "relationshipToPartner", "attributes"}


def test_page_size_is_capped_at_500(start, partner_center):
    api = partner_center(start(customers=501))
    assert len(api.read("/customers?size=900")["items"]) == 500


@pytest.mark.parametrize("field", ["CompanyName", "Domain"])
def test_filter_finds_what_starts_with_a_value_in_any_case(peopled, partner_center, field):
    customer = next(iter(peopled.source.customers.values()))
    text = (customer.company_name if field == "CompanyName" else customer.domain)[:12].upper()
    condition = json.dumps({"Field": field, "Value": text, "Operator": "starts_with"})
    found = partner_center(peopled).read(f"/customers?filter={quote(condition)}")["items"]
    assert customer.tenant_id in {item["id"].lower() for item in found}
    assert len(found) < len(peopled.source.customers)


def test_reseller_filter_finds_that_resellers_customers(peopled, partner_center):
    reseller = peopled.source.tenant_reseller.tenant_id
    condition = {"Field": "IndirectReseller", "Value": reseller, "Operator": "starts_with"}
    path = f"/customers?size=0&filter={quote(json.dumps(condition))}"
    wanted = {c.tenant_id for c in peopled.source.customers.values() if reseller in c.reseller_ids}
    pages = follow(partner_center(peopled), path)
    assert {item["id"].lower() for page in pages for item in page["items"]} == wanted
    refused = partner_center(peopled, is_app_only=True).get(path)
    assert (refused.status_code, refused.json()["code"]) == (403, 900329)


def test_substring_filter_is_refused(peopled, partner_center):
    condition = json.dumps({"Field": "CompanyName", "Value": "a", "Operator": "substring"})
    assert partner_center(peopled).get(f"/customers?filter={quote(condition)}").status_code == 400


def test_customer_that_left_and_customer_that_is_gone(peopled, partner_center):
    api = partner_center(peopled)
    by_kind = {p: c for c in peopled.source.customers.values() for p in c.peculiarities}
    for part in ("", "/subscriptions"):
        left = api.get(f"/customers/{by_kind['left'].tenant_id}{part}")
        assert (left.status_code, left.json()["code"]) == (403, 20002)
        assert api.get(f"/customers/{by_kind['gone'].tenant_id}{part}").status_code == 404


def test_subscriptions_can_be_narrowed_to_an_mpn_id(peopled, partner_center):
    mixed = next(
        c for c in peopled.source.customers.values() if "mixed_subscriptions" in c.peculiarities
    )
    mpn_id = next(mpn for mpn in mixed.live_mpn_ids if mpn)
    path = f"/customers/{mixed.tenant_id}/subscriptions"
    api = partner_center(peopled)
    assert [item.get("partnerId") for item in api.read(path)["items"]] == [None, mpn_id]
    narrowed = api.read(f"{path}?mpn_id={mpn_id}")["items"]
    assert [item["partnerId"] for item in narrowed] == [mpn_id]


@pytest.mark.parametrize(
    "path",
    [
        "/relationships?relationship_type=IsIndirectCloudSolutionProviderOf",
        "/profiles/organization",
        "/profiles/mpn",
        "/customers/{id}/profiles/company",
        "/customers/{id}/relationships",
    ],
)
def test_app_only_token_is_refused_where_a_user_is_needed(peopled, partner_center, path):
    tenant_id = next(
        c.tenant_id for c in peopled.source.customers.values() if c.access.value == "open"
    )
    path = path.format(id=tenant_id)
    refused = partner_center(peopled, is_app_only=True).get(path)
    assert (refused.status_code, refused.json()["code"]) == (403, 900329)
    assert partner_center(peopled).get(path).status_code == 200


def test_reseller_calls_of_a_partner_that_is_no_provider_are_refused(start, partner_center):
    path = "/relationships?relationship_type=IsIndirectCloudSolutionProviderOf"
    refused = partner_center(start(is_indirect_provider=False)).get(path)
    assert (refused.status_code, refused.json()["code"]) == (403, 1002)


@pytest.mark.parametrize("has_mfa", [True, False])
def test_whether_a_token_proves_mfa_is_told_to_users_who_ask(start, partner_center, has_mfa):
    sandbox = start(has_mfa=has_mfa)
    api = partner_center(sandbox)
    asked = {"ValidateMfa": "true"}
    assert api.get("/customers", **asked).headers["isMfaCompliant"] == str(has_mfa).lower()
    assert "isMfaCompliant" not in api.get("/customers").headers
    app_only = partner_center(sandbox, is_app_only=True).get("/customers", **asked)
    assert "isMfaCompliant" not in app_only.headers


def test_mfa_is_enforced_where_a_fault_says_so(start, partner_center):
    kind = FaultKind.MFA_REQUIRED
    sandbox = start(faults=(FaultRule(endpoint="partner_center.customers.*", kind=kind),))
    api = partner_center(sandbox)
    refused = api.get("/customers")
    assert (refused.status_code, refused.json()["code"]) == (401, 900421)
    assert api.get("/auditrecords").status_code == 200


def test_what_needs_delegated_access_is_left_out_without_it(start, partner_center, control):
    sandbox = start(customers=3, hides_without_access=True)
    call, api = control(sandbox), partner_center(sandbox)
    tenant_id = next(iter(sandbox.source.customers))
    company = {"companyProfile": {"email": "info@company.example", "address": {"city": "Volos"}}}
    for allowed in (True, False):
        change = {"document": company | {"allowDelegatedAccess": allowed}}
        call("PATCH", f"/customers/{tenant_id}", change)
        customer = api.read(f"/customers/{tenant_id}")
        profile = api.read(f"/customers/{tenant_id}/profiles/company")
        assert ("customDomains" in customer) is allowed
        assert customer["companyProfile"] == profile
        assert ("email" in profile, "address" in profile) == (allowed, allowed)
        assert customer["billingProfile"]["email"]


def test_the_record_of_a_new_customer_names_its_tenant_domain(sandbox, partner_center, control):
    body = {"class": "direct", "peculiarity": "custom_domain"}
    added = control(sandbox)("POST", "/customers", body).json()
    (record,) = partner_center(sandbox).read("/auditrecords")["items"]
    data = {pair["key"]: pair["value"] for pair in record["customizedData"]}
    assert data["PrimaryDomainName"] == added["document"]["customDomains"][-1]


@pytest.mark.parametrize("is_app_only", [True, False])
def test_partner_ids_of_authorised_resellers_are_valid(peopled, partner_center, is_app_only):
    api = partner_center(peopled, is_app_only=is_app_only)
    known = next(iter(peopled.source.resellers.values())).mpn_id
    path = f"{api.base}/partners/validateresellers"
    answer = api.http.post(path, json={"partnerIds": [known, "9999999"]})
    assert answer.content.startswith(BOM)
    valid, invalid = json.loads(answer.content)["validationResults"]
    assert valid == {"partnerId": known, "isValidPartnerIdOnRecord": True}
    assert (invalid["isValidPartnerIdOnRecord"], invalid["errorCode"]) == (False, 900400)
    for ids in (None, [], ["x"], "1"):
        assert api.http.post(path, json={"partnerIds": ids}).status_code == 400
    assert api.http.post(path, json={}).status_code == 400


def test_country_rules_know_required_states(peopled, partner_center):
    api = partner_center(peopled)
    rules = api.read("/countryvalidationrules/us")
    assert rules["isStateRequired"]
    assert "WA" in rules["supportedStatesList"]
    assert api.get("/countryvalidationrules/XX").status_code == 404


def test_rate_limit_holds_per_resource(start, partner_center):
    limit = RateLimit(3, 60, RateWindow.SLIDING)
    sandbox = start(customers=5, rate_limit=limit)
    api = partner_center(sandbox)
    tenant_id = next(iter(sandbox.source.customers))
    answers = [api.get(f"/customers/{tenant_id}") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert set(answers[-1].json()) == {"statusCode", "message"}
    assert 50 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert api.get(f"/customers/{tenant_id}/subscriptions").status_code == 200
    assert api.get("/customers").status_code == 200
    api.get(f"/customers/{tenant_id}")
    assert sandbox.requests.retry_after.disobeyed == 1


def test_edit_leaves_an_audit_record_only_when_asked(start, partner_center, control):
    sandbox = start(customers=3)
    call, api = control(sandbox), partner_center(sandbox)
    tenant_id = next(iter(sandbox.source.customers))
    change = {"document": {"billingProfile": {"defaultAddress": {"city": "Volos"}}}}
    call("PATCH", f"/customers/{tenant_id}", change | {"audit": False})
    assert api.read("/auditrecords")["items"] == []
    call("PATCH", f"/customers/{tenant_id}", change)
    (record,) = api.read("/auditrecords")["items"]
    assert record["operationType"] == "update_customer_billing_profile"
    value = json.loads(record["resourceNewValue"])
    assert value["BillingProfile"]["DefaultAddress"]["City"] == "Volos"
    assert (
        api.read(f"/customers/{tenant_id}")["billingProfile"]["defaultAddress"]["city"] == "Volos"
    )


def test_records_name_the_operation(start, partner_center, control):
    sandbox = start(customers=1)
    call, api = control(sandbox), partner_center(sandbox)
    tenant_id = next(iter(sandbox.source.customers))
    call("PATCH", f"/customers/{tenant_id}", {"subscriptions": []})
    call("POST", f"/customers/{tenant_id}/activity", {"count": 2})
    call("POST", f"/customers/{tenant_id}/activity", {"operation": "create_order"})
    assert call("POST", "/customers/nobody/activity", {}).status_code == 404
    records = api.read("/auditrecords")["items"]
    assert [(one["operationType"], one["resourceType"]) for one in records] == [
        ("update_subscription", "subscription"),
        ("update_customer_user_licenses", "license"),
        ("update_customer_user_licenses", "license"),
        ("create_order", "order"),
    ]


def test_audit_records_are_paged_and_end_after_90_days(start, partner_center, control):
    sandbox = start()
    call, api = control(sandbox), partner_center(sandbox)
    for _ in range(3):
        assert call("POST", "/customers", {"class": "indirect"}).status_code == 201
    pages = follow(api, "/auditrecords?size=2")
    assert [len(page["items"]) for page in pages] == [2, 1]
    assert api.get("/auditrecords?startDate=2020-01-01").status_code == 400


def test_unknown_path_is_refused(peopled, partner_center):
    assert partner_center(peopled).get("//v1/customers").status_code == 404
