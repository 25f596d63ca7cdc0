"""The connection types that Airflow shows a form for, as a provider declares them.

Pure data, in the form of the key ``connection-types`` of a provider's information: Airflow reads it in processes that
never import a hook. A form field that is not a standard one stands in the connection's extra, under the field's name;
Airflow encrypts the extra and masks in it whatever has a name such as ``client_secret``.
"""

from __future__ import annotations

from typing import Any, Final

PARTNER_CENTER: Final = "partner_center"
INTERWORKS_BSS: Final = "interworks_bss"

PARTNER_CENTER_HOST: Final = "api.partnercenter.microsoft.com"
AUTHORITY: Final = "https://login.microsoftonline.com"

_TEXT: Final = {"type": ["string", "null"]}
_TRANSPORT: Final = {
    "ca_file": {
        "label": "CA file",
        "description": "PEM file of a private certificate authority that every worker can read; empty for the system's",
        "schema": _TEXT,
    },
    "allow_plain_http": {
        "label": "Allow plain http",
        "description": "Send passwords and tokens without encryption to a host other than this machine; for tests only",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
}

CONNECTION_TYPES: Final[list[dict[str, Any]]] = [
    {
        "connection-type": PARTNER_CENTER,
        "hook-name": "Microsoft Partner Center",
        "hook-class-name": "customer_import.partner_center.hook.PartnerCenterHook",
        "ui-field-behaviour": {
            "hidden-fields": [],
            "relabeling": {
                "host": "API host",
                "schema": "Protocol",
                "login": "Application (client) id",
                "password": "Client secret",
            },
            "placeholders": {
                "host": PARTNER_CENTER_HOST,
                "schema": "https",
                "port": "443",
                "login": "00000000-0000-0000-0000-000000000000",
            },
        },
        "conn-fields": {
            "tenant_id": {
                "label": "Partner tenant id",
                "description": "Id of the partner's own Microsoft Entra tenant",
                "schema": {"type": "string"},
            },
            "flow": {
                "label": "Sign-in flow",
                "description": "app_user (App+User), which the indirect import needs, or app_only, without a person",
                "schema": {
                    "type": "string",
                    "enum": ["app_only", "app_user"],
                    "default": "app_only",
                },
            },
            "refresh_token_variable": {
                "label": "Variable of the refresh token",
                "description": "Name of the Airflow Variable that holds the refresh token; needed by app_user only",
                "schema": _TEXT,
            },
            "cloud": {
                "label": "Cloud",
                "description": "global (when empty), china (operated by 21Vianet) or us_government; API host, sign-in "
                "address and token audience follow from it when their fields are empty",
                "schema": {
                    "type": ["string", "null"],
                    "enum": [None, "global", "china", "us_government"],
                },
            },
            "authority": {
                "label": "Sign-in address",
                "description": "Address of Microsoft Entra ID without a tenant; empty for the cloud's",
                "schema": _TEXT,
            },
            "scope_base": {
                "label": "Token audience",
                "description": "Address that tokens are asked for; empty for that of the API host",
                "schema": _TEXT,
            },
            **_TRANSPORT,
        },
    },
    {
        "connection-type": INTERWORKS_BSS,
        "hook-name": "interworks.cloud BSS",
        "hook-class-name": "customer_import.bss.hook.BssHook",
        "ui-field-behaviour": {
            "hidden-fields": [],
            "relabeling": {
                "host": "BSS host",
                "schema": "Protocol",
                "login": "Application user",
                "password": "Application user's password",
            },
            "placeholders": {"host": "bss.example.com", "schema": "https", "port": "443"},
        },
        "conn-fields": {
            "client_key": {
                "label": "Client key",
                "description": "Client key of BSS > Setup > API Credentials",
                "schema": {"type": "string"},
            },
            "client_secret": {
                "label": "Client secret",
                "description": "Client secret of the same API credentials",
                "schema": {"type": ["string", "null"], "format": "password"},
            },
            **_TRANSPORT,
        },
    },
]
"""For the key ``connection-types`` of the provider's information."""
