"""Values that Partner Center no longer has: cleared or kept by the mapping's rule, and said."""

from __future__ import annotations

import os
import random
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from customer_import.config.mapping import load_mappings
from customer_import.config.paths import include_folder
from customer_import.errors import DataQualityError
from customer_import.vocabulary import ImportType
from tests.imports.scene import on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from customer_import.config.mapping import FieldMapping
    from sandbox.population.models import Customer
    from tests.imports.scene import Scene

DIRECT, INDIRECT = ImportType.DIRECT, ImportType.INDIRECT
NO_PHONE: dict[str, Any] = {"billingProfile": {"defaultAddress": {"phoneNumber": None}}}
POPULATION = int(os.environ.get("EMPTIED_POPULATION", "60"))
ADDRESS = "billingAddress."
PATHS = {
    "name": "companyProfile.companyName",
    "email": "billingProfile.email",
    "phone": "billingProfile.defaultAddress.phoneNumber",
    "firstName": "billingProfile.firstName",
    "lastName": "billingProfile.lastName",
    "billingAddress.address": "billingProfile.defaultAddress.addressLine1",
    "billingAddress.city": "billingProfile.defaultAddress.city",
    "billingAddress.postCode": "billingProfile.defaultAddress.postalCode",
    "billingAddress.countryId": "billingProfile.defaultAddress.country",
    "billingAddress.stateId": "billingProfile.defaultAddress.state",
}
"""Where the product's own importer takes each field from."""


@pytest.fixture
def rules(tmp_path, monkeypatch) -> Callable[..., None]:
    """Change keys of every field of the mapping files, or of one."""
    folder = shutil.copytree(include_folder(), tmp_path / "include")
    monkeypatch.setenv("CUSTOMER_IMPORT_INCLUDE", str(folder))

    def change(only: str | None = None, **keys: str) -> None:
        for name in ("account", "contact", "sync_options"):
            path = folder / "mappings" / f"{name}.yaml"
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            for target, field in content["fields"].items():
                is_owned = field["source"].startswith(("run.", "reseller.bss"))
                if not is_owned and only in {None, target}:
                    field.update(keys)
            path.write_text(yaml.safe_dump(content), encoding="utf-8")

    return change


def phone_of(scene: Scene, customer: Customer) -> tuple[Any, Any]:
    account, contact = scene.account_of(DIRECT, customer), scene.contact_of(DIRECT, customer)
    return account.values.get("phone"), contact.values.get("phone")


@on("sqlite", "postgres")
@pytest.mark.parametrize("scope", ["full", "changed"])
def test_an_emptied_value_is_cleared_and_the_result_says_so(scene: Scene, scope: str):
    customer, *_ = scene.sell(DIRECT, 3)
    scene.run(DIRECT)
    before = scene.content(DIRECT)
    scene.edit(customer, **NO_PHONE)

    report = scene.run(DIRECT, scope=scope)

    assert report.counts() == {"updated": 1, "unchanged": 2}
    assert report.of(customer).reason == (
        "Emptied, because Partner Center has no value: phone, contact.phone."
    )
    assert phone_of(scene, customer) == (None, None)
    after = scene.content(DIRECT)
    assert {tenant for tenant in after if after[tenant] != before[tenant]} == {customer.tenant_id}
    assert scene.run(DIRECT).counts() == {"unchanged": 3}


@on("sqlite")
def test_a_kept_value_is_said_in_one_warning_by_every_run_until_it_is_gone(
    scene: Scene, rules: Callable[..., None]
):
    rules(on_empty="keep")
    customer, other = scene.sell(DIRECT, 2)
    scene.run(DIRECT)
    there = phone_of(scene, customer)
    assert all(there)
    scene.edit(customer, **NO_PHONE)
    kept = "The BSS keeps what Partner Center has no value for: phone, contact.phone."

    for scope in ("full", "changed", "full", "changed"):
        report = scene.run(DIRECT, scope=scope)
        assert report.counts() == {"unchanged": 2}
        said = [text for text in report.of(customer).warnings if text.startswith(kept)]
        assert len(said) == 1
        assert not any("The BSS keeps" in text for text in report.of(other).warnings or ())
        assert phone_of(scene, customer) == there

    bss, account = scene.bss(DIRECT), scene.account_of(DIRECT, customer)
    bss.update_account(account, account.values | {"phone": None}, account.custom_fields)
    contact = scene.contact_of(DIRECT, customer)
    bss.update_contact(contact, contact.values | {"phone": None})
    report = scene.run(DIRECT)
    assert not any("The BSS keeps" in text for text in report.of(customer).warnings or ())


