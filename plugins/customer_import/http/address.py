"""The address of a service, parsed once from what a person entered: never glued from its parts.

Credentials go where this says. So https is the default, plain http to another machine needs a word of its own, and
what cannot be meant is refused, naming the field but never its content: people paste secrets into wrong fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from yarl import URL

from customer_import.config.pasted import trim
from customer_import.errors import ConfigurationError
from customer_import.hints import nearest

if TYPE_CHECKING:
    from collections.abc import Callable

    Refuse = Callable[[str, str, str], ConfigurationError]

_DEFAULT_PORTS = {"https": 443, "http": 80}
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
_HIGHEST_PORT = 65_535
_HOST_ALONE = "enter the host alone; the import adds the paths itself"


@dataclass(frozen=True)
class Address:
    """Where a service is.

    Attributes:
        scheme: ``https`` or ``http``.
        host: As it stands in a URL: lower case, IPv6 in brackets.
        port: ``None`` for the scheme's own.
    """

    scheme: str
    host: str
    port: int | None = None

    @property
    def audience(self) -> str:
        """Scheme and host alone: what a token is asked for."""
        return f"{self.scheme}://{self.host}"

    @property
    def base_url(self) -> str:
        """Scheme, host and, unless it is the scheme's own, port."""
        return f"{self.audience}:{self.port}" if self.port else self.audience


def parse_address(
    host: str,
    *,
    source: str,
    path: str = "host",
    schema: str | None = None,
    port: int | None = None,
    conn_type: str | None = None,
    allow_plain_http: bool = False,
    path_hint: str = _HOST_ALONE,
) -> Address:
    """Parse the address of a connection.

    Args:
        host: Host, with or without scheme and port.
        source: For messages, such as ``connection bss_default``.
        path: Field that the host stands in.
        schema: Field of that name; empty for https.
        port: Field of that name.
        conn_type: Airflow's connection type; ``https`` says the scheme too.
        allow_plain_http: Whether the connection says on purpose that plain http is meant.
        path_hint: What to do about a path.

    Raises:
        ConfigurationError: The address cannot be meant; names the field and what to do, never the content.
    """

    def refuse(message: str, field: str, hint: str) -> ConfigurationError:
        return ConfigurationError(message, source=source, path=field, hint=hint)

    url = _parse_url(trim(host), path, path_hint, refuse)
    told = {
        "conn_type": "https" if (conn_type or "").lower() == "https" else "",
        path: url.scheme,
        "schema": trim(schema or "").lower().removesuffix("://").rstrip(":"),
    }
    scheme = _scheme(told, refuse)
    address = Address(scheme, _host(url, path, refuse), _port(url, path, port, scheme, refuse))
    if scheme == "http" and not allow_plain_http and not _is_loopback(url.host or ""):
        field = next(field for field, value in told.items() if value)
        message = "plain http would send passwords and tokens unencrypted"
        hint = (
            "use https, or set allow_plain_http to true in the extra if plain http is really meant"
        )
        raise refuse(message, field, hint)
    return address


def is_host(text: str) -> bool:
    """Whether a text can be the name or the number of a host; other scripts as they are encoded for the network."""
    return _HOST.fullmatch(text) is not None or _ip(text) is not None


def _parse_url(text: str, path: str, path_hint: str, refuse: Refuse) -> URL:
    """Return the parts of a host field; its scheme is empty when the field has none."""
    try:
        url = URL(text if "://" in text else f"//{text}")
        url.explicit_port  # noqa: B018 - read late, and may be out of range
    except ValueError:
        message = "it is not an address"
        raise refuse(message, path, "enter a host such as api.example.com") from None
    if url.user is not None or url.password is not None:
        message = "user and password do not belong here"
        raise refuse(message, path, "put them into the connection's login and password")
    if url.path.strip("/"):
        message = "a path does not belong here"
        raise refuse(message, path, path_hint)
    if url.query_string or url.fragment:
        message = "what follows a question mark or a number sign does not belong here"
        raise refuse(message, path, _HOST_ALONE)
    return url


def _scheme(told: dict[str, str], refuse: Refuse) -> str:
    for field, value in told.items():
        if value and value not in _DEFAULT_PORTS:
            close = nearest(value, _DEFAULT_PORTS)
            message = "the scheme is not known"
            raise refuse(message, field, f"did you mean {close!r}?" if close else "use https")
    said = [(field, value) for field, value in told.items() if value]
    for field, value in said[1:]:
        if value != said[0][1]:
            message = f"it says {value}, but {said[0][0]} says {said[0][1]}"
            raise refuse(message, field, "leave one of them empty; https is the default")
    return said[0][1] if said else "https"


def _host(url: URL, path: str, refuse: Refuse) -> str:
    if not is_host(url.raw_host or ""):
        message = "it is not the name of a host"
        raise refuse(message, path, "enter a host such as api.example.com")
    return url.host_subcomponent or ""


def _port(url: URL, path: str, port: int | None, scheme: str, refuse: Refuse) -> int | None:
    in_host = url.explicit_port
    if in_host is not None and port and in_host != port:
        message = f"it says {port}, but {path} says {in_host}"
        raise refuse(message, "port", "leave one of them empty")
    given, field = (port, "port") if port else (in_host, path)
    if given is None:
        return None
    if not 0 < given <= _HIGHEST_PORT:
        message = f"{given} is not a port"
        raise refuse(message, field, "leave it empty; 443 is the default")
    if scheme == "https" and given == _DEFAULT_PORTS["http"]:
        message = "port 80 is that of plain http"
        raise refuse(message, field, "leave it empty; 443 is the default")
    return None if given == _DEFAULT_PORTS[scheme] else given


def _is_loopback(host: str) -> bool:
    address = _ip(host)
    if address is not None:
        return address.is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
