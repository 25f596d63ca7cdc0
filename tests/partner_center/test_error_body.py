from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_import.errors import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    RejectedRequestError,
    RetriableError,
)
from customer_import.http.classify import classify
from customer_import.partner_center.error_body import not_a_provider, read_detail, run_ending_error


def refusal(status: int, code: str | None, reason: str = "no") -> RejectedRequestError:
    return RejectedRequestError(
        reason, service="Partner Center", endpoint="GET /v1/x", status=status, code=code
    )


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"code": 20002, "description": "No relationship.", "data": []}', "20002", "No relat"),
        (b'{"code": "20002", "description": "No relationship."}', "20002", "No relationship."),
        (b'\xef\xbb\xbf{"code": 1002, "description": "x"}', "1002", "x"),
        (b'{"statusCode": 429, "message": "Rate limit is exceeded."}', "429", "Rate limit"),
        (b'{"code": 1, "description": null}', "1", ""),
        (b"", None, ""),
        (b"<html>gateway</html>", None, ""),
        (b'"text"', None, ""),
        (b'{"code": {"a": 1}, "description": ["x"]}', None, ""),
    ],
)
def test_error_bodies_are_read_in_every_shape(body: bytes, code: str | None, message: str) -> None:
    detail = read_detail(body)
    assert detail.code == code
    assert detail.message.startswith(message)
    assert bool(detail.message) == bool(message)


def test_an_address_in_a_description_is_not_kept() -> None:
    detail = read_detail(b'{"code": 1, "description": "User anna@dokimi.example is unknown"}')
    assert detail.message == "User … is unknown"


@given(st.binary(max_size=300))
def test_no_body_breaks_the_reader(body: bytes) -> None:
    assert len(read_detail(body).message) <= 200


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("900329", "app_user"),
        ("2032", "agent"),
        ("900150", "agent"),
        ("900308", "agent"),
        ("900309", "Conditional Access"),
        ("90000", "Conditional Access"),
    ],
)
def test_refusals_of_token_and_role_end_the_run_in_words(code: str, words: str) -> None:
    error = run_ending_error(refusal(403, code))
    assert isinstance(error, AuthenticationError)
    assert words in str(error)
    assert error.code == code


def test_a_missing_role_is_known_by_its_text_too() -> None:
    reason = "The supplied role does not have the rights to perform the operation"
    assert run_ending_error(refusal(403, None, reason)) is not None


@pytest.mark.parametrize(
    ("status", "code"), [(403, "20002"), (403, "1002"), (403, None), (404, "900329"), (400, "2032")]
)
def test_other_refusals_are_about_one_customer(status: int, code: str | None) -> None:
    assert run_ending_error(refusal(status, code)) is None


def test_1002_on_the_resellers_means_no_provider() -> None:
    assert isinstance(not_a_provider(refusal(403, "1002")), ConfigurationError)
    assert not_a_provider(refusal(403, "20002")) is None


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("body", [b"", b"<html>blocked</html>", b'{"code": "200'])
def test_only_partner_centers_own_words_say_that_a_customer_left(status: int, body: bytes) -> None:
    def meant(body: bytes) -> ApiError | None:

        return classify(
            service="Partner Center",
            endpoint="GET /v1/customers/{id}",
            status=status,
            headers={},
            body=body,
            read_detail=read_detail,
        )

    assert isinstance(meant(body), RetriableError)
    assert isinstance(
        meant(b'{"code": 20002, "description": "No relationship"}'), RejectedRequestError
    )
