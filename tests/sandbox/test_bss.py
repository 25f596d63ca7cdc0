from __future__ import annotations

import pytest

EMPTY = {"violations": 0, "refusals": {}}


def counters(sandbox, key="provider"):
    own = sandbox.state.organisations[key].counters
    return {"violations": len(own.violations), "refusals": own.refusals}


@pytest.fixture
def api(sandbox, bss):
    return bss(sandbox)


@pytest.mark.parametrize("name", ["client_id", "client_secret"])
def test_client_credentials_in_the_body_are_refused(sandbox, session, name):
    own = sandbox.info.provider
    form = {"grant_type": "password", "username": own.username, "password": own.password}
    refused = session.post(
        f"{sandbox.info.bss_url}/oauth/token",
        data=form | {name: "x"},
        auth=(own.client_key, own.client_secret),
    )
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_client")
    assert len(sandbox.bss.unattributed) == 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"password": "x"}, "invalid_grant"),
        ({"username": "nobody@bss.example"}, "invalid_grant"),
        ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ],
)
def test_token_is_refused_as_oauth_does(sandbox, session, changes, error):
    own = sandbox.info.provider
    form = {"grant_type": "password", "username": own.username, "password": own.password}
    refused = session.post(
        f"{sandbox.info.bss_url}/oauth/token",
        data=form | changes,
        auth=(own.client_key, own.client_secret),
    )
    assert (refused.status_code, refused.json()["error"]) == (400, error)


def test_call_without_version_is_refused(sandbox, api):
    answer = api.call("GET", "/api/accounts", headers={"X-Api-Version": None})
    assert (answer.status_code, answer.json()["type"]) == (404, "InvalidApiVersionError")
    assert counters(sandbox)["violations"] == 1


