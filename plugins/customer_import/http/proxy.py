"""What the environment says of ways to a service: its proxy, and whose certificates are trusted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

import requests
from yarl import URL

from customer_import.config.pasted import trim
from customer_import.errors import ConfigurationError
from customer_import.http.address import is_host

if TYPE_CHECKING:
    from collections.abc import Mapping

_SCHEMES = frozenset({"http", "https"})
_ALL = "all"
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""In the order in which ``requests`` looks."""


def environment_proxy(base_url: str) -> URL | None:
    """Return the proxy that the environment names for a service, its credentials included; ``None`` for none.

    Asked once per session, in place of aiohttp's own ``trust_env``. Why:
    docs/decisions/0005-own-transport.md.

    Raises:
        ConfigurationError: It is no proxy that requests can go through; never shows it, for it may hold a password.
    """
    url, named = URL(base_url), getproxies()
    for kind in (url.scheme, _ALL):
        if text := trim(named.get(kind) or ""):
            is_bypassed = _is_bypassed(url.host or "", url.port)
            return None if is_bypassed else _parse(text, f"environment variable {kind}_proxy")
    return None


class ProxiedSession(requests.Session):
    """A ``requests`` session that takes the proxy of ``environment_proxy``, if a call names none of its own.

    Nobody's credentials but those of a connection are sent: ``~/.netrc`` may have some for any host.
    """

    def __init__(self) -> None:
        super().__init__()
        self.auth = _nothing_of_netrc

    def merge_environment_settings(
        self,
        url: str | bytes | None,
        proxies: Mapping[str, str] | None,
        *args: Any,  # noqa: ANN401 - as the base class
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """Return a call's settings.

        Raises:
            ConfigurationError: As for ``environment_proxy``, or the file of authorities that is named is not there.
        """
        address = url.decode() if isinstance(url, bytes) else url or ""
        named = dict(proxies or self.proxies)
        if not named and (found := environment_proxy(address)):
            named = {_ALL: str(found)}
        settings = super().merge_environment_settings(url, dict(named), *args, **options)
        _check_authorities(settings.get("verify"))
        return settings | {"proxies": named}


def _nothing_of_netrc(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _check_authorities(verify: object) -> None:
    """Refuse a file of the environment that is not there; ``requests`` raises a bare ``OSError``."""
    if not isinstance(verify, str) or Path(verify).exists():
        return
    for variable in _CA_VARIABLES:
        if os.environ.get(variable) == verify:
            message = "there is no such file of certificate authorities"
            hint = "correct the path, remove the variable, or name the file in ca_file of the connection"
            raise ConfigurationError(message, source=f"environment variable {variable}", hint=hint)


def _is_bypassed(host: str, port: int | None) -> bool:
    """Whether ``no_proxy`` names the host, alone or with the port."""
    return bool(proxy_bypass(host) or proxy_bypass(f"{host}:{port}"))


def _parse(text: str, source: str) -> URL:
    """Return an address; one without a scheme is plain http's, as curl takes it."""
    try:
        proxy = URL(text if "://" in text else f"http://{text}")
        is_address = (
            bool(is_host(proxy.raw_host or "") and proxy.port) or proxy.scheme not in _SCHEMES
        )
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
