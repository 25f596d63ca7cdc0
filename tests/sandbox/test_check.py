from __future__ import annotations

import pytest


@pytest.fixture
def world(start, bss):
    """A sandbox with customers, and an importer of one account."""
    sandbox = start(customers=120)
    api = bss(sandbox)
    path = f"syncoptions/{api.organisation.sync_system_id}"

    def import_account(tenant_id=None, options=(), *, contacts=1, **flags):
        fields = [{"id": api.marker_id, "value": tenant_id}] if tenant_id else []
        account_id = api.create_account(customFields=fields)["id"]
        person = {"accountId": account_id, "firstName": "A", "isPrimary": True, "isBillTo": True}
        for _ in range(contacts):
            api.call("POST", "/api/contacts", person | flags)
        for alias, value in dict(options).items():
            body = [{"alias": alias, "value": value}]
            assert api.call("POST", f"/api/accounts/{account_id}/{path}", body).status_code == 201

    return sandbox, import_account


def wrong(sandbox):
    figures = sandbox.state.check()["total"]
    names = figures.__dataclass_fields__
    return {name: getattr(figures, name) for name in names if getattr(figures, name)}


def tenant(sandbox, *classes):
    truth = sandbox.source.truth
    customers = sandbox.source.customers.values()
    return next(c for c in customers if truth(c).classes == classes)


def test_correct_import_is_clean(world):
    sandbox, import_account = world
    indirect = tenant(sandbox, "indirect")
    import_account(tenant(sandbox, "direct").tenant_id)
    import_account(indirect.tenant_id.upper(), {"resellermpnid": indirect.live_mpn_ids[0]})
    mixed = tenant(sandbox, "direct", "indirect")
    import_account(mixed.tenant_id)
    assert wrong(sandbox) == {}
    assert sandbox.state.check()["total"].is_clean


def test_second_account_of_a_tenant_is_found_by_marker_in_any_case(world):
    sandbox, import_account = world
    tenant_id = tenant(sandbox, "direct").tenant_id
    import_account(tenant_id)
    import_account(tenant_id.upper())
    assert wrong(sandbox) == {"duplicate_accounts": 1}


def test_second_account_without_marker_is_found_by_domain_prefix(world):
    sandbox, import_account = world
    import_account(tenant(sandbox, "direct").tenant_id, {"domainprefix": "contoso"})
    import_account(None, {"domainprefix": "Contoso"})
    assert wrong(sandbox) == {"duplicate_accounts": 1, "accounts_without_marker": 1}


def test_contacts_are_counted(world):
    sandbox, import_account = world
    customers = [c.tenant_id for c in sandbox.source.customers.values()]
    direct = [
        i
        for i in customers
        if sandbox.source.truth(sandbox.source.customers[i]).classes == ("direct",)
    ]
    import_account(direct[0], contacts=0)
    import_account(direct[1], contacts=2)
    import_account(direct[2], isBillTo=False)
    import_account(direct[3], isStorefrontUser=True)
    assert wrong(sandbox) == {
        "accounts_without_contact": 1,
        "accounts_with_more_contacts": 1,
        # The new contact of the second account displaced the old one's flags.
        "contacts_not_primary_and_bill_to": 2,
        "storefront_contacts": 1,
    }


def test_mpn_id_must_be_the_truths(world):
    sandbox, import_account = world
    import_account(tenant(sandbox, "direct").tenant_id, {"resellermpnid": "1"})
    import_account(tenant(sandbox, "indirect").tenant_id)
    assert wrong(sandbox) == {"mpn_id_unexpected": 1, "mpn_id_missing": 1}


def test_violation_is_counted_in_the_total(world, bss):
    sandbox, _ = world
    bss(sandbox).call("GET", "/api/nothing")
    assert wrong(sandbox) == {"contract_violations": 1}


def test_existing_accounts_are_of_three_kinds_and_no_imports(start, control):
    sandbox = start(customers=120, existing_accounts=6)
    accounts = control(sandbox)("GET", "/accounts?organisation=provider").json()
    kinds = [account["existingKind"] for account in accounts]
    assert kinds == ["marked", "same_name", "other_marker"] * 2
    names = {customer.company_name for customer in sandbox.source.customers.values()}
    assert {account["name"] for account in accounts} <= names
    known = [account["tenantMarker"] in sandbox.source.customers for account in accounts]
    assert known == [True, False, False] * 2
    assert sandbox.state.check()["total"].is_clean
