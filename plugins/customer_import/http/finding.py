"""What a look at one end of an instance found, for whoever checks both before an import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from customer_import.errors import CustomerImportError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Look = Callable[[], Awaitable["str | Finding"]]

SIGN_IN = "sign-in"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What it was.
        message: What was found, in words; of something wrong also what to do about it.
        error: Why an import cannot work with it; ``None`` when it can.
        is_warning: Whether a person should do something about it although an import can work with it.
    """

    subject: str
    message: str
    error: CustomerImportError | None = None
    is_warning: bool = False

    @classmethod
    def wrong(cls, subject: str, error: CustomerImportError) -> Finding:
        """Return what an error says of a subject."""
        return cls(subject, str(error), error)

    @property
    def is_right(self) -> bool:
        """Whether an import can work with it."""
        return self.error is None


async def look_at(sign_in: Look, others: Mapping[str, Look]) -> tuple[Finding, ...]:
    """Sign in, then look at everything else, also after something that is wrong.

    Args:
        sign_in: Signs in; without it there is nothing else to look at.
        others: Subject to what looks at it; each returns what it found, in words or as a finding.
    """
    first = await _look(SIGN_IN, sign_in)
    if not first.is_right:
        return (first,)
    return (first, *[await _look(subject, look) for subject, look in others.items()])


async def _look(subject: str, look: Look) -> Finding:
    try:
        found = await look()
        return found if isinstance(found, Finding) else Finding(subject, found)
    except CustomerImportError as error:
        return Finding.wrong(subject, error)
