"""Says in words why a request has no answer: which host, what happened there, and what to do about it.

For ``aiohttp`` and ``requests`` alike: both wrap what the operating system and TLS said, and that is looked for.
"""

from __future__ import annotations

import errno
import re
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
import requests
import urllib3
from yarl import URL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_MOST_CAUSES = 20
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
_NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL"})
_TUNNEL = re.compile(r"Tunnel connection failed: (\d{3})")
_CONNECT_ERRORS = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    urllib3.exceptions.ConnectTimeoutError,
    ConnectionRefusedError,
    socket.gaierror,
    ssl.SSLCertVerificationError,
)
_TIMEOUTS = (TimeoutError, requests.Timeout, urllib3.exceptions.ReadTimeoutError)


@dataclass(frozen=True)
class NoAnswer:
    """Why there is no answer.

    Attributes:
        message: In words, with the host.
        is_sent: Whether the request may have reached the server.
    """

    message: str
    is_sent: bool


def why_no_answer(error: BaseException, url: str, timeout_s: float | None = None) -> NoAnswer:
    """Return in words why a request has no answer.

    Args:
        error: What the HTTP client raised.
        url: Where the request went; only its host and port are named.
        timeout_s: How long an answer was waited for, when that is known.
    """
    causes = tuple(_causes(error))
    place = place_of(url)
    if any(map(_is_before_sending, causes)):
        message = f"cannot connect to {place}{_through(causes)}: {_connect_words(causes)}"
        return NoAnswer(message, is_sent=False)
    if any(isinstance(cause, _TIMEOUTS) for cause in causes):
        within = f"within {timeout_s:.0f} s" if timeout_s else "in time"
        return NoAnswer(f"no answer {within} from {place}", is_sent=True)
    return NoAnswer(f"the connection to {place} broke ({type(error).__name__})", is_sent=True)


def place_of(url: str) -> str:
    """Return host and, unless it is the scheme's own, port of a URL: what a message may show of it."""
    parts = URL(url)
    port = "" if parts.is_default_port() or parts.port is None else f":{parts.port}"
    return f"{parts.host_subcomponent or 'the host'}{port}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and what it wraps on purpose; what merely happened before may be of another attempt."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _MOST_CAUSES:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        waiting += [cause.__cause__, getattr(cause, "reason", None), *cause.args]


def _is_before_sending(cause: BaseException) -> bool:
    return (
        isinstance(cause, _CONNECT_ERRORS)
        or _is_not_tls(cause)
        or (isinstance(cause, OSError) and _TUNNEL.match(str(cause)) is not None)
    )


def _is_not_tls(cause: BaseException) -> bool:
    return isinstance(cause, ssl.SSLError) and _said(cause, "reason") in _NOT_TLS


def _said(cause: BaseException, name: str) -> str:
    """Return what TLS said; aiohttp's errors are of ssl's classes too, but say nothing themselves."""
    return str(getattr(cause, name, None) or "")


def _through(causes: Sequence[BaseException]) -> str:
    for cause in causes:
        if isinstance(cause, aiohttp.ClientProxyConnectionError):
            return f" through the proxy {cause.host}:{cause.port}"
        if isinstance(cause, aiohttp.ClientHttpProxyError | requests.exceptions.ProxyError):
            return " through the proxy"
    return ""


def _connect_words(causes: Sequence[BaseException]) -> str:
    return next(
        filter(None, map(_words, causes)), "no connection in time; a firewall may be between"
    )


def _words(cause: BaseException) -> str | None:  # noqa: PLR0911 - one line each
    if isinstance(cause, socket.gaierror):
        return (
            "the name cannot be resolved; check the host of the connection and this machine's DNS"
        )
    if isinstance(cause, ConnectionRefusedError):
        return "the connection was refused; check host and port of the connection"
    if isinstance(cause, ssl.SSLCertVerificationError) and (why := _said(cause, "verify_message")):
        hint = "name the authority's PEM file in ca_file of the connection if it is one of your own"
        return f"its certificate is not accepted ({why}); {hint}"
    if _is_not_tls(cause):
        return "it does not speak TLS there; check host and port of the connection"
    if isinstance(cause, ssl.SSLError) and (why := _said(cause, "reason")):
        return f"TLS failed ({why})"
    if isinstance(cause, aiohttp.ClientHttpProxyError):
        return f"the proxy answered HTTP {cause.status}"
    if isinstance(cause, OSError) and cause.errno in _NO_WAY:
        return "there is no way to it; check the network, firewall and proxy of this machine"
    if tunnel := _TUNNEL.match(str(cause)):
        return f"the proxy answered HTTP {tunnel[1]}"
    return None
