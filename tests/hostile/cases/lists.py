"""Lists: next links that lead elsewhere, lists without end, pages that do not fit together."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from customer_import.errors import EndlessListError, RetriableError
from tests.hostile.script import FOREIGN, NUMBER, TENANT, Case, Gives, Raises, as_json, http, raw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.hostile.script import Answer

OTHER = "99999999-8888-7777-6666-555555555555"
_BOTH = Gives([[TENANT, "Bakery"], [OTHER, "Mill"]])
_ONE = Gives([[TENANT, "Bakery"]])
_LOST = Raises(RetriableError, "the answer is malformed")
_NEXT = "/v1/customers?size=500&seekOperation=Next"

LINKS: dict[str, tuple[object, Gives | Raises]] = {
    "as documented": ({"uri": _NEXT, "headers": []}, _BOTH),
    "without /v1": ({"uri": "customers?size=500"}, _BOTH),
    "two question marks": ({"uri": "/v1/customers?size=1?seekOperation=Next"}, _BOTH),
    "another host": ({"uri": f"{FOREIGN.decode()}/v1/customers?size=1"}, _BOTH),
    "another host, no scheme": ({"uri": "//other.example/v1/customers?size=1"}, _BOTH),
    "user and password": ({"uri": "https://a:b@other.example/v1/customers?x=1"}, _BOTH),
    "a script": ({"uri": "javascript:alert(1)//v1/customers"}, _BOTH),
    "null": (None, _ONE),
    "up and away": ({"uri": "/v1/../../admin"}, _LOST),
    "up and away, encoded": ({"uri": "/v1/%2e%2e/admin"}, _LOST),
    "up and away, encoded twice": ({"uri": "/v1/%252e%252e/admin"}, _LOST),
    "backslashes": ({"uri": "\\\\other.example\\v1\\customers"}, _LOST),
    "line break": ({"uri": "/v1/customers\r\nX-Evil: 1"}, _LOST),
    "line break, encoded": ({"uri": "/v1/customers%0d%0aX-Evil:1"}, _LOST),
    "blank": ({"uri": "/v1/cust omers"}, _LOST),
    "no ASCII": ({"uri": "/v1/kundën"}, _LOST),
    "20,000 characters": ({"uri": "/v1/customers?" + "a" * 20_000}, _LOST),
    "half a host": ({"uri": "http://[::1/v1/customers"}, _LOST),
    "number": ({"uri": 7}, _LOST),
    "empty": ({"uri": ""}, _LOST),
    "text": ("/v1/customers", _LOST),
    "list": ([{"uri": _NEXT}], _LOST),
    "empty object": ({}, _LOST),
    "headers of its own": (
        {"uri": _NEXT, "headers": [{"key": "X-Evil", "value": "1"}, {"key": "Host", "value": "x"}]},
        _BOTH,
    ),
    "authorization of its own": (
        {"uri": _NEXT, "headers": [{"key": "Authorization", "value": "Bearer X-Evil"}]},
        _BOTH,
    ),
    "token with a line break": (
        {
            "uri": _NEXT,
            "headers": [{"key": "MS-ContinuationToken", "value": "a\r\nX-Evil: 1"}],
        },
        _LOST,
    ),
    "token of 20,000 characters": (
        {"uri": _NEXT, "headers": [{"key": "MS-ContinuationToken", "value": "t" * 20_000}]},
        _LOST,
    ),
    "token that is a number": (
        {"uri": _NEXT, "headers": [{"key": "MS-ContinuationToken", "value": 7}]},
        _LOST,
    ),
    "headers that are no list": ({"uri": _NEXT, "headers": "MS-ContinuationToken: x"}, _LOST),
}
PAGES: dict[str, tuple[object, Gives | Raises]] = {
    "no items": ({"totalCount": 7}, _LOST),
    "items null": ({"totalCount": 0, "items": None}, Gives([])),
    "items that are an object": ({"items": {"0": {"id": TENANT}}}, _LOST),
    "items of items": ({"items": [[{"id": TENANT}]]}, _LOST),
    "a text among items": ({"items": [{"id": TENANT}, "x"]}, _LOST),
    "list without a page": ([{"id": TENANT}], _LOST),
    "error in a success": ({"code": 500, "description": "Internal"}, _LOST),
    "links that are a list": ({"items": [], "links": ["next"]}, Gives([])),
    "a total that lies": ({"totalCount": -(10**30), "items": []}, Gives([])),
    "a total of text": ({"totalCount": "many", "items": []}, Gives([])),
}


def _nameless(told: object) -> tuple[object, list[list[object]]]:
    """What is no id, and what its customer is listed as."""
    item = json.dumps([told, {"companyName": "Bakery"}]).encode()
    digest = hashlib.blake2b(item, digest_size=8).hexdigest()
    return told, [[f"no id~{digest}", "Bakery"]]


IDS: dict[str, tuple[object, list[list[object]]]] = {
    "none": _nameless(None),
    "number": _nameless(17),
    "true": _nameless(True),
    "list": _nameless([TENANT]),
    "empty": _nameless(""),
    "blank": _nameless(" \u200b "),
    "in capitals, with blanks": (f" {TENANT.upper()} ", [[TENANT, "Bakery"]]),
    "up and away": ("../../admin", [["../../admin", "Bakery"]]),
    "NUL": (f"{TENANT}\0", [[TENANT, "Bakery"]]),
}


def _page(tenant: object, name: object, **more: object) -> dict[str, object]:
    return {
        "totalCount": 1,
        "items": [{"id": tenant, "companyProfile": {"companyName": name}}],
        **more,
    }


def _envelope(identity: object, paging: object, **more: object) -> dict[str, object]:
    return {"data": [{"id": identity, "name": "Bakery"}], "paging": paging, **more}


def _numbered(value: object) -> Answer:
    """A page with the number of the request in it."""
    return http(json.dumps(value).replace('"NUMBER"', NUMBER.decode()).encode())


def cases() -> Iterator[Case]:
    second = as_json(_page(OTHER, "Mill"))
    for kind, (link, outcome) in LINKS.items():
        first = as_json(_page(TENANT, "Bakery", links={"next": link}))
        answers = (first,) if outcome is _LOST else (first, second)  # for good
        yield Case(f"next link, {kind}", "tenants", answers, outcome)
    for kind, (page, outcome) in PAGES.items():
        yield Case(f"page, {kind}", "tenants", (as_json(page),), outcome)
    for kind, (tenant, found) in IDS.items():
        yield Case(
            f"tenant's id, {kind}", "tenants", (as_json(_page(tenant, "Bakery")),), Gives(found)
        )
    yield from _endless()
    yield from _envelopes()


def _endless() -> Iterator[Case]:
    link = {"next": {"uri": f"/v1/customers?x={NUMBER.decode()}"}}
    tenant = f"11111111-2222-3333-4444-{NUMBER.decode()}"
    told = _page(tenant, "Bakery", links=link) | {"totalCount": 3}
    endless = Raises(EndlessListError, "the list does not end: it has more than")
    yield Case("endless list with a total", "tenants", (as_json(told),), endless, most_requests=16)
    repeated = Raises(RetriableError, "it repeats a page")
    same = _page(TENANT, "Bakery", links=link)
    yield Case("list that repeats a page", "tenants", (as_json(same),), repeated, most_requests=12)
    itself = _page(TENANT, "Bakery", links={"next": {"uri": "/v1/customers?x=1"}})
    yield Case(
        "list that leads to itself", "tenants", (as_json(itself),), repeated, most_requests=12
    )
    empty = {"items": [], "totalCount": 0, "links": link}
    yield Case(
        "endless empty pages",
        "tenants",
        (as_json(empty),),
        endless,
        most_s=120,
        most_requests=5_000,
        is_fast=False,
    )
    told = _envelope("NUMBER", {"totalPages": 2})
    yield Case(
        "endless list that keeps its word",
        "accounts",
        (_numbered(told),),
        Gives([[1, "Bakery"], [2, "Bakery"]]),
    )
    told = _envelope("NUMBER", {})
    endless_envelope = Raises(EndlessListError, "it has more than 10000 pages")
    yield Case(
        "endless envelopes",
        "accounts",
        (_numbered(told),),
        endless_envelope,
        most_s=120,
        most_requests=10_000,
        is_fast=False,
    )


def _envelopes() -> Iterator[Case]:
    odd: dict[str, tuple[object, Gives | Raises]] = {
        "bare list": ([{"id": 7, "name": "Bakery"}], Gives([[7, "Bakery"]])),
        "no data": ({"paging": {"totalPages": 1}}, _LOST),
        "no data, none in all": ({"paging": {"totalCount": 0}}, Gives([])),
        "data null, none in all": ({"data": None, "paging": {"totalCount": 0}}, Gives([])),
        "data null, some in all": ({"data": None, "paging": {"totalCount": 7}}, _LOST),
        "data that is an object": ({"data": {"id": 7}, "paging": {"totalPages": 1}}, _LOST),
        "data of texts": ({"data": ["x"], "paging": {"totalPages": 1}}, _LOST),
        "paging that is a list": (_envelope(7, [1]), _LOST),
        "paging of text": (_envelope(7, "1 of 1"), _LOST),
        "negative pages": (_envelope(7, {"totalPages": -5}), Gives([[7, "Bakery"]])),
        "number": (7, _LOST),
        "null": (None, _LOST),
        "text": ("none", _LOST),
    }
    for kind, (body, outcome) in odd.items():
        yield Case(f"envelope, {kind}", "accounts", (as_json(body),), outcome)
    for identity in (None, 0, -7, True, 1.5, "7", 2**63, 10**400, [7], {"id": 7}):
        shown = str(identity)[:20]
        answer = as_json(_envelope(identity, {"totalPages": 1}))
        yield Case(f"account's id {shown}", "accounts", (answer,), _LOST)
    poisoned = raw(
        b"HTTP/1.1 200 OK\r\nContent-Length: 63\r\n\r\n"
        b'{"data": [{"id": 1, "name": "a"}], "paging": {"totalPages": 2}}'
        b"HTTP/1.1 200 OK\r\nContent-Length: 63\r\n\r\n"
        b'{"data": [{"id": 6, "name": "b"}], "paging": {"totalPages": 2}}',
        then="keep",
    )
    honest = as_json({"data": [{"id": 2, "name": "c"}], "paging": {"totalPages": 2}})
    both = Gives([[1, "a"], [2, "c"]])
    yield Case("an answer that nobody asked for", "accounts", (poisoned, honest), both)
