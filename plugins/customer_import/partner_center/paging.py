"""Walks a Partner Center list page by page (docs/api/partner-center.md section 5 and quirks Q4, Q5).

A page's own count is not believed, nor is a short page taken for the last one: only a missing next
link ends a list. How long a next link stays good is not documented, so a failure past page 1 starts
the list again; what was already given is not given twice.

Where a next link leads is the server's word, so it is looked at: the path stays below ``/v1/``, and of its headers
only the documented one goes along.
"""

from __future__ import annotations

import logging
import posixpath
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from customer_import.errors import ApiError, EndlessListError, RetriableError
from customer_import.http.reader import read_json
from customer_import.http.token import is_token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

log = logging.getLogger(__name__)

MAX_PAGES = 5_000
"""Of a list that does not say how long it is."""
MAX_RESTARTS = 3
_SPARE_PAGES = 10
_STALE_PAGES = 3
_CONTINUATION = "MS-ContinuationToken"
_MAX_URI = 8_192
_ROOT = "/v1/"
_NOT_IN_A_PATH = frozenset(" \\%#?;")

Item = dict[str, Any]  # a JSON object; what its values are is for its reader to check


@dataclass(frozen=True, slots=True)
class Link:
    """Where a page is: path with query from the service's root, and headers that must go along."""

    path: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its items, where the next one is, and how many items it says that there are."""

    items: tuple[Item, ...]
    next: Link | None = None
    total: int | None = None

    def page_limit(self, page_size: int, max_pages: int) -> int:
        """Return how many pages a list that begins with this one may have.

        The total often counts this page alone (docs/api/partner-center.md, Q5): then it says nothing.
        A real one is taken twice, because lists grow and totals lag.

        Args:
            page_size: Items of the smallest page: a next link may forget how many were asked for.
            max_pages: More are never allowed.
        """
        if self.total is None or not self.items or self.total <= len(self.items):
            return max_pages
        return min(2 * -(-self.total // page_size) + _SPARE_PAGES, max_pages)


def parse_page(body: bytes) -> Page:
    """Read a page.

    Raises:
        ValueError: The body is not a page; names the place, never a value.
    """
    content = read_json(body)
    if not isinstance(content, dict):
        message = "a page: not an object"
        raise ValueError(message)  # noqa: TRY004 - parsers raise ValueError only
    total = content.get("totalCount")
    items = content.get("items")
    if items is None and (total == 0 or ("items" in content and total is None)):
        items = []  # how .NET writes an empty list that was never filled
    if not isinstance(items, list):
        message = "items: not a list"
        raise ValueError(message)  # noqa: TRY004 - parsers raise ValueError only
    if not all(isinstance(item, dict) for item in items):
        message = "items: not all are objects"
        raise ValueError(message)
    links = content.get("links")
    following = links.get("next") if isinstance(links, dict) else None
    return Page(
        tuple(items),
        None if following is None else _parse_link(following),
        total if type(total) is int else None,
    )


async def list_pages(
    read_page: Callable[[Link], Awaitable[Page]],
    path: str,
    *,
    identify: Callable[[Item], str | None],
    max_pages: int = MAX_PAGES,
    max_restarts: int = MAX_RESTARTS,
) -> AsyncIterator[list[Item]]:
    """Give a list's items page by page, each item once.

    Args:
        read_page: Reads one page; it does its own retries.
        path: Of the first page.
        identify: Key that makes two items the same; items without one are given as they come.
        max_pages: More pages than this are an error; fewer are, when the list's own total says so.
        max_restarts: How often the list is begun again after a failure past its first page.

    Raises:
        ApiError: A page cannot be read.
        EndlessListError: The list has more pages than it can have; it is not begun again.
    """
    given: set[str] = set()
    restarts = 0
    while True:
        number = 0
        try:
            async for page in _walk(read_page, Link(path), max_pages, identify):
                number += 1
                yield _new_items(page, identify, given)
        except EndlessListError:
            raise
        except ApiError as error:
            if number == 0 or restarts >= max_restarts:
                raise
            restarts += 1
            log.warning("Page %s failed, the list starts again: %s", number + 1, error)
        else:
            return


async def _walk(
    read_page: Callable[[Link], Awaitable[Page]],
    link: Link,
    max_pages: int,
    identify: Callable[[Item], str | None],
) -> AsyncIterator[Page]:
    seen: set[Link] = set()
    given: set[str] = set()
    previous: tuple[Item, ...] = ()
    first: Page | None = None
    limit, stale, smallest = max_pages, 0, sys.maxsize
    while link not in seen and stale < _STALE_PAGES:
        if len(seen) >= limit:
            message = f"the list does not end: it has more than {limit} pages"
            raise EndlessListError(message, service="Partner Center", endpoint=_endpoint(link))
        page = await read_page(link)
        first = first or page
        smallest = min(smallest, len(page.items) or smallest)
        limit = first.page_limit(smallest, max_pages)
        seen.add(link)
        if page.items and page.items == previous:
            break
        yield page
        if page.next is None:
            return
        keys = {key for item in page.items if (key := identify(item)) is not None}
        stale = stale + 1 if keys and keys <= given else 0
        given |= keys
        previous, link = page.items, page.next
    message = "the list does not end: it repeats a page"
    raise RetriableError(message, service="Partner Center", endpoint=_endpoint(link))


def _endpoint(link: Link) -> str:
    return f"GET {urlsplit(link.path).path}"


def _new_items(page: Page, identify: Callable[[Item], str | None], given: set[str]) -> list[Item]:
    new = []
    for item in page.items:
        key = identify(item)
        if key is None or key not in given:
            new.append(item)
        if key is not None:
            given.add(key)
    return new


def _parse_link(raw: object) -> Link:
    uri = raw.get("uri") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or not isinstance(uri, str) or not uri:
        message = "links.next.uri: not a text"
        raise ValueError(message)
    headers = raw.get("headers") or []
    if not isinstance(headers, list) or not all(isinstance(entry, dict) for entry in headers):
        message = "links.next.headers: not a list of key and value"
        raise ValueError(message)
    tokens = [entry.get("value") for entry in headers if _is_continuation(entry.get("key"))]
    return Link(
        _normalise(uri), tuple((_CONTINUATION, _check_token(token)) for token in tokens[:1])
    )


def _is_continuation(name: object) -> bool:
    return isinstance(name, str) and name.strip().lower() == _CONTINUATION.lower()


def _check_token(token: object) -> str:
    """Return a continuation token that is nothing but a header's value."""
    if not is_token(token):
        message = "links.next.headers: the continuation token is not a header's value"
        raise ValueError(message)
    return token


def _normalise(uri: str) -> str:
    """Return path and query below ``/v1/``; links may lack it, or have a second ``?`` for ``&``.

    Raises:
        ValueError: The link leads elsewhere.
    """
    path, _, query = uri.partition("?")
    # Never to another host: the token goes along. urlsplit refuses some hosts with a ValueError.
    path = unquote(unquote(urlsplit(path).path))
    parts = path.split("/")
    is_plain = uri.isascii() and uri.isprintable() and len(uri) <= _MAX_URI
    if (
        not is_plain
        or not path.isprintable()
        or ".." in parts
        or "." in parts
        or _NOT_IN_A_PATH & set(path)
    ):
        message = "links.next.uri: not a path below /v1/"
        raise ValueError(message)
    path = posixpath.normpath("/" + path.lstrip("/"))
    if not path.startswith(_ROOT):
        path = _ROOT + path.lstrip("/")
    return f"{path}?{query.replace('?', '&')}" if query else path
