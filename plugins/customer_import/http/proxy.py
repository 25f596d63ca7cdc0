"""Which proxy the environment names for a service."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

from yarl import URL

from customer_import.config.pasted import trim
from customer_import.errors import ConfigurationError

_SCHEMES = frozenset({"http", "https"})


def environment_proxy(base_url: str) -> URL | None:
    """Return the proxy that the environment names for a service, its credentials included; ``None`` for none.

    Asked once per session, in place of aiohttp's own ``trust_env``. Why:
    docs/decisions/0005-own-transport.md.

    Raises:
        ConfigurationError: It is no proxy that requests can go through; never shows it, for it may hold a password.
    """
    url = URL(base_url)
    named = trim(getproxies().get(url.scheme) or "")
    if not named or _is_bypassed(url.host or "", url.port):
        return None
    return _parse(named, f"environment variable {url.scheme}_proxy")


def _is_bypassed(host: str, port: int | None) -> bool:
    """Whether ``no_proxy`` names the host, alone or with the port."""
    return bool(proxy_bypass(host) or proxy_bypass(f"{host}:{port}"))


def _parse(text: str, source: str) -> URL:
    """Return an address; one without a scheme is plain http's, as curl takes it."""
    try:
        proxy = URL(text if "://" in text else f"http://{text}")
        is_address = bool(proxy.host and proxy.port) or proxy.scheme not in _SCHEMES
    except ValueError:
        is_address = False
    # What a password has unescaped, such as a number sign, ends the address too early.
    if not is_address or proxy.path.strip("/") or proxy.query_string or proxy.fragment:
        message = "it is not the address of a proxy"
        hint = "write it as http://host:port or http://user:password@host:port, with %23 for # in a password"
        raise ConfigurationError(message, source=source, hint=hint)
    if proxy.scheme not in _SCHEMES:
        message = f"a proxy that speaks {proxy.scheme} cannot be used"
        raise ConfigurationError(message, source=source, hint="name a proxy that speaks http")
    return proxy
