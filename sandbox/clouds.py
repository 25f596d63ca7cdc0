"""The hosts' names of Microsoft's clouds, which the sandbox can take on, and what one of them does not have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Cloud(StrEnum):
    """A cloud that the sandbox plays."""

    GLOBAL = "global"
    CHINA = "china"
    US_GOVERNMENT = "us_government"


@dataclass(frozen=True, slots=True)
class CloudHosts:
    """Names of one cloud.

    Attributes:
        sign_in: Host of Entra ID.
        api: Host of Partner Center.
    """

    sign_in: str
    api: str


HOSTS = {
    Cloud.GLOBAL: CloudHosts("login.microsoftonline.com", "api.partnercenter.microsoft.com"),
    Cloud.CHINA: CloudHosts(
        "login.partner.microsoftonline.cn", "partner.partnercenterapi.microsoftonline.cn"
    ),
    Cloud.US_GOVERNMENT: CloudHosts("login.microsoftonline.us", "api.partnercenter.microsoft.com"),
}
SIGN_IN_HOSTS = tuple(hosts.sign_in for hosts in HOSTS.values())
API_HOSTS = tuple(dict.fromkeys(hosts.api for hosts in HOSTS.values()))
WITHOUT_AUDIT_RECORDS = frozenset({Cloud.CHINA})
DEVICE_LOGIN = {
    Cloud.GLOBAL: "https://microsoft.com/devicelogin",
    Cloud.CHINA: "https://microsoft.com/deviceloginchina",
    Cloud.US_GOVERNMENT: "https://microsoft.com/deviceloginus",
}
"""Where a person enters the code; a client has to show what it is told, never an address of its own."""
