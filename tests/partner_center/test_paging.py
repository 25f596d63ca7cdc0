from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_import.errors import (
    ApiError,
    AuthenticationError,
    EndlessListError,
    RejectedRequestError,
    RetriableError,
)
from customer_import.partner_center.paging import Item, Link, Page, list_pages, parse_page


def link(uri: str, **headers: str) -> dict:
    pairs = [{"key": key.replace("_", "-"), "value": value} for key, value in headers.items()]
    return {"uri": uri, "method": "GET", "headers": pairs}


def body(items: object, following: object = None, **more: object) -> bytes:
    links = {"self": link("/customers")} | ({"next": following} if following else {})
    return orjson.dumps({"totalCount": 99, "items": items, "links": links} | more)


def next_path(uri: str) -> str:
    found = parse_page(body([], link(uri))).next
    assert found is not None
    return found.path


def identify(item: Item) -> str | None:
    return item.get("id")


class Server:
    """Pages by link; an error in a page's place is raised, once each."""

    def __init__(self, pages: dict[Link, list[Any]]) -> None:
        self.pages = pages
        self.asked: list[Link] = []

    async def __call__(self, asked: Link) -> Page:
        self.asked.append(asked)
        answers = self.pages[asked]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def pages_of(*numbers: int, per_page: int = 2) -> dict[Link, list[Any]]:
    links = [Link("/v1/first"), *(Link("/v1/next", (("token", str(n)),)) for n in numbers[1:])]
    following = [*links[1:], None]
    return {
        at: [Page(tuple({"id": f"{n}.{i}"} for i in range(per_page)), then)]
        for at, then, n in zip(links, following, numbers, strict=True)
    }


async def walk(server: Server, **options: int) -> list[str]:
    found = list_pages(server, "/v1/first", identify=identify, **options)
    return [item["id"] async for page in found for item in page]


def broken(status: int = 404) -> RejectedRequestError:
    return RejectedRequestError("gone", service="Test", endpoint="GET /", status=status)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/v1/customers?size=40", "/v1/customers?size=40"),
        ("/customers?size=40", "/v1/customers?size=40"),
        ("customers?size=40", "/v1/customers?size=40"),
        ("/customers?size=2000?seekOperation=Next", "/v1/customers?size=2000&seekOperation=Next"),
        ("https://elsewhere.example/v1/customers?size=1", "/v1/customers?size=1"),
        ("//elsewhere.example/customers", "/v1/customers"),
        ("/customers", "/v1/customers"),
    ],
)
def test_next_links_are_read_in_all_their_forms(uri: str, path: str) -> None:
    assert next_path(uri) == path


def test_only_the_documented_header_of_a_next_link_goes_along() -> None:
    headers = {"MS_ContinuationToken": "AQ==", "Host": "elsewhere.example", "Content_Length": "9"}
    page = parse_page(body([], link("/customers", **headers)))
    assert page.next is not None
    assert page.next.headers == (("MS-ContinuationToken", "AQ=="),)


@pytest.mark.parametrize("token", ["a\r\nHost: x", "a\nb", "Ω", "x" * 20_000, 7, None, "\x00"])
def test_a_continuation_token_that_is_no_header_value_makes_the_page_malformed(
    token: object,
) -> None:
    following = {"uri": "/customers", "headers": [{"key": "MS-ContinuationToken", "value": token}]}
    with pytest.raises(ValueError, match="continuation token"):
        parse_page(body([], following))


