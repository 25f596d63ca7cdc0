"""Holds requests and answers against a description; what is said names no value."""

from __future__ import annotations

import json
import re
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
    from tests.contract.fields import Verdict

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
