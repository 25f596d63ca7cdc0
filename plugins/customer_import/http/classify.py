"""Decides what an HTTP answer means: the one place where answers become errors of ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Protocol

from customer_import.errors import ApiError, RejectedRequestError, RetriableError, ThrottledError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

MAX_RETRY_AFTER_S = 3600.0
_TRANSIENT = frozenset({408, 425, 429})
_NOT_IMPLEMENTED = 501


@dataclass(frozen=True)
class ErrorDetail:
    """What an error body says, without personal data.

    Attributes:
        code: The service's code as text.
        message: Its reason in words; empty when the body says nothing.
        is_retriable: The service's own word on a retry, when it gives one.
        is_rate_limit: Whether the body says that a limit was hit.
    """

    code: str | None = None
    message: str = ""
    is_retriable: bool | None = None
    is_rate_limit: bool = False


class DetailReader(Protocol):
    """A service's reader of error bodies; it must not let through what was sent, which a server may quote."""

    def __call__(self, body: bytes, request_texts: Collection[str] = ()) -> ErrorDetail:
        """Read a body; ``request_texts`` is what the request carried."""


def is_transient(status: int) -> bool:
    """Whether the same request may succeed later: 408, 425, 429 and 5xx; not 501, which no wait changes."""
    return status in _TRANSIENT or (status >= 500 and status != _NOT_IMPLEMENTED)  # noqa: PLR2004 - HTTP's own class


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

    A transient status is retriable, so is what the service itself calls retriable. Everything else
    is final for this request. 401 is returned like them: the session handles it, because only it
    can renew the token.

    Args:
        service: Name for messages.
        endpoint: Method and path template for messages.
        status: HTTP status.
        headers: Answer headers; ``Retry-After`` is read in seconds and as a date.
        body: Answer body; only ``read_detail`` looks into it.
        read_detail: The service's reader of error bodies.
        now: UTC clock, for a Retry-After date.
    """
    if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own class of success
        return None
    detail = read_detail(body)
    message = detail.message or f"answered with status {status}"
    retry_after = retry_after_s(headers.get("Retry-After"), now())
    if status == 429 or detail.is_rate_limit:  # noqa: PLR2004
        return ThrottledError(
            message,
            service=service,
            endpoint=endpoint,
            status=status,
            code=detail.code,
            retry_after=retry_after,
            is_sent=False,
        )
    if detail.is_retriable or (detail.is_retriable is None and is_transient(status)):
        return RetriableError(
            message,
            service=service,
            endpoint=endpoint,
            status=status,
            code=detail.code,
            retry_after=retry_after,
        )
    return RejectedRequestError(
        message, service=service, endpoint=endpoint, status=status, code=detail.code
    )


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return the seconds of a ``Retry-After`` header in either form, capped; ``None`` without."""
    if not value:
        return None
    try:
        wait = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        wait = (
            moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        ).timestamp() - now.timestamp()
    return min(max(wait, 0.0), MAX_RETRY_AFTER_S) if wait == wait else None  # noqa: PLR0124 - NaN