@pytest.mark.parametrize(
    "uri",
    [
        "/v1/../../admin",
        "/v1/%2e%2e/%2E%2E/admin",
        "/v1/%252e%252e/admin",
        "../admin",
        "/v1/./customers",
        "/v1/..\\admin",
        "/v1/customers\r\nX: y",
        "/v1/customers%0d%0aX: y",
        "/v1/customers%3Fa=b",
        "/v1/customers;a=b",
        "/v1/" + "x" * 10_000,
        "http://[",
    ],
)
def test_a_next_link_that_leads_out_of_the_api_makes_the_page_malformed(uri: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        next_path(uri)


@pytest.mark.parametrize(
    "empty",
    [{"items": None, "totalCount": 0}, {"totalCount": 0}, {"items": None}],
    ids=["null", "absent", "null without total"],
)
def test_a_list_that_was_never_filled_is_empty(empty: dict) -> None:
    assert parse_page(orjson.dumps(empty)) == Page((), None, empty.get("totalCount"))


@pytest.mark.parametrize("bad", [{"items": None, "totalCount": 5}, {}, {"totalCount": 5}])
def test_a_list_without_the_items_that_it_counts_is_malformed(bad: dict) -> None:
    with pytest.raises(ValueError, match="items"):
        parse_page(orjson.dumps(bad))


async def endless(asked: Link) -> Page:
    number = int(asked.headers[0][1]) if asked.headers else 0
    items = tuple({"id": f"{number}.{place}"} for place in range(10))
    return Page(items, Link("/v1/next", (("token", str(number + 1)),)), total=100)


async def test_a_list_has_not_many_more_pages_than_its_own_total_says() -> None:
    asked: list[Link] = []

    async def read_page(link: Link) -> Page:
        asked.append(link)
        return await endless(link)

    with pytest.raises(EndlessListError, match="does not end: it has more than 30 pages"):
        [page async for page in list_pages(read_page, "/v1/first", identify=identify)]
    assert len(asked) == 30, "ten pages were said; the list is not begun again"


async def test_a_list_whose_later_pages_are_smaller_than_its_first_is_read_to_its_end() -> None:
    """A next link may forget the size that was asked for; then the server's own holds."""
    pages = pages_of(*range(60))
    first = next(iter(pages.values()))
    first[0] = Page(tuple({"id": f"first.{n}"} for n in range(40)), first[0].next, total=158)
    assert len(await walk(Server(pages))) == 40 + 59 * 2


async def test_a_list_that_gives_the_same_items_under_new_links_ends() -> None:
    async def read_page(asked: Link) -> Page:
        page = await endless(asked)
        number = int(asked.headers[0][1]) if asked.headers else 0
        shuffled = [{"id": f"{(number + place) % 4}"} for place in range(4)]
        return Page(tuple(shuffled), page.next)

    found = list_pages(read_page, "/v1/first", identify=identify, max_restarts=0)
    with pytest.raises(RetriableError, match="repeats a page"):
        [page async for page in found]


async def test_a_total_that_counts_one_page_alone_limits_nothing() -> None:
    pages = pages_of(*range(40))
    for answers in pages.values():
        answers[0] = Page(answers[0].items, answers[0].next, total=2)
    assert len(await walk(Server(pages))) == 80


def test_a_page_without_a_next_link_is_the_last_whatever_its_count_says() -> None:
    assert parse_page(body([{"id": "a"}])).next is None
    assert parse_page(b'\xef\xbb\xbf{"items": []}').next is None
    assert parse_page(b'{"items": [], "links": null}').next is None


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[]",
        b"{}",
        b'{"items": {}}',
        b'{"items": ["x"]}',
        b'{"items": [], "links": {"next": {}}}',
        b'{"items": [], "links": {"next": {"uri": "/x", "headers": [1]}}}',
        b'{"items": [], "links": {"next": {"uri": 7}}}',
        b'{"items": [',
    ],
)
def test_a_malformed_page_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_page(bad)


async def test_pages_are_followed_to_the_end() -> None:
    server = Server(pages_of(1, 2, 3))
    assert await walk(server) == ["1.0", "1.1", "2.0", "2.1", "3.0", "3.1"]
    assert server.asked[1].headers == (("token", "2"),)


async def test_an_empty_page_in_the_middle_is_not_the_end() -> None:
    pages = pages_of(1, 2, 3)
    second = list(pages)[1]
    pages[second] = [Page((), pages[second][0].next)]
    assert await walk(Server(pages)) == ["1.0", "1.1", "3.0", "3.1"]


@pytest.mark.parametrize("error", [broken(404), RetriableError("x", service="T", endpoint="GET /")])
async def test_a_failure_past_page_1_starts_again_and_gives_nothing_twice(
    error: ApiError,
) -> None:
    pages = pages_of(1, 2, 3)
    pages[list(pages)[2]].insert(0, error)
    server = Server(pages)
    assert await walk(server) == ["1.0", "1.1", "2.0", "2.1", "3.0", "3.1"]
    assert server.asked.count(Link("/v1/first")) == 2


async def test_a_failure_on_page_1_is_final() -> None:
    server = Server({Link("/v1/first"): [broken()]})
    with pytest.raises(RejectedRequestError):
        await walk(server)
    assert len(server.asked) == 1


async def test_restarts_are_bounded() -> None:
    pages = pages_of(1, 2)
    pages[list(pages)[1]] = [broken()]
    server = Server(pages)
    with pytest.raises(RejectedRequestError):
        await walk(server, max_restarts=2)
    assert server.asked.count(Link("/v1/first")) == 3


async def test_refused_credentials_never_start_again() -> None:
    pages = pages_of(1, 2)
    pages[list(pages)[1]] = [AuthenticationError("no", service="Test")]
    server = Server(pages)
    with pytest.raises(AuthenticationError):
        await walk(server)
    assert server.asked.count(Link("/v1/first")) == 1


async def test_a_link_that_leads_back_ends_in_an_error() -> None:
    pages = pages_of(1, 2)
    second = list(pages)[1]
    pages[second] = [Page(pages[second][0].items, second)]
    with pytest.raises(RetriableError, match="does not end"):
        await walk(Server(pages), max_restarts=0)


async def test_a_page_that_repeats_under_new_links_ends_in_an_error() -> None:
    async def always_the_same(asked: Link) -> Page:
        token = str(len(asked.headers[0][1]) if asked.headers else 0)
        return Page(({"id": "a"},), Link("/v1/next", (("token", token + "x"),)))

    found = list_pages(always_the_same, "/v1/first", identify=identify, max_restarts=0)
    with pytest.raises(RetriableError, match="does not end"):
        [page async for page in found]


async def test_a_list_has_a_page_limit() -> None:
    with pytest.raises(EndlessListError, match="does not end"):
        await walk(Server(pages_of(*range(6))), max_pages=5)
    assert len(await walk(Server(pages_of(*range(5))), max_pages=5)) == 10


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(alphabet="/?v1&Δ", max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["items", "links", "next", "uri", "headers"]), inner)
        ),
        max_leaves=12,
    ).map(orjson.dumps)
)
def test_no_body_breaks_the_parser_in_another_way(raw: bytes) -> None:
    try:
        page = parse_page(raw)
    except ValueError:
        return
    assert isinstance(page, Page)
