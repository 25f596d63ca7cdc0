"""A cloud by name: addresses and token audience follow from it, what is given wins, what contradicts is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from customer_import.errors import ConfigurationError
from customer_import.partner_center.clouds import Cloud
from customer_import.partner_center.hook import ConnectionSettings, read_connection

GLOBAL = "https://login.microsoftonline.com"
GLOBAL_API = "https://api.partnercenter.microsoft.com"
CHINA = "https://login.partner.microsoftonline.cn"
CHINA_API = "https://partner.partnercenterapi.microsoftonline.cn"


def settings(host: str = "", **extra: Any) -> ConnectionSettings:
    return read_connection(
        Connection(
            conn_id="pc",
            conn_type="partner_center",
            host=host,
            login="client",
            password="hidden-value",
            extra=json.dumps({"tenant_id": "t", **extra}),
        ),
        "pc",
    )


@pytest.mark.parametrize(
    ("given", "authority", "api", "cloud"),
    [
        ({}, GLOBAL, GLOBAL_API, "global"),
        ({"cloud": None}, GLOBAL, GLOBAL_API, "global"),
        ({"cloud": "china"}, CHINA, CHINA_API, "china"),
        ({"cloud": "us_government"}, "https://login.microsoftonline.us", GLOBAL_API, "us_government"),
        # Connections that were made before a cloud could be named.
        ({"authority": CHINA}, CHINA, CHINA_API, "china"),
        ({"host": CHINA_API}, CHINA, CHINA_API, "china"),
        ({"authority": GLOBAL, "host": GLOBAL_API}, GLOBAL, GLOBAL_API, "global"),
        # A host of nobody's, such as a gateway of one's own, stands beside any cloud.
        ({"cloud": "china", "authority": "https://sign-in.example"}, "https://sign-in.example", CHINA_API, "china"),
        ({"cloud": "china", "host": "api.example"}, CHINA, "https://api.example", "china"),
    ],
)  # fmt: skip
def test_a_cloud_decides_what_is_left_empty(
    given: dict[str, Any], authority: str, api: str, cloud: str
) -> None:
    found = settings(**given)
    assert (found.credentials.authority, found.base_url, found.cloud) == (authority, api, cloud)
    assert found.credentials.resource == api


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"cloud": "china", "authority": GLOBAL}, "extra.authority: the address is that of the cloud global, and"),
        ({"cloud": "us_government", "host": CHINA_API}, "at host: the address is that of the cloud china, and"),
        ({"cloud": "chinaa"}, "extra.cloud: must be one of global, china, us_government"),
    ],
)  # fmt: skip
def test_what_contradicts_is_told(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        settings(**given)


def test_only_21vianets_cloud_lacks_audit_records() -> None:
    assert [cloud for cloud in Cloud if not cloud.place.has_audit_records] == [Cloud.CHINA]
