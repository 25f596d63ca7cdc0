"""Schemathesis draws right and wrong requests from our descriptions, and holds the sandbox's answers to them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.contract.descriptions import closed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.contract.descriptions import Description

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
_EXTRA_SHARE = 2
_TIMEOUT_S = 20
_VALUE = re.compile(r"^.+?(?= (?:is|are|does|has|was|did|should) )")
_BOM = b"\xef\xbb\xbf"
Json = dict[str, Any]


@dataclass
class Drawn:
    """What was tried."""

    cases: int = 0
    operations: int = 0
    violations: Counter[str] = field(default_factory=Counter)
    statuses: dict[str, set[int]] = field(default_factory=dict)

    @property
    def without_success(self) -> list[str]:
        return [name for name, found in self.statuses.items() if not any(s < 300 for s in found)]


def draw(
    description: Description,
    url: str,
    login: Callable[[], Mapping[str, str]],
    known: Mapping[str, Mapping[str, Any]],
    examples: int,
    drawn: Drawn,
) -> None:
    """Try every operation.

    Args:
        description: Ours.
        url: Of the service.
        login: Gives the headers that let a request in.
        known: Values of path and query parameters and bodies by operation id that name something that is there; they
            take the place of drawn ones in every second request.
        examples: Per operation and mode.
        drawn: Is told.
    """
    schema = schemathesis.openapi.from_dict(closed(description.document))
    schema.config.update(base_url=url)
    headers = dict(login())
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        operation = result.ok()
        drawn.operations += 1
        name = operation.definition.raw["operationId"]
        here = {**known.get("*", {}), **known.get(name, {})}
        for mode in GenerationMode:
            _draw(operation, mode, headers, here, examples, drawn)
        _call_known(operation, name, url, headers, here, drawn)


def _draw(
    operation: Any,
    mode: GenerationMode,
    headers: Mapping[str, str],
    known: Mapping[str, Any],
    examples: int,
    drawn: Drawn,
) -> None:
    label = operation.label
    seen = drawn.statuses.setdefault(label, set())

    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case: schemathesis.Case) -> None:
        if drawn.cases % _EXTRA_SHARE and mode is GenerationMode.POSITIVE:
            for name in case.path_parameters or {}:
                case.path_parameters[name] = known.get(name, case.path_parameters[name])
        answer = case.call(headers=_own(case, headers), timeout=_TIMEOUT_S)
        drawn.cases += 1
        answer.content = answer.content.removeprefix(_BOM)  # documented of Partner Center
        seen.add(answer.status_code)
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                drawn.violations[f"{label}: {answer.status_code} {_words(failure)}"] += 1
        except Failure as failure:
            drawn.violations[f"{label}: {answer.status_code} {_words(failure)}"] += 1

    try:
        attempt()
    except Exception as error:  # noqa: BLE001 - of the generator, which is a finding, too
        if (
            "Unsatisfiable" not in type(error).__name__
            and "skip" not in type(error).__name__.lower()
        ):
            drawn.violations[f"{label}: cannot be drawn from ({type(error).__name__})"] += 1


def _own(case: schemathesis.Case, headers: Mapping[str, str]) -> dict[str, str]:
    """Let every request in; a drawn header, right or wrong, stays."""
    drawn = {name.lower() for name in case.headers or {}}
    return {name: value for name, value in headers.items() if name.lower() not in drawn}


def _call_known(
    operation: Any,
    name: str,
    url: str,
    headers: Mapping[str, str],
    known: Mapping[str, Any],
    drawn: Drawn,
) -> None:
    """Send one request that must succeed, so that every success is seen and held to its schema."""
    path = operation.path
    named = {one: known[one] for one in known if f"{{{one}}}" in path}
    for parameter, value in named.items():
        path = path.replace(f"{{{parameter}}}", str(value))
    case = operation.Case(method=operation.method, path_parameters=named)
    answer = requests.request(
        operation.method,
        url + path,
        headers={**headers, **_mapping(known.get("headers"))},
        params=_mapping(known.get("query")),
        json=known.get("json"),
        data=known.get("data"),
        auth=known.get("auth"),
        timeout=_TIMEOUT_S,
    )
    drawn.cases += 1
    answer._content = answer.content.removeprefix(_BOM)
    drawn.statuses.setdefault(operation.label, set()).add(answer.status_code)
    if answer.status_code >= 300:
        drawn.violations[
            f"{operation.label}: {answer.status_code} to the request that must succeed ({name})"
        ] += 1
    try:
        case.validate_response(answer, checks=CHECKS)
    except (FailureGroup, Failure) as failure:
        inner = failure.exceptions if isinstance(failure, FailureGroup) else [failure]
        for each in inner:
            drawn.violations[f"{operation.label}: {answer.status_code} {_words(each)}"] += 1


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}


def _words(failure: BaseException) -> str:
    """Say which rule was broken, without the value that breaks it."""
    title = getattr(failure, "title", type(failure).__name__)
    message = getattr(failure, "message", "") or ""
    first = next((line for line in str(message).splitlines() if line.strip()), "")
    return f"{title}: {_VALUE.sub('...', first)}"[:200]
