"""Holds exchanges, and what was looked at in them, against a description; what is said names no value."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from openapi_core import Config, OpenAPI
from openapi_core.exceptions import OpenAPIError
from openapi_core.testing import MockRequest, MockResponse
from werkzeug.datastructures import Headers, ImmutableMultiDict

from tests.contract.descriptions import ITEM, closed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.exchanges import Exchange
    from tests.contract.descriptions import Description, Operation
    from tests.contract.tracing import Reads

_BOM = b"\xef\xbb\xbf"
_PATCH = "application/json-patch+json"
_OF_HTTP = frozenset(
    {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "content-type",
        "host",
        "traceparent",
        "user-agent",
    }
)
_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"|\{.*|\[.*|-?\d+(\.\d+)?")
_MOST_CAUSES = 3


class Verdict:
    """What is wrong, by endpoint and in words, with how often; and what was looked at."""

    def __init__(self) -> None:
        self.violations: Counter[str] = Counter()
        self.requests = 0
        self.answers = 0
        self.used: set[str] = set()
        self.fields: set[tuple[str, str]] = set()

    def add(self, place: str, fault: str) -> None:
        self.violations[f"{place}: {fault}"] += 1


def judge_exchanges(
    description: Description, exchanges: Iterable[Exchange], verdict: Verdict, *, is_ours: bool
) -> None:
    """Validate requests and answers.

    Args:
        description: Ours or a vendor's.
        exchanges: With the service that it describes.
        verdict: Is told.
        is_ours: Whether answers may have only what is described; of a vendor's file they are the sandbox's.
    """
    document = description.document
    config = Config(extra_media_type_deserializers={_PATCH: json.loads})
    strict = OpenAPI.from_dict(closed(document), config=config)
    lenient = OpenAPI.from_dict(document, config=config)
    for exchange in exchanges:
        operation = description.find(exchange.method, urlsplit(exchange.url).path)
        if operation is None:
            place = _shape_of(exchange)
            verdict.add(place, "is not described")
            verdict.used.add(place)
            continue
        verdict.used.add(operation.name)
        request, response = _request(exchange), _response(exchange)
        verdict.requests += 1
        for fault in (*_unknown_names(operation, exchange), *_faults(strict, request)):
            verdict.add(operation.name, f"request {fault}")
        verdict.answers += 1
        checker = strict if is_ours else lenient
        for fault in _faults(checker, request, response):
            verdict.add(operation.name, f"answer {exchange.status} {fault}")


def judge_reads(description: Description, reads: Reads, service: str, verdict: Verdict) -> None:
    """Look whether everything that the import looks at in answers is described."""
    for (owner, _, status, path), exchange in reads.found.items():
        operation = description.find(exchange.method, urlsplit(exchange.url).path)
        if owner != service or operation is None:
            continue
        schema = description.answer(operation, status)
        words = dotted(path)
        # A model that may be filled by its own names looks for both.
        spelt = (*path[:-1], _camel(path[-1]))
        if schema is None or not any(description.follow(schema, each) for each in (path, spelt)):
            verdict.add(
                operation.name, f"answer {status}: the import reads {words}, which is not described"
            )
        verdict.fields.add((operation.name, f"{status} {words}"))


def judge_writes(
    description: Description, written: dict[str, Iterable[str]], verdict: Verdict
) -> None:
    """Look whether every field that a mapping may fill can be sent.

    Args:
        description: Of the BSS.
        written: Dotted paths by the path that creates what has them.
        verdict: Is told.
    """
    for path, names in written.items():
        operation = description.find("post", path)
        schema = description.request(operation) if operation else None
        if operation is None or schema is None:
            verdict.add(f"POST {path}", "is not described")
            continue
        for name in names:
            if not description.follow(schema, tuple(name.split(".")), is_lenient=False):
                verdict.add(
                    operation.name, f"request: the import writes {name}, which is not described"
                )
            verdict.fields.add((operation.name, name))


def unread_leniences(description: Description, reads: Reads, service: str) -> list[str]:
    """Return the names in ``x-also-read`` that nothing looks at any more."""
    looked_at = {step for (owner, *_, path) in reads.found if owner == service for step in path}
    return sorted({name for name in _leniences(description.document) if name not in looked_at})


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))


def dotted(path: tuple[str, ...]) -> str:
    return ".".join(path).replace(f".{ITEM}", ITEM)


def _leniences(node: Any) -> list[str]:
    if isinstance(node, list):
        return [name for item in node for name in _leniences(item)]
    if not isinstance(node, dict):
        return []
    return [*node.get("x-also-read", ()), *(n for v in node.values() for n in _leniences(v))]


def _request(exchange: Exchange) -> MockRequest:
    url = urlsplit(exchange.url)
    args = parse_qs(url.query, keep_blank_values=True)
    request = MockRequest(
        f"{url.scheme}://{url.netloc}",
        exchange.method.lower(),
        url.path,
        args=ImmutableMultiDict(
            [(name, value) for name, values in args.items() for value in values]
        ),
        headers=dict(exchange.headers),
        data=exchange.body,
        content_type=_type(exchange.headers) or "",
    )
    request.parameters.header = Headers(list(exchange.headers.items()))
    return request


def _response(exchange: Exchange) -> MockResponse:
    return MockResponse(
        exchange.answer.removeprefix(_BOM),
        exchange.status,
        dict(exchange.answer_headers),
        _type(exchange.answer_headers) or "",
    )


def _type(headers: Any) -> str | None:
    return next((v for name, v in headers.items() if name.lower() == "content-type"), None)


def _faults(api: OpenAPI, request: MockRequest, response: MockResponse | None = None) -> list[str]:
    try:
        if response is None:
            api.validate_request(request)
        else:
            api.validate_response(request, response)
    except OpenAPIError as error:
        return sorted(set(_words(error)))
    return []


def _words(error: BaseException) -> list[str]:
    """Say what is wrong and where, without the value that is."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < _MOST_CAUSES:
        causes.append(cause)
        cause = cause.__cause__
    for each in causes:
        if inner := list(getattr(each, "schema_errors", ())):
            return [_schema_words(one) for one in inner]
    return [type(causes[-1]).__name__ + ": " + _VALUE.sub("...", str(causes[-1]))[:200]]