def test_call_with_a_foreign_token_is_unauthorized(api):
    answer = api.call("GET", "/api/accounts", headers={"Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["isRetriableError"]) == (401, False)


@pytest.mark.parametrize("number", ["²", "٣", "-1", "x"])
def test_an_id_that_is_no_number_names_nothing(api, number):
    answer = api.call("GET", f"/api/accounts/{number}")
    assert (answer.status_code, answer.json()["type"]) == (404, "AccountNotFoundError")


@pytest.mark.parametrize("number", [["a"], {"a": 1}])
def test_a_field_or_option_that_is_named_by_no_name_is_refused(api, number):
    account = f"/api/accounts/{api.create_account()['id']}"
    system = api.organisation.sync_system_id
    field = api.call("PUT", f"{account}/customfields", [{"id": number, "value": "x"}])
    option = api.call("POST", f"{account}/syncoptions/{system}", [{"alias": number, "value": "x"}])
    assert (field.status_code, option.status_code) == (400, 400)


def test_a_token_of_strange_characters_is_unauthorized(api):
    answer = api.call("GET", "/api/accounts", headers={"Authorization": "Bearer \xff.\xfe"})
    assert answer.status_code == 401


def test_account_is_read_in_another_shape_than_it_is_written(sandbox, api):
    country = api.country("US")
    state = country["states"][0]
    address = {"address": "1 Way", "countryId": country["id"], "stateId": state["id"]}
    fields = [{"id": api.marker_id, "value": "T-1"}]
    made = api.create_account(billingAddress=address, noteType=2, customFields=fields)
    assert made["noteType"] == "Receipt"
    assert "customFields" not in made
    assert made["billingAddress"]["country"] == {
        "id": country["id"],
        "name": country["name"],
        "code": "US",
    }
    assert made["billingAddress"]["state"]["code"] == state["code"]
    read = api.read(f"/api/accounts/{made['id']}", include="customFields")
    (group,) = read["customFields"]
    values = {field["name"]: field["values"] for field in group["groupFields"]}
    assert [value["value"] for value in values["Microsoft Tenant ID"]] == ["T-1"]
    assert counters(sandbox) == EMPTY


@pytest.mark.parametrize(
    ("body", "prop"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": 1}, "name"),
        ({"name": "A", "Phone": "1"}, "Phone"),
        ({"name": "A", "taxable": 1}, "taxable"),
        ({"name": "A", "noteType": 3}, "noteType"),
        ({"name": "A", "billingAddress": {"city": "X"}}, "billingAddress.countryId"),
        ({"name": "A", "billingAddress": {"countryId": 1}}, "billingAddress.countryId"),
        ({"name": "A", "billToAccountId": 1}, "billToAccountId"),
        ({"name": "A", "responsibleUserId": 1}, "responsibleUserId"),
        ({"name": "A", "customFields": [{"id": 1, "value": "x"}]}, "customFields"),
    ],
)
def test_account_that_no_client_should_send_is_a_violation(sandbox, api, body, prop):
    answer = api.call("POST", "/api/accounts", body)
    error = answer.json()
    assert (answer.status_code, error["type"]) == (400, "AccountNotCreatedError")
    assert error["property"] == prop
    assert counters(sandbox)["violations"] == 1
    assert sandbox.bss.accounts("provider") == ()


def test_state_of_another_country_is_a_violation(sandbox, api):
    state = api.country("CA")["states"][0]
    address = {"countryId": api.country("US")["id"], "stateId": state["id"]}
    answer = api.call("POST", "/api/accounts", {"name": "A", "billingAddress": address})
    assert answer.json()["property"] == "billingAddress.stateId"
    assert counters(sandbox)["violations"] == 1


@pytest.mark.parametrize(
    "body",
    [{"name": "A", "email": "päivi@example.com"}, {"name": "A" * 256}, {"name": "A", "email": "a"}],
)
def test_honest_data_that_the_bss_does_not_take_is_a_refusal(sandbox, api, body):
    assert api.call("POST", "/api/accounts", body).status_code == 400
    assert counters(sandbox)["violations"] == 0
    assert sum(counters(sandbox)["refusals"].values()) == 1


def test_wrong_content_type_is_a_violation(sandbox, api):
    answer = api.call("POST", "/api/accounts", {"name": "A"}, headers={"Content-Type": "text/json"})
    assert answer.status_code == 415
    assert counters(sandbox)["violations"] == 1


def test_unknown_account_is_not_found_and_no_violation(sandbox, api):
    answer = api.call("GET", "/api/accounts/1")
    error = answer.json()
    assert (answer.status_code, error["type"]) == (404, "AccountNotFoundError")
    assert {"entity": "Account", "property": "id", "value": "1"}.items() <= error.items()
    assert counters(sandbox)["violations"] == 0


def test_patch_changes_what_it_names(sandbox, api):
    country = api.country("US")
    address = {"city": "X", "countryId": country["id"], "stateId": country["states"][0]["id"]}
    made = api.create_account(phone="1", email="a@b.example", billingAddress=address)
    path = f"/api/accounts/{made['id']}"
    patch = [
        {"op": "replace", "path": "/name", "value": "Fabrikam"},
        {"op": "add", "path": "/billingAddress/city", "value": "Y"},
        {"op": "remove", "path": "/billingAddress/stateId"},
        {"op": "remove", "path": "/phone"},
        {"op": "add", "path": "/customFields", "value": [{"id": api.marker_id, "value": "T"}]},
    ]
    changed = api.call("PATCH", path, patch).json()
    assert (changed["name"], changed["phone"], changed["email"]) == (
        "Fabrikam",
        None,
        "a@b.example",
    )
    assert (changed["billingAddress"]["city"], changed["billingAddress"]["state"]) == ("Y", None)
    assert (
        sandbox.state.organisations["provider"].marker(sandbox.bss.accounts("provider")[0]) == "t"
    )
    assert counters(sandbox) == EMPTY


@pytest.mark.parametrize(
    "patch",
    [
        {"name": "A"},
        [{"op": "move", "path": "/name", "from": "/phone"}],
        [{"op": "replace", "path": "/name"}],
        [{"op": "replace", "path": "/title", "value": "x"}],
        [{"op": "replace", "path": "/billingAddress/city", "value": "x"}],
        [{"op": "remove", "path": "/name"}],
    ],
)
def test_patch_that_no_client_should_send_changes_nothing(sandbox, api, patch):
    made = api.create_account()
    answer = api.call("PATCH", f"/api/accounts/{made['id']}", patch)
    assert (answer.status_code, answer.json()["type"]) == (400, "AccountNotUpdatedError")
    assert api.read(f"/api/accounts/{made['id']}") == made
    assert counters(sandbox)["violations"] == 1


def test_custom_fields_are_set_one_by_one_and_may_be_read_only(sandbox, api):
    definitions = api.read("/api/organization/accounts/customfields")["data"]
    ids = {field["name"]: field["id"] for field in definitions}
    path = f"/api/accounts/{api.create_account()['id']}/customfields"
    assert api.call("PUT", path, [{"id": ids["Contract Number"], "value": "7"}]).status_code == 200
    api.call("PUT", path, [{"id": ids["Microsoft Tenant ID"], "value": "T"}])
    (group,) = api.read(path)
    assert sum(len(field["values"]) for field in group["groupFields"]) == 2
    refused = api.call("PUT", path, [{"id": ids["Risk Class"], "value": "x"}])
    assert (refused.status_code, refused.json()["type"]) == (403, "CustomFieldReadOnlyError")


def test_lists_are_paged_in_the_version_3_envelope(api):
    for number in range(12):
        api.create_account(f"Account {number:02d}")
    page = api.read("/api/accounts")
    assert page["paging"] == {"page": 1, "size": 10, "totalPages": 2, "totalRecords": 12}
    assert page["links"]["previous"] is None
    following = api.http.get(page["links"]["next"]).json()
    assert [a["name"] for a in following["data"]] == ["Account 10", "Account 11"]
    assert following["links"]["next"] is None


@pytest.mark.parametrize("query", ["pageSize=501", "pageSize=0", "pageIndex=0", "pageSize=x"])
def test_paging_out_of_bounds_is_refused_without_body(sandbox, api, query):
    answer = api.call("GET", f"/api/accounts?{query}")
    assert (answer.status_code, answer.content) == (400, b"")
    assert counters(sandbox)["violations"] == 1


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("name eq 'o''brien'", ["O'Brien"]),
        ("name ne 'O''Brien'", ["Contoso", "Fabrikam"]),
        ("contains(name, 'ABR') or name eq 'contoso'", ["Contoso", "Fabrikam"]),
        ("(name eq 'Contoso' or name eq 'Fabrikam') and taxable eq false", ["Fabrikam"]),
        ("creditLimit gt 10 and creditLimit lt 30", ["Contoso"]),
        ("updatedAt gt datetime'2020-01-01T00:00:00.000'", ["Contoso", "Fabrikam", "O'Brien"]),
        ("createdAt lt datetime'2020-01-01'", []),
        ("email eq null", ["Contoso", "Fabrikam", "O'Brien"]),
    ],
)
def test_filter_finds(api, condition, names):
    api.create_account("Contoso", creditLimit=20, taxable=True)
    api.create_account("Fabrikam", taxable=False)
    api.create_account("O'Brien", creditLimit=40)
    query = {"$filter": condition, "$orderBy": "name asc"}
    assert [a["name"] for a in api.read("/api/accounts", **query)["data"]] == names


