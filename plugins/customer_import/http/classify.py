"""Decides what an HTTP answer means: the one place where answers become errors of ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

import re2

from customer_import.errors import ApiError, RejectedRequestError, RetriableError, ThrottledError
from customer_import.http.clock import clock_offset_s

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

MAX_RETRY_AFTER_S = 3600.0
_LONGEST_RETRY_AFTER = 100
_SECONDS = re2.compile(r"-?\d{1,9}(?:\.\d{1,9})?")
_TOLD_WITHIN = 2_000
_TOLD_WAIT = re2.compile(
    r"(?i)\b(?:try|retry|wait)\b[^\d]{0,60}\b(\d{1,6})\s{0,5}(s|m)(?:ec|in|\b)"
)
_TOLD_SPAN = re2.compile(
    r"(?i)\b(?:try|retry|wait|replenished)\b[^\d]{0,60}\b(\d{1,2}):(\d{2}):(\d{2})\b"
)
_LIMIT = re2.compile(r"(?i)rate.?limit|too.?many.?requests|throttl|call volume")
_TRANSIENT = frozenset({302, 303, 307, 408, 425, 429})
"""A redirect for now leads away from a service that is not there itself, such as to a page about its maintenance."""
_AWAY = frozenset({502, 503, 504})
"""Said of the service, never of a request, whatever else the answer says."""
_NOT_IMPLEMENTED = 501
_FORBIDDEN = 403
_OF_ONE_THING = frozenset({_FORBIDDEN, 404})
"""They say that a thing may not be seen or is not there; only the service itself can say that."""


@dataclass(frozen=True)
class ErrorDetail:
    """What an error body says, without personal data.

    Attributes:
        code: The service's code as text.
        message: Its reason in words; empty when the body says nothing.
        is_retriable: The service's own word on a retry, when it gives one.
        is_rate_limit: Whether the body says that a limit was hit.
        is_legible: Whether the body is one of the service's own; others come from a proxy, or were broken on the way.
        fields: Names of the sent fields that it complains of, as far as it names them.
    """

    code: str | None = None
    message: str = ""
    is_retriable: bool | None = None
    is_rate_limit: bool = False
    is_legible: bool = True
    fields: tuple[str, ...] = ()


class DetailReader(Protocol):
    """A service's reader of error bodies; it must not let through what was sent, which a server may quote."""

    def __call__(self, body: bytes, request_texts: Collection[str] = ()) -> ErrorDetail:
        """Read a body; ``request_texts`` is what the request carried."""


def is_transient(status: int) -> bool:
    """Whether the same request may succeed later: 302, 303, 307, 408, 425, 429 and 5xx; not 501, which no wait changes.

    An interim answer (1xx) that is left for the last one is none.
    """
    is_final = 200 <= status < 500 or status == _NOT_IMPLEMENTED  # noqa: PLR2004 - HTTP's own classes
    return status in _TRANSIENT or not is_final


def classify(
    *,
    service: str,
    endpoint: str,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    read_detail: Callable[[bytes], ErrorDetail],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> ApiError | None:
    """Return the error that an answer stands for; ``None`` when it is a success.

    A transient status is retriable, so is what the service itself calls retriable, and a 403 or 404 that is not in
    the service's own words. A 403 that speaks of a limit, or says when to come back, is one (gateways refuse so what
    is beyond a quota). Everything else is final for this request. 401 is returned like them: the session handles it,
    because only it can renew the token.

    Args:
        service: Name for messages.
        endpoint: Method and path template for messages.
        status: HTTP status.
        headers: Answer headers; ``Retry-After`` is read in seconds and as a date.
        body: Answer body; looked into by ``read_detail``, and for a wait that is told in words.
        read_detail: The service's reader of error bodies.
        now: UTC clock, for a Retry-After date.
    """
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own class of success
        return None
    detail = read_detail(body)
    message = detail.message or f"answered with status {status}"
    retry_after = asked_wait_s(headers, now(), body)
    is_limit = detail.is_rate_limit or (
        status == _FORBIDDEN
        and (retry_after is not None or _LIMIT.search(detail.message) is not None)
    )
    if status == 429 or is_limit:  # noqa: PLR2004
        return ThrottledError(
            message,
            service=service,
            endpoint=endpoint,
            status=status,
            code=detail.code,
            retry_after=retry_after,
            is_sent=False,
        )
    may_pass = is_transient(status) or (status in _OF_ONE_THING and not detail.is_legible)
    is_believed = detail.is_retriable is not None and status not in _AWAY
    if detail.is_retriable if is_believed else may_pass:
        return RetriableError(
            message,
            service=service,
            endpoint=endpoint,
            status=status,
            code=detail.code,
            retry_after=retry_after,
        )
    return RejectedRequestError(
        message,
        service=service,
        endpoint=endpoint,
        status=status,
        code=detail.code,
        fields=detail.fields,
    )


def asked_wait_s(headers: Mapping[str, str], now: datetime, body: bytes = b"") -> float | None:
    """Return the seconds that an answer asks to wait: in ``Retry-After``, else in the words of its body.

    A date is by the server's own clock.
    """
    ahead_s = clock_offset_s(headers.get("Date"), now) or 0.0
    asked = retry_after_s(headers.get("Retry-After"), now, ahead_s)
    return told_wait_s(body) if asked is None else asked


def retry_after_s(value: str | None, now: datetime, ahead_s: float = 0.0) -> float | None:
    """Return the seconds of a ``Retry-After`` header in either form, capped; ``None`` when there is none to be read.

    Args:
        value: The header.
        now: UTC, by this machine's clock.
        ahead_s: By how many seconds that clock is ahead of the server's.
    """
    value = (value or "").strip()
    if not value or len(value) > _LONGEST_RETRY_AFTER:
        return None
    try:
        wait = float(value) if _SECONDS.fullmatch(value) else _seconds_until(value, now) + ahead_s
    except (
        ValueError,
        TypeError,
        OverflowError,
        IndexError,
    ):  # what a date's parser raises of nonsense
        return None
    return min(max(wait, 0.0), MAX_RETRY_AFTER_S)


def told_wait_s(body: bytes) -> float | None:
    """Return the seconds that the beginning of an error body asks to wait, capped: "Try again in 57 seconds".

    Partner Center's gateway says it there and nowhere else when it throttles; of a quota, "replenished in 00:00:57".
    """
    text = body[:_TOLD_WITHIN].decode(errors="replace")
    if (found := _TOLD_WAIT.search(text)) is not None:
        seconds = float(found[1]) * (60 if found[2].lower() == "m" else 1)
    elif (span := _TOLD_SPAN.search(text)) is not None:
        hours, minutes, rest = map(int, span.groups())
        seconds = float(hours * 3600 + minutes * 60 + rest)
    else:
        return None
    return min(seconds, MAX_RETRY_AFTER_S)


def _seconds_until(date: str, now: datetime) -> float:
    moment = parsedate_to_datetime(date)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp()
