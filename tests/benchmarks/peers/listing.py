"""The customer list page by page over ``requests``, for the peers that use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

BOM = b"\xef\xbb\xbf"


def list_tenants(session: requests.Session, base: str) -> Iterator[str]:
    path = "/customers?size=500"
    headers: dict[str, str] = {}
    while path:
        answer = session.get(f"{base}/v1{path.removeprefix('/v1')}", headers=headers, timeout=60)
        page = orjson.loads(answer.content.removeprefix(BOM))
        for item in page["items"]:
            yield item["id"]
        following = (page.get("links") or {}).get("next") or {}
        path = following.get("uri", "")
        headers = {entry["key"]: entry["value"] for entry in following.get("headers") or ()}