@on("sqlite")
def test_a_sync_option_that_partner_center_no_longer_shows_is_kept_and_said(scene: Scene):
    (customer,) = scene.sell(DIRECT)
    scene.run(DIRECT)
    options = scene.content(DIRECT)[customer.tenant_id][2]
    scene.edit(
        customer,
        companyProfile={"domain": "northwind.example"},
        customDomains=["northwind.example"],
    )

    report = scene.run(DIRECT)

    assert scene.content(DIRECT)[customer.tenant_id][2] == options
    assert any("no value for: Domain prefix." in text for text in report.of(customer).warnings)


@on("sqlite")
def test_a_sync_option_is_cleared_where_the_mapping_says_so(
    scene: Scene, rules: Callable[..., None]
):
    rules("Domain prefix", on_empty="clear")
    (customer,) = scene.sell(DIRECT)
    scene.run(DIRECT)
    scene.edit(
        customer,
        companyProfile={"domain": "northwind.example"},
        customDomains=["northwind.example"],
    )

    report = scene.run(DIRECT)

    assert report.of(customer).reason.endswith("no value: Domain prefix.")
    assert not scene.content(DIRECT)[customer.tenant_id][2].get("domainprefix")


@on("sqlite")
def test_a_preview_tells_what_would_be_emptied_and_what_would_be_kept(
    scene: Scene, rules: Callable[..., None]
):
    rules("phone", on_empty="keep")
    emptied, kept = scene.sell(DIRECT, 2)
    scene.run(DIRECT)
    before, written = scene.content(DIRECT), len(scene.writes())
    scene.edit(emptied, billingProfile={"email": None, "lastName": "Papadopoulou"})
    scene.edit(kept, **NO_PHONE)

    report = scene.run(DIRECT, mode="preview")

    assert report.counts() == {"would_update": 1, "unchanged": 1}
    assert report.of(emptied).reason.endswith(
        "would be updated. Would change: contact.lastName. "
        "Would empty, because Partner Center has no value: email, contact.email."
    )
    assert any("The BSS keeps" in text for text in report.of(kept).warnings)
    assert (scene.content(DIRECT), len(scene.writes())) == (before, written)


@on("sqlite")
def test_a_changed_rule_updates_the_customers_that_it_concerns(
    scene: Scene, rules: Callable[..., None]
):
    rules(on_empty="keep")
    customer, _ = scene.sell(DIRECT, 2)
    scene.run(DIRECT)
    scene.edit(customer, **NO_PHONE)
    scene.run(DIRECT)
    rules("phone", on_empty="clear")

    report = scene.run(DIRECT, scope="changed")

    assert report.counts() == {"updated": 1, "unchanged": 1}
    assert phone_of(scene, customer) == (None, None)


@on("sqlite")
def test_a_run_that_would_empty_a_field_for_too_many_stops_before_it_writes(scene: Scene):
    customers = scene.sell(DIRECT, 30)
    scene.run(DIRECT)
    before, written = scene.content(DIRECT), len(scene.writes())
    for customer in customers[:7]:
        scene.edit(customer, **NO_PHONE)

    with pytest.raises(DataQualityError) as stopped:
        scene.load(scene.stage(DIRECT, max_rejected_percent=20))

    text = str(stopped.value)
    assert "phone (billingProfile.defaultAddress.phoneNumber) for 7 of 30 customers (23.3%)" in text
    assert "more than the 20 % that max_rejected_percent allows" in text
    assert "No customer that would be updated has a value in Partner Center for" in text
    assert (scene.content(DIRECT), len(scene.writes())) == (before, written)

    preview = scene.run(DIRECT, max_rejected_percent=20, mode="preview")
    assert preview.counts() == {"would_update": 7, "unchanged": 23}
    assert scene.run(DIRECT, max_rejected_percent=24).counts() == {"updated": 7, "unchanged": 23}


@on("sqlite")
def test_a_value_that_the_bss_does_not_have_either_stops_nobody(scene: Scene):
    customers = scene.sell(DIRECT, 30, **NO_PHONE)
    scene.run(DIRECT)
    for customer in customers:
        scene.edit(customer, billingProfile={"lastName": "Papadopoulou"})

    report = scene.run(DIRECT, max_rejected_percent=20)

    assert report.counts() == {"updated": 30}


# -- A whole population ------------------------------------------------------------------------------


