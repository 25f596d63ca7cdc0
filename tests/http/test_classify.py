from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from customer_import.errors import RejectedRequestError, RetriableError, ThrottledError
from customer_import.http.classify import (
    MAX_RETRY_AFTER_S,
    ErrorDetail,
    asked_wait_s,
    classify,
    retry_after_s,
)

NOW = datetime(2026, 7, 1, 12, 0, 0, tzinfo=UTC)


def of(status: int, detail: ErrorDetail | None = None, headers: dict[str, str] | None = None):
    return classify(
        service="Test",
        endpoint="GET /thing",
        status=status,
        headers=headers or {},
        body=b"",
        read_detail=lambda _: detail or ErrorDetail(),
        now=lambda: NOW,
    )


@pytest.mark.parametrize("status", [200, 201, 204])
def test_success_is_no_error(status: int) -> None:
    assert of(status) is None


@pytest.mark.parametrize("status", [302, 303, 307, 408, 425, 500, 502, 503, 504, 507, 522])
def test_what_may_pass_is_retriable(status: int) -> None:
    assert type(of(status)) is RetriableError


@pytest.mark.parametrize("status", [301, 308, 400, 401, 403, 404, 409, 412, 501])
def test_other_refusals_are_final(status: int) -> None:
    assert type(of(status)) is RejectedRequestError


def test_throttling_was_not_carried_out() -> None:
    error = of(429, headers={"Retry-After": "57"})
    assert isinstance(error, ThrottledError)
    assert (error.retry_after, error.is_sent) == (57.0, False)


@pytest.mark.parametrize("wrong_by", [timedelta(hours=-2), timedelta(hours=2), timedelta()])
def test_a_date_to_come_back_at_is_by_the_servers_clock(wrong_by: timedelta) -> None:
    headers = {
        "Date": "Wed, 01 Jul 2026 12:00:00 GMT",
        "Retry-After": "Wed, 01 Jul 2026 12:00:30 GMT",
    }
    assert asked_wait_s(headers, NOW + wrong_by) == 30.0
    assert asked_wait_s(headers | {"Retry-After": "7"}, NOW + wrong_by) == 7.0
    assert asked_wait_s(headers | {"Date": "today"}, NOW) == 30.0


@pytest.mark.parametrize(
    "date",
    [
        "Fri, 31 Dec 9999 23:59:59 -1200",
        "Mon, 01 Jan 0001 00:00:00 +1200",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999",
    ],
)
def test_a_date_at_the_end_of_time_does_no_harm(date: str) -> None:
    assert asked_wait_s({"Date": date}, NOW) is None
    assert asked_wait_s({"Date": date, "Retry-After": "7"}, NOW) == 7.0
    waits = {"Date": date, "Retry-After": "Wed, 01 Jul 2026 12:00:30 GMT"}
    assert 0.0 <= (asked_wait_s(waits, NOW) or 0.0) <= MAX_RETRY_AFTER_S


def test_a_wait_is_told_in_the_header_or_in_words() -> None:
    body = b'{"statusCode":429,"message":"Rate limit is exceeded. Try again in 57 seconds."}'
    assert asked_wait_s({}, NOW, body) == 57.0
    assert asked_wait_s({"Retry-After": "7"}, NOW, body) == 7.0


def test_a_rate_limit_in_the_body_of_a_403_is_throttling() -> None:
    assert isinstance(of(403, ErrorDetail(is_rate_limit=True)), ThrottledError)


def test_the_services_own_word_on_a_retry_is_believed() -> None:
    assert type(of(400, ErrorDetail(is_retriable=True))) is RetriableError
    assert type(of(500, ErrorDetail(is_retriable=False))) is RejectedRequestError


@pytest.mark.parametrize("status", [502, 503, 504])
def test_no_word_of_a_body_makes_an_absence_final(status: int) -> None:
    assert type(of(status, ErrorDetail(is_retriable=False))) is RetriableError


@pytest.mark.parametrize(
    ("message", "headers", "wait"),
    [
        ("Call volume exceeded", {}, None),
        ("Rate limit is exceeded", {}, None),
        ("Forbidden", {"Retry-After": "3"}, 3.0),
        ("Forbidden", {"Retry-After": "Wed, 01 Jul 2026 12:00:30 GMT"}, 30.0),
    ],
)
def test_a_403_that_speaks_of_a_limit_or_of_a_time_is_one(
    message: str, headers: dict[str, str], wait: float | None
) -> None:
    error = of(403, ErrorDetail(message=message, is_retriable=False), headers)
    assert isinstance(error, ThrottledError)
    assert (error.retry_after, error.is_sent) == (wait, False)
    assert type(of(400, ErrorDetail(message=message), headers)) is RejectedRequestError


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("Out of call volume quota. Quota will be replenished in 00:01:30.", 90.0),
        ("Retry after 01:00:05", 3600.0),
        ("Made at 12:00:30, try later", None),
    ],
)
def test_a_wait_may_be_told_as_hours_minutes_and_seconds(said: str, wait: float | None) -> None:
    body = f'{{"statusCode": 403, "message": "{said}"}}'.encode()
    assert asked_wait_s({}, NOW, body) == wait


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("57", 57.0),
        (" 1.5 ", 1.5),
        ("-3", 0.0),
        ("999999", 3600.0),
        ("Wed, 01 Jul 2026 12:00:30 GMT", 30.0),
        ("Wed, 01 Jul 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, NOW) == seconds
