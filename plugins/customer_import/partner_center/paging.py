"""Walks a Partner Center list page by page (docs/api/partner-center.md section 5 and quirks Q4, Q5).

A page's own count is not believed, nor is a short page taken for the last one: only a missing next
link ends a list. How long a next link stays good is not documented, so a failure past page 1 starts
the list again; what was already given is not given twice.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from customer_import.errors import ApiError, RetriableError
from customer_import.http.session import parse_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

log = logging.getLogger(__name__)

MAX_PAGES = 20_000
MAX_RESTARTS = 3
_ROOT = "/v1/"

Item = dict[str, Any]  # a JSON object; what its values are is for its reader to check


@dataclass(frozen=True, slots=True)
class Link:
    """Where a page is: path with query from the service's root, and headers that must go along."""

    path: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """One page: its items, and where the next one is."""

    items: tuple[Item, ...]
    next: Link | None = None


def parse_page(body: bytes) -> Page:
    """Read a page.

    Raises:
        ValueError: The body is not a page; names the place, never a value.
    """
    content = parse_json(body)
    items = content.get("items") if isinstance(content, dict) else None
    if not isinstance(items, list):
        message = "items: not a list"
        raise ValueError(message)  # noqa: TRY004 - parsers raise ValueError only
    if not all(isinstance(item, dict) for item in items):
        message = "items: not all are objects"
        raise ValueError(message)
    links = content.get("links")
    following = links.get("next") if isinstance(links, dict) else None
    return Page(tuple(items), None if following is None else _parse_link(following))


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
        max_pages: More pages than this are an error.
        max_restarts: How often the list is begun again after a failure past its first page.

    Raises:
        ApiError: A page cannot be read, or the list never ends.
    """
    given: set[str] = set()
    restarts = 0
    while True:
        number = 0
        try:
            async for page in _walk(read_page, Link(path), max_pages):
                number += 1
                yield _new_items(page, identify, given)
        except ApiError as error:
            if number == 0 or restarts >= max_restarts:
                raise
            restarts += 1
            log.warning("Page %s failed, the list starts again: %s", number + 1, error)
        else:
            return


async def _walk(
    read_page: Callable[[Link], Awaitable[Page]], link: Link, max_pages: int
) -> AsyncIterator[Page]:
    seen: set[Link] = set()
    previous: tuple[Item, ...] = ()
    while link not in seen and len(seen) < max_pages:
        seen.add(link)
        page = await read_page(link)
        if page.items and page.items == previous:
            break
        yield page
        if page.next is None:
            return
        previous, link = page.items, page.next
    message = "the list does not end: it repeats a page, or has too many"
    raise RetriableError(
        message, service="Partner Center", endpoint=f"GET {urlsplit(link.path).path}"
    )


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
    try:
        pairs = tuple((str(entry["key"]), str(entry["value"])) for entry in headers)
    except (TypeError, KeyError) as error:
        message = "links.next.headers: not a list of key and value"
        raise ValueError(message) from error
    return Link(_normalise(uri), pairs)


def _normalise(uri: str) -> str:
    """Return path and query below ``/v1/``; links may lack it, or have a second ``?`` for ``&``."""
    path, _, query = uri.partition("?")
    path = "/" + urlsplit(path).path.lstrip("/")  # never to another host: the token goes along
    if not path.startswith(_ROOT):
        path = _ROOT + path.lstrip("/")
    return f"{path}?{query.replace('?', '&')}" if query else path
