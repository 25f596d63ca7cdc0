"""The typed calls where a BSS answers otherwise than the sandbox: other envelopes, other shapes, no end, no answer."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from customer_import.bss import client as client_module
from customer_import.bss.client import BssClient
from customer_import.bss.hook import BssHook, open_client
from customer_import.bss.patch import Difference, PatchOperation
from customer_import.config.instances import BssConfig
from customer_import.errors import (
    EndlessListError,
    RejectedRequestError,
    RetriableError,
    SupersededError,
)
from tests.bss.recorder import Arrival, closed_port, connect_to, recorder

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from customer_import.bss.client import OnTurn

CONFIG = BssConfig(max_attempts=1)
LIMIT = 5
"""Pages that a list may have here, so that one without an end soon fails."""
TOKEN = b'{"access_token": "token-of-the-bss", "expires_in": 3600}'


def page_of(arrival: Arrival) -> int:
    query = dict(pair.split("=") for pair in arrival.path.partition("?")[2].split("&"))
    return int(query["pageIndex"])


async def asked(
    monkeypatch: pytest.MonkeyPatch,
    call: Callable[[BssClient], Awaitable[Any]],
    body: Callable[[Arrival], Any],
    status: int = 200,
) -> tuple[Any, list[Arrival]]:
    """Return what a call makes of a server's answers, and what it asked for after the sign-in."""
    monkeypatch.setattr(client_module, "MAX_PAGES", LIMIT)

    def answer(arrival: Arrival) -> tuple[int, dict[str, str], bytes]:
        if arrival.path == "/oauth/token":
            return 200, {}, TOKEN
        return status, {}, json.dumps(body(arrival)).encode()

    with recorder(answer) as bss:
        connect_to(monkeypatch, bss.url)
        async with BssHook().session(CONFIG) as session:
            return await call(BssClient(session)), bss.arrivals[1:]


def user(number: int) -> dict[str, object]:
    return {"id": number, "username": f"user{number}"}


@pytest.mark.parametrize(
    ("envelope", "pages", "requests"),
    [
        (lambda items, _: items, 1, 1),
        (lambda items, n: {"data": items, "paging": {"totalPages": 3, "pageIndex": n}}, 3, 3),
        (lambda items, _: {"data": items, "paging": {"pageCount": 2}}, 2, 2),
        (lambda items, n: {"data": items, "links": {"next": "/x" if n < 3 else None}}, 3, 3),
        (lambda items, n: {"data": items if n < 3 else []}, 2, 3),
    ],
    ids=["a bare list", "total pages", "page count", "a link to the next", "an empty page"],
)
async def test_a_list_ends_where_its_envelope_says(
    monkeypatch: pytest.MonkeyPatch, envelope: Callable[[Any, int], Any], pages: int, requests: int
):
    def body(arrival: Arrival) -> Any:
        return envelope([user(page_of(arrival))], page_of(arrival))

    found, arrivals = await asked(monkeypatch, BssClient.users, body)
    assert [one.id for one in found] == list(range(1, pages + 1))
    assert len(arrivals) == requests


async def test_a_list_whose_page_comes_again_has_ended(monkeypatch: pytest.MonkeyPatch):
    found, arrivals = await asked(monkeypatch, BssClient.users, lambda _: {"data": [user(1)]})
    assert [one.id for one in found] == [1]
    assert len(arrivals) == 2