def _schema_words(error: Any) -> str:
    place = "".join(ITEM if isinstance(step, int) else f".{step}" for step in error.absolute_path)
    if error.validator == "additionalProperties":
        named = set(error.schema.get("properties", {}))
        extra = ", ".join(sorted(set(error.instance) - named))
        return f"at {place or '.'}: {extra} is not described"
    if error.validator == "required":
        missing = sorted(set(error.validator_value) - set(error.instance))
        return f"at {place or '.'}: {', '.join(missing)} is missing"
    expected = "" if error.validator in {"oneOf", "anyOf"} else f" {error.validator_value}"
    if error.context and error.validator in {"oneOf", "anyOf"}:
        inner = "; ".join(sorted({_schema_words(one) for one in error.context}))
        return f"at {place or '.'}: {error.validator} ({inner[:300]})"
    return f"at {place or '.'}: {error.validator}{expected}"[:200]


def _unknown_names(operation: Operation, exchange: Exchange) -> list[str]:
    query = parse_qs(urlsplit(exchange.url).query, keep_blank_values=True)
    known = operation.names("header") | _OF_HTTP
    return [
        *(
            f"query parameter {name} is not described"
            for name in query
            if name.lower() not in operation.names("query")
        ),
        *(
            f"header {name} is not described"
            for name in exchange.headers
            if name.lower() not in known
        ),
    ]


def _shape_of(exchange: Exchange) -> str:
    path = re.sub(r"/[0-9]+(?=/|$)|/[0-9a-fA-F-]{36}(?=/|$)", "/{}", urlsplit(exchange.url).path)
    return f"{exchange.method} {path}"
