"""What both sign-ins say alike: no answer, an answer that is no token, an answer that leads elsewhere.

A sign-in carries secrets, so it follows no redirect, whatever its status: the secrets would arrive there.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from yarl import URL

from customer_import.errors import AuthenticationError, RetriableError
from customer_import.http.exchange import BoundedAdapter
from customer_import.http.no_answer import place_of, why_no_answer
from customer_import.http.proxy import ProxiedSession
from customer_import.http.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Collection

    import requests

_HOST = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,253}")
_REDIRECTS = range(300, 400)
_LIFETIME_S = 3600.0
_MOST_LIFETIME_S = 86_400.0


class SignInSession(ProxiedSession):
    """A ``requests`` session that follows no redirect, and does not even look where one leads."""

    def __init__(self) -> None:
        super().__init__()
        for scheme in ("https://", "http://"):
            self.mount(scheme, BoundedAdapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Tell of no redirect."""


def is_redirect(status: int) -> bool:
    """Whether an answer leads elsewhere: any status of HTTP's class 3xx."""
    return status in _REDIRECTS


def redirected(
    service: str, url: str, status: int, location: str | None, sent: Collection[str]
) -> AuthenticationError:
    """Return the error of a sign-in that was answered with a redirect.

    Args:
        service: Name for messages.
        url: Where the sign-in was sent.
        status: HTTP status.
        location: The header of that name, as answered.
        sent: The secrets; a host that spells one is not named.
    """
    target = _host_of(url, location, sent)
    message = (
        f"the sign-in at {place_of(url)} leads to {target}; nothing was sent there, because a sign-in carries "
        "secrets. Check the address in the connection, and whether a proxy answers in the service's place"
    )
    return AuthenticationError(message, service=service, code=f"HTTP {status}")


def elsewhere(service: str, url: str, told: str, sent: Collection[str]) -> AuthenticationError:
    """Return the error of a sign-in service that wants the secrets at another host than its own.

    Args:
        service: Name for messages.
        url: Where the sign-in service is.
        told: Where it wants them.
        sent: The secrets; a host that spells one is not named.
    """
    message = (
        f"the sign-in service at {place_of(url)} wants the secrets sent to {_host_of(url, told, sent)}; nothing was "
        "sent there. Check the address in the connection, and whether a proxy answers in the service's place"
    )
    return AuthenticationError(message, service=service)


def not_had(
    service: str,
    endpoint: str,
    message: str,
    *,
    status: int | None = None,
    code: str | None = None,
    retry_after: float | None = None,
) -> RetriableError:
    """Return the error of a token that was not had; whatever was to be sent with it has not left."""
    return RetriableError(
        message,
        service=service,
        endpoint=endpoint,
        status=status,
        code=code,
        retry_after=retry_after,
        is_sent=False,
    )


def unanswered(service: str, endpoint: str, error: Exception, url: str) -> RetriableError:
    """Return the error of a sign-in that got no answer, in words with the host."""
    return not_had(service, endpoint, why_no_answer(error, url).message)


def out_of_order(
    service: str, endpoint: str, url: str, status: int, retry_after: float | None = None
) -> RetriableError:
    """Return the error of a sign-in that answered, but neither with a token nor with a refusal."""
    message = f"the sign-in at {place_of(url)} answered, but is out of order"
    return not_had(service, endpoint, message, status=status, retry_after=retry_after)


def lifetime_s(value: object) -> float:
    """Return a token's lifetime in seconds, at most a day; an hour when the answer does not tell it."""
    try:
        lifetime = float(value) if isinstance(value, str | int | float) else math.nan
    except (ValueError, OverflowError):
        lifetime = math.nan
    return min(lifetime, _MOST_LIFETIME_S) if lifetime > 0 else _LIFETIME_S


def _host_of(url: str, location: str | None, sent: Collection[str]) -> str:
    """Return scheme and host that an answer names, as far as it is safe to show."""
    try:
        target = URL(url).join(URL((location or "")[:2_000]))
        host = target.host_subcomponent or ""
    except ValueError:
        host = ""
    if not location or not _HOST.fullmatch(host) or redact(host, sent) != host:
        return "another address"
    return f"{target.scheme}://{host}" if target.scheme in {"http", "https"} else host
