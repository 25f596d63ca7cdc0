"""The paging envelope of version 3 lists, as bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import orjson

from sandbox.bss.errors import bad_parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from yarl import URL

T = TypeVar("T")

_MAX_SIZE = 500
_DEFAULT_SIZE = 10


@dataclass(frozen=True, slots=True)
class Page:
    """The part of a list that is wanted; pages count from 1."""

    index: int
    size: int

    @classmethod
    def of(cls, url: URL) -> Page:
        """Read ``pageIndex`` and ``pageSize``.

        Raises:
            WireError: 400 without body when one is out of bounds.
        """
        try:
            index = int(url.query.get("pageIndex", "1"))
            size = int(url.query.get("pageSize", _DEFAULT_SIZE))
        except ValueError as error:
            raise bad_parameter(name="paging") from error
        if index < 1 or not 1 <= size <= _MAX_SIZE:
            raise bad_parameter(name="paging")
        return cls(index, size)


def page_body(
    url: URL, rows: Sequence[T], render: Callable[[T], bytes], *, is_organization: bool = False
) -> bytes:
    """Render one page.

    Args:
        url: The request's URL, which says what page is wanted and what links look like.
        rows: All rows.
        render: Makes a row's JSON.
        is_organization: Lists under ``/organization`` name their paging figures differently.
    """
    page = Page.of(url)
    start = (page.index - 1) * page.size
    total_pages = -(-len(rows) // page.size)
    items = b",".join(render(row) for row in rows[start : start + page.size])
    paging: dict[str, object] = {
        "page": page.index,
        "size": page.size,
        "totalPages": total_pages,
        "totalRecords": len(rows),
    }
    if is_organization:
        paging = {
            "page": page.index,
            "size": page.size,
            "offset": start,
            "totalCount": len(rows),
            "pageCount": total_pages,
            "isPageIndexValid": page.index <= max(1, total_pages),
        }
    tail = orjson.dumps({"paging": paging, "links": _links(url, page, total_pages)})
    return b'{"data":[' + items + b"]," + tail[1:]


def _links(url: URL, page: Page, total_pages: int) -> dict[str, str | None]:
    def link(index: int) -> str | None:
        if not 1 <= index <= max(1, total_pages):
            return None
        return str(url.update_query(pageIndex=index, pageSize=page.size))

    return {
        "self": str(url),
        "first": link(1),
        "last": link(max(1, total_pages)),
        "next": link(page.index + 1),
        "previous": link(page.index - 1),
    }
