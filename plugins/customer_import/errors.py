"""The one error hierarchy of the import.

Every error answers, in words, what is wrong and what to do. Errors carry fields (status, endpoint, tenant) so that
code never parses a message. Messages hold no body, header, query string, e-mail address, phone number or person's name.
This module imports nothing heavy: DAG files name these classes in their retry policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from datetime import datetime


class CustomerImportError(Exception):
    """Base of all errors that the import raises on purpose."""


class ConfigurationError(CustomerImportError):
    """A file, connection, variable or run parameter is wrong; a person must correct it, so a retry is useless.

    Args:
        message: What is wrong.
        source: The file, connection or parameter it was found in.
        path: Where inside the source, as a dotted path.
        hint: What to do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        source: str | None = None,
        path: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.source = source
        self.path = path
        self.hint = hint
        where = " at ".join(part for part in (source, path) if part)
        text = f"{where}: {message}" if where else message
        super().__init__(f"{text.rstrip('.')}. Hint: {hint}" if hint else text)


class AuthenticationError(CustomerImportError):
    """Credentials or consent were refused; the run stops at once because a retry cannot succeed.

    Args:
        message: What was refused and what to do, in words.
        service: ``Partner Center`` or ``BSS``.
        code: The service's own error code, such as ``AADSTS700082``.
    """

    def __init__(self, message: str, *, service: str, code: str | None = None) -> None:
        self.service = service
        self.code = code
        super().__init__(f"{service}: {message}" + (f" ({code})" if code else ""))


class ApiError(CustomerImportError):
    """A request was answered with an error, or not at all.

    Args:
        message: The service's reason in words, without personal data.
        service: ``Partner Center`` or ``BSS``.
        endpoint: Method and path template, such as ``GET /v1/customers/{id}``.
        status: HTTP status; ``None`` when there was no answer.
        code: The error code in the body, as a string.
    """

    def __init__(
        self,
        message: str,
        *,
        service: str,
        endpoint: str,
        status: int | None = None,
        code: str | None = None,
    ) -> None:
        self.reason = message
        self.service = service
        self.endpoint = endpoint
        self.status = status
        self.code = code
        detail = ", ".join(
            part
            for part in (f"HTTP {status}" if status else "", f"code {code}" if code else "")
            if part
        )
        super().__init__(f"{service} {endpoint}: {message}" + (f" ({detail})" if detail else ""))


class RetriableError(ApiError):
    """The work broke on the way (408, 429, 5xx, transport, malformed body); the same request may succeed later.

    Attributes:
        retry_after: Seconds that the server asked to wait, or ``None``.
        is_sent: Whether the request may have reached the server; a write with ``is_sent`` has an unknown outcome.
    """

    def __init__(
        self,
        message: str,
        *,
        service: str,
        endpoint: str,
        status: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        is_sent: bool = True,
    ) -> None:
        super().__init__(message, service=service, endpoint=endpoint, status=status, code=code)
        self.retry_after = retry_after
        self.is_sent = is_sent


class ThrottledError(RetriableError):
    """The server refused the request because of its rate limit; it was not carried out."""


class AmbiguousWriteError(ApiError):
    """A write was sent and its outcome is unknown; it must be settled by a look-up before it is sent again.

    Attributes:
        retry_after: Seconds that the server asked to wait before it is sent again, or ``None``.
    """

    retry_after: float | None = None

    @classmethod
    def of(cls, error: ApiError) -> Self:
        """Return the same trouble as an unknown outcome."""
        ambiguous = cls(
            f"the outcome is unknown: {error.reason}",
            service=error.service,
            endpoint=error.endpoint,
            status=error.status,
            code=error.code,
        )
        if isinstance(error, RetriableError):
            ambiguous.retry_after = error.retry_after
        return ambiguous


class EndlessListError(ApiError):
    """A list has far more pages than its own total says, or than any list has; it would not end the next time."""


class OutageError(CustomerImportError):
    """A service answers nobody, and was waited for as long as the instance allows; no customer's outcome.

    Args:
        service: ``Partner Center`` or ``BSS``.
        endpoint: Method and path template.
        since: UTC time of the last usable answer, or of the first request when there was none.
        reason: What the last request met, in words.
    """

    def __init__(self, service: str, *, endpoint: str, since: datetime, reason: str) -> None:
        self.service = service
        self.endpoint = endpoint
        self.since = since
        name = f"the {service}" if service.isupper() else service
        super().__init__(
            f"{name} has not answered since {since:%H:%M:%S} UTC ({endpoint}: {reason}). Nothing is lost: the "
            "next try of the task goes on where this one stopped. Hint: look whether the service is up; "
            "retry_budget_s of the instance says how long it is waited for"
        )


class RejectedRequestError(ApiError):
    """The server refused this one request for good (4xx); that record's outcome, not the run's.

    Attributes:
        fields: Names of the sent fields that the server complains of, as far as it names them.
    """

    def __init__(
        self,
        message: str,
        *,
        service: str,
        endpoint: str,
        status: int | None = None,
        code: str | None = None,
        fields: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, service=service, endpoint=endpoint, status=status, code=code)
        self.fields = fields


class DatabaseError(CustomerImportError):
    """The import's own database cannot be reached or cannot store; a retry may succeed when somebody has mended it.

    Args:
        message: Where it is and what is wrong.
        hint: What to do about it.
        is_passing: Whether it may be right again without a change of ours, so that waiting for it makes sense.
    """

    def __init__(self, message: str, *, hint: str, is_passing: bool = True) -> None:
        self.hint = hint
        self.is_passing = is_passing
        super().__init__(f"{message}. Hint: {hint}")


class DataQualityError(CustomerImportError):
    """The run as a whole looks wrong (nothing discovered, too many rejected); it stops before the load."""


class ConservationError(CustomerImportError):
    """The outcomes of a run do not add up to the tenants it discovered; a defect, never to be hidden."""


class SupersededError(CustomerImportError):
    """A later attempt of the same task is at work; this one must end without writing anything."""
