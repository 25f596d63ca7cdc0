"""OpenAPI documents as far as they are compared: operations by method and path, schemas by path of properties."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.contract.swagger2 import converted

FOLDER = Path(__file__).parents[2] / "sandbox" / "contracts"
OURS = {name: FOLDER / f"{name}.yaml" for name in ("bss", "partner_center")}
METHODS = ("get", "put", "post", "patch", "delete")
ITEM = "[]"
"""Step of a path from a list into its items."""
_PARAMETER = re.compile(r"\{[^}]*\}")
_UNIONS = ("oneOf", "anyOf", "allOf")

Json = dict[str, Any]


def shape(path: str) -> str:
    """Return a path without the names of its parameters, its letters as small ones."""
    return _PARAMETER.sub("{}", path).rstrip("/").lower()


def _pattern(path: str) -> str:
    return "[^/]+".join(map(re.escape, shape(path).split("{}")))


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    node: Json
    parameters: tuple[Json, ...]

    @property
    def name(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def is_used(self) -> bool:
        return "x-unused" not in self.node

    def names(self, place: str) -> set[str]:
        """Return the names of the parameters in ``path``, ``query`` or ``header``."""
        return {each["name"].lower() for each in self.parameters if each["in"] == place}


class Description:
    """One document, ours or a vendor's."""

    def __init__(self, document: Json) -> None:
        self.document = document

    @classmethod
    def read(cls, path: Path) -> Description:
        """Read YAML or JSON, OpenAPI 3 or Swagger 2.0.

        Raises:
            SystemExit: It is neither; says so.
        """
        try:
            document = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            message = (
                f"{path}: cannot be read ({type(error).__name__}). Hint: give a JSON or YAML file"
            )
            raise SystemExit(message) from error
        if isinstance(document, dict) and str(document.get("swagger")) == "2.0":
            document = converted(document)
        is_known = isinstance(document, dict) and str(document.get("openapi", "")).startswith("3.")
        if not is_known or not isinstance(document.get("paths"), dict):
            message = f"{path}: neither Swagger 2.0 nor OpenAPI 3. Hint: save what the vendor's page of the API loads"
            raise SystemExit(message)
        return cls(document)

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(
            Operation(
                method,
                self._base + path,
                item[method],
                tuple(
                    map(
                        self.resolve,
                        [*item.get("parameters", ()), *item[method].get("parameters", ())],
                    )
                ),
            )
            for path, item in self.document["paths"].items()
            for method in METHODS
            if method in item
        )

    @cached_property
    def _base(self) -> str:
        url = (self.document.get("servers") or [{}])[0].get("url", "")
        return "/" + re.sub(r"^\w+://[^/]*", "", url).strip("/") if url.strip("/") else ""

    def find(self, method: str, path: str) -> Operation | None:
        """Return the operation that a request is for; one with fewer parameters in its path comes first."""
        found = [
            each
            for each in self.operations
            if each.method == method.lower()
            and re.fullmatch(_pattern(each.path), path.lower().rstrip("/"))
        ]
        return min(found, key=lambda each: each.path.count("{"), default=None)

    def has_path(self, path: str) -> bool:
        """Whether a path, or a pattern of paths, is described."""
        return any(self.find(method, path) for method in METHODS)

    def resolve(self, node: Json) -> Json:
        while "$ref" in node:
            target: Any = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def answer(self, operation: Operation, status: int) -> Json | None:
        """Return the schema of an answer's JSON; ``None`` when there is none."""
        answers = operation.node.get("responses", {})
        found = answers.get(str(status), answers.get(status, answers.get("default")))
        return None if found is None else self._schema(self.resolve(found).get("content", {}))

    def request(self, operation: Operation) -> Json | None:
        """Return the schema of a request's body; ``None`` when there is none."""
        return self._schema(self.resolve(operation.node.get("requestBody", {})).get("content", {}))

    def _schema(self, content: Json) -> Json | None:
        return next((media["schema"] for media in content.values() if "schema" in media), None)

    def follow(self, schema: Json, path: tuple[str, ...], *, is_lenient: bool = True) -> bool:
        """Whether a path of properties is described, or one that ``x-also-read`` names.

        Args:
            schema: Where it begins.
            path: Property names and ``ITEM``.
            is_lenient: Whether ``x-also-read`` counts.
        """
        if not path:
            return True
        step, rest = path[0], path[1:]
        for each in self._alternatives(schema):
            if is_lenient and step in each.get("x-also-read", ()):
                return True
            inner = each.get("items") if step == ITEM else each.get("properties", {}).get(step)
            if inner is not None and self.follow(inner, rest, is_lenient=is_lenient):
                return True
        return False

    def _alternatives(self, schema: Json) -> list[Json]:
        schema = self.resolve(schema)
        inner = [part for name in _UNIONS for part in schema.get(name, ())]
        return [schema, *(each for part in inner for each in self._alternatives(part))]


def closed(document: Any) -> Any:
    """Return a document in which no object has properties that its schema does not name."""
    if isinstance(document, list):
        return [closed(item) for item in document]
    if not isinstance(document, dict):
        return document
    made = {name: closed(value) for name, value in document.items()}
    kind = made.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind)
    if is_object and isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made