async def test_a_list_without_end_is_an_error_and_not_half_a_list(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(EndlessListError):
        await asked(
            monkeypatch, BssClient.users, lambda arrival: {"data": [user(page_of(arrival))]}
        )


def records(ids: Sequence[int], total: int, pages: int = 2) -> dict[str, object]:
    paging = {"totalPages": pages, "totalRecords": total}
    return {"data": [{"id": one, "name": "Example"} for one in ids], "paging": paging}


async def listed(client: BssClient) -> list[int]:
    return [account.id async for page in client.accounts() for account in page]


@pytest.mark.parametrize(
    "first",
    [
        ([1, 2], 4, [4], 3),
        ([1, 2], 4, [], 4),
        ([1, 2], 4, [1, 2], 4),
        ([1, 2], 4, [2, 4], 4),
    ],
    ids=["one was deleted meanwhile", "an empty page", "a page again", "a record twice"],
)
async def test_a_list_that_gave_fewer_records_than_it_has_is_read_again(
    monkeypatch: pytest.MonkeyPatch, first: tuple[list[int], int, list[int], int]
):
    answers = [records(*first[:2]), records(*first[2:]), records([1, 2], 4), records([3, 4], 4)]
    found, arrivals = await asked(monkeypatch, listed, lambda _: answers.pop(0))
    assert {1, 2, 3, 4} == set(found)
    assert len(arrivals) == 4


async def test_a_list_that_never_gives_all_it_has_is_trouble_of_the_bss(
    monkeypatch: pytest.MonkeyPatch,
):
    with pytest.raises(RetriableError, match="has 3 records, and gave 2"):
        await asked(monkeypatch, listed, lambda _: records([1, 2], 3, pages=1))


async def test_contacts_of_other_accounts_are_none_of_this_one(monkeypatch: pytest.MonkeyPatch):
    answer = {"data": [{"id": 1, "accountId": 7}, {"id": 2, "accountId": 8}]}
    found, _ = await asked(monkeypatch, lambda client: client.contacts(8), lambda _: answer)
    assert [one.id for one in found] == [2]


async def test_whose_a_contact_is_may_be_written_in_two_ways(monkeypatch: pytest.MonkeyPatch):
    answer = {"data": [{"id": 1, "accountId": None, "account": {"id": 8}}]}
    found, _ = await asked(monkeypatch, lambda client: client.contacts(8), lambda _: answer)
    assert [(one.id, one.account_id) for one in found] == [(1, 8)]


async def test_a_contact_of_nobody_is_no_fault_of_a_list_of_all_and_one_of_an_accounts(
    monkeypatch: pytest.MonkeyPatch,
):
    answer = {"data": [{"id": 1, "accountId": None}, {"id": 2, "accountId": 8}]}

    async def every(client: BssClient) -> list[int | None]:
        return [contact.account_id async for page in client.all_contacts() for contact in page]

    found, _ = await asked(monkeypatch, every, lambda _: answer)
    assert found == [None, 8]
    with pytest.raises(RetriableError, match="malformed"):
        await asked(monkeypatch, lambda client: client.contacts(8), lambda _: answer)


@pytest.mark.parametrize(
    "body",
    [{}, {"data": {"id": 1}}, {"data": ""}, {"data": [{"name": "no id"}]}, {"data": ["text"]}, ""],
    ids=["no data", "no list", "empty text", "no id", "no object", "no envelope"],
)
async def test_a_list_of_another_shape_is_trouble_of_the_bss(
    monkeypatch: pytest.MonkeyPatch, body: object
):
    with pytest.raises(RetriableError, match="malformed"):
        await asked(monkeypatch, BssClient.users, lambda _: body)


@pytest.mark.parametrize(
    "body", [{}, {"systems": [{}]}, {"systems": [{"id": 7, "options": ["text"]}]}]
)
async def test_sync_options_of_another_shape_are_trouble_of_the_bss(
    monkeypatch: pytest.MonkeyPatch, body: object
):
    with pytest.raises(RetriableError, match="malformed"):
        await asked(monkeypatch, lambda client: client.sync_options(1, 7), lambda _: body)


async def test_an_account_without_systems_has_no_sync_options(monkeypatch: pytest.MonkeyPatch):
    found, _ = await asked(
        monkeypatch, lambda client: client.sync_options(1, 7), lambda _: {"systems": None}
    )
    assert found == []


async def test_countries_and_states_that_are_switched_off_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
):
    states = [{"id": 1, "name": "Attica"}, {"id": 2, "name": "Old", "isActive": False}]
    countries = [
        {"id": 30, "name": "Greece", "code": "GR", "states": states},
        {"id": 31, "name": "Off", "code": "OF", "isActive": False},
        {"id": 32, "name": "Without a code", "code": None},
    ]
    found, _ = await asked(monkeypatch, BssClient.countries, lambda _: countries)
    assert [(country.code, [state.name for state in country.states]) for country in found] == [
        ("GR", ["Attica"])
    ]