@pytest.mark.parametrize(
    "condition",
    ["externalId eq '1'", "name eq 1", "name eq", "name like 'x'", "name eq 'a' 'b'", "id eq 'x'"],
)
def test_filter_that_the_vendor_does_not_list_is_refused(api, condition):
    answer = api.call("GET", "/api/accounts", params={"$filter": condition})
    assert (answer.status_code, answer.content) == (400, b"")


def test_order_may_name_several_properties(api):
    for name, limit in (("B", 1), ("A", 1), ("C", 2)):
        api.create_account(name, creditLimit=limit)
    found = api.read("/api/accounts", **{"$orderBy": "creditLimit desc, name"})["data"]
    assert [account["name"] for account in found] == ["C", "A", "B"]
    assert api.call("GET", "/api/accounts", params={"$orderBy": "phone"}).status_code == 400


def test_new_primary_contact_takes_the_place_of_the_old_one(sandbox, api):
    account_id = api.create_account()["id"]
    person = {"accountId": account_id, "firstName": "Ada", "isPrimary": True, "isBillTo": True}
    for _ in range(2):
        assert api.call("POST", "/api/contacts", person).status_code == 201
    query = {"$filter": f"accountId eq {account_id} and isPrimary eq true"}
    (primary,) = api.read("/api/contacts", **query)["data"]
    assert primary["id"] == max(contact.id for contact in sandbox.bss.contacts("provider"))
    patch = [{"op": "replace", "path": "/phone", "value": "+30 1"}]
    changed = api.call("PATCH", f"/api/contacts/{primary['id']}", patch).json()
    assert (changed["phone"], changed["firstName"]) == ("+30 1", "Ada")
    assert counters(sandbox) == EMPTY


