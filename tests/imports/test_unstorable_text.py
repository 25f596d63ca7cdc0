"""Text that a database cannot hold is cleaned where bodies are parsed: a whole import goes through with it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson

from customer_import.vocabulary import ImportType
from tests.imports.scene import on

if TYPE_CHECKING:
    from tests.imports.scene import Scene

NUL = "\x00"
LONE_SURROGATE = rb"\ud800"

pytestmark = on("postgres", "sqlite")


def test_nul_characters_from_either_api_end_no_run(scene: Scene):
    named, subscribed = scene.sell(ImportType.DIRECT, 2)
    scene.edit(
        named,
        companyProfile={"companyName": f"Nul{NUL} Company"},
        billingProfile={"defaultAddress": {"city": f"Vo{NUL}los"}},
    )
    scene.change(subscribed, subscriptions=[subscribed.subscriptions[0] | {"partnerId": NUL}])
    scene.bss(ImportType.DIRECT).create_account(
        {"name": f"Somebody{NUL} Else"}, {}, existing_kind="test"
    )

    scene.expect([subscribed], "created")  # a partner id of nothing else is none

    report = scene.run(ImportType.DIRECT)

    assert report.counts() == {"created": 2}
    assert NUL not in str(scene.account_of(ImportType.DIRECT, named).values)


def test_nul_characters_in_resellers_and_their_mpn_ids_end_no_run(scene: Scene):
    resellers = scene.sandbox.source.resellers
    for key, reseller in resellers.items():
        resellers[key] = replace(reseller, name=f"Re{NUL}seller", mpn_id=reseller.mpn_id + NUL)
    of_reseller, of_nobody = scene.sell(ImportType.INDIRECT, 2)
    for customer, mpn_id in (of_reseller, None), (of_nobody, f"7777777{NUL}"):
        subscription = customer.subscriptions[0]
        own = {"partnerId": mpn_id or subscription["partnerId"] + NUL}
        scene.change(customer, subscriptions=[subscription | own])

    results = scene.results(scene.load(scene.stage(ImportType.INDIRECT)).key)

    known, unknown = results[of_reseller.tenant_id], results[of_nobody.tenant_id]
    assert (known.outcome, known.reseller_name) == ("created", "Reseller")
    assert (unknown.outcome, unknown.reason_code) == ("skipped", "unknown_reseller")
    assert "MPN ID 7777777," in unknown.reason


def test_lone_surrogates_end_no_run(scene: Scene):
    (customer,) = scene.sell(ImportType.DIRECT, 1, companyProfile={"companyName": "MARK Company"})
    raw = orjson.dumps(customer.document).replace(b"MARK", LONE_SURROGATE)
    assert LONE_SURROGATE in raw
    scene.sandbox.source.put(replace(customer, raw=raw))

    assert scene.run(ImportType.DIRECT).counts() == {"created": 1}