async def test_an_account_that_is_not_there_is_none_and_a_refused_read_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
):
    async def read(client: BssClient) -> Any:
        return await client.account(5)

    assert (await asked(monkeypatch, read, lambda _: {}, status=404))[0] is None
    with pytest.raises(RejectedRequestError) as caught:
        await asked(monkeypatch, read, lambda _: {}, status=400)
    assert caught.value.status == 400


async def test_requests_a_second_of_the_instance_hold_back_what_is_too_much(
    monkeypatch: pytest.MonkeyPatch,
):
    config = BssConfig(requests_per_second=2)
    body = json.dumps([]).encode()
    with recorder(lambda a: (200, {}, TOKEN if a.path == "/oauth/token" else body)) as bss:
        connect_to(monkeypatch, bss.url)
        async with BssHook().session(config) as session:
            client = open_client(session, config)
            begun = time.monotonic()
            for _ in range(2):
                await client.users()
            at_once_s = time.monotonic() - begun
            await client.users()
            waited_s = time.monotonic() - begun
    assert at_once_s < 1 <= waited_s


async def test_a_sign_in_that_is_away_may_come_back_and_nothing_was_sent(
    monkeypatch: pytest.MonkeyPatch,
):
    with closed_port() as url:
        connect_to(monkeypatch, url)
        async with BssHook().session(CONFIG, waits_for_outages=False) as session:
            with pytest.raises(RetriableError, match="the connection was refused") as caught:
                await session.sign_in()
    assert caught.value.is_sent is False


async def test_a_sign_in_that_answers_without_a_token_may_pass(monkeypatch: pytest.MonkeyPatch):
    with recorder(lambda _: (200, {}, b'{"access_token": ""}')) as bss:
        connect_to(monkeypatch, bss.url)
        async with BssHook().session(CONFIG, waits_for_outages=False) as session:
            with pytest.raises(RetriableError, match="answered without a token"):
                await session.sign_in()


CHANGE = Difference((PatchOperation("replace", "/name", "B"),), before={})
WRITES: dict[str, Callable[[BssClient, OnTurn], Awaitable[Any]]] = {
    "create an account": lambda bss, turn: bss.create_account({"name": "A"}, turn),
    "change an account": lambda bss, turn: bss.update_account(7, CHANGE, turn),
    "enter the tenant marker": lambda bss, turn: bss.set_custom_field(7, 1, "t", turn),
    "create a contact": lambda bss, turn: bss.create_contact({"accountId": 7}, turn),
    "change a contact": lambda bss, turn: bss.update_contact(8, CHANGE, turn),
    "set sync options": lambda bss, turn: bss.set_sync_options(7, 1, {"mpn": "4711"}, turn),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_a_write_that_must_not_leave_any_more_does_not(
    monkeypatch: pytest.MonkeyPatch, write: Callable[[BssClient, OnTurn], Awaitable[Any]]
):
    """Whoever waited for a place may have lost the tenant meanwhile, and is asked when its turn has come."""

    async def refuse() -> None:
        message = "a later attempt is at work"
        raise SupersededError(message)

    async def call(bss: BssClient) -> None:
        with pytest.raises(SupersededError):
            await write(bss, refuse)

    _, arrived = await asked(monkeypatch, call, lambda _: {})
    assert arrived == []


async def test_a_number_that_was_not_set_is_none_also_where_it_is_written_as_zero(
    monkeypatch: pytest.MonkeyPatch,
):
    unset = user(1) | {"defaultPermissionRuleId": 0}
    found, _ = await asked(
        monkeypatch,
        lambda bss: bss.users(),
        lambda _: {"data": [unset], "paging": {"totalPages": 1}},
    )
    assert [one.default_permission_rule_id for one in found] == [None]


async def test_the_odd_details_of_a_custom_field_are_not_known(monkeypatch: pytest.MonkeyPatch):
    odd = {"id": 1, "name": "Odd", "type": "simpleValue", "valueDetails": "text"}
    found, _ = await asked(
        monkeypatch,
        lambda bss: bss.account_custom_fields(),
        lambda _: {"data": [odd], "paging": {"totalPages": 1}},
    )
    assert [one.value_type for one in found] == [""]