@pytest.mark.parametrize(
    "values",
    [
        {"accountId": 1, "firstName": "A"},
        {"firstName": "A"},
        {"FirstName": "A"},
        {},
        {"firstName": "A", "password": "p"},
        {"firstName": "A", "isPrimary": "yes"},
    ],
)
def test_contact_that_no_client_should_send_is_a_violation(sandbox, api, values):
    account_id = api.create_account()["id"]
    base = {} if values == {"firstName": "A"} else {"accountId": account_id}
    answer = api.call("POST", "/api/contacts", base | values)
    assert (answer.status_code, answer.json()["type"]) == (400, "ContactNotCreatedError")
    assert counters(sandbox)["violations"] == 1


def test_sync_options_are_set_by_alias_and_the_others_stay(sandbox, api):
    system = api.organisation.sync_system_id
    path = f"/api/accounts/{api.create_account()['id']}/syncoptions/{system}"
    (empty,) = api.read(path)["systems"]
    aliases = {option["name"]: option["alias"] for option in empty["options"]}
    for name, value in (("Domain prefix", "contoso"), ("Reseller (MPN ID)", "123")):
        answer = api.call("POST", path, [{"alias": aliases[name], "value": value}])
        assert answer.status_code == 201
    (system,) = api.read(path)["systems"]
    values = {option["name"]: option["value"] for option in system["options"]}
    assert values == {"username": None, "Domain prefix": "contoso", "Reseller (MPN ID)": "123"}
    assert counters(sandbox) == EMPTY


def test_tenant_reseller_has_its_own_ids_and_no_mpn_option(sandbox, bss):
    own, provider = bss(sandbox, "tenant_reseller"), bss(sandbox)
    assert own.country("US")["id"] != provider.country("US")["id"]
    account_id = own.create_account()["id"]
    path = f"/api/accounts/{account_id}/syncoptions/{own.organisation.sync_system_id}"
    assert "Reseller (MPN ID)" not in {o["name"] for o in own.read(path)["systems"][0]["options"]}
    refused = own.call("POST", path, [{"alias": "resellermpnid", "value": "1"}])
    assert refused.status_code == 400
    assert provider.call("GET", f"/api/accounts/{account_id}").status_code == 404
    assert counters(sandbox, "tenant_reseller")["violations"] == 1


def test_synchronization_is_counted(sandbox, api):
    path = f"/api/accounts/{api.create_account()['id']}/synchronizations"
    assert api.call("POST", f"{path}/{api.organisation.sync_system_id}").json()["success"]
    assert sandbox.state.check()["total"].synchronizations == 1


def test_lookups_are_paged_and_complete(api):
    first = api.read("/api/organization/countries", pageSize=50, include="states")
    assert first["paging"]["pageCount"] == 2
    assert first["paging"]["isPageIndexValid"]
    states = api.read(f"/api/organization/countries/{api.country('AU')['id']}/states")
    assert "New South Wales" in {state["name"] for state in states}
    (user, _) = api.read("/api/organization/users")["data"]
    rules = {rule["id"] for rule in api.read("/api/organization/permissionRules")["data"]}
    assert user["username"] == api.organisation.username
    assert user["defaultPermissionRuleId"] in rules


def test_owner_fields_may_be_switched_off(start, bss):
    api = bss(start(accepts_owner_fields=False))
    user = api.read("/api/organization/users")["data"][0]
    body = {"name": "A", "responsibleUserId": user["id"]}
    assert api.call("POST", "/api/accounts", body).status_code == 400


def test_a_strict_bss_wants_every_field_that_the_specification_requires(start, bss):
    sandbox = start(requires_ordering_fields=True)
    api = bss(sandbox)
    flags = (
        "orderingEnabled",
        "separateInvoices",
        "taxable",
        "autoInvoiceNotification",
        "resellingEnabled",
        "isAffiliate",
        "isBillingFrequencyEnabled",
    )
    complete = {"name": "A", "creditLimit": 0, "billingFrequencyMarkup": 0, "noteType": 1}
    complete |= dict.fromkeys(flags, False)
    for name in complete.keys() - {"name"}:
        body = {key: value for key, value in complete.items() if key != name}
        refused = api.call("POST", "/api/accounts", body)
        assert (refused.status_code, refused.json()["property"]) == (400, name)
    created = api.call("POST", "/api/accounts", complete)
    assert created.status_code == 201
    patch = [{"op": "replace", "path": "/name", "value": "B"}]
    assert api.call("PATCH", f"/api/accounts/{created.json()['id']}", patch).status_code == 200
    assert counters(sandbox)["violations"] == 0
