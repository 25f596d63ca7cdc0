"""Microsoft's clouds by name: where each one signs in, where its Partner Center is, and what that does not have.

The facts and their sources: docs/api/partner-center.md section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from customer_import.connection_types import AUTHORITY, PARTNER_CENTER_HOST
from customer_import.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from customer_import.http.address import Address


class Cloud(StrEnum):
    """Which of Microsoft's clouds the partner tenant is in."""

    GLOBAL = "global"
    CHINA = "china"
    US_GOVERNMENT = "us_government"

    @property
    def place(self) -> CloudPlace:
        """Its addresses and differences."""
        return _PLACES[self]


@dataclass(frozen=True)
class CloudPlace:
    """What differs between the clouds.

    Attributes:
        title: For people.
        authority: Base URL of the sign-in service.
        api_host: Host of Partner Center's API; tokens are asked for it.
        has_audit_records: Whether Partner Center tells who was changed.
    """

    title: str
    authority: str
    api_host: str
    has_audit_records: bool = True


_PLACES: Final = {
    Cloud.GLOBAL: CloudPlace("Microsoft's global cloud", AUTHORITY, PARTNER_CENTER_HOST),
    Cloud.CHINA: CloudPlace(
        "Microsoft's cloud operated by 21Vianet",
        "https://login.partner.microsoftonline.cn",
        "partner.partnercenterapi.microsoftonline.cn",
        has_audit_records=False,
    ),
    Cloud.US_GOVERNMENT: CloudPlace(
        "Microsoft Cloud for US Government",
        "https://login.microsoftonline.us",
        PARTNER_CENTER_HOST,
    ),
}


def clouds_of(url: str) -> frozenset[Cloud]:
    """Return the clouds that have the host of a URL; none for a host that is nobody's, such as a proxy's."""
    host = urlsplit(url).hostname
    return frozenset(
        cloud
        for cloud, place in _PLACES.items()
        if host in {place.api_host, urlsplit(place.authority).hostname}
    )


def check_addresses(cloud: Cloud, addresses: Mapping[str, Address], source: str) -> None:
    """Refuse an address that is known to be another cloud's: a token of one cloud is worth nothing in another.

    Args:
        cloud: The one that is meant.
        addresses: Where each stands in the connection, to the address.
        source: The connection, for messages.

    Raises:
        ConfigurationError: One is another cloud's.
    """
    for path, address in addresses.items():
        clouds = clouds_of(address.base_url)
        if clouds and cloud not in clouds:
            named = " or ".join(sorted(clouds))
            message = f"the address is that of the cloud {named}, and the connection says {cloud}"
            hint = f"empty the field, or make the connection's cloud {named}"
            raise ConfigurationError(message, source=source, path=path, hint=hint)
