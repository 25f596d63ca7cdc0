from __future__ import annotations

import json

import pytest

BOM = b"\xef\xbb\xbf"
SERVED = "0f0f0f0f-1111-4111-8111-000000000001"
LEFT = "0f0f0f0f-1111-4111-8111-000000000002"
BY_SUBSCRIPTION = "0f0f0f0f-1111-4111-8111-000000000003"

BODIES = {
    "customers.by-id.json": {
        "id": SERVED.upper(),
        "companyProfile": {"companyName": "Served", "domain": "served.onmicrosoft.com"},
        "billingProfile": {"email": "a@served.example"},
        "relationshipToPartner": "reseller",
    },
    "customers.by-id.403.json": {"code": 20002, "description": "Left.", "data": []},
    "customers.list.json": {"items": [{"id": SERVED}, {"id": LEFT}]},
    "customers.profiles.billing.json": {"firstName": "Ada", "companyName": "Composed"},
    "subscriptions.recorded.json": {
        "items": [
            {
                "id": "S",
                "status": "active",
                "partnerId": "7000001",
                "links": {"self": {"uri": f"/customers/{BY_SUBSCRIPTION}/subscriptions/S"}},
            }
        ]
    },
    "relationships.a.json": {"items": [{"id": "R", "name": "First", "mpnId": "7000001"}]},
    "relationships.b.json": {"items": [{"id": "R", "name": "First", "mpnId": "7000001"}]},
    "countryvalidationrules.XX.json": {"iso2Code": "XX"},
    "profiles.mpn.404.json": {"code": 3000},
    "throttled.429.json": {"statusCode": 429, "message": "Served."},
    "offers.json": {"items": []},
}


def written(name):
    return BOM + json.dumps(BODIES[name], indent=1).encode() + b"\n"


@pytest.fixture
def api(start, partner_center, tmp_path):
    for name in BODIES:
        (tmp_path / name).write_bytes(written(name))
    sandbox = start(serve_bodies=tmp_path, customers=2)
    assert sandbox.info.unplaced_bodies == ("offers.json",)
    return partner_center(sandbox)


def test_first_served_customer_is_throttled_once(api):
    first = api.get(f"/customers/{SERVED}")
    assert (first.status_code, first.content) == (429, written("throttled.429.json"))
    assert first.headers["Retry-After"] == "1"
    assert api.get(f"/customers/{SERVED}").content == written("customers.by-id.json")


def test_bodies_are_served_byte_for_byte(api):
    api.get(f"/customers/{SERVED}")
    path = f"/customers/{BY_SUBSCRIPTION}/subscriptions"
    assert api.get(path).content == written("subscriptions.recorded.json")
    left = api.get(f"/customers/{LEFT}")
    assert (left.status_code, left.content) == (403, written("customers.by-id.403.json"))
    rules = api.get("/countryvalidationrules/xx")
    assert rules.content == written("countryvalidationrules.XX.json")
    assert api.get("/profiles/mpn?mpnId=1").content == written("profiles.mpn.404.json")


def test_served_customers_join_the_list(api):
    items = {item["id"].lower(): item for item in api.read("/customers")["items"]}
    assert {SERVED, LEFT, BY_SUBSCRIPTION} <= set(items)
    assert len(items) == 5
    assert items[SERVED]["companyProfile"]["companyName"] == "Served"


def test_customer_known_by_its_subscriptions_is_composed(api):
    api.get(f"/customers/{SERVED}")
    document = api.read(f"/customers/{BY_SUBSCRIPTION}")
    assert document["companyProfile"]["companyName"] == "Composed"
    assert document["billingProfile"]["firstName"] == "Ada"


def test_served_resellers_join_the_others_once(api):
    path = "/relationships?relationship_type=IsIndirectCloudSolutionProviderOf"
    names = [item["name"] for item in api.read(path)["items"]]
    assert names.count("First") == 1
    related = api.read(f"/customers/{BY_SUBSCRIPTION}/relationships")["items"]
    assert [item["mpnId"] for item in related] == ["7000001"]
