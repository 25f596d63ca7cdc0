"""What people enter as an address, what is meant by it, and what is refused in words."""

from __future__ import annotations

from typing import Any

import pytest

from customer_import.config.pasted import trim
from customer_import.errors import ConfigurationError
from customer_import.http.address import parse_address

HOST = "api.partnercenter.microsoft.com"


@pytest.mark.parametrize(
    ("parts", "base_url"),
    [
        ({"host": HOST}, f"https://{HOST}"),
        ({"host": HOST, "schema": ""}, f"https://{HOST}"),
        ({"host": HOST, "schema": "https", "conn_type": "http"}, f"https://{HOST}"),
        ({"host": HOST, "conn_type": "https"}, f"https://{HOST}"),
        ({"host": HOST, "conn_type": "HTTPS"}, f"https://{HOST}"),
        ({"host": HOST, "port": 443}, f"https://{HOST}"),
        ({"host": HOST, "port": 443, "schema": "https", "conn_type": "http"}, f"https://{HOST}"),
        ({"host": HOST, "schema": "https://"}, f"https://{HOST}"),
        ({"host": HOST, "schema": " HTTPS\n"}, f"https://{HOST}"),
        ({"host": HOST, "schema": "https:"}, f"https://{HOST}"),
        ({"host": f"https://{HOST}", "schema": "https"}, f"https://{HOST}"),
        ({"host": f" \tHTTPS://{HOST.upper()}:443/\n"}, f"https://{HOST}"),
        ({"host": f"\u200b{HOST}\u2060"}, f"https://{HOST}"),
        ({"host": f"{HOST}:8443"}, f"https://{HOST}:8443"),
        ({"host": f"{HOST}:8443", "port": 8443}, f"https://{HOST}:8443"),
        ({"host": HOST, "port": 8443}, f"https://{HOST}:8443"),
        ({"host": f"{HOST}/"}, f"https://{HOST}"),
        ({"host": "bss_internal"}, "https://bss_internal"),
        ({"host": "müller.example"}, "https://xn--mller-kva.example"),
        ({"host": "[2001:DB8::1]:8443"}, "https://[2001:db8::1]:8443"),
        ({"host": "http://127.0.0.1:8080"}, "http://127.0.0.1:8080"),
        ({"host": "127.8.0.1", "schema": "http", "port": 80}, "http://127.8.0.1"),
        ({"host": "localhost", "schema": "http"}, "http://localhost"),
        ({"host": "[::1]", "schema": "http", "port": 8080}, "http://[::1]:8080"),
        ({"host": "sandbox", "schema": "http", "allow_plain_http": True}, "http://sandbox"),
    ],
)
def test_what_is_meant_is_understood(parts: dict[str, Any], base_url: str) -> None:
    assert parse_address(source="connection c", **parts).base_url == base_url


@pytest.mark.parametrize(
    ("parts", "audience"),
    [
        ({"host": HOST, "port": 443}, f"https://{HOST}"),
        ({"host": f"HTTPS://{HOST.upper()}:8443/"}, f"https://{HOST}"),
        ({"host": "[::1]", "port": 8443}, "https://[::1]"),
    ],
)
def test_the_audience_is_scheme_and_host_alone(parts: dict[str, Any], audience: str) -> None:
    assert parse_address(source="connection c", **parts).audience == audience


@pytest.mark.parametrize(
    ("parts", "field", "words"),
    [
        ({"host": HOST, "schema": "http"}, "schema", "allow_plain_http"),
        ({"host": f"http://{HOST}"}, "host", "unencrypted"),
        ({"host": "127.0.0.1.example.com", "schema": "http"}, "schema", "unencrypted"),
        ({"host": "localhost.example.com", "schema": "http"}, "schema", "unencrypted"),
        ({"host": f"{HOST}/v1"}, "host", "a path"),
        ({"host": f"https://{HOST}/v1/"}, "host", "a path"),
        ({"host": f"https:/{HOST}"}, "host", "a path"),
        ({"host": f"//{HOST}"}, "host", "a path"),
        ({"host": f"{HOST}?tenant=1"}, "host", "question mark"),
        ({"host": f"{HOST}#part"}, "host", "number sign"),
        ({"host": f"user:hidden@{HOST}"}, "host", "user and password"),
        ({"host": f"https://hidden@{HOST}"}, "host", "user and password"),
        ({"host": f"ftp://{HOST}"}, "host", "use https"),
        ({"host": HOST, "schema": "htps"}, "schema", "did you mean 'https'"),
        ({"host": HOST, "schema": "v1"}, "schema", "the scheme is not known"),
        ({"host": f"http://{HOST}", "schema": "https"}, "schema", "host says http"),
        ({"host": f"https://{HOST}", "schema": "http"}, "schema", "host says https"),
        ({"host": HOST, "schema": "http", "conn_type": "https"}, "schema", "conn_type says https"),
        ({"host": f"{HOST}:8443", "port": 9443}, "port", "host says 8443"),
        ({"host": HOST, "port": 80}, "port", "plain http"),
        ({"host": f"{HOST}:80"}, "host", "plain http"),
        ({"host": HOST, "port": 70_000}, "port", "not a port"),
        ({"host": f"{HOST}:0"}, "host", "not a port"),
        ({"host": f"{HOST}:70000"}, "host", "not an address"),
        ({"host": f"{HOST}:hidden"}, "host", "not an address"),
        ({"host": ""}, "host", "not the name of a host"),
        ({"host": "https://"}, "host", "not the name of a host"),
        ({"host": "api example.com"}, "host", "not the name of a host"),
        ({"host": "api.\u200bexample.com"}, "host", "not an address"),
        ({"host": "api.example.com\\hidden"}, "host", "not an address"),
        ({"host": "2001:db8::1"}, "host", "not an address"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_field_and_hint(
    parts: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        parse_address(source="connection c", **parts)
    assert (caught.value.source, caught.value.path) == ("connection c", field)
    assert caught.value.hint
    assert "hidden" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_another_field_is_named_and_has_a_hint_of_its_own() -> None:
    with pytest.raises(ConfigurationError, match=r"at extra\.authority: a path .* tenant_id"):
        parse_address(
            f"https://{HOST}/contoso.example",
            source="connection c",
            path="extra.authority",
            path_hint="the tenant stands in tenant_id",
        )


@pytest.mark.parametrize(
    ("text", "trimmed"),
    [
        ("secret\n", "secret"),
        ("\ufeff a b \u00a0\r\n", "a b"),
        ("\u200b\u202aid\u202c", "id"),
        (" \u2060\n", ""),
        ("inner\u200bstays", "inner\u200bstays"),
    ],
)
def test_blanks_and_invisible_characters_at_the_ends_are_trimmed(text: str, trimmed: str) -> None:
    assert trim(text) == trimmed
