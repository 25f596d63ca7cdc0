"""The descriptions of both APIs are whole, and what `make contract` compares with them is read right; without a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
import yaml
from schemathesis.core.result import Ok

from customer_import.bss import client
from customer_import.http.reader import read_json
from sandbox import SandboxConfig, SandboxServer
from sandbox.exchanges import Exchange
from tests.contract.descriptions import ITEM, OURS, Description, closed, shape
from tests.contract.fields import Verdict, judge_reads, judge_writes, unread_leniences
from tests.contract.swagger2 import converted
from tests.contract.templates import client_paths
from tests.contract.tracing import tracing

if TYPE_CHECKING:
    from pathlib import Path

SERVICES = pytest.mark.parametrize("service", OURS)


@pytest.fixture(scope="module")
def sandbox() -> Any:
    with SandboxServer(SandboxConfig(customers=0)) as server:
        yield server


@SERVICES
def test_a_description_can_be_read_by_others(service: str):
    schema = schemathesis.openapi.from_path(str(OURS[service]))
    results = list(schema.get_all_operations())
    assert results
    assert all(isinstance(result, Ok) for result in results)
    schema.validate()


@SERVICES
def test_every_path_that_the_client_names_is_described(service: str):
    description = Description.read(OURS[service])
    paths = client_paths(service)
    assert len(paths) > 5
    assert {path: where for path, where in paths.items() if not description.has_path(path)} == {}


@SERVICES
def test_the_sandbox_has_what_is_described_and_nothing_else(service: str, sandbox: SandboxServer):
    routes = getattr(sandbox.state, service).routes()
    description = Description.read(OURS[service])
    assert {(route.kwargs["name"], f"{route.method} {shape(route.path)}") for route in routes} == {
        (each.node["operationId"], f"{each.method.upper()} {shape(each.path)}")
        for each in description.operations
    }


def test_the_call_that_provisions_a_tenant_again_is_said_to_be_unused():
    description = Description.read(OURS["bss"])
    found = description.find("POST", "/api/accounts/17/synchronizations/4")
    assert found is not None
    assert not found.is_used


def test_a_property_is_described_by_its_whole_path():
    description = Description.read(OURS["bss"])
    operation = description.find("GET", "/api/accounts")
    assert operation is not None
    schema = description.answer(operation, 200)
    assert schema is not None
    country = ("data", ITEM, "billingAddress", "country", "code")
    assert description.follow(schema, country)
    assert not description.follow(schema, (*country[:-1], "capital"))
    assert not description.follow(schema, ("data", "billingAddress"))
    bill_to = ("data", ITEM, "billToAccountId")
    assert description.follow(schema, bill_to)
    assert not description.follow(schema, bill_to, is_lenient=False)


def test_objects_are_closed_but_for_those_that_say_more():
    kept = {"type": "object", "properties": {}, "additionalProperties": True}
    made = closed(
        {"a": {"type": ["object", "null"], "properties": {"b": kept}}, "c": {"type": "object"}}
    )
    assert made["a"]["additionalProperties"] is False
    assert made["a"]["properties"]["b"]["additionalProperties"] is True
    assert made["c"] == {"type": "object"}


def test_what_is_looked_at_and_not_described_is_named_with_its_path():
    body = b'{"data":[{"id":1,"accountId":2,"account":{"id":2}}],"links":{"next":null}}'
    exchange = Exchange(
        service="bss",
        endpoint="contacts.list",
        method="GET",
        url="http://bss.example/api/contacts?pageIndex=1",
        headers={},
        body=b"",
        status=200,
        answer_headers={},
        answer=body,
    )
    description = Description.read(OURS["bss"])
    with tracing([exchange]) as reads:
        (contact,) = vars(client)["read_json"](body)["data"]
        contact.get("accountId")
        contact.get("account").get("id")
        contact.get("nickname")
        assert "isPrimary" not in contact
    assert vars(client)["read_json"] is read_json
    verdict = Verdict()
    judge_reads(description, reads, "bss", verdict)
    judge_writes(description, {"/api/contacts": ("lastName", "nickname")}, verdict)
    assert list(verdict.violations) == [
        "GET /api/contacts: answer 200: the import reads data[].nickname, which is not described",
        "POST /api/contacts: request: the import writes nickname, which is not described",
    ]
    assert "code" in unread_leniences(description, reads, "bss")
    assert "account" not in unread_leniences(description, reads, "bss")


SWAGGER: dict[str, Any] = {
    "swagger": "2.0",
    "basePath": "/api",
    "consumes": ["application/json"],
    "parameters": {"page": {"name": "pageIndex", "in": "query", "type": "integer"}},
    "responses": {"gone": {"description": "Gone"}},
    "paths": {
        "/accounts/{accountId}": {
            "parameters": [
                {"name": "accountId", "in": "path", "required": True, "type": "integer"}
            ],
            "patch": {
                "parameters": [
                    {"$ref": "#/parameters/page"},
                    {"name": "body", "in": "body", "schema": {"$ref": "#/definitions/Account"}},
                ],
                "responses": {
                    200: {"description": "", "schema": {"$ref": "#/definitions/Account"}},
                    "404": {"$ref": "#/responses/gone"},
                },
            },
        }
    },
    "definitions": {
        "Account": {
            "type": "object",
            "properties": {"name": {"type": "string", "x-nullable": True}},
        }
    },
}


def test_a_swagger_file_is_read_as_what_it_means(tmp_path: Path):
    file = tmp_path / "vendor.yaml"
    file.write_text(yaml.safe_dump(SWAGGER))
    description = Description.read(file)
    operation = description.find("PATCH", "/API/Accounts/17")
    assert operation is not None
    assert operation.names("query") == {"pageindex"}
    assert operation.names("path") == {"accountid"}
    for schema in (description.request(operation), description.answer(operation, 200)):
        assert schema is not None
        assert description.follow(schema, ("name",))
        assert not description.follow(schema, ("email",))
    assert description.answer(operation, 404) is None
    account = converted(SWAGGER)["components"]["schemas"]["Account"]
    assert account["properties"]["name"] == {"type": "string", "nullable": True}


@pytest.mark.parametrize("text", ["", "[1]", "openapi: 4.0.0\npaths: {}", "{", "swagger: '1.2'"])
def test_a_file_that_is_none_is_named_with_what_to_do(tmp_path: Path, text: str):
    file = tmp_path / "vendor.json"
    file.write_text(text)
    with pytest.raises(SystemExit, match=r"vendor\.json: .* Hint: "):
        Description.read(file)
