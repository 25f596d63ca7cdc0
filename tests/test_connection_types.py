"""What a provider declares of its connection types is what Airflow takes, and what the hooks read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import airflow
import jsonschema
import pytest
from airflow.sdk._shared.module_loading import import_string

from customer_import.bss.hook import BssExtra, BssHook
from customer_import.connection_types import CONNECTION_TYPES
from customer_import.partner_center.hook import PartnerCenterExtra, PartnerCenterHook

if TYPE_CHECKING:
    from customer_import.http.connection import ConnectionExtra

AIRFLOW = Path(airflow.__file__).parent
HOOKS: dict[str, Any] = {"partner_center": PartnerCenterHook, "interworks_bss": BssHook}
EXTRAS: dict[str, type[ConnectionExtra]] = {
    "partner_center": PartnerCenterExtra,
    "interworks_bss": BssExtra,
}
FORMER_KEYS = {"client_secret_variable"}
SENSITIVE = {"client_secret"}

each_type = pytest.mark.parametrize(
    "declared", CONNECTION_TYPES, ids=[kind["connection-type"] for kind in CONNECTION_TYPES]
)


def schema(name: str) -> Any:
    return json.loads((AIRFLOW / name).read_text(encoding="utf-8"))


def test_airflows_schema_of_providers_takes_them():
    info = {
        "package-name": "customer-import",
        "name": "Customer import",
        "description": "Partner Center customers into interworks.cloud BSS",
        "connection-types": CONNECTION_TYPES,
    }
    jsonschema.validate(info, schema("provider_info.schema.json"))
    assert {kind["connection-type"] for kind in CONNECTION_TYPES} == HOOKS.keys()


@each_type
def test_the_hook_is_the_one_that_is_named(declared: dict[str, Any]):
    hook = HOOKS[declared["connection-type"]]
    assert import_string(declared["hook-class-name"]) is hook
    assert (hook.conn_type, hook.hook_name) == (
        declared["connection-type"],
        declared["hook-name"],
    )
    made = hook(**{hook.conn_name_attr: "some_connection"})
    assert getattr(made, hook.conn_name_attr) == "some_connection"


@each_type
def test_the_form_has_the_fields_that_the_hook_reads(declared: dict[str, Any]):
    extra = EXTRAS[declared["connection-type"]]
    assert declared["conn-fields"].keys() == extra.model_fields.keys() - FORMER_KEYS


@each_type
def test_a_field_left_as_the_form_shows_it_is_what_the_hook_does_without_it(
    declared: dict[str, Any],
):
    fields = EXTRAS[declared["connection-type"]].model_fields
    for name, form in declared["conn-fields"].items():
        may_be_empty = "null" in form["schema"]["type"] or "default" in form["schema"]
        assert may_be_empty is not fields[name].is_required(), name
        if may_be_empty:
            assert form["schema"].get("default") == fields[name].default, name


@each_type
def test_every_field_is_labelled_and_its_schema_is_one(declared: dict[str, Any]):
    for name, form in declared["conn-fields"].items():
        assert form.keys() == {"label", "description", "schema"}, name
        assert form["label"]
        assert form["description"]
        jsonschema.Draft202012Validator.check_schema(form["schema"])
        if "default" in form["schema"]:
            jsonschema.validate(form["schema"]["default"], form["schema"])
        assert (form["schema"].get("format") == "password") is (name in SENSITIVE), name


@each_type
def test_standard_fields_are_named_as_this_service_calls_them(declared: dict[str, Any]):
    behaviour = {
        key.replace("-", "_"): value for key, value in declared["ui-field-behaviour"].items()
    }
    jsonschema.validate(behaviour, schema("customized_form_field_behaviours.schema.json"))
    assert {"host", "login", "password"} <= behaviour["relabeling"].keys()


def test_reading_them_imports_no_library():
    code = "import sys, customer_import.connection_types; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"airflow", "pydantic", "aiohttp", "requests", "msal"} & set(modules)
