"""Which proxy the environment names for a service."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

from yarl import URL


def environment_proxy(base_url: str) -> URL | None:
    """Return the proxy that the environment names for a service, its credentials included.

    Asked once per session, in place of aiohttp's own ``trust_env``. Why:
    docs/decisions/0005-own-transport.md.
    """
    url = URL(base_url)
    found = None if proxy_bypass(url.host or "") else getproxies().get(url.scheme)
    return URL(found) if found else None
