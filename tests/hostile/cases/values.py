"""Bodies that are JSON and yet not what is due: other types, other ids, other shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from customer_import.errors import AmbiguousWriteError, RetriableError
from tests.hostile.script import TENANT, Case, Gives, Raises, as_json, http

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOST = Raises(RetriableError, "the answer is malformed")
_UNKNOWN = Raises(AmbiguousWriteError, "the outcome is unknown: the answer is malformed")
_OTHER = "99999999-8888-7777-6666-555555555555"
_NAME = "companyProfile.companyName"
_CONTACT = Gives([[1, 7, False]])

Table = dict[str, tuple[object, Gives | Raises]]
"""What is in the place of something, and what is right."""


def _listed(item: object) -> dict[str, object]:
    return {"data": [item], "paging": {"totalPages": 1}}


CREATED: dict[str, tuple[bytes, Gives | Raises]] = {
    "the largest": (b'{"id": 9223372036854775807}', Gives(2**63 - 1)),
    "beyond 64 bits": (b'{"id": 9223372036854775808}', _UNKNOWN),
    "1e300": (b'{"id": 1e300}', _UNKNOWN),
    "17.0": (b'{"id": 17.0}', _UNKNOWN),
    "negative": (b'{"id": -5}', _UNKNOWN),
    "zero": (b'{"id": 0}', _UNKNOWN),
    "true": (b'{"id": true}', _UNKNOWN),
    "text": (b'{"id": "17"}', _UNKNOWN),
    "null": (b'{"id": null}', _UNKNOWN),
    "NaN": (b'{"id": NaN}', _UNKNOWN),
    "list": (b'{"id": [17]}', _UNKNOWN),
    "400 digits": (b'{"id": ' + b"1" * 400 + b"}", _UNKNOWN),
    "bare number": (b"17", _UNKNOWN),
    "list of ids": (b'[{"id": 17}]', _UNKNOWN),
    "in another key": (b'{"accountId": 17, "ID": 18}', _UNKNOWN),
    "twice": (b'{"id": 17, "id": 18}', Gives(18)),
    "HTML": (b"<html>", _UNKNOWN),
    "nothing": (b"", _UNKNOWN),
    "deep": (b'{"id":' + b"[" * 50_000, _UNKNOWN),
}
CUSTOMERS: Table = {
    "another customer": ({"id": _OTHER}, _LOST),
    "no id": ({"companyProfile": {}}, _LOST),
    "a list": ([{"id": TENANT}], _LOST),
    "null": (None, _LOST),
    "profile that is a list": ({"id": TENANT, "companyProfile": []}, _LOST),
    "profile that is a text": ({"id": TENANT, "billingProfile": "none"}, _LOST),
    "address that is a number": ({"id": TENANT, "billingProfile": {"defaultAddress": 7}}, _LOST),
    "profiles that are null": (
        {"id": TENANT, "companyProfile": None, "billingProfile": None},
        Gives({}),
    ),
    "name that is a list": (
        {"id": TENANT, "companyProfile": {"companyName": ["a", "b"]}},
        Gives({_NAME: []}),
    ),
    "name that is a number": (
        {"id": TENANT, "companyProfile": {"companyName": 7}},
        Gives({_NAME: 7}),
    ),
    "name that is true": (
        {"id": TENANT, "companyProfile": {"companyName": True}},
        Gives({_NAME: True}),
    ),
    "an administrator's password": (
        {"id": TENANT, "userCredentials": {"userName": "admin", "password": "x" * 100}},
        Gives({}),
    ),
    "domains that are no list": ({"id": TENANT, "customDomains": {"a": 1}}, Gives({})),
    "domains of objects": ({"id": TENANT, "customDomains": [{"a": 1}, 7, None]}, Gives({})),
    "20,000 domains": (
        {"id": TENANT, "customDomains": [f"d{number}.example" for number in range(20_000)]},
        Gives({}),
    ),
    "links without end": ({"id": TENANT, "links": [{"a": [{}] * 10}] * 1_000}, Gives({})),
}
SUBSCRIPTIONS: Table = {
    "items null": ({"totalCount": 0, "items": None}, Gives([])),
    "MPN id that is a list": ({"items": [{"partnerId": ["1"]}]}, _LOST),
    "MPN id that is a fraction": ({"items": [{"partnerId": 1.5}]}, _LOST),
    "MPN id that is true": ({"items": [{"partnerId": True}]}, _LOST),
    "MPN id that is a number": ({"items": [{"partnerId": 4711}]}, Gives([["", "", "4711"]])),
    "MPN id with NUL": (
        {"items": [{"id": "a", "status": "Active", "partnerId": "47\x0011"}]},
        Gives([["a", "active", "4711"]]),
    ),
    "MPN id of 5,000 digits": (
        {"items": [{"partnerId": "1" * 5_000}]},
        Gives([["", "", "1" * 50]]),
    ),
    "status of objects": ({"items": [{"status": {"a": 1}}]}, Gives([["", "", None]])),
}
RULES: Table = {
    "as they are": ({"iso2Code": "DE"}, Gives("DE")),
    "in capitals or not": ({"iso2Code": " de "}, Gives(" de ")),
    "nulls": (
        {"iso2Code": "DE", "isStateRequired": None, "countryCallingCodesList": None},
        Gives("DE"),
    ),
    "another country's": ({"iso2Code": "US", "isStateRequired": True}, _LOST),
    "no code": ({}, _LOST),
    "code that is a list": ({"iso2Code": ["DE", "p.kanariotaki@bakery.example"]}, _LOST),
    "codes of objects": ({"iso2Code": "DE", "countryCallingCodesList": [{"a": 1}]}, _LOST),
    "required: perhaps": ({"iso2Code": "DE", "isStateRequired": "perhaps"}, _LOST),
    "a list": ([], _LOST),
}
RESELLERS: Table = {
    "MPN id that is a number": (
        {"items": [{"id": TENANT, "mpnId": 4711}]},
        Gives([[TENANT, "4711"]]),
    ),
    "one without an id": ({"items": [{"mpnId": "1"}, {"id": TENANT}]}, Gives([[TENANT, ""]])),
    "name that is an object": (
        {"items": [{"id": TENANT, "name": {"a": 1}}]},
        Gives([[TENANT, ""]]),
    ),
    "id of 5,000 characters": ({"items": [{"id": "a" * 5_000}]}, Gives([["a" * 64, ""]])),
}
AUDIT: Table = {
    "no customer": ({"items": [{"operationDate": "x"}]}, Gives([])),
    "values that are no JSON": ({"items": [{"resourceNewValue": "{" * 1_000}]}, Gives([])),
    "values of lists": ({"items": [{"resourceNewValue": '[{"Id": "a"}]'}]}, Gives([])),
    "time beyond all": (
        {"items": [{"customerId": TENANT, "operationDate": "99999-99-99T99:99"}]},
        Gives([TENANT]),
    ),
    "time of a number": ({"items": [{"customerId": TENANT, "operationDate": 7}]}, Gives([TENANT])),
}
ACCOUNT: Table = {
    "another account": ({"id": 8, "name": "x"}, _LOST),
    "fields that are a text": ({"id": 7, "customFields": "none"}, Gives([7, "", None])),
    "fields of texts": ({"id": 7, "customFields": ["a", {"groupFields": 7}]}, Gives([7, "", None])),
    "values of objects": (
        {"id": 7, "customFields": [{"groupFields": [{"id": 3, "values": [{"value": {"a": 1}}]}]}]},
        Gives([7, "", "{'a': 1}"]),
    ),
    "field with a text for an id": (
        {"id": 7, "customFields": [{"groupFields": [{"id": "3", "values": [{"value": "x"}]}]}]},
        Gives([7, "", "x"]),
    ),
    "values of texts": (
        {"id": 7, "customFields": [{"groupFields": [{"id": 3, "values": ["x"]}]}]},
        Gives([7, "", "x"]),
    ),
    "one value": (
        {"id": 7, "customFields": [{"groupFields": [{"id": 3, "values": {"value": "x"}}]}]},
        Gives([7, "", "x"]),
    ),
    "one bare value": (
        {"id": 7, "customFields": [{"groupFields": [{"id": 3, "values": "x"}]}]},
        Gives([7, "", "x"]),
    ),
    "name of 100,000 characters": ({"id": 7, "name": "n" * 100_000}, Gives([7, "n" * 1_000, None])),
    "name that is an object": ({"id": 7, "name": {"a": 1}}, Gives([7, "", None])),
}
COUNTRIES: Table = {
    "states null": (_listed({"id": 1, "code": "DE", "states": None}), Gives([[1, "DE", 0]])),
    "states of texts": (_listed({"id": 1, "code": "DE", "states": ["x"]}), _LOST),
    "no code": (_listed({"id": 1}), Gives([])),
    "id of text": (_listed({"id": "1", "code": "DE"}), _LOST),
    "id of zero": (_listed({"id": 0, "code": "DE"}), Gives([])),
    "state of zero": (
        _listed({"id": 1, "code": "DE", "states": [{"id": 0, "name": "(none)"}, {"id": 2}]}),
        Gives([[1, "DE", 1]]),
    ),
}
CONTACTS: Table = {
    "account that is an object": (_listed({"id": 1, "account": {"id": 7}}), _CONTACT),
    "account that is a text": (_listed({"id": 1, "account": "x"}), _LOST),
    "primary: yes": (_listed({"id": 1, "accountId": 7, "isPrimary": "yes"}), _CONTACT),
}
OPTIONS: Table = {
    "systems null": ({"systems": None}, Gives([])),
    "systems that are text": ({"systems": "none"}, _LOST),
    "no such system": ({"systems": [{"id": 2, "options": [7]}]}, Gives([])),
    "options of texts": ({"systems": [{"id": 1, "options": ["x"]}]}, _LOST),
    "alias that is a number": (
        {"systems": [{"id": 1, "options": [{"alias": 7}]}]},
        Gives([["7", None]]),
    ),
    "alias that is null": ({"systems": [{"id": 1, "options": [{"alias": None}]}]}, _LOST),
}

TABLES: dict[str, Table] = {
    "customer": CUSTOMERS,
    "subscriptions": SUBSCRIPTIONS,
    "country rules": RULES,
    "resellers": RESELLERS,
    "audit": AUDIT,
    "account": ACCOUNT,
    "countries": COUNTRIES,
    "contacts": CONTACTS,
    "sync options": OPTIONS,
}


def cases() -> Iterator[Case]:
    for kind, (body, outcome) in CREATED.items():
        for call in ("create account", "create contact"):
            yield Case(f"id of the new, {kind}: {call}", call, (http(body, 201),), outcome)
    for call, table in TABLES.items():
        for kind, (value, due) in table.items():
            yield Case(f"{call}, {kind}", call, (as_json(value),), due)
    for call in ("update account", "set options"):
        for status, body in ((200, b"<html>"), (204, b""), (200, b"[" * 100_000)):
            yield Case(
                f"{status} and {body[:6]!r}: {call}", call, (http(body, status),), Gives(None)
            )
