from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_import.errors import (
    ApiError,
    AuthenticationError,
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


def test_all_headers_of_a_next_link_go_along() -> None:
    page = parse_page(body([], link("/customers", MS_ContinuationToken="AQ==", X_Other="b")))
    assert page.next is not None
    assert page.next.headers == (("MS-ContinuationToken", "AQ=="), ("X-Other", "b"))


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
    with pytest.raises(RetriableError, match="does not end"):
        await walk(Server(pages_of(*range(6))), max_pages=5, max_restarts=0)
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
