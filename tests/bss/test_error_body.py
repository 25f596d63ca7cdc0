"""Error bodies of the BSS in words, without what they quote."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_import.bss.error_body import read_detail
from customer_import.bss.query import equals, literal


def body(**fields: object) -> bytes:
    return json.dumps({"isRetriableError": False, **fields}).encode()


def test_forbidden_and_rate_limit_are_told_apart():
    forbidden = read_detail(body(type="CustomFieldReadOnlyError", code="CustomFieldReadOnly"))
    limited = read_detail(body(type="RateLimitExceededError", code="RateLimitExceeded"))
    assert (forbidden.is_rate_limit, limited.is_rate_limit) == (False, True)


def test_word_of_the_server_on_retries_is_believed():
    assert read_detail(body(isRetriableError=True)).is_retriable is True
    assert read_detail(body()).is_retriable is False
    assert read_detail(b'{"code": "x"}').is_retriable is None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"property": "noteType", "developerMessage": "creditLimit is required."}, ("noteType",)),
        ({"developerMessage": "The creditLimit field is required."}, ("creditLimit",)),
        (
            {"developerMessage": "'Billing Frequency Markup' must be set"},
            ("billingFrequencyMarkup",),
        ),
        ({"developerMessage": 'The "IsAffiliate" field is required.'}, ("isAffiliate",)),
        ({"developerMessage": "The name is too long."}, ()),
        ({"property": 5, "developerMessage": ["taxable"]}, ()),
        ({"value": "taxable"}, ()),
    ],
)
def test_the_field_that_is_complained_of_is_known_from_the_property_or_the_message(fields, named):
    assert read_detail(body(**fields)).fields == named


def test_a_sent_text_that_reads_like_a_field_blames_no_field():
    said = read_detail(body(developerMessage="Taxable Ltd exists"), ["Taxable Ltd"])
    assert said.fields == ()


@pytest.mark.parametrize("raw", [b"", b"<html>", b"[1]", b"null", b'{"type": 5, "entity": {}}'])
def test_other_bodies_say_nothing_and_break_nothing(raw: bytes):
    assert read_detail(raw).is_rate_limit is False


@pytest.mark.parametrize(
    "said",
    [
        "The value 'eleni.private@example.com' is not valid.",
        "eleni.private@example.com is not valid",
        'Contact "Eleni Private" exists',
        "Invalid phone +30 2310 555 019 given",
        "Invalid value: Eleni Private",
    ],
)
def test_values_are_scrubbed(said: str):
    detail = read_detail(body(type="E", property="email", value="Eleni", developerMessage=said))
    for personal in ("Eleni", "eleni", "2310", "example.com"):
        assert personal not in detail.message
    assert "email" in detail.message


@given(st.text())
def test_literal_can_be_read_back(text: str):
    quoted = literal(text)
    assert quoted[0] == quoted[-1] == "'"
    assert quoted[1:-1].replace("''", "\0").count("'") == 0
    assert quoted[1:-1].replace("''", "'") == text


def test_numbers_and_booleans_stay_bare():
    assert equals("accountId", 7) == "accountId eq 7"
    assert literal(True) == "true"
    assert equals("name", "O'Neil & Söhne") == "name eq 'O''Neil & Söhne'"


@pytest.mark.parametrize(
    ("text", "is_own"),
    [(b"", True), (b" ", True), (b"{}", True), (b"<html>Maintenance</html>", False)],
)
def test_a_page_of_somebody_else_is_not_taken_for_the_bss(text: bytes, is_own: bool) -> None:
    assert read_detail(text).is_legible is is_own