def mutate(scene: Scene, chance: random.Random) -> None:
    """Empty values and move people, as a year of work in Partner Center would."""
    countries = {country.code: country for country in scene.bss(DIRECT).setup.countries}
    for customer in list(scene.sandbox.source.customers.values()):
        address: dict[str, Any] = {}
        profile: dict[str, Any] = {"defaultAddress": address}
        for key in ("addressLine1", "city", "postalCode", "state", "phoneNumber"):
            if chance.random() < 0.2:
                address[key] = chance.choice((None, "", "   "))
        if chance.random() < 0.15:
            profile["email"] = None
        name = chance.choice(("firstName", "lastName"))
        other = "lastName" if name == "firstName" else "firstName"
        if chance.random() < 0.15 and wanted(scene, customer, other):  # a contact needs a name
            profile[name] = None
        if chance.random() < 0.3:  # moves, perhaps to another country
            address["city"] = chance.choice(("Volos", "Larissa", "Patras"))
            if chance.random() < 0.4:
                code = chance.choice(sorted(countries))
                states = countries[code].states
                address["country"] = code
                address["state"] = (
                    chance.choice(states).code if states and chance.random() < 0.5 else None
                )
        scene.edit(customer, billingProfile=profile)


def wanted(scene: Scene, customer: Customer, target: str) -> Any:
    """What Partner Center has for a BSS field; ``None`` for nothing."""
    value: Any = customer.document
    for key in PATHS[target].split("."):
        value = (value or {}).get(key)
    if value is None and target in {"firstName", "lastName"}:
        value = customer.document["billingProfile"]["defaultAddress"].get(target)
    text = str(value).strip() if value is not None else ""
    if not text or not target.endswith("Id"):
        return text or None
    country = next(
        (
            one
            for one in scene.bss(DIRECT).setup.countries
            if one.code == customer.document["billingProfile"]["defaultAddress"]["country"].upper()
        ),
    )
    if target.endswith("countryId"):
        return country.id
    names = (one.id for one in country.states if text.upper() in {one.code, one.name.upper()})
    return next(names, "unknown")


def held(record: Mapping[str, Any], target: str) -> Any:
    parent, _, name = target.rpartition(".")
    value = (record.get(parent) or {} if parent else record).get(name)
    return value or None


def right(
    scene: Scene,
    customer: Customer,
    before: Mapping[str, Any],
    fields: Mapping[str, FieldMapping],
) -> dict[str, Any]:
    """What the BSS must hold of a record after the update, field by field."""
    result = {}
    new = {target: wanted(scene, customer, target) for target in fields if target in PATHS}
    old = {target: held(before, target) for target in new}
    for target, value in new.items():
        rule = fields[target]
        if value is None:
            result[target] = None if rule.on_empty == "clear" else old[target]
        elif value == "unknown" or rule.on_update == "keep":
            result[target] = old[target]
        else:
            is_filled = rule.on_update == "fill" and old[target] is not None
            result[target] = old[target] if is_filled else value
    country, state = f"{ADDRESS}countryId", f"{ADDRESS}stateId"
    if new.get(state) not in {None, "unknown"}:  # a state goes with its country
        if result[country] != old[country]:
            result[state] = new[state]
        elif result[country] != new[country]:
            result[state] = old[state]
    address = [target for target in new if target.startswith(ADDRESS)]
    if any(result[target] != old[target] for target in address):
        result |= {target: None for target in address if new[target] in {None, "unknown"}}
    return result


@on("sqlite")
@pytest.mark.parametrize("on_update", ["overwrite", "fill", "keep"])
@pytest.mark.parametrize("on_empty", ["clear", "keep"])
def test_after_a_year_of_changes_the_bss_is_what_the_rules_say_field_by_field(
    scene: Scene, rules: Callable[..., None], on_update: str, on_empty: str
):
    scene.sell(DIRECT, POPULATION)
    scene.run(DIRECT)
    rules(on_update=on_update, on_empty=on_empty)
    before = scene.content(DIRECT)
    mutate(scene, random.Random(on_update + on_empty))  # noqa: S311 - test data

    report = scene.run(DIRECT)

    mappings, after = load_mappings(), scene.content(DIRECT)
    wrong, compared = {}, 0
    for customer in scene.sandbox.source.customers.values():
        if report.of(customer).outcome not in {"updated", "unchanged"}:
            continue
        old, new = before[customer.tenant_id], after[customer.tenant_id]
        for was, now, fields in (
            (old[0], new[0], mappings.account),
            (old[1][0], new[1][0], mappings.contact),
        ):
            should = right(scene, customer, was, fields)
            compared += len(should)
            differs = {
                target: (held(was, target), held(now, target), value)
                for target, value in should.items()
                if held(now, target) != value
            }
            if differs:
                wrong[customer.tenant_id] = differs
    assert wrong == {}
    assert compared > 8 * POPULATION
