"""Reads a page as a browser would: what it loads and where it leads, and what a strict policy would forbid."""

from __future__ import annotations

from html.parser import HTMLParser

ADDRESSES = ("href", "src", "action", "hx-get", "data-start", "data-url")


class Markup(HTMLParser):
    """Collects what a Content-Security-Policy would forbid, and every address."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forbidden: list[str] = []
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        if tag == "style" or (tag == "script" and "src" not in names):
            self.forbidden.append(tag)
        self.forbidden += [name for name in names if name == "style" or name.startswith("on")]
        self.addresses += [names[name] or "" for name in ADDRESSES if name in names]
