"""The standard suite of the three imports: whatever Partner Center holds, every customer once, with a result."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from customer_import.vocabulary import ImportType
from sandbox.config import ClassMix
from sandbox.population.generator import generate
from tests.imports.scene import RESELLERS, SEED, on

if TYPE_CHECKING:
    from tests.imports.scene import Scene

pytestmark = pytest.mark.parametrize("import_type", list(ImportType))


@on("sqlite")
def test_an_empty_source_is_a_successful_run(scene: Scene, import_type: ImportType):
    report = scene.run(import_type)
    assert (report.summary.listed, report.summary.discovered) == (0, 0)
    assert scene.writes() == []


@on("sqlite")
def test_one_customer_becomes_one_account_with_contact_and_options(
    scene: Scene, import_type: ImportType
):
    (customer,) = scene.sell(import_type)

    report = scene.run(import_type)

    assert report.counts() == {"created": 1}
    account = scene.account_of(import_type, customer)
    contact = scene.contact_of(import_type, customer)
    result = report.of(customer)
    assert (result.account_id, result.contact_id) == (account.id, contact.id)
    profile = customer.document["billingProfile"]
    assert account.values["name"] == customer.company_name
    assert account.values["billingAddress"]["city"] == profile["defaultAddress"]["city"]
    assert contact.values["lastName"] == profile["lastName"]
    options = scene.content(import_type)[customer.tenant_id][2]
    assert options["domainprefix"] == customer.domain.removesuffix(".onmicrosoft.com")
    (mpn_id,) = customer.live_mpn_ids
    is_indirect = import_type is ImportType.INDIRECT
    assert options.get("resellermpnid") == (mpn_id if is_indirect else None)


@on("sqlite")
def test_a_population_with_everything_odd_is_told_customer_by_customer(
    scene: Scene, import_type: ImportType
):
    for customer in generate(130, SEED, ClassMix(), RESELLERS).customers:
        scene.sandbox.source.put(customer)

    report = scene.run(import_type)

    assert {"created", "skipped"} <= report.counts().keys()
    assert all(row.reason for row in report.results.values())


@on("sqlite")
def test_a_tenant_listed_twice_is_imported_once(scene: Scene, import_type: ImportType):
    scene.configure(partner_center={"page_size": 2})
    first, *others = scene.sell(import_type, 3)
    upper = replace(first, document=first.document | {"id": first.tenant_id.upper()})
    # On the first page, on another page, and once more in other letters.
    again = {"same page": first, **{c.tenant_id: c for c in others}, "other page": first}
    scene.sandbox.source.customers = {first.tenant_id: first, **again, "upper case": upper}

    report = scene.run(import_type)

    assert report.counts() == {"created": 3}


@on("sqlite")
def test_a_tenant_id_in_other_letters_is_the_same_customer(scene: Scene, import_type: ImportType):
    (customer,) = scene.sell(import_type)
    scene.run(import_type)
    upper = customer.tenant_id.upper()
    scene.edit(customer, id=upper, companyProfile={"tenantId": upper})

    report = scene.run(import_type)

    assert report.counts() == {"unchanged": 1}
    assert list(scene.links()) == [customer.tenant_id]


MISSING = {
    "no_contact_name": "rejected",
    "country_unknown": "rejected",
    "billing_profile_null": "rejected",
    "phone_missing": "created",
    "email_missing": "created",
    "no_tenant_domain": "created",
    "company_name_missing": "created",  # the billing profile's name stands in
    "names_only_in_address": "created",
}


@on("sqlite")
def test_a_missing_field_rejects_only_when_the_bss_cannot_do_without(
    scene: Scene, import_type: ImportType
):
    customers = {name: scene.sell(import_type, peculiarity=name)[0] for name in MISSING}

    report = scene.run(import_type)

    outcomes = {name: report.of(customer).outcome for name, customer in customers.items()}
    assert outcomes == MISSING
    assert report.of(customers["phone_missing"]).warnings
    assert "billing" in report.of(customers["billing_profile_null"]).reason.lower()


SPECIAL = {
    "quotes": 'O\'Brien "&" Sons\\; DROP TABLE tenant_links; --',
    "markup": "<script>alert(1)</script> &amp; {{ x }} ${y} %s",
    "right to left": "شركة الأفق للتقنية \u200fחברה\u200f",
    "emoji": "Bakery 🥐 👩‍👩‍👧 Café",
    "formula": "=HYPERLINK(1)+A1",
    "decomposed": "Ame\u0301lie Zu\u0308rich",
}


@on("sqlite")
def test_special_characters_arrive_unharmed_and_endless_text_is_cut(
    scene: Scene, import_type: ImportType
):
    customers = {
        text: scene.sell(
            import_type,
            companyProfile={"companyName": text},
            billingProfile={
                "firstName": text,
                "defaultAddress": {"city": text, "addressLine1": text},
            },
        )[0]
        for text in SPECIAL.values()
    }

    endless = "Überlänge " * 1_000
    (long,) = scene.sell(import_type, companyProfile={"companyName": endless})

    report = scene.run(import_type)

    assert report.counts() == {"created": len(SPECIAL) + 1}
    for sent, customer in customers.items():
        text = sent.strip("\u200f")  # marks at the ends show nothing and are trimmed
        account = scene.account_of(import_type, customer).values
        address = account["billingAddress"]
        assert (account["name"], address["city"], address["address"]) == (text, text, text)
        assert scene.contact_of(import_type, customer).values["firstName"] == text
        assert report.of(customer).tenant_name == text
    assert scene.account_of(import_type, long).values["name"] == endless[:255].rstrip()
    assert any("255" in warning for warning in report.of(long).warnings)
    assert scene.run(import_type).counts() == {"unchanged": len(SPECIAL) + 1}


@on("sqlite", "postgres")
def test_a_second_run_writes_nothing(scene: Scene, import_type: ImportType):
    scene.sell(import_type, 3)
    scene.run(import_type)
    before, written = scene.content(import_type), len(scene.writes())

    report = scene.run(import_type)

    assert report.counts() == {"unchanged": 3}
    assert scene.writes()[written:] == []
    assert scene.content(import_type) == before


@on("sqlite", "postgres")
def test_only_the_changed_field_of_the_changed_customer_is_written(
    scene: Scene, import_type: ImportType
):
    customer, *_ = scene.sell(import_type, 3)
    scene.run(import_type)
    before, written = scene.content(import_type), len(scene.writes())
    scene.edit(customer, billingProfile={"defaultAddress": {"city": "Volos"}})

    report = scene.run(import_type)

    assert report.counts() == {"updated": 1, "unchanged": 2}
    assert report.of(customer).reason == "Changed: billingAddress.city."
    assert scene.writes()[written:] == [("accounts.patch", 200)]
    account, *rest = before[customer.tenant_id]
    moved = account | {"billingAddress": account["billingAddress"] | {"city": "Volos"}}
    assert scene.content(import_type) == before | {customer.tenant_id: (moved, *rest)}


@on("sqlite")
def test_an_update_leaves_alone_what_people_entered_in_the_bss(
    scene: Scene, import_type: ImportType
):
    (customer,) = scene.sell(import_type)
    scene.run(import_type)
    bss, account = scene.bss(import_type), scene.account_of(import_type, customer)
    by_hand = {"creditLimit": 500, "orderingEnabled": False}
    bss.update_account(account, account.values | by_hand, account.custom_fields)
    scene.edit(customer, billingProfile={"lastName": "Papadopoulou"})

    report = scene.run(import_type)

    assert report.of(customer).reason == "Changed: contact.lastName."
    assert scene.account_of(import_type, customer).values == account.values | by_hand
    assert scene.contact_of(import_type, customer).values["lastName"] == "Papadopoulou"


@on("sqlite")
def test_existing_customers_can_be_left_as_they_are(scene: Scene, import_type: ImportType):
    changed, same = scene.sell(import_type, 2)
    scene.run(import_type)
    before, written = scene.content(import_type), len(scene.writes())
    scene.edit(changed, billingProfile={"defaultAddress": {"city": "Volos"}})
    (new,) = scene.sell(import_type)

    report = scene.run(import_type, on_existing="skip")

    outcomes = [report.of(customer).outcome for customer in (changed, same, new)]
    assert outcomes == ["skipped", "unchanged", "created"]
    assert str(report.of(changed).account_id) in report.of(changed).reason
    after = scene.content(import_type)
    assert {tenant: after[tenant] for tenant in before} == before
    endpoints = {endpoint for endpoint, _ in scene.writes()[written:]}
    assert endpoints == {"accounts.create", "contacts.create", "sync_options.post"}
