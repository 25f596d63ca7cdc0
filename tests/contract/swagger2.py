"""Turns a Swagger 2.0 document, which the BSS's vendor publishes, into the OpenAPI 3.0 that it means."""

from __future__ import annotations

from typing import Any

_METHODS = ("get", "put", "post", "patch", "delete")
_OF_PARAMETERS = ("name", "in", "required", "description")
_FORM = "application/x-www-form-urlencoded"

Json = dict[str, Any]


def converted(document: Json) -> Json:
    """Return the same as OpenAPI 3.0; security is left out, as the token endpoint is seldom described."""
    named = document.get("parameters", {})
    answers = document.get("responses", {})
    produces = document.get("produces") or ["application/json"]
    consumes = document.get("consumes") or ["application/json"]
    paths: Json = {}
    for path, item in document.get("paths", {}).items():
        shared = [_looked_up(each, named) for each in item.get("parameters", ())]
        paths[path] = {
            method: _operation(item[method], shared, named, answers, (consumes, produces))
            for method in _METHODS
            if method in item
        }
    base = document.get("basePath", "").rstrip("/")
    return _pointed(
        {
            "openapi": "3.0.3",
            "info": {"title": "", "version": "", **document.get("info", {})},
            "servers": [{"url": base or "/"}],
            "paths": paths,
            "components": {"schemas": document.get("definitions", {})},
        }
    )


def _operation(
    node: Json, shared: list[Json], named: Json, answers: Json, types: tuple[list[str], list[str]]
) -> Json:
    consumes, produces = node.get("consumes") or types[0], node.get("produces") or types[1]
    parameters = [*shared, *(_looked_up(each, named) for each in node.get("parameters", ()))]
    made: Json = {
        "parameters": [
            _parameter(each) for each in parameters if each["in"] not in {"body", "formData"}
        ],
        "responses": {
            str(status): _answer(_looked_up(each, answers), produces)
            for status, each in node.get("responses", {}).items()
        },
    }
    body = next((each for each in parameters if each["in"] == "body"), None)
    form = [each for each in parameters if each["in"] == "formData"]
    if body is not None:
        content = {kind: {"schema": body.get("schema", {})} for kind in consumes}
        made["requestBody"] = {"required": body.get("required", False), "content": content}
    elif form:
        fields = {each["name"]: _parameter(each)["schema"] for each in form}
        schema = {"type": "object", "properties": fields}
        made["requestBody"] = {"content": {_FORM: {"schema": schema}}}
    return made


def _parameter(node: Json) -> Json:
    schema = {name: value for name, value in node.items() if name not in _OF_PARAMETERS}
    schema.pop("collectionFormat", None)
    made: Json = {name: node[name] for name in ("name", "in", "required") if name in node}
    return {**made, "schema": node.get("schema", schema)}


def _answer(node: Json, produces: list[str]) -> Json:
    made: Json = {"description": node.get("description", "")}
    if "schema" in node:
        made["content"] = {kind: {"schema": node["schema"]} for kind in produces}
    return made


def _looked_up(node: Json, named: Json) -> Json:
    return named[node["$ref"].rpartition("/")[2]] if "$ref" in node else node


def _pointed(node: Any) -> Any:
    """Let references lead to where the schemas are now, and nulls be allowed as OpenAPI 3.0 says it."""
    if isinstance(node, list):
        return [_pointed(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {name: _pointed(value) for name, value in node.items()}
    if isinstance(reference := made.get("$ref"), str):
        made["$ref"] = reference.replace("#/definitions/", "#/components/schemas/")
    if isinstance(is_nullable := made.pop("x-nullable", None), bool):
        made["nullable"] = is_nullable
    return made
