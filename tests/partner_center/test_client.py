"""The typed calls where Partner Center answers otherwise than the sandbox; the sign-in is the sandbox's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from customer_import.config.instances import PartnerCenterConfig
from customer_import.errors import RejectedRequestError
from customer_import.partner_center.client import PartnerCenterClient
from tests.bss.recorder import Arrival, recorder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from customer_import.partner_center.hook import PartnerCenterHook

    MakeHook = Callable[..., PartnerCenterHook]

CONFIG = PartnerCenterConfig(max_attempts=1, requests_per_minute=100_000)


async def asked(
    make_hook: MakeHook,
    call: Callable[[PartnerCenterClient], Awaitable[Any]],
    body: Callable[[Arrival], Any],
    status: int = 200,
) -> tuple[Any, list[Arrival]]:
    """Return what a call makes of a server's answers, and what it asked for."""

    def answer(arrival: Arrival) -> tuple[int, dict[str, str], bytes]:
        return status, {}, json.dumps(body(arrival)).encode()

    with recorder(answer) as server:
        session = make_hook(host="127.0.0.1", port=server.port).session(CONFIG)
        async with session:
            return await call(PartnerCenterClient(session, CONFIG)), server.arrivals


def listing(*items: object, following: str | None = None) -> dict[str, object]:
    links = {"next": {"uri": following, "headers": []}} if following else {}
    return {"totalCount": len(items), "items": list(items), "links": links}


async def test_subscriptions_that_come_in_pages_are_all_read(make_hook: MakeHook) -> None:
    def body(arrival: Arrival) -> Any:
        if "page=2" in arrival.path:
            return listing({"id": "two", "status": "Suspended", "partnerId": " 4847383 "})
        following = "/customers/t/subscriptions?page=2"
        return listing({"id": "one", "status": "active", "partnerId": ""}, following=following)

    found, _ = await asked(make_hook, lambda client: client.subscriptions("t"), body)
    assert [(one.id, one.status, one.partner_id) for one in found] == [
        ("one", "active", None),
        ("two", "suspended", "4847383"),
    ]


@pytest.mark.parametrize(
    ("ends", "renews", "read"),
    [
        ("2027-05-01T00:00:00Z", True, ("2027-05-01", True)),
        ("9999-12-14T00:00:00Z", False, (None, False)),
        ("some day", "yes", (None, None)),
        (7, None, (None, None)),
    ],
)
async def test_a_subscription_is_read_with_what_people_know_it_by(
    make_hook: MakeHook, ends: object, renews: object, read: tuple[object, object]
) -> None:
    item: dict[str, object] = {"id": "A", "status": "active", "offerName": " Azure plan "}
    item |= {"friendlyName": "Ada's", "commitmentEndDate": ends, "autoRenewEnabled": renews}
    many, _ = await asked(
        make_hook, lambda client: client.subscriptions("t"), lambda _: listing(item)
    )
    (found,) = many
    assert (found.name, found.ends_on, found.is_renewed) == ("Azure plan", *read)


async def test_customers_without_a_usable_id_are_counted_in_the_log_and_listed_by_what_they_are(
    make_hook: MakeHook, caplog: pytest.LogCaptureFixture
) -> None:
    async def list_all(client: PartnerCenterClient) -> list[str]:
        return [tenant.tenant_id async for page in client.tenants() for tenant in page]

    bad = ({"companyProfile": {"companyName": "Eleni Example"}}, {"id": 7}, {"id": ""})
    body = listing({"id": " AAAA "}, *bad)
    found, _ = await asked(make_hook, list_all, lambda _: body)
    again, _ = await asked(make_hook, list_all, lambda _: body)
    assert found[0] == "aaaa"
    assert [tenant.partition("~")[0] for tenant in found[1:]] == ["no id"] * 3
    assert found == again
    assert "3 items of the customer list have no usable id" in caplog.text
    assert "Eleni" not in caplog.text


async def test_a_customer_without_an_id_has_that_of_its_profile(make_hook: MakeHook) -> None:
    async def list_all(client: PartnerCenterClient) -> list[str]:
        return [tenant.tenant_id async for page in client.tenants() for tenant in page]

    profiles = ({"tenantId": "BBBB"}, {"tenantId": "cccc"})
    body = listing({"id": None, "companyProfile": profiles[0]}, {"companyProfile": profiles[1]})
    found, _ = await asked(make_hook, list_all, lambda _: body)
    assert found == ["bbbb", "cccc"]


@pytest.mark.parametrize(
    ("told", "known"),
    [
        (" Reseller", "reseller"),
        (None, None),
        (" ", None),
        (2, "2"),
        (True, "unknown"),
        ([], "unknown"),
        ({"value": "reseller"}, "unknown"),
    ],
)
async def test_a_relationship_of_another_type_is_not_taken_for_a_missing_one(
    make_hook: MakeHook, told: object, known: str | None
) -> None:
    async def list_all(client: PartnerCenterClient) -> list[str | None]:
        return [tenant.relationship async for page in client.tenants() for tenant in page]

    body = listing({"id": "a", "relationshipToPartner": told})
    found, _ = await asked(make_hook, list_all, lambda _: body)
    assert found == [known]


async def test_a_reseller_without_a_usable_id_is_left_out(
    make_hook: MakeHook, caplog: pytest.LogCaptureFixture
) -> None:
    body = listing({"id": "AAAA", "name": "Alpha", "mpnId": "4847383"}, {"name": "Nameless Cloud"})
    found, _ = await asked(make_hook, PartnerCenterClient.resellers, lambda _: body)
    assert [(one.tenant_id, one.mpn_id) for one in found] == [("aaaa", "4847383")]
    assert "A reseller without a usable id is left out" in caplog.text


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {
                "validationResults": [
                    {"partnerId": "12345", "isValidPartnerIdOnRecord": True},
                    {"partnerId": 234567, "isValidPartnerIdOnRecord": False, "errorCode": 900400},
                    {"partnerId": "3456789"},
                    {"partnerId": "1", "isValidPartnerIdOnRecord": "yes"},
                    None,
                ]
            },
            {"12345": True, "234567": False},
        ),
        ({"validationResults": None}, {}),
        ([], {}),
    ],
)
async def test_validated_resellers_are_read_as_far_as_they_are_legible(
    make_hook: MakeHook, body: object, told: dict[str, bool]
) -> None:
    found, (arrival,) = await asked(
        make_hook, lambda client: client.validate_resellers(["12345", "234567"]), lambda _: body
    )
    assert found == told
    assert (arrival.method, arrival.path) == ("POST", "/v1/partners/validateresellers")
    assert json.loads(arrival.body) == {"partnerIds": ["12345", "234567"]}


async def test_resellers_that_are_refused_for_another_reason_keep_that_reason(
    make_hook: MakeHook,
) -> None:
    refusal = {"code": 1234, "description": "Not now."}
    with pytest.raises(RejectedRequestError) as caught:
        await asked(make_hook, PartnerCenterClient.resellers, lambda _: refusal, status=400)
    assert (caught.value.status, caught.value.code) == (400, "1234")
