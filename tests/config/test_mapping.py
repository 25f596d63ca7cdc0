from __future__ import annotations

import shutil

import pytest
import yaml

from customer_import.config.mapping import load_mappings
from customer_import.config.paths import include_folder
from customer_import.errors import ConfigurationError


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(include_folder() / "mappings", tmp_path / "mappings")


def change(folder, file, edit):
    path = folder / file
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    edit(content)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")


def fault(folder):
    with pytest.raises(ConfigurationError) as caught:
        load_mappings(folder)
    return str(caught.value)


def test_the_shipped_files_load():
    mappings = load_mappings()
    assert "name" in mappings.account
    assert "billingProfile.email" in mappings.customer_paths
    standard = mappings.ordering_profile("standard")
    assert standard is not None
    assert standard.orderingEnabled is True


def test_an_unknown_key_is_named_with_the_one_that_was_meant(folder):
    change(folder, "account.yaml", lambda file: file["fields"]["email"].update(max_lenght=9))
    text = fault(folder)
    assert "account.yaml at fields.email.max_lenght" in text
    assert "did you mean 'max_length'?" in text


def test_a_missing_source_is_named(folder):
    change(folder, "contact.yaml", lambda file: file["fields"]["email"].pop("source"))
    text = fault(folder)
    assert "contact.yaml at fields.email.source" in text
    assert "is missing" in text


@pytest.mark.parametrize("key", ["source", "fallbacks"])
def test_an_unknown_source_is_named_with_the_one_that_was_meant(folder, key):
    wrong = "billingProfile.emial"
    value = wrong if key == "source" else [wrong]
    change(folder, "account.yaml", lambda file: file["fields"]["email"].update({key: value}))
    text = fault(folder)
    assert "billingProfile.emial" in text
    assert "did you mean 'billingProfile.email'?" in text


def test_a_target_that_stands_twice_is_refused_with_its_line(folder):
    path = folder / "account.yaml"
    path.write_text(
        path.read_text(encoding="utf-8") + "  email:\n    source: companyProfile.email\n",
        encoding="utf-8",
    )
    text = fault(folder)
    assert "the key 'email' stands twice" in text
    assert "line " in text


def test_an_unknown_target_is_named_with_the_one_that_was_meant(folder):
    change(folder, "account.yaml", lambda file: file["fields"].update(emial={"source": "id"}))
    assert "did you mean 'email'?" in fault(folder)


def test_an_account_without_a_name_is_refused(folder):
    change(folder, "account.yaml", lambda file: file["fields"].pop("name"))
    assert "'name' is not mapped" in fault(folder)


def test_an_unknown_transform_is_refused(folder):
    change(folder, "account.yaml", lambda file: file["fields"]["email"].update(transforms=["eval"]))
    assert "account.yaml at fields.email.transforms" in fault(folder)


def test_a_file_that_is_missing_or_no_yaml_is_named(folder):
    (folder / "contact.yaml").write_text("fields: [", encoding="utf-8")
    assert "contact.yaml" in fault(folder)
    (folder / "contact.yaml").unlink()
    assert "cannot be read" in fault(folder)


def test_an_unknown_ordering_profile_names_the_known_ones():
    with pytest.raises(ConfigurationError, match="no_ordering, standard"):
        load_mappings().ordering_profile("nope")


def test_the_shipped_files_clear_address_phone_and_email_and_keep_the_rest():
    mappings = load_mappings()
    cleared = {
        f"{entity}.{target}"
        for entity in ("account", "contact", "sync_options")
        for target, field in getattr(mappings, entity).items()
        if field.on_empty == "clear"
    }
    assert cleared == {
        "account.email",
        "account.phone",
        "account.billingAddress.address",
        "account.billingAddress.city",
        "account.billingAddress.postCode",
        "account.billingAddress.stateId",
        "contact.email",
        "contact.phone",
    }


def test_a_wrong_rule_for_emptied_values_is_named(folder):
    change(folder, "account.yaml", lambda file: file["fields"]["email"].update(on_empty="remove"))
    text = fault(folder)
    assert "account.yaml at fields.email.on_empty" in text
    assert "keep, clear" in text


@pytest.mark.parametrize(
    ("file", "target", "mapping", "told"),
    [
        (
            "account.yaml",
            "billingAddress.countryId",
            {"transforms": ["trim", "upper"]},
            "country_id",
        ),
        ("account.yaml", "billingAddress.stateId", {"transforms": ["country_id"]}, "state_id"),
        (
            "account.yaml",
            "billingAddress.city",
            {"transforms": ["state_id"]},
            "billingAddress.stateId",
        ),
        (
            "account.yaml",
            "name",
            {"transforms": ["trim", "country_id"]},
            "billingAddress.countryId",
        ),
        (
            "account.yaml",
            "billToAccountId",
            {"source": "billingProfile.id"},
            "reseller.bssAccountId",
        ),
        ("contact.yaml", "responsibleUserId", {"fallbacks": ["id"]}, "run.responsibleUserId"),
        ("sync_options.yaml", "Domain prefix", {"transforms": ["country_id"]}, "countryId"),
    ],
)
def test_a_text_where_an_id_is_due_or_an_id_where_text_is_due_is_refused(
    folder, file, target, mapping, told
):
    change(folder, file, lambda content: content["fields"][target].update(mapping))
    text = fault(folder)
    assert f"{file} at fields.{target}" in text
    assert told in text


def test_an_address_that_an_import_would_never_send_for_want_of_a_country_is_refused(folder):
    change(
        folder,
        "account.yaml",
        lambda file: file["fields"]["billingAddress.countryId"].update(import_types=["direct"]),
    )
    text = fault(folder)
    assert "account.yaml at fields.billingAddress.address" in text
    assert "indirect" in text
    change(folder, "account.yaml", lambda file: file["fields"].pop("billingAddress.countryId"))
    assert "'billingAddress.countryId'" in fault(folder)


def test_an_account_without_address_may_be_mapped(folder):
    def without_address(file):
        for target in [name for name in file["fields"] if name.startswith("billingAddress.")]:
            del file["fields"][target]

    change(folder, "account.yaml", without_address)
    assert "name" in load_mappings(folder).account


def test_a_name_that_some_import_would_not_send_is_refused(folder):
    change(
        folder, "account.yaml", lambda file: file["fields"]["name"].update(import_types=["direct"])
    )
    text = fault(folder)
    assert "account.yaml at fields.name.import_types" in text
    assert "indirect, tenant_reseller" in text


def test_a_field_of_no_import_is_refused(folder):
    change(folder, "contact.yaml", lambda file: file["fields"]["phone"].update(import_types=[]))
    assert "contact.yaml at fields.phone.import_types" in fault(folder)


def test_one_sync_option_by_two_spellings_is_refused(folder):
    def twice(file):
        file["fields"]["domain PREFIX"] = {"source": "companyProfile.domain"}

    change(folder, "sync_options.yaml", twice)
    text = fault(folder)
    assert "sync_options.yaml at fields.domain PREFIX" in text
    assert "'Domain prefix'" in text


@pytest.mark.parametrize("length", [0, 65_537, 10**20])
def test_a_length_that_no_text_has_is_refused(folder, length):
    change(folder, "account.yaml", lambda file: file["fields"]["name"].update(max_length=length))
    text = fault(folder)
    assert "account.yaml at fields.name.max_length" in text
    assert "at most 65536" in text
